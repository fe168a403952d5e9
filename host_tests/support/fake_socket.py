"""Fake `socket`, `select` and `network` modules that behave as one port's, and fail on demand.

    net = FakeNet(ESP32)
    a = Udp(ipv4(), "10.0.0.1", modules=net.modules())
    net.fail("sendto", OSError(118), 3)       the next three calls raise
    net.deliver(36220, b"...")                a datagram from outside arrives
    net.sent                                  [(host, port, bytes), ...] as the port understood

All sockets of one net reach each other. Nothing blocks and there is no clock: a poll that would
wait answers at once. Runs on CPython and on MicroPython.

    profile   sendto takes             queue  refuses
    CPYTHON   (text, port)             64     broadcast without the flag (EACCES)
    UNIX      packed sockaddr          64     the same; a tuple is a TypeError
    RP2_OLD   [text or bytes, port]    1      nothing; numbers with a leading zero are octal
    RP2       the same                 4
    ESP32     [text or bytes, port]    6      IPv6; an empty datagram ends the socket

Source: MicroPython 1.25 ports/unix/modsocket.c; extmod/modlwip.c (lwip_parse_inet_addr,
error_lookup_table; queue of 4 since pull request 17261); ports/esp32/modsocket.c
(_socket_read_data, socket_sendto) with shared/netutils/netutils.c; newlib sys/errno.h;
micropython issue 12842 (ENOMEM after four packets to a host that does not answer ARP) and
micropython-lib issue 736 (the empty datagram).
"""

POLLIN = 1
POLLNVAL = 32

_ANY = ("0.0.0.0", "::")


class Profile:
    """What differs between the ports. `errno` maps names to the numbers that this port raises."""

    def __init__(self, name, platform, addresses, queue, errno):
        self.name = name
        self.platform = platform
        self.addresses = addresses  # "tuple", "packed", "aton" or "netutils"
        self.queue = queue
        self.errno = errno
        self.micropython = addresses != "tuple"
        self.board = addresses in ("aton", "netutils")
        self.empty_ends = platform == "esp32"
        self.broadcast_flag = not self.board
        self.ipv6 = platform != "esp32"


_LINUX = {
    "EBADF": 9,
    "EAGAIN": 11,
    "ENOMEM": 12,
    "EACCES": 13,
    "EINVAL": 22,
    "EMSGSIZE": 90,
    "EADDRINUSE": 98,
    "EADDRNOTAVAIL": 99,
    "ENETDOWN": 100,
    "ENETUNREACH": 101,
    "ENOBUFS": 105,
    "ETIMEDOUT": 110,
    "ECONNREFUSED": 111,
    "EHOSTUNREACH": 113,
}
_LWIP = {
    "ERR_IF": -1,
    "EIO": 5,
    "EBADF": 9,
    "EAGAIN": 11,
    "ENOMEM": 12,
    "EINVAL": 22,
    "EADDRINUSE": 98,
    "ENOBUFS": 105,
    "ENOTCONN": 107,
    "EHOSTUNREACH": 113,
}
_NEWLIB = {
    "EBADF": 9,
    "EAGAIN": 11,
    "ENOMEM": 12,
    "EINVAL": 22,
    "ENOBUFS": 105,
    "EADDRINUSE": 112,
    "ECONNABORTED": 113,
    "ENETUNREACH": 114,
    "ENETDOWN": 115,
    "ETIMEDOUT": 116,
    "EHOSTDOWN": 117,
    "EHOSTUNREACH": 118,
    "EADDRNOTAVAIL": 125,
    "ENOTCONN": 128,
}

CPYTHON = Profile("CPython", "linux", "tuple", 64, _LINUX)
UNIX = Profile("unix", "linux", "packed", 64, _LINUX)
RP2_OLD = Profile("rp2 1.25", "rp2", "aton", 1, _LWIP)
RP2 = Profile("rp2 1.26", "rp2", "aton", 4, _LWIP)
ESP32 = Profile("esp32", "esp32", "netutils", 6, _NEWLIB)

PROFILES = (CPYTHON, UNIX, RP2_OLD, RP2, ESP32)


class FakeNet:
    """One network of one port's sockets; the scripted failures and the log are here."""

    def __init__(self, profile):
        self.profile = profile
        self.sockets = []  # the open ones
        self.sent = []
        self.calls = {}
        self.failures = {}
        self.dropped = 0
        self.arp_known = None  # hosts that answer ARP; None: all do
        self.arp_pending = 0
        self.own_hosts = None  # hosts that can be bound; None: all can
        self.route_host = None  # what a connected socket says it is sent from
        self.network = FakeNetwork()

    def modules(self):
        """What `Udp(modules=...)` takes."""
        return (FakeSocketModule(self), FakeSelect(self), self.network, self.profile.platform)

    def fail(self, call, error, times=1):
        """The next `times` calls of `call` ("sendto", "recv", "poll", "bind", "socket") raise."""
        self.failures.setdefault(call, []).extend([error] * times)

    def error(self, name):
        """OSError with this port's number for `name`."""
        return OSError(self.profile.errno[name])

    def called(self, call):
        """Count a call and raise what was scripted for it."""
        self.calls[call] = self.calls.get(call, 0) + 1
        waiting = self.failures.get(call)
        if waiting:
            raise waiting.pop(0)

    def deliver(self, port, data):
        """A datagram from outside arrives for `port`."""
        for sock in list(self.sockets):
            if sock.port == port:
                sock.arrive(data)

    def route(self, sender, host, port, data):
        """Carry `data` to the sockets that `host` names."""
        broadcast = host.endswith(".255")
        if broadcast and self.profile.broadcast_flag and not sender.broadcast:
            raise self.error("EACCES")
        if self.arp_known is not None and not broadcast and host not in self.arp_known:
            if self.arp_pending >= 4:
                raise self.error("ENOMEM")
            self.arp_pending += 1
        self.sent.append((host, port, bytes(data)))
        for sock in list(self.sockets):
            if sock.port == port and (broadcast or sock.host == host or sock.host in _ANY):
                sock.arrive(bytes(data))


class FakeSocketModule:
    """The names of the port's `socket` module, and no others: code may look which there are."""

    AF_INET = 2
    AF_INET6 = 10
    SOCK_DGRAM = 2
    SOL_SOCKET = 1
    SO_REUSEADDR = 2
    SO_BROADCAST = 6

    def __init__(self, net):
        self.net = net
        if net.profile.addresses == "tuple":
            self.gaierror = OSError
            self.IPPROTO_IPV6 = 41
            self.IPV6_V6ONLY = 26
        if net.profile.addresses == "packed":
            self.sockaddr = unpack

    def socket(self, family=2, kind=1):
        assert kind == self.SOCK_DGRAM
        self.net.called("socket")
        return FakeSocket(self.net, family)

    def getaddrinfo(self, host, port):
        if self.net.profile.addresses == "packed":
            return [(10 if ":" in host else 2, 2, 17, None, pack(host, port))]
        return [(2, 2, 17, "", (host, port))]


class FakeSocket:
    def __init__(self, net, family):
        self.net = net
        self.family = family
        self.host = ""
        self.port = -1
        self.open = True
        self.blocking = True
        self.broadcast = False
        self.options = {}
        self.queue = []
        self.peer_closed = False
        self.peer = None

    def setblocking(self, flag):
        self.blocking = flag

    def setsockopt(self, level, option, value):
        self.net.called("setsockopt")
        self.options[(level, option)] = value
        if (level, option) == (1, 6):
            self.broadcast = bool(value)

    def bind(self, address):
        self.net.called("bind")
        host, port = self.parse(address)
        for other in self.net.sockets:
            if other.port == port and (host == other.host or host in _ANY or other.host in _ANY):
                raise self.net.error("EADDRINUSE")
        own = self.net.own_hosts
        if own is not None and host not in own and host not in _ANY:
            raise self.net.error("EADDRNOTAVAIL")
        self.host = host
        self.port = port
        self.net.sockets.append(self)

    def connect(self, address):
        self.net.called("connect")
        self.peer = self.parse(address)
        if self.net.route_host is None:
            raise self.net.error("ENETUNREACH")

    def getsockname(self):
        assert self.net.profile.addresses == "tuple", "no MicroPython has getsockname"
        return (self.net.route_host, 40000)

    def sendto(self, data, address):
        self.net.called("sendto")
        if not self.open:
            raise self.net.error("EBADF")
        host, port = self.parse(address)
        if len(data) > 65507:
            raise self.net.error("EMSGSIZE")
        if port == 0:
            raise self.net.error("EINVAL")
        self.net.route(self, host, port, data)
        return len(data)

    def arrive(self, data):
        if len(self.queue) < self.net.profile.queue:
            self.queue.append(data)
        else:
            self.net.dropped += 1

    def readable(self):
        return bool(self.queue) or self.peer_closed or not self.open

    def recv(self, count):
        self.net.called("recv")
        if not self.open:
            raise self.net.error("EBADF")
        if self.peer_closed:
            return b""
        if not self.queue:
            raise self.net.error("EAGAIN")
        data = self.queue.pop(0)
        if not data and self.net.profile.empty_ends:
            self.peer_closed = True
        return data[:count]

    def close(self):
        """Closed also when it raises, as POSIX and lwIP have it."""
        self.open = False
        if self in self.net.sockets:
            self.net.sockets.remove(self)
        self.net.called("close")

    def parse(self, address):
        """(host, port) as this port's C code reads `address`, or the error it raises."""
        kind = self.net.profile.addresses
        if kind == "packed":
            if not isinstance(address, (bytes, bytearray)):
                raise TypeError("object with buffer protocol required")
            family, host, port = unpack(address)
            if family != self.family:
                raise self.net.error("EINVAL")
            return host, port
        if len(address) != 2:
            raise ValueError("tuple/list has wrong length")
        host, port = address
        if kind == "tuple":
            assert isinstance(host, str)
            if (":" in host) != (self.family == 10):
                raise OSError(-9)  # gaierror: address family not supported
            return host, port
        if isinstance(host, str):
            host = host.encode()
        assert isinstance(host, bytes), "a bytearray is refused by mp_obj_str_get_data"
        return (parse_aton(host) if kind == "aton" else parse_netutils(host)), port


class FakeSelect:
    POLLIN = 1

    def __init__(self, net):
        self.net = net

    def poll(self):
        if self.net.profile.micropython:
            return FakeIpoll(self.net)
        return FakePoll(self.net)


class FakePoll:
    def __init__(self, net):
        self.net = net
        self.registered = []

    def register(self, sock, events):
        assert events == POLLIN
        assert sock.open
        self.registered.append(sock)

    def unregister(self, sock):
        self.registered.remove(sock)

    def poll(self, timeout_ms=-1):
        self.net.called("poll")
        return [
            (sock, POLLIN if sock.open else POLLNVAL)
            for sock in self.registered
            if sock.readable()
        ]


class FakeIpoll(FakePoll):
    def ipoll(self, timeout_ms=-1):
        return iter(self.poll(timeout_ms))


class FakeNetwork:
    """`network` with two interfaces; None as address: the interface is not up."""

    STA_IF = 0
    AP_IF = 1

    def __init__(self, station=None, access_point=None, ipconfig=True):
        self.addresses = (station, access_point)
        self.interface = FakeWlan if ipconfig else FakeOldWlan

    def WLAN(self, which):  # noqa: N802  (the board's name)
        return self.interface(self.addresses[which])


class FakeOldWlan:
    """Before MicroPython 1.23: ifconfig only."""

    def __init__(self, address):
        self.address = address

    def active(self):
        return self.address is not None

    def ifconfig(self):
        return (self.address, "255.255.255.0", "10.0.0.254", "10.0.0.254")


class FakeWlan(FakeOldWlan):
    def ipconfig(self, what):
        assert what == "addr4"
        return (self.address, "255.255.255.0")


# --------------------------------------------------------------- how each port reads an address


def parse_aton(text):
    """lwIP's ipaddr_aton: ends at NUL or white space; a leading zero is octal; a colon is IPv6."""
    text = text.split(b"\x00")[0].decode().rstrip()
    if ":" in text:
        return text
    parts = text.split(".")
    if len(parts) != 4:
        raise ValueError("invalid arguments")
    numbers = []
    for part in parts:
        if not part.isdigit():
            raise ValueError("invalid arguments")
        numbers.append(int(part, 8) if part[0] == "0" and len(part) > 1 else int(part))
    return ".".join([str(number) for number in numbers])


def parse_netutils(text):
    """netutils_parse_ipv4_addr: the whole length, always decimal, any byte taken for a digit."""
    parts = text.split(b".")
    if len(parts) != 4:
        raise ValueError("invalid arguments")
    numbers = []
    for part in parts:
        value = 0
        for character in part:
            value = value * 10 + character - 48
        numbers.append(value & 255)
    return ".".join([str(number) for number in numbers])


def pack(host, port):
    """Linux' sockaddr_in or sockaddr_in6 as getaddrinfo gives it."""
    from foca.address import parse_host

    mapped = host.startswith("::ffff:") and "." in host
    octets = parse_host(host[7:] if mapped else host)
    ports = bytes((port >> 8, port & 255))
    if mapped:
        octets = bytes(10) + b"\xff\xff" + octets
    if len(octets) == 4:
        return bytearray(b"\x02\x00" + ports + octets + bytes(8))
    return bytearray(b"\x0a\x00" + ports + bytes(4) + octets + bytes(4))


def unpack(address):
    """(family, host, port) of a sockaddr."""
    from foca.literal import format_ipv6

    port = address[2] << 8 | address[3]
    if address[0] == 2:
        assert len(address) == 16
        return 2, ".".join([str(octet) for octet in address[4:8]]), port
    assert len(address) == 28
    if bytes(address[8:20]) == bytes(10) + b"\xff\xff":
        return 10, "::ffff:" + ".".join([str(octet) for octet in address[20:24]]), port
    return 10, format_ipv6(address, 8), port
