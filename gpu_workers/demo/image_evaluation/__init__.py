"""Looks at the pictures of the demo image model and says how many show what was ordered."""
