"""What can go wrong with embedded servers, in one line."""


class EmbeddedError(Exception):
    """An embedded server cannot be had. The message is one line for whoever starts the process, without a secret."""
