"""What runs without Azure: the local host, the embedded cluster, the command line."""
