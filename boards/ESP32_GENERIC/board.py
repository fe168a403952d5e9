"""ESP32 (WROOM, DevKitC and the like): constants only.

The LED's GPIO differs between boards, 2 on many: set LED in settings.py.
"""

NAME = "ESP32_GENERIC"
PORT = "esp32"
CHIP = "ESP32"
LED = None
LED_ON = 1
MEMBERS_MAX = 64
