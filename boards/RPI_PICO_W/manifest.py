# ruff: noqa: F821
# Frozen firmware for RPI_PICO_W: MicroPython's own board, and foca on top of it.
#   make firmware BOARD=RPI_PICO_W PORT_DIR=.../micropython/ports/rp2

include("$(PORT_DIR)/boards/RPI_PICO_W/manifest.py")
include("../manifest_common.py")
module("board.py", base_path=".", opt=3)
