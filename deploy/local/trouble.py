"""The one error of the start-up that a person is meant to read."""


class Trouble(Exception):
    """A sentence with what is wrong, the bad value, and what to do next; printed without a traceback."""
