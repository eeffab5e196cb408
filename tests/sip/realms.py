# realms.py - two sides of one box, and who may come in where
#
# SPDX-License-Identifier: Apache-2.0

import rtp
import sbcproc
from phone import Phone
from runner import check, until
from sip import media_of
from sipbox import A_SPEECH, B_SPEECH, SipBox, hang_up


class TwoRealms(SipBox):
    """lan at 127.N.0.1 with alice, wan at 127.N.100.1 with bob."""

    def __init__(self, context, phones=None, **lan):
        net = f"127.{context.id}"
        self.wan = f"{net}.100.1"
        super().__init__(
            context, phones or {"alice": {}, "bob": {}, "carol": {}},
            realm=lan, extra=sbcproc.section("realm", "wan", {
                "address": [self.wan], "media_ports": "30000-30099",
                "domain": "wan.test"}))

    def outside(self, user, number=50, register=True):
        phone = Phone(user, sbcproc.password(user), (self.wan, 5060),
                      local=f"{self.net}.{number}.1", port=5060,
                      domain="wan.test", context=self.context)
        if register:
            phone.register()
        return phone


def call_from_realm_to_realm_shows_each_its_own_side(context):
    box = TwoRealms(context)
    alice, bob = box.phone("alice"), box.outside("bob")
    here = box.media(alice)
    there = rtp.Rtp(bob.local, context=context, payload=B_SPEECH)
    out = alice.invite("bob", rtp=here)
    into = bob.incoming()
    into.reply(200, "OK", rtp=there)
    out.answered()
    into.expect_ack()
    near, far = media_of(out.remote_sdp), media_of(into.remote_sdp)
    check(near[0] == box.address and 20000 <= near[1] <= 20199,
          f"caller sends to {near[:2]}")
    check(far[0] == box.wan and 30000 <= far[1] <= 30099,
          f"callee sends to {far[:2]}")
    here.stream(out.media())
    there.stream(into.media())
    until(lambda: here.count(payload=B_SPEECH) > 15 and
          there.count(payload=A_SPEECH) > 15, 3, "no audio")
    for phone, other in ((alice, box.wan), (bob, box.address)):
        check(other.encode() not in phone.received_bytes(),
              f"{phone.user} can read {other}")
    realms = {leg["side"]: leg["realm"]
              for leg in box.calls()[0]["legs"]}
    check(realms == {"a": "loop", "b": "wan"}, f"realms {realms}")
    hang_up(out, into)
    box.no_calls_left()


def phone_of_one_realm_cannot_register_in_the_other(context):
    box = TwoRealms(context, {"alice": {"realm": "loop"}, "bob": {}})
    box.phone("alice")
    alice = box.outside("alice", register=False)
    answer = alice.register(must=None)
    check(answer.status in (401, 403), f"answered {answer}")


def digest_realm_is_the_domain_of_the_side(context):
    box = TwoRealms(context)
    inside = box.phone("alice", register=False).register(auth=False, must=401)
    outside = box.outside("alice", register=False).register(auth=False,
                                                            must=401)
    check('realm="sbc"' in inside.get("www-authenticate"), "lan")
    check('realm="wan.test"' in outside.get("www-authenticate"), "wan")


def add_to(suite):
    for function in (call_from_realm_to_realm_shows_each_its_own_side,
                     phone_of_one_realm_cannot_register_in_the_other,
                     digest_realm_is_the_domain_of_the_side):
        suite.add(function)
