"""Trains the demo voice from nothing: sentences made up by code, spoken by eSpeak NG, learned by a small VITS."""
