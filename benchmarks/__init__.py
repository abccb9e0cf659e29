"""Load, peers and the fake upstream: what `make bench` runs. Nothing of the product imports it, tests do."""
