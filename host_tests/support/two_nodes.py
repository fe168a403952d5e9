"""Two nodes in one process, on a cable of memory: does what is installed here form a cluster?

Runs where the library was installed (a board, or what plays one) and needs nothing else. Prints
what each node sees of the other, then "mesh" if both see the other Alive.
"""

from foca import Agent


class Cable:
    """One end; what is sent here comes out at the other."""

    port = 36220

    def __init__(self):
        self.inbox = []
        self.other = None

    def send(self, ids, offset, buf, count):
        self.other.inbox.append(bytes(buf[:count]))

    def receive(self):
        return self.inbox.pop(0) if self.inbox else None

    def close(self):
        pass


def clock():
    return now_ms


now_ms = 0
left, right = Cable(), Cable()
left.other, right.other = right, left
one = Agent("10.0.0.1:36220", udp=left, clock=clock, seed=1, bump=1)
two = Agent("10.0.0.2:36220", ["10.0.0.1:36220"], udp=right, clock=clock, seed=2, bump=1)
for _ in range(400):
    now_ms += 50
    one.poll()
    two.poll()
views = [[(member.address, member.state) for member in node.members()] for node in (one, two)]
print(views)
if views == [[("10.0.0.2:36220", "Alive")], [("10.0.0.1:36220", "Alive")]]:
    print("mesh")
