"""Examines the demo chat model with questions that its training never saw."""
