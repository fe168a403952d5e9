"""The words of the protocol: message tags, what each message carries, states, widths.

Floor 0: imports nothing of ours.

    packet   := header  [ count:u16be  member*count ]  [ ( len:u16be  item[len] )* ]
    header   := src:ID  src_incarnation:u16  dst:ID  message
    message  := tag  [ third:ID ]  [ number:u8 ]

`FLAGS[tag]` says in one byte what follows the tag and which sections a sender adds.

    | tag               | third  | number | members        | custom broadcasts |
    | Ping, Ack         |        | yes    | the backlog    | yes               |
    | PingReq .. Fwd.Ack| yes    | yes    | the backlog    | yes               |
    | Feed              |        |        | active members | yes               |
    | Gossip            |        |        | the backlog    | yes               |
    | Broadcast         |        |        | no count       | yes               |
    | Announce, TurnUndead: nothing follows the header                         |

Files on the hot path repeat `_PING = const(0)`, because a `const` is folded only in the file that
writes it; a test keeps the repeats equal to these names.
Source: docs/WIRE.md.
"""

PING = 0
ACK = 1
PING_REQ = 2
INDIRECT_PING = 3
INDIRECT_ACK = 4
FORWARDED_ACK = 5
ANNOUNCE = 6
FEED = 7
GOSSIP = 8
BROADCAST = 9
TURN_UNDEAD = 10

MESSAGE_NAMES = (
    "Ping",
    "Ack",
    "PingReq",
    "IndirectPing",
    "IndirectAck",
    "ForwardedAck",
    "Announce",
    "Feed",
    "Gossip",
    "Broadcast",
    "TurnUndead",
)

HAS_MEMBERS = 1
HAS_CUSTOM = 2
HAS_NUMBER = 4
HAS_THIRD = 8
IS_FEED = 16

FLAGS = b"\x07\x07\x0f\x0f\x0f\x0f\x00\x13\x03\x02\x00"

ALIVE = 0
SUSPECT = 1
DOWN = 2

STATE_NAMES = ("Alive", "Suspect", "Down")

INCARNATION_MAX = 65535
"""The last legal incarnation: who is suspected at it cannot refute and must renew its identity."""
