"""What stops a command."""


class Unable(Exception):
    """The command cannot do its work. The text is for the terminal: what is wrong, what to do. No token is in it."""
