"""Whose fault it is that a request fails."""


class InvalidInput(ValueError):
    """What was sent is not what the model takes: the caller's fault, where anything else that is raised is the model's."""
