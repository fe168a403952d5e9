"""The seam to the application: where datagrams go out and news comes in. Floor 1.

`Foca` calls two methods and nothing else. Both run inside a call into `Foca`, on the caller's
stack: they may read the node (`state`, `iter_members`, `identity_of`) but a verb called from
inside one answers BUSY and changes nothing.

    event            row          meaning
    MEMBER_UP        the member   an address became active (new, or Down and back under a newer
                                  identity)
    MEMBER_DOWN      the member   an active address left; never for one first heard of as Down
    RENAME           the new one  an address changed its identity; the row OLD holds the replaced
                                  one during the call
    ACTIVE           SELF         the first member appeared: probing starts
    IDLE             SELF         the last member went: everything stops
    DEFUNCT          SELF         we left, or were declared down and could not renew; may repeat
    REJOIN           SELF         we were declared down and renewed our identity
    PROBE_FAILED     PROBED       no ack came, direct or indirect, for probe `probe.number`
    DATA_RECEIVED    SRC          a datagram was accepted; DATA_SENT: one was handed over (row: its
                                  destination). Both only with `notify_data`; the node's message_*
                                  attributes tell the rest
Source: foca's Notification; the last three are its unstable notifications.
"""

MEMBER_UP = 0
MEMBER_DOWN = 1
RENAME = 2
ACTIVE = 3
IDLE = 4
DEFUNCT = 5
REJOIN = 6
PROBE_FAILED = 7
DATA_RECEIVED = 8
DATA_SENT = 9

EVENT_NAMES = (
    "MemberUp",
    "MemberDown",
    "Rename",
    "Active",
    "Idle",
    "Defunct",
    "Rejoin",
    "ProbeFailed",
    "DataReceived",
    "DataSent",
)


class Runtime:
    """What the application supplies. This one does nothing: override both."""

    def send_to(self, row: int, buf: bytearray, count: int) -> None:
        """Deliver `buf[:count]` to the identity at `row`; losing it is allowed.

        `buf` is used again after the return.
        """

    def notify(self, event: int, row: int) -> None:
        """`event` happened to the member at `row`, which may hold another one after the return."""
