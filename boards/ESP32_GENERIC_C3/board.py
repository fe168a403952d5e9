"""ESP32-C3: constants only.

GPIO 8 is an addressable LED on many, a plain one that is lit by 0 on others.
"""

NAME = "ESP32_GENERIC_C3"
PORT = "esp32"
CHIP = "ESP32-C3"
LED = None
LED_ON = 0
MEMBERS_MAX = 64
