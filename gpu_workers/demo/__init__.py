"""Demo models: tiny random ones, built from code in seconds, and trained ones in folders beside them."""
