"""foca: cluster membership for fleets of small boards. Floor 4.

Importing the package costs a version string: names are loaded when first asked for, so that what is not used is not
in memory.
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


def __getattr__(name):
    module = _WHERE.get(name)
    if module is None:
        raise AttributeError("module 'foca' has no attribute %r" % (name,))
    value = getattr(__import__("foca." + module, None, None, (name,)), name)
    globals()[name] = value
    return value
