"""A transport of your own: two members that speak through memory, in a time of their own.

An `Agent` asks its transport for a `port`, `send`, `receive`, `close`, and `wait` for
`run_forever`; bound to 0.0.0.0 also for `local_address`. Losing datagrams is allowed. Nothing here
sleeps: the clock is an argument too.
"""

from foca import Agent


class Mailbox:
    """`boxes`: address -> datagrams that wait there; every tenth one is lost on the way."""

    boxes = {}
    sent = 0

    def __init__(self, address):
        host, _, port = address.partition(":")
        self.port = int(port)
        octets = [int(part) for part in host.split(".")]
        self.box = self.boxes[bytes(octets) + self.port.to_bytes(2, "big")] = []

    def send(self, ids, at, buf, count):
        """Deliver buf[:count] to the record at ids[at:], for IPv4 four octets, port and bump."""
        Mailbox.sent += 1
        box = self.boxes.get(bytes(ids[at : at + 6]))
        if box is None or Mailbox.sent % 10 == 0:
            return False
        box.append(bytes(buf[:count]))
        return True

    def receive(self):
        """The next datagram, or None."""
        return self.box.pop(0) if self.box else None

    def wait(self, timeout_ms):
        """Sleep until there is one; whether there is."""
        return bool(self.box)

    def close(self):
        self.box.clear()


now_ms = 0


def member(address, seeds=()):
    def show(event):
        print("%6d ms  %s: %s" % (now_ms, address, event))

    return Agent(
        address,
        seeds,
        bump=1,
        on_event=show,
        udp=Mailbox(address),
        clock=lambda: now_ms,
        seed=7,
    )


first = member("10.0.0.1:5000")
second = member("10.0.0.2:5000", seeds=["10.0.0.1:5000"])
while now_ms < 10000:
    first.poll()
    second.poll()
    now_ms += 10
print("together:", first.members(), second.members())

second.close()  # without a word: the first finds out by itself
while first.members():
    first.poll()
    now_ms += 10
print("alone again after %d ms" % (now_ms - 10000))
