"""Trains the demo image model from nothing: scenes drawn by code, a VAE, then text encoders and UNet."""
