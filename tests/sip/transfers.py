# transfers.py - who is handed on to whom: {blind, attended, attended while
# ringing} x {phone, trunk} to {phone, trunk} x {accepted, refused, unreachable}
#
# bob is the transferor; he talks to the one who stays and is to hand him on to
# the target.  RFC 5589 says what each of the three may see.
#
# SPDX-License-Identifier: Apache-2.0

import time
from urllib.parse import unquote

from runner import check, until
from sip import media_of, uri_in
from sipbox import A_SPEECH, B_SPEECH, SipBox, meanwhile
from trunks import TRUNKS

C_SPEECH = b"c" * 160


class Party:
    """A phone or trunk that answers by itself what comes inside its calls."""

    def __init__(self, box, phone, speech):
        self.box, self.phone, self.speech = box, phone, speech
        self.rtp = box.media(phone, speech)
        self.rtps = [self.rtp]
        self.call = None
        self.calls = {}     # call-id: Call
        self.told = []      # NOTIFYs
        self.changes = []   # re-INVITEs
        self.ended = []     # BYEs
        self.refuses = 0    # re-INVITEs, with this status
        phone.ignore = self.take

    def has(self, call):
        self.call = self.calls[call.call_id] = call
        return call

    def take(self, message):
        if not message.is_request or not message.to_tag:
            return False
        if message.method == "NOTIFY":
            self.told.append(message)
            self.phone.reply(message, 200, "OK")
        elif message.method == "BYE":
            if message not in self.ended:
                self.ended.append(message)
            self.phone.reply(message, 200, "OK")
        elif message.method == "INVITE" and message.call_id in self.calls:
            self.change(self.calls[message.call_id], message)
        else:
            return False
        return True

    def change(self, call, message):
        self.changes.append(message)
        call.invite = message
        if self.refuses:
            call.reply(self.refuses, "No")
            return
        call.remote_sdp = message.sdp
        way = {"sendonly": "recvonly", "inactive": "inactive"}
        call.reply(200, "OK", sdp=self.rtp.sdp(
            direction=way.get(media_of(message.sdp)[3], "sendrecv")))
        self.rtp.remote = call.media()

    def open_line(self):
        """Media of its own for the next call."""
        self.rtp = self.box.media(self.phone, self.speech)
        self.rtps.append(self.rtp)

    def hears(self, other, since):
        return sum(rtp.count(payload=other.speech, since=since)
                   for rtp in self.rtps)

    def status_lines(self):
        return [m.body.decode().strip().removeprefix("SIP/2.0 ")
                for m in self.told]


def connect(caller, callee, number, **how):
    """@caller calls @number, which is @callee's; both speak."""
    out = caller.has(caller.phone.invite(number, rtp=caller.rtp, **how))
    into = callee.has(callee.phone.incoming())
    into.reply(180, "Ringing")
    out.expect(180)
    into.reply(200, "OK", rtp=callee.rtp)
    out.answered()
    into.expect_ack()
    caller.rtp.stream(out.media())
    callee.rtp.stream(into.media())
    return out, into


def hold(party, call, word="sendonly"):
    call.reinvite(party.rtp.sdp(direction=word))
    call.answered()


def talk(one, two, others=()):
    """They hear each other, and nobody else is heard by them."""
    since = time.monotonic() + 0.1
    until(lambda: one.rtp.count(payload=two.speech, since=since) > 10, 4,
          f"{one.phone.user} does not hear {two.phone.user}")
    until(lambda: two.rtp.count(payload=one.speech, since=since) > 10, 4,
          f"{two.phone.user} does not hear {one.phone.user}")
    for other in others:
        for who in (one, two):
            check(not who.hears(other, since),
                  f"{who.phone.user} still hears {other.phone.user}")
            check(not other.hears(who, since),
                  f"{other.phone.user} still hears {who.phone.user}")


def replaces(call):
    """The dialog of @call as whoever gets the INVITE knows it."""
    text = (f"{call.call_id};to-tag={call.remote_tag}"
            f";from-tag={call.local_tag}")
    return "?Replaces=" + text.replace("@", "%40").replace(
        ";", "%3B").replace("=", "%3D")


def refer(call, to, headers=(), must=202):
    answer = call.request("REFER", headers=(
        ("Refer-To", f"<{to}>"), ("Contact", call.phone.contact()),
        *headers))
    check(answer.status == must, f"REFER answered {answer}, not {must}")
    return answer


class Site:
    """bob talks to one of kind @stays; there is a target of kind @target."""

    def __init__(self, context, stays="phone", target="phone",
                 bob_calls=False, **how):
        self.box = box = SipBox(context, extra=TRUNKS, **how)
        self.bob = Party(box, box.phone("bob"), B_SPEECH)
        if stays == "phone":
            self.stays = Party(box, box.phone("alice"), A_SPEECH)
            number, auth = "alice", True
        else:
            self.stays = Party(box, box.phone(
                "first", 20, register=False, domain=box.address), A_SPEECH)
            number, auth = "0111", False
        if target == "phone":
            self.target = Party(box, box.phone("carol"), C_SPEECH)
            self.number = "carol"
        else:
            self.target = Party(box, box.phone(
                "second", 21, register=False, domain=box.address), C_SPEECH)
            self.number = "+4930123"
        if bob_calls:
            connect(self.bob, self.stays, number)
        else:
            connect(self.stays, self.bob, "bob", auth=auth)
        self.first = self.bob.call
        talk(self.stays, self.bob)
        self.id = box.calls()[0]["id"]

    def to(self, call=None):
        return (f"sip:{self.number}@{self.box.address}"
                + (replaces(call) if call else ""))

    def expect_told(self, *lines):
        """bob hears exactly these, the last one as the end."""
        until(lambda: len(self.bob.told) >= len(lines), 12,
              "too few NOTIFYs")
        check(self.bob.status_lines() == list(lines),
              f"bob was told {self.bob.status_lines()}, not {lines}")
        for message in self.bob.told:
            state = message.get("subscription-state")
            check(message.get("content-type").startswith("message/sipfrag"),
                  "no sipfrag")
            check(message.get("event").split(";")[0] == "refer", "event")
            check(message.call_id == self.first.call_id, "another dialog")
            is_last = message is self.bob.told[-1]
            check(state.startswith("terminated;reason=noresource") if is_last
                  else state.startswith("active;expires="),
                  f"state {state} of {message.body}")

    def has_ended(self, call):
        return any(m.call_id == call.call_id for m in self.bob.ended)

    def consult(self, ringing=False):
        """bob holds the one who stays, and calls the target."""
        bob = self.bob
        hold(bob, self.first)
        bob.open_line()
        if not ringing:
            return connect(bob, self.target, self.number)
        out = bob.has(bob.phone.invite(self.number, rtp=bob.rtp))
        into = self.target.has(self.target.phone.incoming())
        into.reply(180, "Ringing")
        out.expect(180)
        return out, into

    def resume(self):
        self.bob.rtp = self.bob.rtps[0]
        hold(self.bob, self.first, "sendrecv")

    def handed_over(self):
        """Those two talk, in the call that was; bob is out of it."""
        if not self.has_ended(self.first):
            check(self.first.bye().status == 200, "BYE refused")
        until(lambda: len(self.box.calls()) == 1 and
              len(self.box.calls()[0]["legs"]) == 2, 4,
              f"legs are left: {self.box.calls()}")
        call, = self.box.calls()
        check(call["id"] == self.id, "the call has another id")
        talk(self.stays, self.target, (self.bob,))
        done = meanwhile(self.stays.call.bye)
        check(done().status == 200, "BYE of the one who stayed")
        until(lambda: self.target.ended, 3, "the target's leg is left")
        self.box.no_calls_left()

    def as_before(self):
        """bob talks to the one who stays, as if nothing had been."""
        talk(self.stays, self.bob)
        check(not self.stays.ended, "the first call was ended")
        check(self.first.bye().status == 200, "BYE refused")
        until(lambda: self.stays.ended, 3, "the first call is left")


# ---- blind ------------------------------------------------------------------

def blind(site, outcome):
    hold(site.bob, site.first)
    if outcome == "unreachable":
        if site.number == "carol":
            site.target.phone.register(expires=0)
        else:
            site.target.phone.close()
    refer(site.first, site.to())
    if outcome == "unreachable":
        site.expect_told("100 Trying", "480 Temporarily Unavailable"
                         if site.number == "carol"
                         else "503 Service Unavailable")
        hold(site.bob, site.first, "sendrecv")
        site.as_before()
        site.box.no_calls_left()
        return
    into = site.target.has(site.target.phone.incoming())
    check(media_of(into.remote_sdp)[3] == "sendrecv", "it is offered a hold")
    check(("sip:bob@" in into.invite.get("referred-by")) ==
          (site.number == "carol"),
          f"Referred-By: {into.invite.get('referred-by')}")
    into.reply(180, "Ringing")
    if outcome == "refused":
        into.reply(486, "Busy Here")
        site.expect_told("100 Trying", "180 Ringing", "486 Busy Here")
        check(len(site.stays.changes) == 1, "the other side was disturbed")
        hold(site.bob, site.first, "sendrecv")
        site.as_before()
        site.box.no_calls_left()
        return
    site.target.rtp.stream(into.media())
    into.reply(200, "OK", rtp=site.target.rtp)
    into.expect_ack()
    site.expect_told("100 Trying", "180 Ringing", "200 OK")
    site.handed_over()


# ---- attended -----------------------------------------------------------------

def attended(site, outcome):
    out, _ = site.consult()
    talk(site.bob, site.target)
    if outcome != "accepted":
        hold(site.bob, out)     # so that the target has to be told
    if outcome == "refused":
        site.target.refuses = 488
    elif outcome == "unreachable":
        site.target.phone.close()
    refer(site.first, site.to(out))
    if outcome == "accepted":
        site.expect_told("100 Trying", "200 OK")
        until(lambda: site.has_ended(out), 3, "the consultation is left")
        site.handed_over()
        return
    site.expect_told("100 Trying", "488 Not Acceptable Here"
                     if outcome == "refused" else "503 Service Unavailable")
    check(not site.bob.ended, "bob lost a call")
    if outcome == "refused":
        site.target.refuses = 0
        hold(site.bob, out, "sendrecv")
        talk(site.bob, site.target)
        hang_up_both(out, site.target)
    site.resume()
    site.as_before()


def hang_up_both(call, party):
    before = len(party.ended)
    check(call.bye().status == 200, "BYE refused")
    until(lambda: len(party.ended) > before, 3, "no BYE on the other side")


# ---- attended while it still rings ----------------------------------------------

def ringing(site, outcome):
    out, into = site.consult(ringing=True)
    if outcome == "unreachable":
        site.target.phone.ignore = lambda m: True
    refer(site.first, site.to(out))
    if outcome == "accepted":
        site.target.rtp.stream(into.media())
        into.reply(200, "OK", rtp=site.target.rtp)
        into.expect_ack()
        site.expect_told("100 Trying", "180 Ringing", "200 OK")
        final(out, 487)
        site.handed_over()
        return
    if outcome == "refused":
        into.reply(486, "Busy Here")
    site.expect_told("100 Trying", "180 Ringing", "486 Busy Here"
                     if outcome == "refused" else "408 Request Timeout")
    final(out, 486 if outcome == "refused" else 408)
    site.resume()
    site.as_before()


def final(call, code):
    got = call.phone.expect(
        lambda m: call.answers_invite(m) and m.status >= 200, 6)
    check(got.status == code, f"INVITE answered {got}, not {code}")


# ---- what a transferor may do ---------------------------------------------------

def transferor_that_stays_is_hung_up(context):
    """Who does not send BYE after the last NOTIFY gets ours."""
    site = Site(context)
    refer(site.first, site.to())
    into = site.target.has(site.target.phone.incoming())
    site.target.rtp.stream(into.media())
    into.reply(200, "OK", rtp=site.target.rtp)
    into.expect_ack()
    site.expect_told("100 Trying", "200 OK")
    until(lambda: site.has_ended(site.first), 8, "bob was not hung up")
    site.handed_over()


def transferor_may_hang_up_at_once(context):
    """As many phones do: REFER and BYE in one breath."""
    site = Site(context)
    refer(site.first, site.to())
    check(site.first.bye().status == 200, "BYE refused")
    into = site.target.has(site.target.phone.incoming())
    into.reply(180, "Ringing")
    time.sleep(0.3)
    check(not site.stays.ended, "who stays was hung up")
    site.bob.ended.append(site.bob.told[0])  # bob needs no more BYE
    site.target.rtp.stream(into.media())
    into.reply(200, "OK", rtp=site.target.rtp)
    into.expect_ack()
    site.expect_told("100 Trying", "180 Ringing", "200 OK")
    site.handed_over()


def transferor_that_left_and_a_target_that_refuses(context):
    """Who is left alone is hung up, and told why."""
    site = Site(context)
    refer(site.first, site.to())
    check(site.first.bye().status == 200, "BYE refused")
    site.target.phone.incoming().reply(486, "Busy Here")
    until(lambda: site.stays.ended, 3, "who stays was forgotten")
    check("cause=486" in site.stays.ended[0].get("reason"),
          f"Reason: {site.stays.ended[0].get('reason')}")
    site.box.no_calls_left()


def transfer_without_notify(context):
    """Refer-Sub: false (RFC 4488)."""
    site = Site(context)
    answer = refer(site.first, site.to(), (("Refer-Sub", "false"),
                                           ("Require", "norefersub")))
    check(answer.get("refer-sub") == "false", "Refer-Sub is not confirmed")
    into = site.target.has(site.target.phone.incoming())
    site.target.rtp.stream(into.media())
    into.reply(200, "OK", rtp=site.target.rtp)
    into.expect_ack()
    until(lambda: site.stays.changes, 3, "who stays was not told")
    site.handed_over()
    check(not site.bob.told, "NOTIFY all the same")


def bad_refers_are_refused(context):
    site = Site(context)
    where = f"carol@{site.box.address}"
    for value, status in ((None, 400), ("<sip:>", 400), ("<sip:a%0d@h>", 400),
                          (f"<sip:{where};method=BYE>", 403),
                          (f"<sip:{where}?Replaces=x>", 400),
                          ("<http://h.test/>", 416)):
        headers = (("Refer-To", value),) if value else ()
        answer = site.first.request("REFER", headers=headers)
        check(answer.status == status, f"{value}: {answer}")
    answer = site.first.request("REFER", headers=(
        ("Refer-To", f"<sip:{where}>"), ("Refer-To", f"<sip:{where}>")))
    check(answer.status == 400, f"two targets: {answer}")
    site.target.phone.nothing("INVITE", 0.3)
    check(not site.bob.told, "NOTIFY for a refused REFER")
    site.as_before()


def refer_of_no_dialog_is_refused(context):
    """By a phone with its password, and by a stranger."""
    box = SipBox(context)
    box.phone("carol")
    to = (("Refer-To", f"<sip:carol@{box.address}>"),)
    for phone in (box.phone("alice"), box.phone("mallory", 66,
                                                register=False)):
        answer = phone.request("REFER", f"sip:bob@{box.address}", headers=to)
        check(answer.status == 403, f"{phone.user}: {answer}")


def stranger_with_the_dialogs_names_transfers_nobody(context):
    site = Site(context)
    thief = site.box.phone("bob", 67, register=False, word="wrong")
    mine, site.first.phone = site.first.phone, thief
    answer = site.first.request("REFER", headers=(
        ("Refer-To", f"<{site.to()}>"),))
    check(answer.status in (401, 403), f"REFER answered {answer}")
    site.first.phone = mine
    site.target.phone.nothing("INVITE", 0.3)
    site.as_before()


def hosts_of_others_are_not_called(context):
    """Only routes lead outside, whatever host Refer-To names."""
    site = Site(context)
    other = site.box.phone("evil", 68, register=False)
    refer(site.first, f"sip:carol@{other.local}:5060")
    site.expect_told("100 Trying", "404 Not Found")
    other.nothing("INVITE", 0.3)
    site.target.phone.nothing("INVITE", 0.1)
    site.as_before()


def second_transfer_after_a_failed_one(context):
    """Its NOTIFYs name it by the CSeq of its REFER (RFC 3515 2.4.6)."""
    site = Site(context)
    refer(site.first, "sip:nobody@" + site.box.address)
    site.expect_told("100 Trying", "404 Not Found")
    site.bob.told.clear()
    refer(site.first, site.to())
    number = site.first.cseq
    into = site.target.has(site.target.phone.incoming())
    site.target.rtp.stream(into.media())
    into.reply(200, "OK", rtp=site.target.rtp)
    into.expect_ack()
    site.expect_told("100 Trying", "200 OK")
    for message in site.bob.told:
        check(message.get("event") == f"refer;id={number}",
              f"Event: {message.get('event')}")
    site.handed_over()


def provider_may_hand_on(context):
    """A trunk sends REFER: with its own right, not with the phone's."""
    box = SipBox(context, extra=TRUNKS)
    first = Party(box, box.phone("first", 20, register=False,
                                 domain=box.address), A_SPEECH)
    alice, carol = (Party(box, box.phone(user), speech) for user, speech
                    in (("alice", B_SPEECH), ("carol", C_SPEECH)))
    connect(alice, first, "0111")
    refer(first.call, f"sip:carol@{box.address}")
    into = carol.has(carol.phone.incoming())
    check("sip:alice@" in into.invite.get("from"), into.invite.get("from"))
    carol.rtp.stream(into.media())
    into.reply(200, "OK", rtp=carol.rtp)
    into.expect_ack()
    until(lambda: first.status_lines() == ["100 Trying", "200 OK"], 3,
          "the trunk is not told")
    check(first.call.bye().status == 200, "BYE refused")
    talk(alice, carol, (first,))
    check(alice.call.bye().status == 200, "BYE refused")
    until(lambda: carol.ended, 3, "carol was not hung up")
    box.no_calls_left()


def attended_transfer_of_who_was_called_twice(context):
    """Both calls came in at bob's: his legs are the box's own INVITEs."""
    site = Site(context)
    carol = site.target
    bob = site.bob
    bob.open_line()
    _, into = connect(carol, bob, "bob")
    refer(site.first, site.to(into))
    site.expect_told("100 Trying", "200 OK")
    until(lambda: site.has_ended(into), 3, "the second call is left")
    site.handed_over()


def early_only_names_no_call_that_is_up(context):
    site = Site(context)
    out, _ = site.consult()
    refer(site.first, site.to(out) + "%3Bearly-only")
    site.expect_told("100 Trying", "486 Busy Here")
    hang_up_both(out, site.target)
    site.resume()
    site.as_before()


def nonsense_in_replaces_is_told(context):
    """Its own dialog, somebody else's, one that is no more."""
    site = Site(context)
    for call, line in ((site.first, "400 Bad Request"),
                       (site.stays.call, "481 Call/Transaction Does Not Exist")):
        site.bob.told.clear()
        refer(site.first, site.to(call))
        until(lambda: len(site.bob.told) == 2, 3, "too few NOTIFYs")
        check(site.bob.status_lines()[1] == line,
              f"told {site.bob.status_lines()}")
    site.target.phone.nothing("INVITE", 0.2)
    site.as_before()


# ---- Replaces (RFC 3891) ----------------------------------------------------------

def place_of(call, more=""):
    """Replaces for the dialog that the box has with @call's phone."""
    return (("Replaces", f"{call.call_id};to-tag={call.remote_tag};"
                         f"from-tag={call.local_tag}{more}"),
            ("Require", "replaces"))


def invite_takes_the_place_of_a_phone_in_a_call(context):
    site = Site(context)
    carol = site.target
    out = carol.has(carol.phone.invite("bob", rtp=carol.rtp,
                                       headers=place_of(site.first)))
    out.answered()
    carol.rtp.stream(out.media())
    until(lambda: site.has_ended(site.first), 3, "bob was not hung up")
    site.handed_over()


def ringing_call_is_picked_up(context):
    site_box = SipBox(context)
    alice = Party(site_box, site_box.phone("alice"), A_SPEECH)
    carol = Party(site_box, site_box.phone("carol"), C_SPEECH)
    bob = site_box.phone("bob")
    out = alice.has(alice.phone.invite("bob", rtp=alice.rtp))
    into = bob.incoming()
    into.reply(180, "Ringing")
    out.expect(180)
    mine = carol.has(carol.phone.invite(
        "bob", rtp=carol.rtp, headers=place_of(into, ";early-only")))
    mine.answered()
    out.answered()
    bob.reply(bob.expect("CANCEL"), 200, "OK")
    into.reply(487, "Request Terminated")
    alice.rtp.stream(out.media())
    carol.rtp.stream(mine.media())
    talk(alice, carol)
    check(len(site_box.calls()) == 1, "two calls are left")
    check(out.bye().status == 200, "BYE refused")
    until(lambda: carol.ended, 3, "carol was not hung up")
    site_box.no_calls_left()


def replaces_that_may_not_be(context):
    site = Site(context, stays="trunk")
    carol = site.target.phone
    for headers, status in (
            (place_of(site.first, ";early-only"), 486),
            (place_of(site.stays.call), 481),     # the trunk's leg
            ((("Replaces", "x;to-tag=1;from-tag=2"),), 481),
            ((("Replaces", "x;to-tag=1"),), 400)):
        out = carol.invite("bob", rtp=site.target.rtp, headers=headers)
        out.expect(status)
    site.as_before()


# ---- 3xx: a target names others ------------------------------------------------------

def redirected_call_is_followed(context):
    """By q, inside our own routes; the caller hears nothing of it."""
    box = SipBox(context, extra=TRUNKS)
    alice, bob, carol = (Party(box, box.phone(user), speech) for user, speech
                         in zip(("alice", "bob", "carol"),
                                (A_SPEECH, B_SPEECH, C_SPEECH)))
    first = box.phone("first", 20, register=False, domain=box.address)
    other = box.phone("evil", 68, register=False)
    out = alice.has(alice.phone.invite("bob", rtp=alice.rtp))
    bob.phone.incoming().reply(302, "Moved Temporarily", headers=(
        ("Contact", f"<sip:carol@{box.address}>;q=0.2"),
        ("Contact", f"<sip:0123@{box.address}>;q=0.9, "
                    f"<sip:777@{other.local}>;q=0.5")))
    into = first.incoming()
    check("sip:0123@" in into.invite.start, f"called {into.invite.start}")
    into.reply(486, "Busy Here")
    into = carol.has(carol.phone.incoming())
    into.reply(180, "Ringing")
    out.expect(180)
    into.reply(200, "OK", rtp=carol.rtp)
    out.answered()
    into.expect_ack()
    alice.rtp.stream(out.media())
    carol.rtp.stream(into.media())
    talk(alice, carol)
    other.nothing("INVITE", 0.1)
    check(out.bye().status == 200, "BYE refused")
    box.no_calls_left()


def redirections_that_loop_end(context):
    box = SipBox(context)
    alice, bob, carol = (box.phone(user) for user in ("alice", "bob", "carol"))
    out = alice.invite("bob", rtp=box.media(alice))
    seen = []

    def redirect(by, to):
        def take(message):
            if message.method != "INVITE" or not message.is_request:
                return False
            seen.append(by)
            by.reply(message, 302, "Moved", (
                ("Contact", f"<sip:{to.user}@{box.address}>"),),
                to_tag="moved")
            return True
        return take
    carol.ignore = redirect(carol, bob)
    first = bob.incoming()
    bob.ignore = redirect(bob, carol)
    first.reply(302, "Moved", headers=(
        ("Contact", f"<sip:carol@{box.address}>"),))
    out.expect(480)
    check(len(seen) == 5, f"{len(seen)} were asked")
    box.no_calls_left()


def transfer_to_a_phone_that_redirects(context):
    site = Site(context, target="trunk")
    bounce = site.box.phone("carol")
    site.number = "carol"
    refer(site.first, site.to())
    bounce.incoming().reply(302, "Moved", headers=(
        ("Contact", f"<sip:+4930123@{site.box.address}>"),))
    into = site.target.has(site.target.phone.incoming())
    into.reply(180, "Ringing")
    site.target.rtp.stream(into.media())
    into.reply(200, "OK", rtp=site.target.rtp)
    into.expect_ack()
    site.expect_told("100 Trying", "180 Ringing", "200 OK")
    site.handed_over()


# ---- option refer 'pass' ------------------------------------------------------------

def refer_reaches_the_other_side(context):
    """It gets nothing of bob's addresses, and bob a status line only."""
    site = Site(context, realm={"refer": "pass"})
    alice, carol = site.stays, site.target
    refer(site.first, f"sip:carol@{site.box.address};x=1")
    seen = alice.call.expect_request("REFER")
    check(uri_in(seen.get("refer-to")) ==
          f"sip:carol@{site.box.address}:5060", seen.get("refer-to"))
    check(f"sip:bob@{site.box.address}" in seen.get("referred-by"),
          f"Referred-By {seen.get('referred-by')}")
    alice.phone.reply(seen, 202, "Accepted")
    notify(alice.call, "active;expires=60", "SIP/2.0 100 Trying\r\n")
    connect(alice, carol, "carol")
    notify(alice.calls[seen.call_id], "terminated;reason=noresource",
           "SIP/2.0 200 OK\r\n"
           f"Contact: <sip:carol@{carol.phone.local}>\r\n")
    site.expect_told("100 Trying", "200 OK")
    check(carol.phone.local.encode() not in site.bob.phone.received_bytes(),
          "bob sees where carol is")
    check(site.first.bye().status == 200, "BYE refused")
    until(lambda: alice.ended, 3, "no BYE on the other side")
    talk(alice, carol)


def notify(call, state, fragment):
    answer = call.request("NOTIFY", fragment.encode(), (
        ("Event", "refer"), ("Subscription-State", state),
        ("Contact", call.phone.contact()),
        ("Content-Type", "message/sipfrag;version=2.0")))
    check(answer.status == 200, f"NOTIFY answered {answer}")


def passed_refer_names_a_dialog_that_the_box_finds_again(context):
    """Replaces is mapped: alice takes bob's place at carol's."""
    site = Site(context, realm={"refer": "pass"})
    alice, carol = site.stays, site.target
    out, _ = site.consult()
    refer(site.first, site.to(out))
    seen = alice.call.expect_request("REFER")
    uri, _, place = uri_in(seen.get("refer-to")).partition("?Replaces=")
    check(out.call_id not in place, "bob's Call-ID crosses")
    check(site.bob.phone.local not in seen.raw.decode(), "his address does")
    alice.phone.reply(seen, 202, "Accepted")
    old = alice.call
    mine = alice.has(alice.phone.invite("carol", rtp=alice.rtp, uri=uri,
                                        headers=(("Replaces",
                                                  unquote(place)),)))
    mine.answered()
    alice.rtp.stream(mine.media())
    notify(old, "terminated;reason=noresource", "SIP/2.0 200 OK\r\n")
    site.expect_told("100 Trying", "200 OK")
    until(lambda: site.has_ended(out), 3, "the consultation is left")
    check(site.first.bye().status == 200, "BYE refused")
    talk(alice, carol, (site.bob,))
    check(mine.bye().status == 200, "BYE refused")
    until(lambda: carol.ended, 3, "carol was not hung up")
    site.box.no_calls_left()


def refer_may_be_off(context):
    site = Site(context, realm={"refer": "off"})
    refer(site.first, site.to(), must=403)
    site.target.phone.nothing("INVITE", 0.3)
    site.as_before()


# ---- the table ----------------------------------------------------------------

KINDS = {"blind": blind, "attended": attended, "ringing": ringing}
OUTCOMES = ("accepted", "refused", "unreachable")


def cell(kind, stays, target, outcome, bob_calls):
    def scenario(context):
        how = {"ring_timeout": "7"} if outcome == "unreachable" else {}
        site = Site(context, stays, target, bob_calls, **how)
        KINDS[kind](site, outcome)
    scenario.__name__ = f"{kind}_transfer_{stays}_to_{target}_{outcome}"
    scenario.__doc__ = f"bob {'called' if bob_calls else 'was called'}"
    return scenario


def cells():
    """All of them; who called whom changes from one to the next."""
    number = 0
    for kind in KINDS:
        for stays in ("phone", "trunk"):
            for target in ("phone", "trunk"):
                for outcome in OUTCOMES:
                    yield cell(kind, stays, target, outcome, number % 2 == 1)
                    number += 1
                number += 1


def add_to(suite):
    for function in (*cells(), transferor_that_stays_is_hung_up,
                     transferor_may_hang_up_at_once,
                     transferor_that_left_and_a_target_that_refuses,
                     transfer_without_notify, bad_refers_are_refused,
                     refer_of_no_dialog_is_refused,
                     stranger_with_the_dialogs_names_transfers_nobody,
                     hosts_of_others_are_not_called,
                     second_transfer_after_a_failed_one,
                     provider_may_hand_on,
                     attended_transfer_of_who_was_called_twice,
                     early_only_names_no_call_that_is_up,
                     nonsense_in_replaces_is_told,
                     invite_takes_the_place_of_a_phone_in_a_call,
                     ringing_call_is_picked_up, replaces_that_may_not_be,
                     redirected_call_is_followed,
                     redirections_that_loop_end,
                     transfer_to_a_phone_that_redirects,
                     refer_reaches_the_other_side,
                     passed_refer_names_a_dialog_that_the_box_finds_again,
                     refer_may_be_off):
        suite.add(function)
