# quiet.py - a phone that never speaks first: it answers what it must, and
# counts what the box sends to keep its NAT open
#
# SPDX-License-Identifier: Apache-2.0

import random
import re
import threading
import time

import rtp
from phone import Phone
from runner import check, until
from sbcproc import password
from topology import SBC4


class Quiet(Phone):
    """Answers OPTIONS with @options (0 = not at all) and nothing else."""

    def __init__(self, user, space, context, server=SBC4, options=200,
                 port=5060, **how):
        self.options = options
        self.asked = []  # when an OPTIONS came
        super().__init__(user, password(user), (server, 5060),
                         local=space.address, port=port, netns=space.name,
                         context=context, **how)
        self.space = space
        self.ignore = self.answer_options

    def answer_options(self, message):
        if not (message.is_request and message.method == "OPTIONS"):
            return False
        self.asked.append(time.monotonic())
        if self.options:
            self.reply(message, self.options, "OK", to_tag="quiet")
        return True

    def stay_registered(self):
        """REGISTER now and whenever nine tenths of what was granted are
        over, until the scenario ends."""
        threading.Thread(target=self.refresh, daemon=True,
                         args=(self.register(),)).start()

    def refresh(self, answer):
        due = time.monotonic()
        while self.running:
            due += 0.9 * granted(answer)
            while self.running and time.monotonic() < due:
                time.sleep(0.1)
            if self.running:
                answer = self.register()

    def pings(self, since=0.0):
        """When anything came that kept the NAT open, in order."""
        return sorted(t for t in self.asked + self.blank if t >= since)


def granted(answer):
    """Seconds until the first Contact of a 200 to REGISTER expires."""
    return int(re.search(r"expires=(\d+)", answer.get("contact")).group(1))


def ring(caller, callee, seconds, auth=True):
    """@caller calls @callee, who must ring within @seconds and refuses.

    auth: @caller is asked for its password.
    """
    out = caller.invite(callee.user, sdp=rtp_sdp(caller), auth=auth)
    into = callee.incoming(seconds)
    into.reply(486, "Busy Here")
    into.expect_ack()
    message = caller.expect(
        lambda m: out.answers_invite(m) and m.status >= 200, 6, "486")
    check(message.status == 486, f"not 486 but {message}")


def rtp_sdp(phone):
    from sip import make_sdp
    return make_sdp(phone.local, 30000)


def calls_at_random(pace, caller, callee, calls, minutes):
    """@calls calls at random instants of @minutes all ring in time.

    A ring that comes late by a few seconds is a call that arrived; one that
    does not come within the caller's patience is lost.
    """
    began = time.monotonic()
    due = sorted(random.uniform(0, minutes * 60) for _ in range(calls))
    late = []
    for number, instant in enumerate(due):
        at = began + pace.s(instant)
        time.sleep(max(0.0, at - time.monotonic()))
        started = time.monotonic()
        ring(caller, callee, 30)
        took = time.monotonic() - started
        if took > 1:
            late.append(f"call {number} at {instant:.0f} s: {took:.1f} s")
    return late


def two_way_call(caller, callee, context, seconds=1.5, caller_rtp=None,
                 callee_rtp=None):
    """Set up a call with audio both ways; returns (out, into, media)."""
    speech = caller_rtp or rtp.Rtp(caller.local, caller.netns, context,
                                   b"A" * 160)
    answer = callee_rtp or rtp.Rtp(callee.local, callee.netns, context,
                                   b"B" * 160)
    out = caller.invite(callee.user, rtp=speech)
    into = callee.incoming()
    into.reply(200, "OK", rtp=answer)
    out.answered()
    into.expect_ack()
    speech.stream(out.media())
    answer.stream(into.media())
    hear_each_other(speech, answer, seconds)
    return out, into, (speech, answer)


def hear_each_other(speech, answer, seconds=1.5):
    """From now on both get half of what the other sends, or more."""
    since = time.monotonic()
    need = int(seconds / rtp.PTIME_S / 2)
    until(lambda: speech.count(payload=answer.payload, since=since) >= need,
          seconds + 3, "the caller hears nothing")
    until(lambda: answer.count(payload=speech.payload, since=since) >= need,
          seconds + 3, "the callee hears nothing")
