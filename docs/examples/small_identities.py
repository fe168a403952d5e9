"""Small identities: fewer bytes in every datagram, and in the table.

Each ping names two members, and each update one. Where all boards are in 192.168.x.y and use one
port, two octets say who is meant, and a random 16-bit bump tells two lives apart well enough.
"""

from foca import Config, Foca, Runtime
from foca.address import pack, parse
from foca.identity import ipv4, own

PORT = 8080


def udp_address(layout, ids, at):
    """What the two octets stand for."""
    first = at + layout.octets_at
    return "192.168.%d.%d:%d" % (ids[first], ids[first + 1], PORT)


def show(title, layout, record):
    foca = Foca(record, Config.lan(30), Runtime(), layout=layout, seed=1)
    print(
        "%-30s %2d bytes on the wire, %2d in a record"
        % (title, foca.codec.identity_bytes(0), layout.record_bytes)
    )
    return foca


seconds = 1795000000
wide = ipv4()
show("IPv4, port, unix seconds", wide, parse(wide, "192.168.4.17:8080", seconds))
narrow = ipv4(bump_bits=16)
show("IPv4, port, 16-bit bump", narrow, parse(narrow, "192.168.4.17:8080", 4242))
small = own(2, bump_bits=16)
foca = show("two octets, 16-bit bump", small, pack(small, bytes((4, 17)), 0, 4242))
print("the last one is", udp_address(small, foca.members.ids, 0))
