# Settings of one board. Copy to settings.py and change; tools/deploy.py does it for you.
# Read line by line by firmware/options.py: NAME = VALUE on one line, nothing else. A mistake is
# reported on the serial console with its line, and the board stays in safe mode.

# Name of the WiFi, 1 .. 32 bytes. The only line that must be there.
SSID = "my-wifi"
# Its password, 8 .. 64 characters; "" for an open WiFi.
PASSWORD = "my-password"
# Country of the radio, two letters; "" is the world-wide setting of the chip.
COUNTRY = ""
# Name of the board for DHCP, up to 32 characters; "" is MicroPython's own.
HOSTNAME = ""

# UDP port, 1 .. 65535: one fleet per port, because datagrams are not authenticated.
PORT = 36220
# Addresses to join through, beside asking everybody on the subnet; Rust peers must stand here.
SEEDS = []
# Ask everybody on the subnet for peers, at 255.255.255.255 and at the address that the subnet has
# for all (10.0.0.255 in 10.0.0.0/24) in turn. True or False.
BROADCAST = True
# How many nodes the cluster is going to have, about, 1 .. 10000: sets how often news is repeated.
CLUSTER_SIZE = 32
# Timing: "lan" finds a dead node in about 5 s, "wan" in about 35 s with a fifth of the traffic.
NETWORK = "lan"
# How many others this board can hold, 1 .. 1000; 40 bytes of RAM each.
MEMBERS_MAX = 64

# Reset the board when it hangs for 8 s. True or False; Ctrl-C on the console keeps it fed.
WATCHDOG = True
# Reset the board after so many minutes without an address, 5 .. 10000.
RESET_AFTER_MINUTES = 60
# "board" is the board's own LED, None is no LED, a number is a GPIO.
LED = "board"
# Read commands from the serial console. True or False.
CONSOLE = True
# Print every event of the protocol. True or False; `log debug` does it until the next reset.
LOG_DEBUG = False
