"""ESP32-S3: constants only.

Many have only an addressable LED: set LED in settings.py for a plain one.
"""

NAME = "ESP32_GENERIC_S3"
PORT = "esp32"
CHIP = "ESP32-S3"
LED = None
LED_ON = 1
MEMBERS_MAX = 64
