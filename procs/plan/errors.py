"""The errors that can arise before anything runs; imports nothing."""


class ConfigError(Exception):
    """The configuration is unusable; the message names the key and the valid values."""


class StartError(Exception):
    """The run could not be started; the message says why."""
