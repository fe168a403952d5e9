"""An identity of your own: members are called by name, and the rules are yours.

This uses the machine itself, `Foca`: two calls in (`handle_data`, `tick`), two out (`send_to`,
`notify`). A record is eight bytes of name and a 16-bit bump.
"""

from foca import Config, Foca, Layout, Runtime
from foca.address import bump_of, pack
from foca.runtime import EVENT_NAMES


class Names(Layout):
    """Names of eight bytes. A renewed bump goes up by a hundred, so that logs show it."""

    def __init__(self):
        Layout.__init__(self, octets=8, port=False, bump_bits=16, tag=-1)

    def renew(self, ids, at, step):
        return Layout.renew(self, ids, at, 100 * step)


class Post(Runtime):
    """Puts what one node sends into the other one's box; prints what it is told."""

    boxes = {}

    def __init__(self, name):
        self.name = name
        self.foca = None
        self.boxes[name] = []

    def send_to(self, row, buf, count):
        to = self.foca.identity_of(row)[:8]
        self.boxes[to].append(bytes(buf[:count]))  # buf is reused: keep a copy

    def notify(self, event, row):
        who = self.foca.identity_of(row)
        print(
            "%s: %s %s#%d"
            % (text(self.name), EVENT_NAMES[event], text(who[:8]), bump_of(layout, who))
        )


def text(name):
    return name.decode().strip("_")


def node(name, bump):
    name = (name + "________")[:8].encode()
    post = Post(name)
    post.foca = Foca(pack(layout, name, 0, bump), Config.lan(2), post, layout=layout, seed=bump)
    return post.foca


def run(nodes, until_ms):
    """Deliver and tick until then. A node that is not among `nodes` is deaf and frozen."""
    global now_ms
    while now_ms < until_ms:
        for one in nodes:
            box = Post.boxes[one.runtime.name]
            while box:
                data = box.pop(0)
                one.handle_data(data, len(data), now_ms)
            one.tick(now_ms)
        now_ms += 10


layout = Names()
now_ms = 0
stove = node("stove", 1)
lamp = node("lamp", 2)
lamp.announce(stove.identity())
run([stove, lamp], 3000)

print("the lamp freezes for twenty seconds")
run([stove], 23000)
print("and is back, late")
run([stove, lamp], 33000)
print("the lamp is number %d now" % bump_of(layout, lamp.identity()))
