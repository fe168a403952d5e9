"""A loopback of our own, every packet on it, and what a process costs. Linux.

`enter_namespace` moves this process, and all that it starts from then on, into a new network
namespace: the only traffic there is ours, no port is taken, and nothing leaves the machine. Root
may do that, and elsewhere a user whose kernel allows user namespaces. A `Capture` then reads every
packet of `lo` through a packet socket. Bound to IPv4 it gets each packet once, as it arrives: the
copy that leaves is only given to sockets for all protocols.

What is counted is said by the packets' own headers, in three kinds: UDP, TCP, others. `payload`
is what the program gave to its socket; `ip` adds the headers of UDP or TCP and of IP, and is what
a wire carries inside its frames. Loopback has packets of up to 64 KiB: a long TCP transfer is
fewer and larger packets there than on Ethernet.
"""

import ctypes
import fcntl
import os
import socket
import struct
import time
from pathlib import Path
from typing import NamedTuple

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_ETHERTYPE_IPV4 = 0x0800
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_CPU_OF_ALL_THREADS = 2
_PACKET_BYTES_MAX = 65536
UDP, TCP, OTHER = "udp", "tcp", "other"
_PROTOCOLS = {17: UDP, 6: TCP}


def enter_namespace() -> bool:
    """Have a network with nothing but `lo`, up and readable; False where that is not allowed.

    A child tries first: some kernels give a user a namespace without rights in it (AppArmor), and
    there is no way back out of that.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _enter()
            Capture().close()
            status = 0
        finally:
            os._exit(status)
    if os.waitpid(child, 0)[1] != 0:
        return False
    _enter()
    return True


def _enter() -> None:
    """Do it. Raises OSError, perhaps halfway."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWNET) != 0:
        if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
            raise PermissionError("no namespace")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        answer = fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request)
        flags = struct.unpack("16sH14x", answer)[1] | _IFF_UP
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags))


class Packet(NamedTuple):
    """What the headers of one IPv4 packet say. The ports are 0 where there are none."""

    protocol: str
    source_port: int
    target_port: int
    payload_bytes: int
    ip_bytes: int


def parse(data: bytes) -> Packet | None:
    """Read an IPv4 packet from its first byte on; None for what is none or has been cut."""
    if len(data) < 20 or data[0] >> 4 != 4:
        return None
    head = 4 * (data[0] & 15)
    ip_bytes = data[2] << 8 | data[3]
    if not 20 <= head <= ip_bytes <= len(data):
        return None
    protocol = _PROTOCOLS.get(data[9], OTHER)
    if protocol == OTHER:
        return Packet(OTHER, 0, 0, ip_bytes - head, ip_bytes)
    if ip_bytes < head + (8 if protocol == UDP else 20):
        return None
    source_port, target_port = struct.unpack_from("!HH", data, head)
    inner = 8 if protocol == UDP else 4 * (data[head + 12] >> 4)
    return Packet(protocol, source_port, target_port, ip_bytes - head - inner, ip_bytes)


class Sum:
    """Packets of one kind."""

    def __init__(self) -> None:
        self.packets = 0
        self.payload_bytes = 0
        self.ip_bytes = 0

    def add(self, packet: Packet) -> None:
        self.packets += 1
        self.payload_bytes += packet.payload_bytes
        self.ip_bytes += packet.ip_bytes


class Counts:
    """What was counted, by whichever method: `how`."""

    how = ""

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds
        self.restart()

    def restart(self) -> None:
        """Begin at 0."""
        self.sums = {kind: Sum() for kind in self.kinds}
        self.udp_by_port: dict[int, Sum] = {}
        """by the sender's port"""
        self.unread = 0
        """what could not be understood"""
        self.lost = 0
        """what there was no room for"""

    def add(self, packet: Packet) -> None:
        self.sums[packet.protocol].add(packet)
        if packet.protocol == UDP:
            self.udp_by_port.setdefault(packet.source_port, Sum()).add(packet)

    def fileno(self) -> int:
        """What can be read when there is something to `drain`."""
        raise NotImplementedError

    def drain(self) -> None:
        """Count what has arrived."""
        raise NotImplementedError

    def close(self) -> None:
        """Count the last ones and stop; a second time: nothing."""
        raise NotImplementedError


class Capture(Counts):
    """Every packet on `lo` from now on until `close`. Raises PermissionError without the right.

    `unread`: packets that are no IPv4 or cut. `lost` is known after `close`.
    """

    how = "interface"

    def __init__(self) -> None:
        super().__init__(UDP, TCP, OTHER)
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETHERTYPE_IPV4)
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind(("lo", _ETHERTYPE_IPV4))
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def drain(self) -> None:
        while True:
            try:
                data, origin = self._socket.recvfrom(_PACKET_BYTES_MAX)
            except BlockingIOError:
                return
            if origin[2] != socket.PACKET_OUTGOING:
                self.count(data)

    def count(self, data: bytes) -> None:
        packet = parse(data)
        if packet is None:
            self.unread += 1
        else:
            self.add(packet)

    def close(self) -> None:
        if self._socket.fileno() < 0:
            return
        self.drain()
        counts = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self.lost = struct.unpack("II", counts)[1]
        self._socket.close()


def cpu_seconds(pid: int) -> float:
    """The time that all threads of a process have run, in user and kernel mode; exact to a us."""
    return time.clock_gettime(~pid << 3 | _CPU_OF_ALL_THREADS)


def resident_bytes(pid: int) -> int:
    """The memory of a process that is in RAM, shared pages included."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
