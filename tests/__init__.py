"""The tests: what the product claims, on real parts."""
