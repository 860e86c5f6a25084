"""The Kubernetes API: credentials, what is known of the cluster, and refreshing."""
