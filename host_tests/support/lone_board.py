"""firmware/main.py in this process, with this machine's sockets; machine and network are played.

    micropython lone_board.py ADDRESS MASK

Run it in an empty folder that holds settings.py: what a board keeps in flash goes there. The radio
has the address at once; the network that the address belongs to is real.
"""

import sys

ROOT = __file__.rpartition("/host_tests/")[0]
sys.path[:0] = [ROOT + "/lib", ROOT + "/host_tests", ROOT + "/firmware"]

from support.raw_repl import Idle, Namespace, Radio  # noqa: E402


def main(address, mask):
    import foca._port

    foca._port.PLATFORM = "rp2"
    radio = Radio("secret99", address, mask)
    sys.modules["network"] = Namespace(STA_IF=0, WLAN=lambda which: radio)
    sys.modules["machine"] = Namespace(
        WDT=Idle, Timer=Idle, Pin=Idle, WDT_RESET=3, reset_cause=lambda: 1, reset=sys.exit
    )
    import main

    main.run()


main(*sys.argv[1:])
