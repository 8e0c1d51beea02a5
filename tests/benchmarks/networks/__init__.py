"""What the benchmarks of the engines run: networks, and everything that can run them."""
