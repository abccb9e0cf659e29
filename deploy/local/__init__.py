"""One machine, one command: makes the environment and runs every process under one supervisor."""
