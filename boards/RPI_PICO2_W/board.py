"""Raspberry Pi Pico 2 W: constants only. The LED hangs on the WiFi chip and is named LED."""

NAME = "RPI_PICO2_W"
PORT = "rp2"
CHIP = "RP2350"
LED = "LED"
LED_ON = 1
MEMBERS_MAX = 64
