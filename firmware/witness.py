"""Who told us last about each member, for the console's `why`: columns beside the table.

They are filled when a state changes and when a member speaks. Invariant: what stands at a row is
about the member at that row, because each change of a row's identity is a successful `apply`. With
foca.fast, which does not call `refresh`, it is not noticed who told that a member is Suspect.
"""

from array import array

from foca._port import const
from foca.address import text_of
from foca.members import SELF, SRC, SUCCESS
from foca.wire import STATE_NAMES

_DATAGRAMS_RECEIVED = const(28)


class Witness:
    def __init__(self, foca):
        members = foca.members
        self.foca = foca
        self.now_s = 0
        self.is_hearing = False
        self._heard = array("i", [-1] * members.rows)
        self._changed = array("i", [-1] * members.rows)
        self._tellers = bytearray(members.rows * members.width)
        self._apply = members.apply
        self._refresh = members.refresh
        members.apply = self.apply
        members.refresh = self.refresh

    def apply(self, update):
        """`Members.apply`, remembered."""
        outcome = self._apply(update)
        if outcome & SUCCESS:
            row = self.foca.members.row
            if outcome & 8:  # REPLACED: nobody was heard under the new identity
                self._heard[row] = -1
            self._note(row)
        return outcome

    def refresh(self, row):
        """`Members.refresh`, remembered."""
        outcome = self._refresh(row)
        if outcome:
            self._note(row)
        return outcome

    def _note(self, row):
        self._changed[row] = self.now_s
        self._copy(SRC if self.is_hearing else SELF, row)

    def hear(self, handle_data, buf, count, now_ms):
        """`Foca.handle_data`: whoever sent a datagram that was accepted was heard."""
        foca = self.foca
        accepted = foca.counters[_DATAGRAMS_RECEIVED]
        self.is_hearing = True
        status = handle_data(foca, buf, count, now_ms)
        self.is_hearing = False
        if accepted != foca.counters[_DATAGRAMS_RECEIVED]:
            row = foca.members.find_identity(SRC)
            if row:
                self._heard[row] = self.now_s
        return status

    def _copy(self, source, row):
        ids = self.foca.members.ids
        left = width = self.foca.members.width
        source *= width
        row *= width
        while left:
            left -= 1
            self._tellers[row + left] = ids[source + left]

    def lines(self, row):
        """Lines of text about the member at `row`."""
        foca = self.foca
        members = foca.members
        layout = foca.layout
        name = text_of(layout, foca.identity_of(row))
        state = STATE_NAMES[members.states[row]]
        said = "%s is %s, incarnation %d" % (name, state, members.incarnations[row])
        if self._heard[row] < 0:
            heard = "never heard from itself"
        else:
            heard = "heard from itself %d s ago" % (self.now_s - self._heard[row])
        teller = text_of(layout, self._tellers, row * members.width)
        since = self.now_s - self._changed[row]
        if teller == name:
            teller = "it said so itself"
        elif teller == text_of(layout, foca.identity()):
            teller = "our own probe was not answered"
        else:
            teller = "told by " + teller
        return [said, heard, "%s since %d s: %s" % (state, since, teller)]
