"""foca.errors: two exceptions, told apart by whose mistake it was."""

from foca.errors import ConfigError, UsageError
from support.check import raises


def fail(error):
    raise error


def test_a_config_error_is_a_value_error_that_keeps_its_text():
    assert "raise it to 5" in str(raises(ValueError, fail, ConfigError("raise it to 5")))


def test_a_usage_error_is_not_a_value_error():
    assert "call run() once" in str(raises(UsageError, fail, UsageError("call run() once")))
    assert not issubclass(UsageError, ValueError)
    assert not issubclass(ConfigError, UsageError)
