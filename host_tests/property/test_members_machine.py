"""The member table against a plain dict: whatever is applied, evicted, removed or renamed."""

from foca._port import ticks_add, ticks_diff
from foca.members import (
    CHANGED,
    IS_ACTIVE,
    LOST,
    OLD,
    REFUSED,
    REPLACED,
    SUCCESS,
)
from foca.picker import Picker
from foca.wire import ALIVE, DOWN, SUSPECT
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.table import Table

ADDRESSES = st.integers(0, 11)
BUMPS = st.sampled_from((0, 1, 2, 255, 256, 65535))
INCARNATIONS = st.sampled_from((0, 1, 2, 255, 256, 65534, 65535))
STATES = st.sampled_from((ALIVE, SUSPECT, DOWN))
START = (1 << 30) - 50  # so that deadlines cross the wrap


def beats(known, update):
    """Whether (state, incarnation) `update` passes on an equal identity that is `known`."""
    if known[0] == DOWN:
        return False
    if update[0] == DOWN:
        return True
    if update[0] > known[0]:
        return update[1] >= known[1]
    return update[1] > known[1]


class MemberTable(RuleBasedStateMachine):
    @initialize(members_max=st.sampled_from((1, 2, 5, 12)), seed=st.integers(0, 9))
    def start(self, members_max, seed):
        self.table = Table(members_max, seed)
        self.members = self.table.members
        self.picker = Picker(self.members)
        self.model = {}  # address -> [bump, state, incarnation, transmissions left, forget]
        self.evicted = 0

    @rule(address=ADDRESSES, bump=BUMPS, state=STATES, incarnation=INCARNATIONS)
    def apply(self, address, bump, state, incarnation):
        known = self.model.get(address)
        outcome = self.table.apply(address, bump, state, incarnation)
        row = self.members.row
        is_active = IS_ACTIVE if state != DOWN else 0
        if known is None:
            if len(self.model) == self.table.members_max and not self.make_room():
                assert outcome == REFUSED
                assert row == 0
                return
            self.model[address] = [bump, state, incarnation, 0, 0]
            assert outcome == SUCCESS | (IS_ACTIVE | CHANGED if is_active else 0)
        else:
            was_active = IS_ACTIVE if known[1] != DOWN else 0
            changed = CHANGED if was_active != is_active else 0
            if known[0] > bump:
                assert outcome == LOST | was_active
            elif known[0] < bump:
                assert outcome == SUCCESS | REPLACED | is_active | changed
                assert (self.table.address(OLD), self.table.bump(OLD)) == (address, known[0])
                self.take(known, bump, state, incarnation)
            elif beats(known[1:3], (state, incarnation)):
                assert outcome == SUCCESS | is_active | changed
                self.take(known, bump, state, incarnation)
            else:
                assert outcome == was_active
        assert self.table.address(row) == address

    def take(self, known, bump, state, incarnation):
        known[:3] = bump, state, incarnation
        if state != DOWN:
            known[4] = 0

    def make_room(self):
        """Evict from the model as the policy says, and assert that the table did the same."""
        candidates = [
            address for address, known in self.model.items() if known[1] == DOWN and not known[3]
        ]
        if not candidates:
            return False
        mortal = [address for address in candidates if self.model[address][4]]
        gone = [address for address in candidates if not self.table.find(address)]
        assert len(gone) == 1, "evicted %r of %r" % (gone, candidates)
        if mortal:
            first = min(ticks_diff(self.model[address][4], START) for address in mortal)
            assert ticks_diff(self.model[gone[0]][4], START) == first
        del self.model[gone[0]]
        self.evicted += 1
        return True

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove_a_down_one(self, data):
        down = sorted(address for address, known in self.model.items() if known[1] == DOWN)
        if down:
            address = data.draw(st.sampled_from(down))
            self.members.remove(self.table.find(address))
            del self.model[address]

    @precondition(lambda self: self.model)
    @rule(data=st.data(), transmissions=st.integers(0, 3))
    def queue(self, data, transmissions):
        address = data.draw(st.sampled_from(sorted(self.model)))
        self.members.left[self.table.find(address)] = transmissions
        self.model[address][3] = transmissions

    @precondition(lambda self: self.model)
    @rule(data=st.data(), delay=st.integers(0, 100))
    def set_forget(self, data, delay):
        address = data.draw(st.sampled_from(sorted(self.model)))
        if self.model[address][1] == DOWN:
            deadline = ticks_add(START, delay) or 1
            self.members.forgets[self.table.find(address)] = deadline
            self.model[address][4] = deadline

    @rule(want=st.integers(0, 14), down=st.booleans())
    def choose(self, want, down):
        count = self.picker.choose(want, down, 0, None)
        chosen = {self.table.address(self.picker.rows[i]) for i in range(count)}
        fitting = {a for a, known in self.model.items() if (known[1] == DOWN) == down}
        assert len(chosen) == count == min(want, len(fitting))
        assert chosen <= fitting

    @rule()
    def probe_next(self):
        row = self.picker.next()
        active = {a for a, known in self.model.items() if known[1] != DOWN}
        if active:
            assert self.table.address(row) in active
        else:
            assert row == 0

    @invariant()
    def the_table_says_what_the_dict_says(self):
        if not hasattr(self, "model"):
            return
        self.table.check()
        assert self.table.known() == {a: tuple(known[:3]) for a, known in self.model.items()}
        assert self.members.count == len(self.model)
        assert self.members.evicted == self.evicted
        for address, known in self.model.items():
            row = self.table.find(address)
            assert self.members.left[row] == known[3]
            assert self.members.forgets[row] == known[4]


TestMemberTable = MemberTable.TestCase
TestMemberTable.settings = settings(
    max_examples=2 * settings().max_examples, stateful_step_count=40
)
