"""Status codes and counters. Floor 0: imports nothing of ours.

Theory: data from the network never raises. It is answered with a status code, and every code has a
counter. Misuse at run time is answered the same way. The node repeats the numbers it uses (see
wire.py) and need not load this file.

`Foca.counters` is one array: the first entries count the status codes by their own number, the
others count what is not a failure but worth knowing. `COUNTER_NAMES[i]` names entry i.
Source: the codes up to INVALID_CONFIG are foca's error variants, with foca's meaning.
"""

OK = 0
DATA_TOO_BIG = 1  # longer than packet_bytes_max (handle_data, add_broadcast); nothing changed
MALFORMED_PACKET = 2  # bytes missing or left over; a bad custom section: the rest was applied
DECODE = 3  # the header or a member cannot be decoded; nothing changed
DATA_FROM_OURSELVES = 4  # the source has our address; nothing changed
INDIRECT_FOR_OURSELVES = 5  # the third party named is us; sender and updates were applied
CUSTOM_BROADCAST = 6  # the broadcast handler refused; for handle_data everything else was applied
ENCODE = 7  # the header does not fit into send_bytes_max
NOT_UNDEAD = 8  # reuse_down_identity while not Undead; nothing changed
SAME_IDENTITY = 9  # change_identity with the current identity; nothing changed
INCOMPLETE_PROBE_CYCLE = 10  # the last probe never got to its indirect stage; a new one started
INVALID_CONFIG = 11  # set_config refused; nothing changed
BUSY = 12  # called from inside a callback; nothing changed
FOREIGN_ADDRESS = 13  # an identity of the header is of a family not held here; nothing changed
TABLE_FULL = 14  # apply_many: at least one member found no row; the others were applied
STALE = 15  # add_broadcast: the handler knew it already; nothing changed

STATUS_NAMES = (
    "Ok",
    "DataTooBig",
    "MalformedPacket",
    "Decode",
    "DataFromOurselves",
    "IndirectForOurselves",
    "CustomBroadcast",
    "Encode",
    "NotUndead",
    "SameIdentity",
    "IncompleteProbeCycle",
    "InvalidConfig",
    "Busy",
    "ForeignAddress",
    "TableFull",
    "Stale",
)

NOT_FOR_US = 16  # accepted silently and dropped: the destination is not our current identity
FOREIGN_MEMBERS = 17  # members of another address family skipped among the updates of a packet
REFUSED_MEMBERS = 18  # members that found the table full and nobody to evict
EVICTED_MEMBERS = 19  # Down members forgotten early to make room
TURN_UNDEAD_LIMITED = 20  # TurnUndead messages not sent because of the rate limit
RELAYS_LIMITED = 21  # indirect probes to strangers not relayed because of the rate limit
FEEDS_LIMITED = 22  # Announces not answered because of the rate limit
RENEWALS = 23  # identities renewed automatically
ITEMS_EVICTED = 24  # custom broadcasts dropped early to make room for newer ones
ITEMS_REFUSED = 25  # custom broadcasts that found no room
DATAGRAMS_SENT = 26  # datagrams handed to the runtime
BYTES_SENT = 27  # their bytes; wraps at 2**30
DATAGRAMS_RECEIVED = 28  # datagrams that were decoded and meant for us
RENEWALS_LIMITED = 29  # automatic renewals not done because of the rate limit

COUNTERS = 30

COUNTER_NAMES = STATUS_NAMES + (
    "NotForUs",
    "ForeignMembers",
    "RefusedMembers",
    "EvictedMembers",
    "TurnUndeadLimited",
    "RelaysLimited",
    "FeedsLimited",
    "Renewals",
    "ItemsEvicted",
    "ItemsRefused",
    "DatagramsSent",
    "BytesSent",
    "DatagramsReceived",
    "RenewalsLimited",
)
