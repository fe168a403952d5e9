# ruff: noqa: F821
# Frozen firmware for ESP32_GENERIC_C3: MicroPython's own board, and foca on top of it.
#   make firmware BOARD=ESP32_GENERIC_C3 PORT_DIR=.../micropython/ports/esp32

include("$(PORT_DIR)/boards/manifest.py")
include("../manifest_common.py")
module("board.py", base_path=".", opt=3)
