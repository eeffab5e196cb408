# early_offers.py - offers and answers before the 2xx: reliable provisional
# answers (RFC 3262), UPDATE and new offers in PRACK in early dialogs, forks
#
# SPDX-License-Identifier: Apache-2.0

from runner import check, until
from sip import media_of
from sipbox import A_SPEECH, B_SPEECH, SipBox, hang_up, meanwhile

CAN = (("Supported", "100rel"), ("Allow", "INVITE, ACK, BYE, PRACK, UPDATE"))
RSEQ = 4711


def reliably(number=RSEQ):
    return (("Require", "100rel"), ("RSeq", str(number)),
            ("Allow", "INVITE, ACK, BYE, PRACK, UPDATE"))


def prack(call, response, body=b"", n=1):
    """PRACK for @response, the @n-th request since; its final answer."""
    check("100rel" in (response.get("require") or ""),
          f"{response} is not reliable")
    invite = response.cseq[0]
    rack = f"{response.get('rseq')} {invite} INVITE"
    return call.phone.transact(call.make(
        "PRACK", body, (("RAck", rack),), cseq=invite + n))


def expect_prack(call, number=RSEQ, body=b""):
    """The PRACK for our 18x with RSeq @number, answered."""
    seen = call.expect_request("PRACK")
    invite = call.invite.cseq[0]
    check(seen.get("rack") == f"{number} {invite} INVITE",
          f"RAck {seen.get('rack')}")
    call.phone.reply(seen, 200, "OK", body=body)
    return seen


def origin(sdp):
    return [line for line in sdp.split("\r\n") if line.startswith("o=")][0]


class Early:
    """Alice hears Bob's early media, reliably on both sides."""

    def __init__(self, context):
        self.box = SipBox(context)
        self.alice, self.bob = self.box.phone("alice"), self.box.phone("bob")
        self.here = self.box.media(self.alice, A_SPEECH)
        self.there = self.box.media(self.bob, B_SPEECH)
        self.out = self.alice.invite("bob", rtp=self.here, headers=CAN)
        self.into = self.bob.incoming()
        self.into.reply(183, "Session Progress", rtp=self.there,
                        headers=reliably())
        expect_prack(self.into)
        self.ring = self.out.expect(183)

    def heard(self):
        self.here.stream(self.out.media())
        self.there.stream(self.into.media())
        until(lambda: self.here.count(payload=B_SPEECH) > 15, 3,
              "alice does not hear bob")
        until(lambda: self.there.count(payload=A_SPEECH) > 15, 3,
              "bob does not hear alice")

    def end(self, requests=1):
        """Bob answers without saying it again; Alice hangs up."""
        self.into.reply(200, "OK")
        self.out.answered()
        self.into.expect_ack()
        self.out.cseq += requests
        hang_up(self.out, self.into)
        self.box.no_calls_left()


def both_talk_before_the_2xx(context):
    early = Early(context)
    answer = prack(early.out, early.ring)
    check(answer.status == 200, f"PRACK answered {answer}")
    early.heard()
    first = origin(early.out.remote_sdp)
    early.into.reply(200, "OK")
    early.out.answered()
    check(origin(early.out.remote_sdp) == first,
          f"{first} became {origin(early.out.remote_sdp)}")
    early.into.expect_ack()
    early.out.cseq += 1
    hang_up(early.out, early.into)
    early.box.no_calls_left()


def the_2xx_waits_for_the_prack(context):
    early = Early(context)
    early.into.reply(200, "OK")
    early.into.expect_ack()
    early.alice.nothing(lambda m: m.status == 200
                        and early.out.answers_invite(m), 1)
    check(prack(early.out, early.ring).status == 200, "PRACK refused")
    early.out.answered()
    early.out.cseq += 1
    hang_up(early.out, early.into)
    early.box.no_calls_left()


def new_offer_in_the_prack_is_answered_in_its_200(context):
    early = Early(context)
    early.here.close()
    early.here = early.box.media(early.alice, A_SPEECH)
    answer = meanwhile(lambda: prack(early.out, early.ring,
                                     early.here.sdp().encode()))
    seen = early.into.expect_request("UPDATE")
    check(media_of(seen.sdp)[1], "the UPDATE brings no offer")
    early.bob.reply(seen, 200, "OK",
                    (("Contact", early.bob.contact()),),
                    early.there.sdp().encode())
    answer = answer()
    check(answer.status == 200 and answer.body,
          f"PRACK answered {answer} {answer.body}")
    early.heard()
    early.end()


def update_in_the_early_dialog_crosses(context):
    early = Early(context)
    check(prack(early.out, early.ring).status == 200, "PRACK refused")
    answer = meanwhile(lambda: early.out.phone.transact(early.out.make(
        "UPDATE", early.here.sdp(direction="sendonly").encode(),
        cseq=early.ring.cseq[0] + 2)))
    seen = early.into.expect_request("UPDATE")
    check(media_of(seen.sdp)[3] == "sendonly", seen.sdp)
    early.bob.reply(seen, 200, "OK", (("Contact", early.bob.contact()),),
                    early.there.sdp(direction="recvonly").encode())
    answer = answer()
    check(answer.status == 200, f"UPDATE answered {answer}")
    check(media_of(answer.sdp)[3] == "recvonly", answer.sdp)
    early.end(2)


def each_early_dialog_of_a_fork_is_pracked(context):
    """A proxy behind bob forks; another of its branches answers."""
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    here = box.media(alice, A_SPEECH)
    there = [box.media(bob, B_SPEECH) for _ in range(2)]
    out = alice.invite("bob", rtp=here)
    into = bob.incoming()
    seen = []
    for tag, rtp, number in (("fork-1", there[0], 10), ("fork-2", there[1],
                                                        500)):
        into.local_tag = tag
        into.reply(183, "Session Progress", rtp=rtp,
                   headers=reliably(number))
        seen.append(expect_prack(into, number))
    check([m.to_tag for m in seen] == ["fork-1", "fork-2"],
          f"PRACKs for {[m.to_tag for m in seen]}")
    out.expect(183)
    there[0].stream(into.media())
    until(lambda: here.count(payload=B_SPEECH) > 15, 3,
          "the first fork is not heard")
    there[0].hush()
    into.reply(200, "OK")
    out.answered()
    ack = into.expect_ack()
    check(ack.to_tag == "fork-2", f"ACK for {ack.to_tag}")
    before = here.count(payload=B_SPEECH)
    here.stream(out.media())
    there[1].stream(into.media())
    until(lambda: there[1].count(payload=A_SPEECH) > 15, 3,
          "the winner does not hear alice")
    until(lambda: here.count(payload=B_SPEECH) > before + 15, 3,
          "alice does not hear the winner")
    hang_up(out, into)
    box.no_calls_left()


def a_winner_that_differs_reaches_the_caller_by_reinvite(context):
    """Two phones of bob's: one with early media, the other answers."""
    box = SipBox(context)
    alice = box.phone("alice")
    bobs = [box.phone("bob", 10 + n) for n in range(2)]
    out = alice.invite("bob", rtp=box.media(alice), headers=CAN)
    first, second = [bob.incoming() for bob in bobs]
    first.reply(183, "Session Progress", sdp=box.media(bobs[0]).sdp(),
                headers=reliably())
    expect_prack(first)
    check(prack(out, out.expect(183)).status == 200, "PRACK refused")
    second.reply(200, "OK", sdp=box.media(bobs[1]).sdp(codecs=(8,)))
    answer = out.answered()
    check(not answer.body, "the 200 brings another answer")
    second.expect_ack()
    again = out.expect_request("INVITE")
    check(media_of(again.sdp)[2] == [8], f"offered {media_of(again.sdp)[2]}")
    out.invite = again
    out.reply(200, "OK", sdp=box.media(alice).sdp(codecs=(8,)))
    out.expect_ack()
    bobs[0].reply(first.expect_request("CANCEL", 6), 200, "OK")
    first.reply(487, "Request Terminated")
    out.cseq += 1
    hang_up(out, second)
    box.no_calls_left()


def who_demands_it_where_it_is_off_is_refused(context):
    box = SipBox(context, realm={"rel100": "off"})
    alice = box.phone("alice")
    box.phone("bob")
    out = alice.invite("bob", rtp=box.media(alice),
                       headers=(("Require", "100rel"),))
    refused = out.expect(420)
    check(refused.get("unsupported") == "100rel", "no Unsupported")


def who_lacks_it_where_it_is_required_is_refused(context):
    box = SipBox(context, realm={"rel100": "require"})
    alice = box.phone("alice")
    box.phone("bob")
    out = alice.invite("bob", rtp=box.media(alice))
    refused = out.expect(421)
    check(refused.get("require") == "100rel", "no Require")


def add_to(suite):
    for function in (
            both_talk_before_the_2xx, the_2xx_waits_for_the_prack,
            new_offer_in_the_prack_is_answered_in_its_200,
            update_in_the_early_dialog_crosses,
            each_early_dialog_of_a_fork_is_pracked,
            a_winner_that_differs_reaches_the_caller_by_reinvite,
            who_demands_it_where_it_is_off_is_refused,
            who_lacks_it_where_it_is_required_is_refused):
        suite.add(function)
