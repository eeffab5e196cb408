# lab.py - what the lab's scenarios share: an SBC on the internet and phones
#
# SPDX-License-Identifier: Apache-2.0

import time

import baresip
import sbcproc
import topology
from phone import Phone
from runner import check, until
from topology import SBC4, SBC6

TALK_S = 4.0
SPEED = 5  # the lab's NATs and our keepalive run this many times faster


class Pace:
    """Times of the real world, shortened unless the run is a real one."""

    def __init__(self, context):
        self.is_real = context.options.real
        self.speed = 1 if self.is_real else SPEED

    def s(self, seconds):
        return seconds / self.speed

    def sleep(self, seconds):
        time.sleep(self.s(seconds))


def realm(**options):
    return {"inet": {"address": [SBC4, SBC6], "media_ports": "20000-20999",
                     "port_rest": "0", **options}}


class Site(topology.Lab):
    """A lab with a running SBC that knows alice, bob and carol."""

    def __init__(self, context, realm_options=None, pace=None, **options):
        """pace: a Pace, for scenarios in which NATs forget."""
        super().__init__(context)
        self.wire()
        env = {"SBC_NAT_SPEED": str(pace.speed)} if pace else None
        self.config = sbcproc.config(
            realm(**(realm_options or {})), ("alice", "bob", "carol"),
            **{"ring_timeout": "20", **options})
        self.box = sbcproc.Sbc(context, self.config, self.sbc.name, env=env)

    def wire(self):
        """Lay what else the box needs to be there when it starts."""

    def baresip(self, user, space, hz, host=SBC4, **how):
        """A baresip in @space, registered."""
        listen = how.pop("listen", "[::]" if ":" in host else "0.0.0.0")
        phone = baresip.Baresip(
            self.context, user, space.name,
            baresip.account(user, sbcproc.password(user), host, **how), hz,
            listen=listen)
        phone.uri_host = f"[{host}]" if ":" in host else host
        # It may register before its control port is there to tell of it.
        until(lambda: self.box.binding(user), 10, f"{user} is not bound",
              step=0.2)
        return phone

    def scripted(self, user, space, host=SBC4, port=5060, **how):
        """A scripted phone in @space, registered."""
        phone = Phone(user, sbcproc.password(user), (host, 5060),
                      local=space.address, port=port, netns=space.name,
                      context=self.context, **how)
        phone.register()
        return phone


def call(caller, callee, callee_user, accept=False):
    """Set up a call between two baresips; both say it is up.

    accept: the callee does not answer by itself.
    """
    marks = caller.mark(), callee.mark()
    answer = caller.dial(f"sip:{callee_user}@{caller.uri_host}")
    check(answer.get("ok"), f"dial refused: {answer}")
    if accept:
        callee.await_event("CALL_INCOMING", 10, marks[1])
        callee.accept()
    caller.await_event("CALL_ESTABLISHED", 10, marks[0])
    callee.await_event("CALL_ESTABLISHED", 10, marks[1])


def hang_up(first, second):
    """@first hangs up; @second must hear of it."""
    marks = first.mark(), second.mark()
    first.hangup()
    second.await_event("CALL_CLOSED", 5, marks[1])
    first.await_event("CALL_CLOSED", 5, marks[0])


def talk(caller, callee, callee_user, hang_up_by, seconds=TALK_S):
    """A call in which each must hear the other's tone, and no other."""
    call(caller, callee, callee_user)
    began = time.monotonic()
    time.sleep(seconds)
    length = time.monotonic() - began
    hang_up(hang_up_by, callee if hang_up_by is caller else caller)
    time.sleep(0.3)  # the recorder closes its file
    for phone, other in ((caller, callee), (callee, caller)):
        phone.must_have_heard(other, length)
