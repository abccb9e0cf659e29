"""The GPU workers: a Celery app of their own that knows Redis and models, and neither Django nor a database."""
