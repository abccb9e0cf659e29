"""How requests of several jobs share one run of a model, where the engine itself does not see to it."""
