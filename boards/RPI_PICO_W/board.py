"""Raspberry Pi Pico W: constants only. The LED hangs on the WiFi chip and is named LED."""

NAME = "RPI_PICO_W"
PORT = "rp2"
CHIP = "RP2040"
LED = "LED"
LED_ON = 1
MEMBERS_MAX = 64
