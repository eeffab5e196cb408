# odd_ends.py - calls that end while something else is still under way
#
# SPDX-License-Identifier: Apache-2.0

import time

import rtp
from runner import check, until
from sip import token
from sipbox import B_SPEECH, SipBox, Talk, hang_up, meanwhile


def ringing(context, **how):
    """(box, out, into, media of bob)."""
    box = SipBox(context, **how)
    alice, bob = box.phone("alice"), box.phone("bob")
    out = alice.invite("bob", rtp=box.media(alice))
    into = bob.incoming()
    into.reply(180, "Ringing")
    out.expect(180)
    return box, out, into, box.media(bob, B_SPEECH)


def both_hang_up_at_once(context):
    talk = Talk(SipBox(context))
    first, second = meanwhile(talk.out.bye), meanwhile(talk.into.bye)
    for answer in (first(), second()):
        check(answer.status in (200, 481), f"BYE answered {answer}")
    time.sleep(0.3)
    for side in (talk.out, talk.into):  # the box's own BYE may have crossed
        for message in list(side.phone.inbox):
            if message.is_request and message.method == "BYE":
                side.expect_bye()
    talk.box.no_calls_left()


def bye_before_ack_ends_the_call(context):
    """The caller hangs up at once; its ACK never comes."""
    box, out, into, there = ringing(context)
    into.reply(200, "OK", rtp=there)
    out.expect(200)
    check(out.bye().status == 200, "BYE refused")
    into.expect_ack()
    into.expect_bye()
    box.no_calls_left()


def callee_hangs_up_before_the_caller_acked(context):
    box, out, into, there = ringing(context)
    into.reply(200, "OK", rtp=there)
    out.expect(200)
    into.expect_ack()
    done = meanwhile(into.bye)
    check(done().status == 200, "BYE refused")
    out.ack()  # RFC 3261 15: no BYE on our side before this
    out.expect_bye()
    box.no_calls_left()


def hang_up_with_a_reinvite_under_way(context):
    talk = Talk(SipBox(context))
    talk.out.reinvite(talk.here.sdp(direction="sendonly"))
    talk.into.expect_request("INVITE")
    done = meanwhile(talk.out.bye)
    talk.into.expect_bye()
    talk.into.reply(487, "Request Terminated")
    check(done().status == 200, "BYE refused")
    final = talk.alice.expect(lambda m: m.method == "INVITE"
                              and m.status >= 200)
    check(final.status in (487, 481, 500), f"re-INVITE answered {final}")
    talk.box.no_calls_left()


def callee_hangs_up_instead_of_answering_a_reinvite(context):
    talk = Talk(SipBox(context))
    talk.out.reinvite(talk.here.sdp(direction="sendonly"))
    talk.into.expect_request("INVITE")
    done = meanwhile(talk.into.bye)
    talk.out.expect_bye()
    check(done().status == 200, "BYE refused")
    talk.into.reply(487, "Request Terminated")
    talk.box.no_calls_left()


def repeated_bye_is_answered(context):
    talk = Talk(SipBox(context))
    talk.end()
    last = [data for way, _, data in talk.alice.log if way == "out"
            and data.startswith(b"BYE")][-1]
    talk.alice.send(last)
    answer = talk.alice.expect(lambda m: m.method == "BYE")
    check(answer.status in (200, 481), f"answered {answer}")


def callee_that_answers_without_sdp(context):
    """A 200 without the answer it owes: the call cannot be."""
    box, out, into, _ = ringing(context)
    into.reply(200, "OK")
    into.expect_ack()
    into.expect_bye()
    final = out.phone.expect(lambda m: out.answers_invite(m)
                             and m.status >= 200)
    check(final.status >= 400, f"caller got {final}")
    box.no_calls_left()


def callee_that_is_a_fork_itself(context):
    """Early dialogs of two tags; the second one answers."""
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    here, there = box.media(alice), box.media(bob, B_SPEECH)
    out = alice.invite("bob", rtp=here)
    into = bob.incoming()
    into.local_tag = "branch-one"
    into.reply(183, "Session Progress", rtp=box.media(bob))
    out.expect(183)
    into.local_tag = "branch-two"
    into.reply(180, "Ringing")
    into.reply(200, "OK", rtp=there)
    out.answered()
    check(into.expect_ack().to_tag == "branch-two", "ACK has another tag")
    here.stream(out.media())
    there.stream(into.media())
    time.sleep(0.6)
    check(there.count() > 10 and here.count(payload=B_SPEECH) > 10,
          "no audio with the one that answered")
    hang_up(out, into)
    box.no_calls_left()


def second_200_of_a_forking_callee_is_hung_up(context):
    """RFC 3261 13.2.2.4: ACK and BYE what we do not want."""
    box, out, into, there = ringing(context)
    into.reply(200, "OK", rtp=there)
    out.answered()
    into.expect_ack()
    mine, into.local_tag = into.local_tag, token()
    into.reply(200, "OK", rtp=box.media(into.phone))
    check(into.expect_ack().to_tag == into.local_tag, "not its ACK")
    check(into.expect_bye().to_tag == into.local_tag, "not its BYE")
    into.local_tag = mine
    check(len(box.calls()) == 1, "the call is gone")
    hang_up(out, into)
    box.no_calls_left()


def stopping_while_it_rings_tells_both(context):
    box, out, into, _ = ringing(context)
    done = meanwhile(box.stop)
    into.phone.reply(into.expect_request("CANCEL"), 200, "OK")
    into.reply(487, "Request Terminated")
    final = out.phone.expect(lambda m: out.answers_invite(m)
                             and m.status >= 200)
    check(final.status >= 480, f"caller got {final}")
    code, seconds = done()
    check(code == 0 and seconds <= 5, f"exit {code} after {seconds:.1f} s")


def stopping_with_dead_phones_takes_no_longer(context):
    talk = Talk(SipBox(context))
    talk.alice.ignore = talk.bob.ignore = lambda m: True
    code, seconds = talk.box.stop()
    check(code == 0 and seconds <= 5, f"exit {code} after {seconds:.1f} s")


def unregister_during_a_call_leaves_the_call(context):
    talk = Talk(SipBox(context))
    talk.speak()
    talk.bob.register(expires=0)
    talk.heard()
    talk.end()


FAST = {"realm": {"keepalive": "crlf", "keepalive_interval": "10"},
        "env": {"SBC_NAT_SPEED": "10"}}  # a ping each second


def pings(phone, seconds):
    """How many come within @seconds from now."""
    before = phone.keepalives
    time.sleep(seconds)
    return phone.keepalives - before


def dialog_is_held_open_after_unregister_until_it_ends(context):
    """S3-04, S3-11: the call holds the flow, and nothing does after it."""
    box = SipBox(context, **FAST)
    talk = Talk(box)
    talk.bob.register(expires=0)
    count = pings(talk.bob, 3.2)
    check(2 <= count <= 4, f"{count} pings in 3 intervals of a call")
    seen, back = pass_hold(talk)
    check(seen and back, "the callee's re-INVITE did not pass")
    talk.end()
    time.sleep(0.3)
    count = pings(talk.bob, 2.5)
    check(count == 0, f"{count} pings after the call")
    count = pings(talk.alice, 2.5)
    check(1 <= count <= 4, f"{count} pings for who is still registered")


def pass_hold(talk):
    """The callee that is not registered changes the call, and is changed."""
    talk.into.reinvite(talk.there.sdp(direction="sendonly"))
    seen = talk.out.expect_request("INVITE")
    talk.out.reply(200, "OK", sdp=talk.here.sdp(direction="recvonly"))
    talk.into.answered()
    talk.out.expect_ack()
    talk.out.reinvite(talk.here.sdp())
    back = talk.into.expect_request("INVITE")
    talk.into.reply(200, "OK", rtp=talk.there)
    talk.out.answered()
    talk.into.expect_ack()
    return seen, back


def caller_that_never_registered_is_held_open_and_hears_the_bye(context):
    """S3-03, S2-05: its flow is all that we know of it."""
    box = SipBox(context, **FAST)
    alice, bob = box.phone("alice", register=False), box.phone("bob")
    out = alice.invite("bob", rtp=box.media(alice))
    into = bob.incoming()
    into.reply(180, "Ringing")
    out.expect(180)
    count = pings(alice, 2.2)
    check(1 <= count <= 3, f"{count} pings in 2 intervals of ringing")
    into.reply(200, "OK", rtp=box.media(bob))
    out.answered()
    into.expect_ack()
    count = pings(alice, 3.2)
    check(2 <= count <= 4, f"{count} pings in 3 intervals of the call")
    hang_up(into, out)
    box.no_calls_left()
    time.sleep(0.3)
    count = pings(alice, 2.5)
    check(count == 0, f"{count} pings after the call")


def media_of_leg(box, side):
    return [leg["media"][0] for leg in box.calls()[0]["legs"]
            if leg["side"] == side][0]


def peer_that_hears_and_never_speaks_is_told_of(context):
    talk = Talk(SipBox(context))
    talk.here.stream(talk.out.media())
    until(lambda: "call.one_way" in talk.box.log(), 5, "not in the log")
    line = [one for one in talk.box.log().split("\n")
            if "call.one_way" in one]
    check(len(line) == 1 and "peer=bob" in line[0] and
          f"sent_to={talk.there.local}" in line[0], f"it says {line}")
    check(media_of_leg(talk.box, "b")["one_way"], "not shown for bob")
    check(not media_of_leg(talk.box, "a")["one_way"], "shown for alice")
    talk.speak()
    check(not media_of_leg(talk.box, "b")["one_way"], "still shown")
    talk.end()


def media_of_an_unknown_host_is_an_alarm_while_the_call_lasts(context):
    talk = Talk(SipBox(context))
    stranger = rtp.Rtp(f"{talk.box.net}.77.1", context=context)
    stranger.stream(talk.out.media())

    def alarms():
        return [a["name"] for a in talk.box.status()["alarms"]]
    until(lambda: "media-other-host" in alarms(), 10, "no alarm")
    check("call.other_host" in talk.box.log(), "not in the log")
    talk.end()
    until(lambda: "media-other-host" not in alarms(), 5, "the alarm stands")


def silent_call_ends_with_a_reason(context):
    box = SipBox(context, realm={"media_timeout": "5"})
    talk = Talk(box)
    for side in (talk.out, talk.into):
        bye = side.expect_bye(10)
        check("cause=102" in (bye.get("reason") or ""),
              f"Reason: {bye.get('reason')}")
    box.no_calls_left()


def add_to(suite):
    for function in (
            both_hang_up_at_once, bye_before_ack_ends_the_call,
            callee_hangs_up_before_the_caller_acked,
            hang_up_with_a_reinvite_under_way,
            callee_hangs_up_instead_of_answering_a_reinvite,
            repeated_bye_is_answered, callee_that_answers_without_sdp,
            callee_that_is_a_fork_itself,
            second_200_of_a_forking_callee_is_hung_up,
            stopping_while_it_rings_tells_both,
            stopping_with_dead_phones_takes_no_longer,
            unregister_during_a_call_leaves_the_call,
            dialog_is_held_open_after_unregister_until_it_ends,
            caller_that_never_registered_is_held_open_and_hears_the_bye,
            peer_that_hears_and_never_speaks_is_told_of,
            media_of_an_unknown_host_is_an_alarm_while_the_call_lasts,
            silent_call_ends_with_a_reason):
        suite.add(function)
