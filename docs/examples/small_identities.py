"""Small identities: fewer bytes in every datagram, and in the table.

Each ping names two members, and each update one. Where all boards are in 192.168.x.y and use one
port, two octets say who is meant, and a random 16-bit bump tells two lives apart well enough;
with a list of hosts on every board, a place in that list will do. Six designs, and what each
costs on the wire and in a record of the table.
"""

from foca import Config, Foca, Runtime
from foca.address import pack, parse
from foca.bincode import Bincode
from foca.identity import ipv4, own
from foca.postcard import Postcard

PORT = 8080
SECONDS = 1795000000
HOSTS = ("192.168.4.16", "192.168.4.17", "192.168.4.18")


def udp_address(layout, ids, at):
    """What the two octets stand for."""
    first = at + layout.octets_at
    return "192.168.%d.%d:%d" % (ids[first], ids[first + 1], PORT)


def show(title, layout, record):
    cells = [title, "%6d" % layout.record_bytes]
    for codec in (Postcard, Bincode):
        foca = Foca(record, Config.lan(30), Runtime(), codec, layout, seed=1)
        identity = foca.codec.identity_bytes(0)
        ping = foca.codec.header_bytes(0, 0, 0) + 2
        most = (512 - ping) // foca.codec.member_bytes(0)
        cells.append("%8d %4d %7d" % (identity, ping, most))
    print("%-29s %s | %s | %s" % tuple(cells))


def text(layout, bump):
    return parse(layout, "192.168.4.17:%d" % PORT, bump)


print("bytes                         record | postcard ping members | bincode  ping members")
print("                                     | identity      in 512  | identity      in 512")
show("IPv4, port, unix seconds", ipv4(), text(ipv4(), SECONDS))
show("IPv4, port, 16-bit bump", ipv4(16), text(ipv4(16), 4242))
show("IPv4, port, no bump", ipv4(0), text(ipv4(0), 0))
show("IPv4 untagged, 16-bit bump", own(4, True, 16), text(own(4, True, 16), 4242))
small = own(2, bump_bits=16)
record = pack(small, bytes((4, 17)), 0, 4242)
show("two octets, 16-bit bump", small, record)
place = own(1, bump_bits=16)
show("place in a list, 16-bit bump", place, pack(place, bytes((1,)), 0, 4242))
print("two octets stand for", udp_address(small, record, 0), "and place 1 for", HOSTS[1])
