"""What can be wrong before anything runs; imports nothing."""


class ConfigError(Exception):
    """The configuration cannot be used; the message names the key and what it should be."""


class StartError(Exception):
    """The run could not be started; the message says why."""
