"""What tests share, on CPython and on MicroPython alike: import it as `support.x`."""
