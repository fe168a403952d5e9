"""foca: cluster membership for fleets of small boards. Floor 4.

Importing the package costs a version string: names are loaded when first asked for, so that what
is not used is not in memory.
"""

__version__ = "0.1.0"

_WHERE = {
    "Agent": "aio",
    "BroadcastHandler": "broadcast",
    "Config": "config",
    "ConfigError": "errors",
    "Foca": "node",
    "Layout": "identity",
    "Runtime": "runtime",
    "UsageError": "errors",
}


def __getattr__(name: str) -> object:
    if name.startswith("_"):
        raise AttributeError(name)
    module = "foca." + _WHERE.get(name, name)
    try:
        value = __import__(module, None, None, (name,))
    except ImportError:
        # no `from error`: MicroPython answers it with a warning
        raise AttributeError("module 'foca' has no attribute %r" % (name,))  # noqa: B904
    if name in _WHERE:
        value = getattr(value, name)
    globals()[name] = value
    return value
