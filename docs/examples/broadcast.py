"""Custom broadcasts: a temperature that every member hears about, the latest of each origin.

`VersionedHandler` keeps origins apart and drops what is old. Items travel with the protocol's own
datagrams, so they must be small; `broadcast` also sends one at once.
"""

from foca import Agent, Config
from foca.address import parse
from foca.broadcast import VersionedHandler
from foca.identity import ipv4
from foca.postcard import Postcard

heard = []


def show(origin, version, payload):
    """Called from inside the machine: be quick, and call no verb of the agent."""
    heard.append(payload)
    print("%s says %s (version %d)" % (origin, payload.decode(), version))


def member(seeds=()):
    handler = VersionedHandler(Postcard, show)
    return Agent("127.0.0.1:0", seeds, config=Config.lan(2), handler=handler), handler


kitchen, _ = member()
cellar, cellar_handler = member([kitchen.address])


def say(version, text):
    origin = parse(ipv4(), cellar.address, version)
    return cellar.broadcast(cellar_handler.pack(origin, text.encode()))


def run_until(happened):
    for _ in range(500):
        kitchen.poll()
        cellar.poll()
        if happened():
            return
        cellar.udp.wait(10)
    raise SystemExit("that took too long")


run_until(lambda: kitchen.members() and cellar.members())
say(1, "21.5 C")
run_until(lambda: heard == [b"21.5 C"])
say(2, "22.0 C")
run_until(lambda: heard == [b"21.5 C", b"22.0 C"])
print("said again: status %d, known already" % say(2, "22.0 C"))
cellar.leave()
kitchen.leave()
