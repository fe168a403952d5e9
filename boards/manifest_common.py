# ruff: noqa: F821
# What every board freezes, beside its own board.py: the library and the firmware's modules.
# Never boot.py, main.py or settings.py: those are files, so that a person can change them.
# Included by the boards' manifest.py; see MicroPython's docs, "MicroPython manifest files".

package("foca", base_path="../lib", opt=3)
for name in (
    "agent",
    "console",
    "led",
    "memory",
    "options",
    "station",
    "watchdog",
    "wifi",
    "witness",
):
    module(name + ".py", base_path="../firmware", opt=2)
