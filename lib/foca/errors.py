"""The two exceptions. Floor 0: imports nothing of ours.

Exceptions are for construction, where a person reads them: `ConfigError` for a value that cannot
work, `UsageError` for a call that cannot work; both say what to change, and nothing was changed.
Everything later is a status code: status.py.
"""


class ConfigError(ValueError):
    """A configuration or address that cannot work: the text says what, why, and what to change."""


class UsageError(Exception):
    """A call that cannot work as made. The text says what to do instead; nothing was changed."""
