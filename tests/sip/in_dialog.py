# in_dialog.py - what happens inside a call: hold, codecs, moves, glare, INFO
#
# SPDX-License-Identifier: Apache-2.0

import time

import rtp
from phone import Phone
from runner import Failed, check, until
from sbcproc import password
from sip import media_of, token
from sipbox import A_SPEECH, B_SPEECH, SipBox, Talk, hang_up, meanwhile


def pass_on(talk, offer, answer, by=None):
    """A re-INVITE through the box; (what came out, what came back)."""
    first, second = (talk.out, talk.into) if by is None else by
    first.reinvite(offer)
    second.expect_request("INVITE")
    seen = second.remote_sdp
    second.reply(200, "OK", sdp=answer)
    first.answered()
    second.expect_ack()
    return seen, first.remote_sdp


def direction(sdp):
    return media_of(sdp)[3]


def hold_and_resume_reach_the_other_side(context):
    talk = Talk(SipBox(context))
    talk.speak()
    seen, back = pass_on(talk, talk.here.sdp(direction="sendonly"),
                         talk.there.sdp(direction="recvonly"))
    check(direction(seen) == "sendonly", f"callee saw {direction(seen)}")
    check(direction(back) == "recvonly", f"caller saw {direction(back)}")
    seen, back = pass_on(talk, talk.here.sdp(), talk.there.sdp())
    check(direction(seen) == direction(back) == "sendrecv", "not resumed")
    talk.heard()
    talk.end()


def hold_by_the_callee(context):
    talk = Talk(SipBox(context))
    by = (talk.into, talk.out)
    seen, back = pass_on(talk, talk.there.sdp(direction="inactive"),
                         talk.here.sdp(direction="inactive"), by)
    check(direction(seen) == direction(back) == "inactive",
          f"{direction(seen)}, {direction(back)}")
    pass_on(talk, talk.there.sdp(), talk.here.sdp(), by)
    talk.speak()
    talk.end()


def old_style_hold_with_no_address(context):
    """c=0.0.0.0 (RFC 2543): the held phone gets no media; resume works."""
    talk = Talk(SipBox(context))
    talk.speak()
    seen, _ = pass_on(talk, talk.here.sdp(connection="0.0.0.0"),
                      talk.there.sdp(direction="recvonly"))
    address, _, _, way = media_of(seen)
    check(way in ("sendonly", "inactive") or address == "0.0.0.0",
          f"callee was not told of the hold:\n{seen}")
    time.sleep(0.3)
    before = talk.here.count(payload=B_SPEECH)
    time.sleep(0.5)
    check(talk.here.count(payload=B_SPEECH) - before <= 2,
          "media goes to a phone on hold")
    pass_on(talk, talk.here.sdp(), talk.there.sdp())
    talk.heard()
    talk.end()


def hold_keeps_the_boxs_ports_and_session(context):
    talk = Talk(SipBox(context))
    before = talk.into.media()
    origin = [line for line in talk.into.remote_sdp.split("\r\n")
              if line.startswith("o=")][0].split()
    seen, _ = pass_on(talk, talk.here.sdp(direction="sendonly"),
                      talk.there.sdp(direction="recvonly"))
    check(media_of(seen)[:2] == before, "the box moved its port")
    after = [line for line in seen.split("\r\n")
             if line.startswith("o=")][0].split()
    check(after[1] == origin[1], "session id changed")
    check(int(after[2]) == int(origin[2]) + 1,
          f"session version {origin[2]} became {after[2]}")
    talk.end()


def codec_changes_in_a_call(context):
    talk = Talk(SipBox(context))
    talk.speak()
    seen, back = pass_on(talk, talk.here.sdp(codecs=(8,)),
                         talk.there.sdp(codecs=(8,)))
    check(media_of(seen)[2] == [8] == media_of(back)[2],
          f"offered {media_of(seen)[2]}, answered {media_of(back)[2]}")
    talk.here.payload_type = talk.there.payload_type = 8
    talk.heard()
    talk.end()


def phone_moves_its_media_port(context):
    talk = Talk(SipBox(context))
    talk.speak()
    talk.here.close()
    talk.here = talk.box.media(talk.alice, A_SPEECH)
    pass_on(talk, talk.here.sdp(), talk.there.sdp())
    talk.here.stream(talk.out.media())
    talk.heard()
    talk.end()


def late_offer_reinvite(context):
    talk = Talk(SipBox(context))
    talk.out.reinvite("")
    talk.into.expect_request("INVITE")
    talk.into.reply(200, "OK", rtp=talk.there)
    talk.out.expect(200)
    talk.out.ack(talk.here.sdp())
    talk.into.expect_ack()
    talk.speak()
    talk.end()


def refused_reinvite_leaves_the_call_as_it_was(context):
    talk = Talk(SipBox(context))
    talk.speak()
    talk.out.reinvite(talk.here.sdp(codecs=(8,)))
    talk.into.expect_request("INVITE")
    talk.into.reply(488, "Not Acceptable Here")
    talk.out.expect(488)
    talk.heard()
    talk.end()


def reinvite_against_a_pending_one_gets_491(context):
    talk = Talk(SipBox(context))
    talk.into.reinvite(talk.there.sdp(direction="sendonly"))
    pending = talk.out.expect_request("INVITE")
    talk.out.reinvite(talk.here.sdp(direction="sendonly"))
    talk.out.expect(491)
    talk.out.invite = pending
    talk.out.reply(200, "OK", sdp=talk.here.sdp(direction="recvonly"))
    talk.into.answered()
    talk.out.expect_ack()
    talk.end()


def second_reinvite_before_the_first_is_answered_gets_500(context):
    talk = Talk(SipBox(context))
    talk.out.reinvite(talk.here.sdp(direction="sendonly"))
    talk.into.expect_request("INVITE")
    first = talk.out.cseq
    talk.out.reinvite(talk.here.sdp())
    refused = talk.out.expect(500)
    check(refused.get("retry-after"), "no Retry-After")
    talk.into.reply(200, "OK", sdp=talk.there.sdp(direction="recvonly"))
    talk.out.cseq = first
    talk.out.answered()
    talk.into.expect_ack()
    talk.out.cseq = first + 1
    talk.end()


def glare_491_from_the_phone_does_not_end_the_call(context):
    """The far phone answers 491; the caller hears of it or of success."""
    talk = Talk(SipBox(context))
    talk.speak()
    talk.out.reinvite(talk.here.sdp(direction="sendonly"))
    talk.into.expect_request("INVITE")
    talk.into.reply(491, "Request Pending")
    final = talk.alice.expect(lambda m: talk.out.answers_invite(m)
                              and m.status >= 200)
    check(final.status == 491, f"answered {final}")
    talk.heard()
    talk.end()


def options_in_the_dialog_is_answered(context):
    talk = Talk(SipBox(context))
    for side in (talk.out, talk.into):
        answer = side.request("OPTIONS")
        check(answer.status == 200, f"answered {answer}")
    talk.end()


def info_passes_with_its_body(context):
    talk = Talk(SipBox(context))
    digit = b"Signal=5\r\nDuration=160\r\n"
    kind = (("Content-Type", "application/dtmf-relay"),)
    answer = meanwhile(lambda: talk.out.request("INFO", digit, kind))
    seen = talk.into.expect_request("INFO")
    check(seen.body == digit, f"body {seen.body}")
    check(seen.get("content-type") == "application/dtmf-relay",
          f"type {seen.get('content-type')}")
    talk.bob.reply(seen, 200, "OK")
    check(answer().status == 200, "INFO not answered 200")
    answer = meanwhile(lambda: talk.into.request("INFO", digit, kind))
    seen = talk.out.expect_request("INFO")
    talk.alice.reply(seen, 415, "Unsupported Media Type")
    check(answer().status == 415, f"refusal became {answer()}")
    talk.end()


def method_not_allowed_in_the_dialog_gets_405(context):
    talk = Talk(SipBox(context))
    answer = talk.out.request("PUBLISH")
    check(answer.status == 405, f"PUBLISH answered {answer}")
    check("INVITE" in answer.get("allow"), "no Allow")
    answer = talk.out.request("FROBNICATE")
    check(answer.status == 501, f"unknown method answered {answer}")
    talk.end()


def unknown_dialog_gets_481(context):
    box = SipBox(context)
    alice = box.phone("alice")
    for method in ("BYE", "INFO", "INVITE"):
        answer = alice.request(
            method, f"sip:{box.address}", to=f"sip:bob@{box.address}",
            to_tag=token(), auth=False)
        check(answer.status == 481, f"{method} answered {answer}")
    cancel = alice.make("CANCEL", f"sip:bob@{box.address}", cseq=7)
    check(alice.transact(cancel).status == 481, "CANCEL of nothing")


def old_cseq_in_the_dialog_gets_500(context):
    talk = Talk(SipBox(context))
    talk.out.cseq = 50
    check(talk.out.request("OPTIONS").status == 200, "OPTIONS refused")
    stale = talk.out.make("OPTIONS", cseq=20)
    answer = talk.alice.transact(stale)
    check(answer.status == 500, f"answered {answer}")
    talk.end()


def stranger_with_the_dialogs_tags_cannot_end_the_call(context):
    """BYE with the right tags from another address, without a password."""
    talk = Talk(SipBox(context))
    thief = talk.box.phone("alice", 7, register=False, word="wrong")
    mine, talk.out.phone = talk.out.phone, thief
    answer = talk.out.bye()
    check(answer.status in (401, 403, 481), f"BYE answered {answer}")
    talk.out.phone = mine
    talk.bob.nothing("BYE", 0.5)
    check(len(talk.box.calls()) == 1, "the call is gone")
    talk.end()


def phone_that_moved_proves_itself_and_goes_on(context):
    talk = Talk(SipBox(context))
    moved = Phone("alice", password("alice"), talk.box.server,
                  local=f"{talk.box.net}.8.1", port=5060, context=context)
    talk.out.phone = moved
    media = rtp.Rtp(moved.local, context=context, payload=A_SPEECH)
    talk.out.reinvite(media.sdp())
    challenge = moved.expect(lambda m: not m.is_request and m.status > 100)
    check(challenge.status == 401, f"not challenged: {challenge}")
    moved.digest.take(challenge)
    talk.out.reinvite(media.sdp(), headers=(
        ("Authorization", moved.digest.header("INVITE", talk.out.target)),))
    try:
        talk.into.expect_request("INVITE", 2)
        talk.into.reply(200, "OK", rtp=talk.there)
    except Failed:
        pass  # the box may answer by itself: nothing changed for bob
    talk.out.answered()
    talk.here = media
    talk.speak()
    check(meanwhile(talk.into.bye) and moved.expect("BYE"),
          "BYE did not follow the phone")


def callee_that_moved_proves_itself_and_hangs_up(context):
    """BYE and INFO from a new port: challenged, then obeyed."""
    talk = Talk(SipBox(context))
    moved = Phone("bob", password("bob"), talk.box.server,
                  local=f"{talk.box.net}.8.1", port=5060, context=context)
    talk.into.phone = moved
    kind = (("Content-Type", "application/dtmf-relay"),)
    answer = meanwhile(lambda: talk.into.request("INFO", b"Signal=5\r\n",
                                                 kind))
    talk.alice.reply(talk.out.expect_request("INFO"), 200, "OK")
    check(answer().status == 200, f"INFO answered {answer()}")
    check(talk.box.calls()[0]["legs"][1]["peer"] == "bob", "not bob's leg")
    talk.out.reinvite(talk.here.sdp(direction="sendonly"))
    talk.into.expect_request("INVITE")  # goes where the phone is now
    talk.into.reply(200, "OK", sdp=talk.there.sdp(direction="recvonly"))
    talk.out.answered()
    talk.into.expect_ack()
    hang_up(talk.into, talk.out)
    talk.box.no_calls_left()


def each_leg_has_a_verdict_of_its_own(context):
    """S0-27: the verdict is the dialog's own, not the registration's."""
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    out = alice.invite("bob", sdp=box.media(alice).sdp(
        connection="192.168.77.7"))
    into = bob.incoming()
    into.reply(200, "OK", rtp=box.media(bob))
    out.answered()
    into.expect_ack()
    legs = {leg["side"]: leg for leg in box.calls()[0]["legs"]}
    check(legs["a"]["nat"]["behind"], f"caller: {legs['a']['nat']}")
    check("sdp-private" in legs["a"]["nat"]["evidence"],
          f"caller: {legs['a']['nat']}")
    check(not legs["b"]["nat"]["behind"], f"callee: {legs['b']['nat']}")
    hang_up(out, into)


def dialog_follows_the_phone_that_registers_anew(context):
    """A NAT gave the phone another port; its registration tells us."""
    box = SipBox(context)
    ident = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    alice = box.phone("alice", register=False)
    alice.register(instance=ident)
    talk = Talk(box, alice=alice)
    again = box.phone("alice", 1, register=False, port=5070)
    again.register(instance=ident)
    done = meanwhile(talk.into.bye)
    again.reply(again.expect("BYE"), 200, "OK")
    done()
    box.no_calls_left()


def bye_into_a_dead_flow_reaches_the_phone_that_comes_back(context):
    """The far end hangs up while a NAT has forgotten the phone."""
    box = SipBox(context)
    ident = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    bob = box.phone("bob", register=False)
    bob.register(instance=ident)
    talk = Talk(box, bob=bob)
    bob.ignore = lambda m: True
    check(talk.out.bye().status == 200, "BYE refused")
    time.sleep(0.8)
    again = box.phone("bob", 2, register=False, port=5070)
    again.register(instance=ident)
    bye = again.expect("BYE", 2)
    check(bye.call_id == talk.into.call_id, "another call's BYE")
    again.reply(bye, 200, "OK")
    box.no_calls_left()


HOME = "<sip:bob@192.168.1.50:5060>"  # as in many a home
SHORT = {"realm": {"min_expires": "1", "keepalive_interval": "10"},
         "env": {"SBC_NAT_SPEED": "10"}}


def answer_pings(phone):
    """Answer OPTIONS from now on, and keep them from the test."""
    def take(message):
        if not (message.is_request and message.method == "OPTIONS"):
            return False
        phone.reply(message, 200, "OK")
        return True
    phone.ignore = take


def is_pinged(phone):
    return any(b"OPTIONS sip" in data for _, _, data in phone.log)


def dialog_follows_the_phone_whose_binding_had_expired(context):
    """The NAT changes too, and the phone takes another Call-ID."""
    box = SipBox(context, **SHORT)
    bob = box.phone("bob", register=False)
    answer_pings(bob)
    bob.register(contact=HOME, expires=1)
    talk = Talk(box, bob=bob)
    until(lambda: not box.binding("bob"), 4, "the binding stays")
    until(lambda: is_pinged(bob), 4, "the dialog is not held")
    bob.ignore = lambda m: True
    again = box.phone("bob", 2, register=False, port=5070)
    again.register(contact=HOME)
    done = meanwhile(talk.out.bye)
    bye = again.expect("BYE", 8)
    check(bye.call_id == talk.into.call_id, "another call's BYE")
    again.reply(bye, 200, "OK")
    check(done().status == 200, "BYE refused")
    box.no_calls_left()


def another_home_with_the_same_contact_takes_no_dialog(context):
    """Two phones of one user, each behind a NAT of its own."""
    box = SipBox(context, **SHORT)
    bob = box.phone("bob", register=False)
    answer_pings(bob)
    bob.register(contact=HOME)
    talk = Talk(box, bob=bob)
    other = box.phone("bob", 7, register=False, port=5070)
    other.register(contact=HOME)
    time.sleep(2.5)  # pings, and what could come of them
    bob.register(contact=HOME, expires=0)
    third = box.phone("bob", 8, register=False, port=5070)
    third.register(contact=HOME)
    time.sleep(1.5)
    talk.end()
    for phone in (other, third):
        check(not any(m.method == "BYE" for m in phone.inbox),
              "the BYE went to another home")


def rfc2833_digits_pass(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    here, there = box.media(alice), box.media(bob)
    out = alice.invite("bob", sdp=here.sdp(codecs=(0, 101)))
    into = bob.incoming()
    check(101 in media_of(into.remote_sdp)[2], "telephone-event is lost")
    into.reply(200, "OK", sdp=there.sdp(codecs=(0, 101)))
    out.answered()
    into.expect_ack()
    here.payload_type, here.payload = 101, b"\x05\x8a\x00\xa0"
    here.stream(out.media())
    until(lambda: there.count(payload=here.payload) > 5, 2, "no digits")


def payload_type_that_was_not_negotiated_is_dropped(context):
    talk = Talk(SipBox(context))
    talk.speak()
    talk.here.payload_type, talk.here.payload = 33, b"?" * 160
    time.sleep(0.5)
    check(talk.there.count(payload=b"?" * 160) == 0, "it passed")
    media = talk.box.calls()[0]["legs"][0]["media"][0]
    check(media["dropped"]["payload_type"] > 0, f"not counted: {media}")
    talk.here.payload_type, talk.here.payload = 0, A_SPEECH
    talk.heard()
    talk.end()


def rtcp_passes_both_ways(context):
    talk = Talk(SipBox(context))
    talk.speak()
    report = b"\x80\xc9\x00\x01" + b"\x01\x02\x03\x04"
    address, port = talk.out.media()
    until(lambda: talk.here.rtcp.sendto(report, (address, port + 1)) and
          talk.there.got_rtcp, 2, "no RTCP at the callee")
    address, port = talk.into.media()
    until(lambda: talk.there.rtcp.sendto(report, (address, port + 1)) and
          talk.here.got_rtcp, 2, "no RTCP at the caller")
    talk.end()


def add_to(suite):
    for function in (
            hold_and_resume_reach_the_other_side, hold_by_the_callee,
            old_style_hold_with_no_address,
            hold_keeps_the_boxs_ports_and_session, codec_changes_in_a_call,
            phone_moves_its_media_port, late_offer_reinvite,
            refused_reinvite_leaves_the_call_as_it_was,
            reinvite_against_a_pending_one_gets_491,
            second_reinvite_before_the_first_is_answered_gets_500,
            glare_491_from_the_phone_does_not_end_the_call,
            options_in_the_dialog_is_answered, info_passes_with_its_body,
            method_not_allowed_in_the_dialog_gets_405,
            unknown_dialog_gets_481, old_cseq_in_the_dialog_gets_500,
            stranger_with_the_dialogs_tags_cannot_end_the_call,
            phone_that_moved_proves_itself_and_goes_on,
            callee_that_moved_proves_itself_and_hangs_up,
            each_leg_has_a_verdict_of_its_own,
            dialog_follows_the_phone_that_registers_anew,
            bye_into_a_dead_flow_reaches_the_phone_that_comes_back,
            dialog_follows_the_phone_whose_binding_had_expired,
            another_home_with_the_same_contact_takes_no_dialog,
            rfc2833_digits_pass,
            payload_type_that_was_not_negotiated_is_dropped,
            rtcp_passes_both_ways):
        suite.add(function)
