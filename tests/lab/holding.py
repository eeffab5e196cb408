# holding.py - a session that changes with a real phone on one side: hold and
# resume, UPDATE and session timers that it does not know, an offer that it has
# to make
#
# SPDX-License-Identifier: Apache-2.0

import time

import rtp
import tone
from lab import Site
from runner import check, until
from sip import media_of


def setting(context):
    """(site, alice behind a NAT, bob's baresip, alice's RTP)."""
    site = Site(context)
    space = site.behind_nat("port_restricted")
    alice = site.scripted("alice", space)
    bob = site.baresip("bob", site.behind_nat("symmetric"), tone.CALLEE_HZ)
    return site, alice, bob, rtp.Rtp(space.address, space.name, context)


def up(alice, bob, here, **how):
    """Alice calls Bob; both are up and she hears him."""
    mark = bob.mark()
    out = alice.invite("bob", rtp=here, **how)
    answer = out.answered()
    bob.await_event("CALL_ESTABLISHED", 5, mark)
    here.stream(out.media())
    speaks(here, "baresip is not heard")
    return out, answer


def speaks(here, words):
    before = len(here.got)
    until(lambda: len(here.got) > before + 15, 5, words)


def is_silent(here):
    time.sleep(0.4)
    before = len(here.got)
    time.sleep(0.6)
    check(len(here.got) - before <= 2, "media during the hold")


def end(site, bob, out):
    mark = bob.mark()
    check(out.bye().status == 200, "BYE refused")
    bob.await_event("CALL_CLOSED", 5, mark)
    site.box.no_calls_left()


def baresip_holds_and_resumes(context):
    site, alice, bob, here = setting(context)
    out, _ = up(alice, bob, here)
    ports = out.media()
    for command, asked, answer in (
            ("hold", ("sendonly", "inactive"), "recvonly"),
            ("resume", ("sendrecv",), "sendrecv")):
        bob.command(command)
        out.expect_request("INVITE")
        way = media_of(out.remote_sdp)[3]
        check(way in asked, f"{command} came as {way}")
        check(out.media() == ports, "the box moved its port")
        out.reply(200, "OK", sdp=here.sdp(direction=answer))
        out.expect_ack()
    speaks(here, "baresip is not heard after the hold")
    end(site, bob, out)


def baresip_is_held_and_resumed(context):
    """sendonly, inactive and no address: it knows one word for each."""
    site, alice, bob, here = setting(context)
    out, _ = up(alice, bob, here)
    for hold in ({"direction": "inactive"}, {"direction": "sendonly"},
                 {"connection": "0.0.0.0"}):
        out.reinvite(here.sdp(**hold))
        out.answered()
        way = media_of(out.remote_sdp)[3]
        check(way in ("recvonly", "inactive"), f"{hold} answered {way}")
        is_silent(here)
        out.reinvite(here.sdp())
        out.answered()
        check(media_of(out.remote_sdp)[3] == "sendrecv", "not resumed")
        speaks(here, f"baresip is not heard after {hold}")
    end(site, bob, out)


def baresip_is_changed_by_update(context):
    """It takes no UPDATE, or does: the caller need not know."""
    site, alice, bob, here = setting(context)
    out, _ = up(alice, bob, here)
    answer = out.request("UPDATE", here.sdp(direction="inactive"))
    check(answer.status == 200 and
          media_of(answer.sdp)[3] == "inactive", f"UPDATE answered {answer}")
    is_silent(here)
    answer = out.request("UPDATE", here.sdp())
    check(answer.status == 200 and
          media_of(answer.sdp)[3] == "sendrecv", f"UPDATE answered {answer}")
    speaks(here, "baresip is not heard after the hold")
    end(site, bob, out)


def baresip_talks_to_who_has_a_session_timer(context):
    site, alice, bob, here = setting(context)
    timer = (("Supported", "timer"),
             ("Session-Expires", "90;refresher=uac"))
    out, answer = up(alice, bob, here, headers=timer)
    check(answer.get("session-expires") == "90;refresher=uac",
          f"granted {answer.get('session-expires')}")
    mark = bob.mark()
    refresh = out.request("UPDATE", headers=timer)
    check(refresh.get("session-expires") == "90;refresher=uac",
          f"granted {refresh.get('session-expires')}")
    out.reinvite(here.sdp(), headers=timer)
    again = out.answered()
    check(again.get("session-expires") == "90;refresher=uac",
          f"granted {again.get('session-expires')}")
    bob.read(0.3)
    changes = [e for e in bob.events[mark:] if "CALL" in e.get("type", "")]
    check(not changes, f"baresip noticed: {changes}")
    speaks(here, "baresip is not heard")
    end(site, bob, out)


def baresip_makes_the_offer(context):
    site, alice, bob, here = setting(context)
    mark = bob.mark()
    out = alice.invite("bob", sdp="")
    out.expect(200)
    check(out.remote_sdp, "no offer in the 200")
    out.ack(here.sdp())
    bob.await_event("CALL_ESTABLISHED", 5, mark)
    here.stream(out.media())
    speaks(here, "baresip is not heard")
    end(site, bob, out)


def add_to(suite):
    for function in (baresip_holds_and_resumes,
                     baresip_is_held_and_resumed,
                     baresip_is_changed_by_update,
                     baresip_talks_to_who_has_a_session_timer,
                     baresip_makes_the_offer):
        suite.add(function)
