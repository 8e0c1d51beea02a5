"""Networks for the benchmarks of the engines, and everything that can run them."""
