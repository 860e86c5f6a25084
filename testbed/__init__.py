"""What the tests and the benchmarks share: servers that run here, what is put into them, and who talks to them."""
