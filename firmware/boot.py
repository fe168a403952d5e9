"""Runs first after every reset, soft ones included. Never blocks, and never starts the node."""

import os

import micropython

micropython.alloc_emergency_exception_buf(100)

try:
    os.stat("foca-console.flag")  # see watchdog.py
    import watchdog

    watchdog.keep_fed()
except (OSError, ImportError):
    pass
