# ringing.py - a phone with reliable provisional answers (RFC 3262) and a
# baresip, which knows none: each gets what it can
#
# SPDX-License-Identifier: Apache-2.0

import rtp
import tone
from lab import Site
from runner import check, until

RSEQ = 90210


def setting(context):
    """(site, alice with 100rel behind a NAT, bob's baresip, alice's RTP)."""
    site = Site(context)
    space = site.behind_nat("port_restricted")
    alice = site.scripted("alice", space)
    bob = site.baresip("bob", site.behind_nat("symmetric"), tone.CALLEE_HZ,
                       auto=False)
    return site, alice, bob, rtp.Rtp(space.address, space.name, context)


def baresip_is_called_by_who_requires_it(context):
    site, alice, bob, here = setting(context)
    out = alice.invite("bob", rtp=here, headers=(("Require", "100rel"),))
    ringing = out.expect(180)
    check(ringing.get("rseq") and ringing.get("require") == "100rel",
          "the 180 is not reliable")
    rack = f"{ringing.get('rseq')} {out.cseq} INVITE"
    answer = alice.transact(out.make("PRACK", b"", (("RAck", rack),),
                                     cseq=out.cseq + 1))
    check(answer.status == 200, f"PRACK answered {answer}")
    mark = bob.mark()
    bob.accept()
    out.answered()
    bob.await_event("CALL_ESTABLISHED", 5, mark)
    here.stream(out.media())
    until(lambda: len(here.got) > 15, 5, "baresip is not heard")
    out.cseq += 1
    check(out.bye().status == 200, "BYE refused")
    bob.await_event("CALL_CLOSED", 5, mark)
    site.box.no_calls_left()


def baresip_calls_who_rings_reliably(context):
    site, alice, bob, here = setting(context)
    mark = bob.mark()
    bob.dial(f"sip:alice@{bob.uri_host}")
    into = alice.incoming()
    able = ", ".join(into.invite.all("supported"))
    check("100rel" in able, f"the INVITE supports {able}")
    into.reply(183, "Session Progress", rtp=here,
               headers=(("Require", "100rel"), ("RSeq", str(RSEQ))))
    prack = into.expect_request("PRACK")
    check(prack.get("rack") == f"{RSEQ} {into.invite.cseq[0]} INVITE",
          f"RAck {prack.get('rack')}")
    alice.reply(prack, 200, "OK")
    bob.await_event("CALL_PROGRESS", 5, mark)
    here.stream(into.media())
    until(lambda: len(here.got) > 15, 5, "no early media from baresip")
    into.reply(200, "OK")  # without the answer, which it has
    into.expect_ack()
    bob.await_event("CALL_ESTABLISHED", 5, mark)
    before = len(here.got)
    until(lambda: len(here.got) > before + 15, 5, "baresip fell silent")
    bob.hangup()
    into.expect_bye()
    site.box.no_calls_left()


def add_to(suite):
    for function in (baresip_is_called_by_who_requires_it,
                     baresip_calls_who_rings_reliably):
        suite.add(function)
