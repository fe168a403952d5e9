"""One probe cycle: who is being asked for a sign of life, and who answered. Floor 2.

    t0           Ping to a member
    t0 + rtt     PingReq to some helpers, if no Ack; `asked`: the indirect stage was reached
    t0 + period  the verdict: any Ack, direct or forwarded, is a success

The row PROBED keeps the identity and incarnation that the member had at t0: a rename in between
ends the cycle quietly. A helper is a member with the mark HELPER; a replaced or removed row loses
its marks, so an answer counts only from the very identity that was asked, and only once.
"""

from ._port import const

_TYPING = const(0)
if _TYPING:
    from .members import Members

_PROBED = const(6)
_FIRST = const(9)
_HELPER = const(1)

HELPER = 1


class Probe:
    def __init__(self, members: "Members") -> None:
        self.members = members
        self.number = 0
        """The number of the current or last probe, 0 .. 255; the first one is 1."""
        self.is_running = False
        self.asked = False
        self.acked = False
        self._helpers = False

    def start(self, row: int) -> None:
        """Begin a cycle with the member at `row`."""
        self.clear()
        self.members.copy(row, _PROBED)
        self.members.incarnations[_PROBED] = self.members.incarnations[row]
        self.number = (self.number + 1) & 255
        self.is_running = True

    def clear(self) -> None:
        """Forget the cycle. The number stays."""
        self.is_running = self.asked = self.acked = False
        if self._helpers:
            self._helpers = False
            marks = self.members.marks
            row = _FIRST
            while row < self.members.rows:
                marks[row] = 0
                row += 1

    def add_helper(self, row: int) -> None:
        """The member at `row` was asked to ping on our behalf."""
        self.members.marks[row] = _HELPER
        self._helpers = True

    def receive_ack(self, row: int, number: int) -> None:
        """An Ack `number` came from the identity at `row`."""
        if number == self.number and self.is_running and self.members.same_identity(row, _PROBED):
            self.acked = True

    def receive_forwarded_ack(self, row: int, number: int) -> None:
        """A helper says that its ping was answered. `row`: a scratch row with its identity."""
        if number == self.number and self.is_running:
            row = self.members.find_identity(row)
            if row and self.members.marks[row]:
                self.members.marks[row] = 0
                self.acked = True
