"""Which of this machine's hosts others can reach us at. Floor 4; used by udp, once, when asked.

A node bound to every address must still tell the others one. Nothing is sent to find out: a
desktop looks up the route to a peer by connecting a UDP socket, a board asks its WLAN interfaces,
station first, then access point. An Ethernet interface cannot be found that way: it must be told.
"""

import sys

from ._port import const
from .literal import format_ipv6

_TYPING = const(0)
if _TYPING:
    from typing import Any  # noqa: TID251

_DISCARD = const(9)  # the port of the connected socket: nothing is sent, so any will do


def local_address(
    socket: "Any", network: "Any", ipv6_only: bool, peer_host: str | None = None
) -> str | None:
    """The host as text, or None when it must be told.

    `socket`, `network`: the modules, None: the board's own. `ipv6_only`: no IPv4 host will do.
    `peer_host`: a literal of a peer, for a machine on several networks.
    """
    packed = hasattr(socket, "sockaddr")
    if not packed and not hasattr(socket, "gaierror"):
        return None if ipv6_only else _wlan_address(network)
    peer = peer_host or ("2001:db8::1" if ipv6_only else "192.0.2.1")  # addresses of nobody
    sock = None
    try:
        family = socket.AF_INET6 if ":" in peer else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        if packed:
            address = socket.getaddrinfo(peer, _DISCARD)[0][-1]
            sock.connect(address)
            host = _proc_address(bytes(address))
        else:
            sock.connect((peer, _DISCARD))
            host = sock.getsockname()[0]
    except OSError:
        host = None
    if sock is not None:
        sock.close()
    return None if host in ("0.0.0.0", "::") else host


def _wlan_address(network: "Any") -> str | None:
    if network is None:
        try:
            import network  # type: ignore[no-redef]
        except ImportError:
            return None
    for name in ("STA_IF", "AP_IF"):
        try:
            wlan = network.WLAN(getattr(network, name))
            if wlan.active():  # ipconfig is of MicroPython 1.23
                config = wlan.ipconfig("addr4") if hasattr(wlan, "ipconfig") else wlan.ifconfig()
                if config[0] != "0.0.0.0":
                    return config[0]  # type: ignore[no-any-return]
        except (AttributeError, OSError, ValueError):
            pass
    return None


def _proc_address(peer: bytes) -> str | None:
    """The local host of a socket connected to the packed address `peer`, out of /proc/net.

    The unix port has no getsockname. Linux lists every UDP socket: `sl local remote ...`.
    """
    six = len(peer) > 16
    octets = peer[8:24] if six else peer[4:8]
    with open("/proc/net/udp6" if six else "/proc/net/udp") as lines:
        for line in lines:
            words = line.split()
            if words[2][-5:] == ":0009" and proc_octets(words[2][:-5]) == octets:
                local = proc_octets(words[1][:-5])
                return format_ipv6(local, 0) if six else ".".join([str(o) for o in local])
    return None


def proc_octets(text: str) -> bytes:
    """The octets of an address in /proc/net: words of 32 bits, in the machine's byte order.

    Source: Linux net/ipv4/udp.c (udp4_format_sock), net/ipv6/datagram.c.
    """
    flip = 3 if sys.byteorder == "little" else 0
    at = [2 * (i ^ flip) for i in range(len(text) // 2)]
    return bytes([int(text[i : i + 2], 16) for i in at])
