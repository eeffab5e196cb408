# subscriptions.py - phones that only subscribe, behind NATs that forget
#
# SPDX-License-Identifier: Apache-2.0

import os
import sys
import time

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "sip"))

from lab import Pace, Site
from passing import Served, Watch
from quiet import Quiet
from runner import check, until
from sipbox import meanwhile

SERVER = "203.0.113.80"
EXTRA = f"""
config trunk 'server'
	option realm 'inet'
	option host '{SERVER}'
config route 'presence'
	list method 'SUBSCRIBE'
	list to 'server'
"""


class World:
    """A presence server on the internet; bob behind a NAT, not registered."""

    def __init__(self, context, timeout=30, kind="port_restricted", **realm):
        self.pace = Pace(context)
        self.site = Site(context, {"min_expires": "1", **realm}, self.pace,
                         extra=EXTRA)
        space = self.site.host("server", SERVER)
        space.address = SERVER
        self.server = Quiet("server", space, context)
        self.bob = Quiet("bob", self.site.behind_nat(
            kind, timeout_s=self.pace.s(timeout)), context)

    def subscribe(self, expires=3600, user="alice", event="presence"):
        watch = Watch(self.bob, user, event)
        answer = meanwhile(lambda: watch.send(expires))
        served = Served(self.server)
        served.accept(expires)
        check(answer().status == 200, f"SUBSCRIBE answered {answer()}")
        return watch, served

    def held(self):
        return self.site.box.status()["keepalive"]["flows"]


def notified_after_silence(kind, timeout):
    """Nobody says a word for ten minutes; then the NOTIFY arrives."""
    def run(context):
        world = World(context, timeout, kind)
        watch, served = world.subscribe()
        served.notify(watch, "active;expires=3600")
        check(world.site.box.binding("bob") is None, "bob registered")
        world.pace.sleep(600)
        seen, result = served.notify(watch, "active;expires=3000")
        check(result.status == 200, f"late NOTIFY answered {result}")
        check(seen.body, "without its body")
    return run


def one_ping_for_three_subscriptions_and_a_registration(context):
    world = World(context, keepalive="crlf", keepalive_interval="10")
    world.bob.register()
    for event in ("presence", "dialog", "message-summary"):
        world.subscribe(event=event)
    check(world.site.box.status()["subscriptions"] == 3, "not three")
    began = time.monotonic()
    world.pace.sleep(65)
    n = len(world.bob.pings(began))
    check(5 <= n <= 8, f"{n} pings in 6.5 intervals")


def pings_end_with_the_subscription(context):
    world = World(context, keepalive_interval="10")
    watch, served = world.subscribe()
    check(world.held() == 1, f"{world.held()} flows are held")
    world.pace.sleep(25)
    check(world.bob.pings(), "nothing keeps the NAT open")
    served.notify(watch, "terminated;reason=noresource")
    until(lambda: not world.held(), 3, "the flow is held still")
    began = time.monotonic()
    world.pace.sleep(40)
    check(not world.bob.pings(began), "pings go on after the end")


def subscription_follows_a_phone_that_registers_anew(context):
    """Its NAT restarts and another way is open: the phone registers with the
    same Contact from there, as a new binding, and is notified there."""
    world = World(context, keepalive="options", keepalive_interval="10")
    bob = world.bob
    bob.register()
    watch, served = world.subscribe()
    served.notify(watch, "active;expires=3600")
    until(bob.pings, 8, "no ping")
    time.sleep(0.2)  # it is answered
    said = bob.contact()
    bob.close()
    moved = Quiet("bob", world.site.behind_nat(
        "port_restricted", timeout_s=world.pace.s(30)), context)
    check(moved.contact() == said, "not the same Contact")
    moved.register()
    watch.phone = moved
    until(lambda: "sub.moved" in world.site.box.log(), world.pace.s(60),
          "the subscription stays where nobody is")
    seen, result = served.notify(watch, "active;expires=3000")
    check(result.status == 200 and seen.body, f"NOTIFY answered {result}")


def nothing_arrives_without_them(context):
    """The proof that the NAT forgets: keepalive off, and no NOTIFY comes."""
    world = World(context, keepalive="off")
    watch, served = world.subscribe()
    world.pace.sleep(90)
    late = served.make("active")
    world.server.send(late)
    world.bob.nothing("NOTIFY", 2)


def add_to(suite):
    for name, kind, timeout in (
            ("subscriber_behind_a_30_s_nat", "port_restricted", 30),
            ("subscriber_behind_a_symmetric_30_s_nat", "symmetric", 30)):
        suite.add(notified_after_silence(kind, timeout),
                  name, fast=False, limit=200)
    for function in (one_ping_for_three_subscriptions_and_a_registration,
                     pings_end_with_the_subscription,
                     subscription_follows_a_phone_that_registers_anew,
                     nothing_arrives_without_them):
        suite.add(function)
