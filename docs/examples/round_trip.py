"""How long a member takes to answer: from the Ping that was sent to its Ack.

With `notify_data` the machine tells of every datagram, and `message_tag` and `message_number` say
which one it was. The time includes what both sides sleep between two polls.
"""

from foca import Agent, Config
from foca._port import ticks_diff, ticks_ms
from foca.address import text_of
from foca.runtime import DATA_RECEIVED, DATA_SENT
from foca.wire import ACK, PING


class TimedAgent(Agent):
    pinged_ms = 0
    pinged_number = -1
    round_trips = ()

    def notify(self, event, row):
        """Runs inside the machine: only remember, and pass it on."""
        foca = self.foca
        if event == DATA_SENT and foca.message_tag == PING:
            self.pinged_ms = ticks_ms()
            self.pinged_number = foca.message_number
        elif event == DATA_RECEIVED and foca.message_tag == ACK:
            if foca.message_number == self.pinged_number:
                taken_ms = ticks_diff(ticks_ms(), self.pinged_ms)
                peer = text_of(foca.layout, foca.identity_of(row))
                self.round_trips += ((peer, taken_ms),)
        Agent.notify(self, event, row)


config = Config.simple(probe_period_ms=300, probe_rtt_ms=200, notify_data=True)
first = Agent("127.0.0.1:0", config=config)
second = TimedAgent("127.0.0.1:0", seeds=[first.address], config=config)
for _ in range(2000):
    first.poll()
    second.poll()
    if len(second.round_trips) == 3:
        break
    second.udp.wait(2)
for peer, taken_ms in second.round_trips:
    print("%s answered after %d ms" % (peer, taken_ms))
second.leave()
first.leave()
