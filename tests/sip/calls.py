# calls.py - a call from its INVITE to its end, with every way to fail
#
# SPDX-License-Identifier: Apache-2.0

import time

from runner import check, until
from sipbox import (A_SPEECH, B_SPEECH, SipBox, Talk, hang_up, meanwhile)


def ringing(box, alice, bob, **how):
    """(out, into, media of alice): bob rings, alice knows it."""
    here = box.media(alice)
    out = alice.invite("bob", rtp=here, **how)
    into = bob.incoming()
    into.reply(180, "Ringing")
    out.expect(180)
    return out, into, here


def call_with_digest_carries_audio_and_caller_hangs_up(context):
    talk = Talk(SipBox(context))
    talk.speak()
    row = talk.box.calls()[0]
    check(row["state"] == "up", f"state {row['state']}")
    for leg in row["legs"]:
        media = leg["media"][0]
        check(media["in"]["packets"] > 0 and media["out"]["packets"] > 0,
              f"leg {leg['side']} counts {media}")
        check(media["codec"].startswith("PCMU"), f"codec {media['codec']}")
    talk.end()


def callee_hangs_up(context):
    talk = Talk(SipBox(context))
    hang_up(talk.into, talk.out)
    talk.box.no_calls_left()


def every_invite_is_challenged(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    for _ in range(2):
        out = alice.invite("bob", auth=False, sdp="")
        out.phone.expect(lambda m: out.answers_invite(m) and m.status == 401)
    bob.nothing("INVITE", 0.3)


def strangers_invite_is_challenged_and_never_rings(context):
    box = SipBox(context)
    bob = box.phone("bob")
    mallory = box.phone("mallory", register=False)
    out = mallory.invite("bob", auth=True, sdp="")
    check(mallory.expect(out.answers_invite).status in (401, 403),
          "not refused")
    bob.nothing("INVITE", 0.3)


def from_is_the_user_who_proved_himself(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    alice.invite("bob", rtp=box.media(alice), headers=(
        ("From", f"\"The Boss\" <sip:boss@{box.address}>;tag=boss"),))
    seen = bob.expect("INVITE").get("from")
    check("sip:alice@" in seen, f"From: {seen}")


def max_forwards_is_one_less_behind_the_box(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    alice.invite("bob", rtp=box.media(alice), max_forwards=17)
    seen = bob.expect("INVITE").get("max-forwards")
    check(seen == "16", f"Max-Forwards {seen} of 17")


def late_offer_is_answered_in_the_ack(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    here, there = box.media(alice), box.media(bob, B_SPEECH)
    out = alice.invite("bob", sdp="")
    into = bob.incoming()
    check(not into.remote_sdp, "an offer out of nowhere")
    into.reply(180, "Ringing")
    into.reply(200, "OK", rtp=there)
    out.expect(200)
    check(out.remote_sdp, "the 200 has no offer")
    out.ack(here.sdp())
    check(into.expect_ack().body, "the ACK has no answer")
    here.stream(out.media())
    there.stream(into.media())
    until(lambda: here.count(payload=B_SPEECH) > 15 and
          there.count(payload=A_SPEECH) > 15, 3, "no audio")
    hang_up(out, into)
    box.no_calls_left()


def early_media_is_heard_before_the_answer(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    here, there = box.media(alice), box.media(bob, B_SPEECH)
    out = alice.invite("bob", rtp=here)
    into = bob.incoming()
    into.reply(183, "Session Progress", rtp=there)
    out.expect(183)
    check(out.remote_sdp, "the 183 has no description")
    here.stream(out.media())  # a NATed caller opens its way
    there.stream(into.media())
    until(lambda: here.count(payload=B_SPEECH) > 15, 3, "no early media")
    into.reply(200, "OK", sdp=into.sdp)
    out.answered()
    into.expect_ack()
    hang_up(out, into)
    box.no_calls_left()


def repeated_200_is_acked_again(context):
    talk = Talk(SipBox(context))
    again = talk.bob.answers[talk.into.invite.branch, "INVITE",
                             talk.into.invite.cseq[0]]
    for _ in range(2):
        talk.bob.send(again)
        talk.into.expect_ack(2)
    talk.end()


def cancel_before_180_reaches_the_callee(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    out = alice.invite("bob", rtp=box.media(alice))
    into = bob.incoming()
    check(out.cancel().status == 200, "CANCEL refused")
    out.expect(487)
    bob.nothing("CANCEL", 0.3)  # RFC 3261 9.1: not before a provisional
    into.reply(180, "Ringing")
    bob.reply(into.expect_request("CANCEL"), 200, "OK")
    into.reply(487, "Request Terminated")
    bob.expect("ACK")
    box.no_calls_left()


def cancel_after_180_reaches_the_callee(context):
    box = SipBox(context)
    out, into, _ = ringing(box, box.phone("alice"), box.phone("bob"))
    check(out.cancel().status == 200, "CANCEL refused")
    out.expect(487)
    into.phone.reply(into.expect_request("CANCEL"), 200, "OK")
    into.reply(487, "Request Terminated")
    into.phone.expect("ACK")
    box.no_calls_left()


def callee_that_answers_after_cancel_gets_ack_and_bye(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    out, into, _ = ringing(box, alice, bob)
    check(out.cancel().status == 200, "CANCEL refused")
    out.expect(487)
    cancel = into.expect_request("CANCEL")
    into.reply(200, "OK", rtp=box.media(bob))
    bob.reply(cancel, 481, "Too Late")
    into.expect_ack()
    into.expect_bye()
    box.no_calls_left()


def cancel_that_crosses_the_200_leaves_no_half_call(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    there = box.media(bob)
    for turn in range(10):
        out, into, here = ringing(box, alice, bob)
        if turn % 2:
            cancelled = meanwhile(out.cancel)
            into.reply(200, "OK", rtp=there)
        else:
            into.reply(200, "OK", rtp=there)
            cancelled = meanwhile(out.cancel)
        final = alice.expect(lambda m: out.answers_invite(m)
                             and m.status >= 200)
        if final.status == 200:  # the 200 won
            out.learn(final)
            out.ack()
            hang_up(out, into)
        else:
            check(final.status == 487, f"INVITE answered {final}")
            into.expect_ack()
            into.expect_bye()
        check(cancelled().status in (200, 481), "CANCEL badly answered")
        here.close()
        bob.inbox.clear()
        alice.inbox.clear()
        box.no_calls_left()


def refusal(status, wanted=None):
    def run(context):
        box = SipBox(context)
        alice, bob = box.phone("alice"), box.phone("bob")
        out, into, _ = ringing(box, alice, bob)
        into.reply(status, "No")
        out.expect(wanted or status)
        bob.expect("ACK")
        box.no_calls_left()
    return run


def nobody_answers_within_ring_timeout(context):
    box = SipBox(context, ring_timeout="5")
    alice, bob = box.phone("alice"), box.phone("bob")
    out, into, _ = ringing(box, alice, bob)
    bob.reply(into.expect_request("CANCEL", 8), 200, "OK")
    into.reply(487, "Request Terminated")
    bob.expect("ACK")
    out.expect(408)
    box.no_calls_left()


def callee_that_says_nothing_ends_in_408(context):
    box = SipBox(context, ring_timeout="5")
    alice, bob = box.phone("alice"), box.phone("bob")
    bob.ignore = lambda m: True
    out = alice.invite("bob", rtp=box.media(alice))
    out.expect(408, 10)
    box.only_ending_calls()  # the INVITE to bob is left to its timer B


def missing_ack_ends_the_call_on_both_sides(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    out, into, _ = ringing(box, alice, bob)
    into.reply(200, "OK", rtp=box.media(bob))
    out.expect(200)
    caller_bye = meanwhile(lambda: out.expect_bye(45))
    into.expect_bye(45)
    caller_bye()
    box.no_calls_left()


def unbound_user_gives_480_and_unknown_404(context):
    box = SipBox(context)
    alice = box.phone("alice")
    for user, status in (("carol", 480), ("nobody", 404)):
        out = alice.invite(user, rtp=box.media(alice))
        out.expect(status)
    box.no_calls_left()


def call_above_max_calls_gets_503_and_retry_after(context):
    box = SipBox(context, max_calls="1")
    talk = Talk(box)
    carol = box.phone("carol")
    out = carol.invite("bob", rtp=box.media(carol))
    refused = out.expect(503)
    check(refused.get("retry-after"), "no Retry-After")
    talk.end()
    out = carol.invite("bob", rtp=box.media(carol))
    talk.bob.incoming()


def call_without_free_ports_gets_503(context):
    box = SipBox(context, realm={"media_ports": "20000-20003"})
    talk = Talk(box)
    carol = box.phone("carol")
    out = carol.invite("bob", rtp=box.media(carol))
    out.expect(503)
    talk.end()
    Talk(box, talk.alice, talk.bob).end()


def repeated_invite_rings_once(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    out = alice.invite("bob", rtp=box.media(alice))
    for _ in range(3):
        alice.send(out.last_invite.raw)
    into = bob.incoming()
    bob.nothing(lambda m: m.is_request and m.method == "INVITE"
                and m.call_id != into.call_id, 0.5)
    check(len(box.calls()) == 1, "more than one call")


def call_over_tcp_both_ways(context):
    box = SipBox(context)
    alice = box.phone("alice", transport="tcp", port=0)
    bob = box.phone("bob", transport="tcp", port=0)
    talk = Talk(box, alice, bob)
    talk.speak()
    hang_up(talk.into, talk.out)
    talk.box.no_calls_left()
    Talk(box, bob=bob, alice=alice).end()


def closed_tcp_connection_gives_480_at_once(context):
    box = SipBox(context)
    alice = box.phone("alice")
    bob = box.phone("bob", transport="tcp", port=0)
    bob.close()
    time.sleep(0.3)
    out = alice.invite("bob", rtp=box.media(alice))
    out.expect(480, 2)


def killed_box_knows_no_old_dialog(context):
    talk = Talk(SipBox(context))
    talk.box.kill()
    talk.box.start()
    for side in (talk.out, talk.into):
        answer = side.bye()
        check(answer.status == 481, f"BYE answered {answer}")


def media_silence_ends_the_call(context):
    box = SipBox(context, realm={"media_timeout": "10"})
    talk = Talk(box)
    talk.speak()
    talk.here.hush()
    time.sleep(6)
    check(box.calls(), "ended although one side speaks")
    talk.there.hush()
    other = meanwhile(lambda: talk.out.expect_bye(16))
    talk.into.expect_bye(16)
    other()
    box.no_calls_left()


def hundred_calls_in_a_row_leave_nothing(context):
    box = SipBox(context)
    talk = Talk(box)
    talk.end()
    for _ in range(99):
        Talk.__init__(talk, box, talk.alice, talk.bob)
        talk.here.close()
        talk.there.close()
        hang_up(talk.out, talk.into)
    box.no_calls_left()


def in_order(context):
    """Media ports come even and in the realm's range, and differ."""
    box = SipBox(context)
    talk = Talk(box)
    ports = [talk.out.media()[1], talk.into.media()[1]]
    check(all(20000 <= p <= 20199 and p % 2 == 0 for p in ports),
          f"ports {ports}")
    check(ports[0] != ports[1], "one port for both legs")
    check(talk.out.media()[0] == box.address, "another address")
    talk.end()


def add_to(suite):
    for function in (
            call_with_digest_carries_audio_and_caller_hangs_up,
            callee_hangs_up, every_invite_is_challenged,
            strangers_invite_is_challenged_and_never_rings,
            from_is_the_user_who_proved_himself,
            max_forwards_is_one_less_behind_the_box,
            late_offer_is_answered_in_the_ack,
            early_media_is_heard_before_the_answer,
            repeated_200_is_acked_again,
            cancel_before_180_reaches_the_callee,
            cancel_after_180_reaches_the_callee,
            callee_that_answers_after_cancel_gets_ack_and_bye,
            cancel_that_crosses_the_200_leaves_no_half_call,
            nobody_answers_within_ring_timeout,
            callee_that_says_nothing_ends_in_408,
            missing_ack_ends_the_call_on_both_sides,
            unbound_user_gives_480_and_unknown_404,
            call_above_max_calls_gets_503_and_retry_after,
            call_without_free_ports_gets_503, repeated_invite_rings_once,
            call_over_tcp_both_ways,
            closed_tcp_connection_gives_480_at_once,
            killed_box_knows_no_old_dialog, media_silence_ends_the_call,
            hundred_calls_in_a_row_leave_nothing):
        suite.add(function, limit=70)
    suite.add(in_order, "media_ports_are_even_and_in_range")
    for status in (486, 603, 480, 404, 488, 600):
        suite.add(refusal(status), f"refusal_{status}_reaches_the_caller")
    suite.add(refusal(503, 500), "refusal_503_becomes_500")
