"""Whose fault it is that a request fails."""


class InvalidInput(ValueError):
    """What was sent is not what the model takes: the caller's fault, where anything else that is raised is the model's."""

    def __init__(self, message: str, is_doubtful: bool = False) -> None:
        """is_doubtful: the model itself may have said so, and wrongly: the log has the trace then, as of what it raises."""
        super().__init__(message)
        self.is_doubtful = is_doubtful
