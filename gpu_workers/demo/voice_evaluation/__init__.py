"""Judges the demo voice by its distance to its teacher on sentences that it never learned."""
