"""What all boards share, and what a port brings with it. Constants only.

A board's board.py starts from its port and changes what is different. The firmware asks for `LED`
and `LED_ON` (station.py); the rest is for people, tests and tools.
Source: MicroPython's documentation of the port, and docs/BOARDS.md.
"""

MICROPYTHON_TESTED = (1, 25)
MICROPYTHON_OLDEST = (1, 23)
UDP_PORT = 36220
SEND_BYTES_MAX = 512
WATCHDOG_MS = 8000
LED_ON = 1

PORTS = {
    "esp32": {
        "RECEIVE_QUEUE": 6,  # datagrams; LWIP_UDP_RECVMBOX_SIZE
        "POWER_SAVE_OFF": 0,  # WLAN.PM_NONE
        "RECONNECTS_BY_ITSELF": True,
        "WATCHDOG_MS_MAX": None,
        "IPV6": False,
    },
    "rp2": {
        "RECEIVE_QUEUE": 4,  # 1 up to MicroPython 1.25
        "POWER_SAVE_OFF": 0xA11140,  # WLAN.PM_NONE
        "RECONNECTS_BY_ITSELF": False,
        "WATCHDOG_MS_MAX": 8388,
        "IPV6": True,
    },
}
"""Per port: what extmod/modlwip.c, ports/esp32/modsocket.c and network_wlan.c have."""
