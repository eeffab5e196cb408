# changes.py - a session that changes, or is only kept alive: timers, UPDATE,
# glare on both sides, reasons
#
# SPDX-License-Identifier: Apache-2.0

import random
import time

from runner import check, until
from sip import media_of
from sipbox import SipBox, Talk, hang_up, meanwhile

TIMER = ("Supported", "timer")
UPDATE = ("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE")


def expires(value):
    return ("Session-Expires", value)


def origin(sdp):
    return [line for line in sdp.split("\r\n") if line.startswith("o=")][0]


def talk_with(context, grants=(), asks=()):
    """A call whose 200 and INVITE have these headers; (talk, the 200)."""
    talk = Talk.__new__(Talk)
    talk.box = SipBox(context)
    talk.alice, talk.bob = talk.box.phone("alice"), talk.box.phone("bob")
    talk.here = talk.box.media(talk.alice, b"a" * 160)
    talk.there = talk.box.media(talk.bob, b"b" * 160)
    talk.out = talk.alice.invite("bob", rtp=talk.here, headers=asks)
    talk.into = talk.bob.incoming()
    talk.into.reply(200, "OK", rtp=talk.there, headers=grants)
    answer = talk.out.answered()
    talk.into.expect_ack()
    return talk, answer


# ---- session timers (RFC 4028) ---------------------------------------------

def each_side_has_a_session_timer_of_its_own(context):
    """The caller has one, the callee has none."""
    talk, answer = talk_with(context, asks=(TIMER, expires("600")))
    asked = talk.into.invite
    check(asked.get("session-expires") == "1800"
          and asked.get("min-se") == "90"
          and "timer" in asked.get("supported"),
          f"callee was asked for {asked.get('session-expires')}")
    check(answer.get("session-expires") == "600;refresher=uas",
          f"caller was granted {answer.get('session-expires')}")
    talk.end()


def the_callee_alone_has_a_session_timer(context):
    talk, answer = talk_with(
        context, grants=(expires("1800;refresher=uas"), TIMER))
    check(not answer.get("session-expires"),
          f"caller was granted {answer.get('session-expires')}")
    refresh = talk.into.request("UPDATE", headers=(
        TIMER, expires("1800;refresher=uac")))
    check(refresh.status == 200, f"UPDATE answered {refresh}")
    check(refresh.get("session-expires") == "1800;refresher=uac",
          f"granted {refresh.get('session-expires')}")
    talk.alice.nothing("UPDATE", 0.3)
    talk.end()


def a_session_too_short_is_refused_with_the_minimum(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    call = alice.invite("bob", rtp=box.media(alice),
                        headers=(TIMER, expires("30")))
    refused = call.expect(422)
    check(refused.get("min-se") == "90", f"Min-SE {refused.get('min-se')}")
    bob.nothing("INVITE", 0.3)
    call = alice.invite("bob", rtp=box.media(alice),
                        headers=(TIMER, expires("90"), ("Min-SE", "90")))
    into = bob.incoming()
    into.reply(200, "OK", rtp=box.media(bob))
    answer = call.answered()
    check(answer.get("session-expires", "").startswith("90;"),
          f"granted {answer.get('session-expires')}")
    into.expect_ack()
    hang_up(call, into)


def a_callee_that_wants_longer_is_asked_again(context):
    """422 is dealt with on its own leg; the caller hears nothing of it."""
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    call = alice.invite("bob", rtp=box.media(alice))
    first = bob.incoming()
    first.reply(422, "Session Interval Too Small",
                headers=(("Min-SE", "3600"),))
    into = bob.incoming()
    check(into.invite.get("session-expires") == "3600"
          and into.invite.get("min-se") == "3600",
          f"asked again for {into.invite.get('session-expires')}")
    check(into.call_id == first.call_id and
          into.invite.cseq[0] == first.invite.cseq[0] + 1 and
          into.invite.sdp == first.invite.sdp, "another call")
    into.reply(200, "OK", rtp=box.media(bob),
               headers=(expires("3600;refresher=uac"),))
    call.answered()
    into.expect_ack()
    hang_up(into, call)
    box.no_calls_left()


def refreshed_by_update_where_that_is_taken(context):
    talk, _ = talk_with(
        context, grants=(UPDATE, TIMER, expires("20;refresher=uac")))
    talk.speak()
    seen = talk.into.expect_request("UPDATE", 14)
    check(not seen.body, "the refresh has a body")
    # What the phone granted is less than we may ask for.
    check(seen.get("session-expires") == "90;refresher=uac",
          f"asked for {seen.get('session-expires')}")
    talk.bob.reply(seen, 200, "OK",
                   headers=(expires("20;refresher=uac"),
                            ("Contact", talk.bob.contact())))
    talk.alice.nothing(lambda m: m.is_request, 0.3)
    talk.heard()
    talk.end()


def refreshed_by_reinvite_elsewhere(context):
    """The same description again, word by word; media do not notice."""
    talk, _ = talk_with(
        context, grants=(TIMER, expires("20;refresher=uac")))
    talk.speak()
    first = talk.into.remote_sdp
    seen = talk.into.expect_request("INVITE", 14)
    check(seen.sdp == first, f"was\n{first}\nis\n{seen.sdp}")
    talk.into.reply(200, "OK", rtp=talk.there,
                    headers=(expires("20;refresher=uac"),))
    talk.into.expect_ack()
    talk.alice.nothing(lambda m: m.is_request, 0.3)
    talk.heard()
    talk.end()


def a_refresher_that_dies_ends_the_call(context):
    talk, _ = talk_with(
        context, grants=(TIMER, expires("21;refresher=uas")))
    talk.bob.nothing("BYE", 12)
    bye = talk.into.expect_request("BYE", 5)
    check("Q.850;cause=102" in bye.get("reason", ""),
          f"Reason {bye.get('reason')}")
    talk.bob.reply(bye, 200, "OK")
    talk.out.expect_bye()
    talk.box.no_calls_left()


def a_refresh_that_nobody_knows_ends_the_call(context):
    talk, _ = talk_with(
        context, grants=(UPDATE, TIMER, expires("20;refresher=uac")))
    seen = talk.into.expect_request("UPDATE", 14)
    talk.bob.reply(seen, 481, "Call/Transaction Does Not Exist")
    talk.out.expect_bye()
    with_bob = talk.into.expect_request("BYE")
    talk.bob.reply(with_bob, 481, "Call/Transaction Does Not Exist")
    talk.box.no_calls_left()


# ---- UPDATE (RFC 3311) -------------------------------------------------------

def by_update(talk, offer, answer, method):
    """Alice's UPDATE reaches Bob by @method; what both have seen."""
    result = meanwhile(lambda: talk.out.request("UPDATE", offer))
    seen = talk.into.expect_request(method)
    if method == "INVITE":
        talk.into.reply(200, "OK", sdp=answer)
        talk.into.expect_ack()
    else:
        talk.bob.reply(seen, 200, "OK", body=answer,
                       headers=(("Contact", talk.bob.contact()),))
    final = result()
    check(final.status == 200, f"UPDATE answered {final}")
    return media_of(seen.sdp)[3], media_of(final.sdp)[3]


def an_update_crosses_as_update(context):
    talk, _ = talk_with(context, grants=(UPDATE,))
    talk.speak()
    ways = by_update(talk, talk.here.sdp(direction="sendonly"),
                     talk.there.sdp(direction="recvonly"), "UPDATE")
    check(ways == ("sendonly", "recvonly"), f"held as {ways}")
    ways = by_update(talk, talk.here.sdp(), talk.there.sdp(), "UPDATE")
    check(ways == ("sendrecv", "sendrecv"), f"resumed as {ways}")
    talk.heard()
    talk.end()


def an_update_reaches_a_phone_without_update(context):
    talk, _ = talk_with(context)
    talk.speak()
    ways = by_update(talk, talk.here.sdp(direction="inactive"),
                     talk.there.sdp(direction="inactive"), "INVITE")
    check(ways == ("inactive", "inactive"), f"held as {ways}")
    by_update(talk, talk.here.sdp(), talk.there.sdp(), "INVITE")
    talk.heard()
    talk.end()


def an_update_refused_after_all_becomes_a_reinvite(context):
    talk, _ = talk_with(context, grants=(UPDATE,))
    result = meanwhile(lambda: talk.out.request(
        "UPDATE", talk.here.sdp(direction="sendonly")))
    seen = talk.into.expect_request("UPDATE")
    talk.bob.reply(seen, 405, "Method Not Allowed")
    talk.into.expect_request("INVITE")
    talk.into.reply(200, "OK", sdp=talk.there.sdp(direction="recvonly"))
    talk.into.expect_ack()
    final = result()
    check(final.status == 200 and media_of(final.sdp)[3] == "recvonly",
          f"UPDATE answered {final}")
    talk.end()


def an_update_that_says_nothing_is_answered_here(context):
    talk = Talk(SipBox(context))
    for side, other in ((talk.out, talk.bob), (talk.into, talk.alice)):
        answer = side.request("UPDATE")
        check(answer.status == 200 and answer.contact_uri,
              f"UPDATE answered {answer}")
        other.nothing("UPDATE", 0.2)
    talk.end()


def an_early_update_of_an_unanswered_offer_is_refused(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    here = box.media(alice)
    call = alice.invite("bob", rtp=here)
    into = bob.incoming()
    into.reply(180, "Ringing")
    call.expect(180)
    invite = call.cseq
    answer = call.request("UPDATE", here.sdp(direction="sendonly"))
    check(answer.status == 500 and answer.get("retry-after"),
          f"caller's UPDATE answered {answer}")
    answer = into.request("UPDATE", here.sdp())
    check(answer.status == 491, f"callee's UPDATE answered {answer}")
    into.reply(200, "OK", rtp=box.media(bob))
    sent, call.cseq = call.cseq, invite
    call.answered()
    call.cseq = sent
    into.expect_ack()
    hang_up(call, into)


# ---- what changes nothing ------------------------------------------------------

def twenty_reinvites_keep_session_version_and_ports(context):
    """S0-07: alternately the same again, and a hold or its end."""
    talk = Talk(SipBox(context))
    talk.speak()
    name = origin(talk.out.remote_sdp).split()
    ports = (talk.out.media(), talk.into.media())
    last, held = int(name[2]), False
    for i in range(20):
        if i % 2:
            held = not held
        way = "sendonly" if held else "sendrecv"
        talk.out.reinvite(talk.here.sdp(direction=way))
        if i % 2:
            talk.into.expect_request("INVITE")
            talk.into.reply(200, "OK", sdp=talk.there.sdp(
                direction="recvonly" if held else "sendrecv"))
            talk.into.expect_ack()
        talk.out.answered()
        now = origin(talk.out.remote_sdp).split()
        check(now[1] == name[1], "another session")
        version = int(now[2])
        check(version == last + i % 2, f"version {last} became {version}")
        last = version
        check((talk.out.media(), talk.into.media()) == ports,
              "the box moved its ports")
    talk.bob.nothing("INVITE", 0.2)
    if held:
        talk.out.reinvite(talk.here.sdp())
        talk.into.expect_request("INVITE")
        talk.into.reply(200, "OK", rtp=talk.there)
        talk.into.expect_ack()
        talk.out.answered()
    talk.heard()
    talk.end()


# ---- glare (RFC 3261 14.1) -------------------------------------------------------

def answer_hold(call, media):
    call.expect_request("INVITE")
    call.reply(200, "OK", sdp=media.sdp(direction="recvonly"))


def both_sides_change_at_the_same_moment(context):
    """Both get 491; each waits as RFC 3261 14.1 says; both succeed."""
    talk = Talk(SipBox(context))
    talk.speak()
    sides = ((talk.out, talk.here), (talk.into, talk.there))
    for call, media in sides:
        call.reinvite(media.sdp(direction="sendonly"))
    # The box takes the one that comes first; its other peer has one pending.
    crossed = until(lambda: [
        call for call, _ in sides for m in call.phone.inbox
        if m.is_request and m.method == "INVITE"], 2, "nothing was carried")
    check(len(crossed) == 1, "both were carried")
    crossed[0].phone.reply(crossed[0].expect_request("INVITE"), 491,
                           "Request Pending")
    for call, _ in sides:
        call.expect(491)
    # The caller made its Call-ID; the box made that of the callee's leg.
    time.sleep(random.uniform(0, 2))
    talk.into.reinvite(talk.there.sdp(direction="sendonly"))
    answer_hold(talk.out, talk.here)
    talk.into.answered()
    talk.out.expect_ack()
    time.sleep(0.1)
    talk.out.reinvite(talk.here.sdp())
    talk.into.expect_request("INVITE")
    talk.into.reply(200, "OK", rtp=talk.there)
    talk.out.answered()
    talk.into.expect_ack()
    talk.heard()
    talk.end()


def an_update_that_crosses_a_reinvite_gets_491(context):
    talk = Talk(SipBox(context))
    talk.out.reinvite(talk.here.sdp(direction="sendonly"))
    talk.into.expect_request("INVITE")
    answer = talk.into.request("UPDATE",
                               talk.there.sdp(direction="inactive"))
    check(answer.status == 491, f"UPDATE answered {answer}")
    talk.into.reply(200, "OK", sdp=talk.there.sdp(direction="recvonly"))
    talk.out.answered()
    talk.into.expect_ack()
    talk.end()


# ---- INFO and reasons ---------------------------------------------------------------

def a_burst_of_infos_crosses_in_order(context):
    talk = Talk(SipBox(context))
    kind = (("Content-Type", "application/dtmf-relay"),)
    for digit in b"12345":
        talk.alice.send(talk.out.make(
            "INFO", b"Signal=%c\r\nDuration=160\r\n" % digit, kind))
    for digit in b"12345":
        seen = talk.into.expect_request("INFO")
        check(seen.body.startswith(b"Signal=%c" % digit),
              f"{digit:c} came as {seen.body}")
        talk.bob.reply(seen, 200, "OK")
    for _ in range(5):
        answer = talk.alice.expect(
            lambda m: not m.is_request and m.cseq[1] == "INFO")
        check(answer.status == 200, f"INFO answered {answer}")
    talk.end()


def the_reason_of_a_bye_crosses_without_its_words(context):
    talk = Talk(SipBox(context))
    said = ("Reason", 'Q.850;cause=31;text="gw7.inside.test 10.1.2.3"')
    answer = meanwhile(
        lambda: talk.out.request("BYE", headers=(said,)))
    bye = talk.into.expect_request("BYE")
    talk.bob.reply(bye, 200, "OK")
    answer()
    check("Q.850;cause=31" in bye.get("reason", ""),
          f"Reason {bye.get('reason')}")
    check("inside" not in bye.get("reason") and
          "10.1" not in bye.get("reason"), f"Reason {bye.get('reason')}")
    talk.box.no_calls_left()


def a_refusal_says_what_q850_calls_it(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    call = alice.invite("bob", rtp=box.media(alice))
    bob.incoming().reply(486, "Busy Here")
    refused = call.expect(486)
    check("Q.850;cause=17" in refused.get("reason", ""),
          f"Reason {refused.get('reason')}")
    call = alice.invite("bob", rtp=box.media(alice))
    bob.incoming().reply(480, "Gone", headers=(
        ("Reason", 'Q.850;cause=20;text="bob is at 10.1.2.3"'),))
    refused = call.expect(480)
    check("Q.850;cause=20" in refused.get("reason", "") and
          "10.1" not in refused.get("reason"),
          f"Reason {refused.get('reason')}")


def forks_hear_that_the_call_was_taken_elsewhere(context):
    box = SipBox(context)
    alice = box.phone("alice")
    one, two = box.phone("bob", 11), box.phone("bob", 12)
    call = alice.invite("bob", rtp=box.media(alice))
    first, second = one.incoming(), two.incoming()
    second.reply(180, "Ringing")
    first.reply(200, "OK", rtp=box.media(one))
    call.answered()
    first.expect_ack()
    cancel = second.expect_request("CANCEL")
    check("SIP;cause=200" in cancel.get("reason", ""),
          f"Reason {cancel.get('reason')}")
    two.reply(cancel, 200, "OK")
    two.reply(second.invite, 487, "Request Terminated",
              to_tag=second.local_tag)
    hang_up(call, first)


def add_to(suite):
    for function in (
            each_side_has_a_session_timer_of_its_own,
            the_callee_alone_has_a_session_timer,
            a_session_too_short_is_refused_with_the_minimum,
            a_callee_that_wants_longer_is_asked_again,
            refreshed_by_update_where_that_is_taken,
            refreshed_by_reinvite_elsewhere,
            a_refresher_that_dies_ends_the_call,
            a_refresh_that_nobody_knows_ends_the_call,
            an_update_crosses_as_update,
            an_update_reaches_a_phone_without_update,
            an_update_refused_after_all_becomes_a_reinvite,
            an_update_that_says_nothing_is_answered_here,
            an_early_update_of_an_unanswered_offer_is_refused,
            twenty_reinvites_keep_session_version_and_ports,
            both_sides_change_at_the_same_moment,
            an_update_that_crosses_a_reinvite_gets_491,
            a_burst_of_infos_crosses_in_order,
            the_reason_of_a_bye_crosses_without_its_words,
            a_refusal_says_what_q850_calls_it,
            forks_hear_that_the_call_was_taken_elsewhere):
        suite.add(function)
