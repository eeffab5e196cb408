# toll_fraud.py - calls at somebody else's expense, tried in every way we know
#
# Three kinds of thief: who has no password, who has one and says that he is
# somebody else, and who knows the names of a call that is none of his.  Each
# is a table: every method, by every way to write where it shall go.
#
# SPDX-License-Identifier: Apache-2.0

import itertools
import time

from identities import claiming
from phone import Phone
from runner import Failed, check
from sip import Message, token
from sipbox import A_SPEECH, B_SPEECH, SipBox, Talk, hang_up, meanwhile

# NET stands for the scenario's loopback net.  Nobody is asked for a sign of
# life: every byte that a victim gets has somebody else's request to blame.
VICTIMS = """
config trunk 'itsp'
	option realm 'loop'
	option host 'NET.20.1'
	option port '5060'
	option options_interval '0'
	option identity 'pai'
config trunk 'friend'
	option realm 'loop'
	option host 'NET.21.1'
	option port '5060'
	option options_interval '0'
	option identity 'rpid'
	option trust_identity '1'
config trunk 'open'
	option realm 'loop'
	option host 'NET.22.1'
	option options_interval '0'
config route 'out'
	option match '0!'
	list to 'itsp'
config route 'over'
	option match '8!'
	list to 'friend'
"""
QUIET = {"keepalive": "off"}

METHODS = ("INVITE", "REFER", "SUBSCRIBE", "NOTIFY", "MESSAGE", "PUBLISH",
           "OPTIONS", "INFO", "UPDATE", "PRACK", "BYE", "CANCEL", "ACK",
           "REGISTER", "FROBNICATE", "invite")
INSIDE = ("BYE", "INVITE", "UPDATE", "INFO", "REFER", "PRACK", "CANCEL",
          "ACK", "MESSAGE", "NOTIFY", "SUBSCRIBE", "OPTIONS", "FROBNICATE")


class Site:
    """The box, and everybody who is not to be bothered."""

    def __init__(self, context):
        self.box = SipBox(context, realm=QUIET, extra=VICTIMS)
        self.net = self.box.net
        self.alice, self.bob = self.box.phone("alice"), self.box.phone("bob")
        self.itsp, self.friend = (self.gateway(n) for n in (20, 21))
        self.abroad = self.gateway(99)
        self.victims = (self.alice, self.bob, self.itsp, self.friend,
                        self.abroad)
        self.seen = {}
        self.look()

    def gateway(self, number):
        return self.box.phone(f"gw{number}", number, register=False,
                              domain=self.box.address)

    def came(self, who):
        return [data for way, _, data in who.log if way == "in"]

    def look(self):
        for who in self.victims:
            self.seen[who] = len(self.came(who))

    def nobody_heard(self, what, seconds=0.0, but=None):
        """Nothing came to a victim; to @but, who asked, answers may."""
        time.sleep(seconds)
        for who in self.victims:
            new = [data for data in self.came(who)[self.seen[who]:]
                   if who is not but or not data.startswith(b"SIP/2.0 ")]
            check(not new, f"{what} reached {who.user}:\n"
                  f"{new and new[0].decode('utf-8', 'replace')}")


def uris(site):
    """Where the thief wants to go."""
    us, number = site.box.address, "0049301234"
    bob = f"{site.bob.local}:{site.bob.port}"
    return (f"sip:bob@{us}", f"sip:{number}@{us}", f"sip:%62ob@{us}",
            f"sip:0%3049301234@{us}", f"sip:{number}@{us};user=phone",
            f"sip:{number};phone-context=+49@{us}",
            f"sip:{number}@{us};maddr={site.abroad.local}",
            f"sip:{number}@{us};transport=tcp;lr", f"sips:{number}@{us}",
            f"tel:{number}", "tel:+49301234",
            f"tel:{number};phone-context=+49",
            f"sip:{number}@{site.abroad.local}:5060",
            f"sip:{number}@{site.itsp.local}:5060", f"sip:bob@{bob}",
            f"sip:{us}", f"sip:bob@{us}?Route=%3Csip:{bob};lr%3E",
            f"sip:itsp@{us}", f"sip:112@{us}")


def lures(site):
    """Headers that might talk the box into it."""
    us, bob = site.box.address, f"{site.bob.local}:{site.bob.port}"
    other = f"{site.abroad.local}:5060"
    itsp = f"{site.itsp.local}:5060"

    def via(host, more=""):
        return ("Via", f"SIP/2.0/UDP {host};branch=z9hG4bK{token()}{more}")
    return (
        (), (("Route", f"<sip:{other};lr>"),), (("Route", f"<sip:{bob};lr>"),),
        (("Route", f"<sip:{us};lr>, <sip:{itsp};lr>"),),
        (("Route", f"<sip:{us}:5060;lr>"), ("Route", f"<sip:{itsp}>")),
        (via(itsp, ";rport"),),
        (via(bob, ";rport;received=" + site.bob.local),),
        (via(other, f";maddr={site.abroad.local}"),),
        (via(bob, f";received={site.itsp.local};rport=5060"),),
        (via(f"{us}:5060", ";rport"), via(itsp)),
        (("Contact", f"<sip:alice@{site.alice.local}:5060>"),),
        (("Contact", f"<sip:itsp@{itsp}>"),),
        (("Replaces", "x;to-tag=1;from-tag=2"),),
        (("Refer-To", f"<sip:0049301234@{us}?Refer-To=%3Csip:bob@{us}%3E>"),
         ("Referred-By", f"<sip:alice@{us}>")),
        (("Event", "presence"), ("Subscription-State", "active")),
        (("Event", "refer"), ("Refer-To", f"<sip:0049301234@{us}>")),
        (("P-Asserted-Identity", f"<sip:alice@{us}>"),),
        (("Path", f"<sip:{bob};lr>"), ("Require", "path")),
        (("Record-Route", f"<sip:{itsp};lr>"),),
        (("Authorization", f'Digest username="alice", realm="{us}", '
          f'nonce="1", uri="sip:bob@{us}", response="{"0" * 32}"'),),
        (("Authorization", "Basic YWxpY2U6czNjcmV0LWFsaWNl"),),
        (("Proxy-Authorization", 'Digest username="", response=""'),),
        (("RAck", "1 1 INVITE"),), (("Max-Forwards", "0"),),
        (("X-Forwarded-For", itsp),))


def froms(site, who):
    us = site.box.address
    return (f"sip:{who.user}@{us}", f"sip:alice@{us}",
            f"sip:itsp@{site.itsp.local}", "sip:anonymous@anonymous.invalid")


def attempts(site, who):
    """(method, uri, headers, From), each uri and each lure at least once."""
    plain = (f"sip:bob@{site.box.address}",
             f"sip:0049301234@{site.box.address}")
    mine = froms(site, who)
    for method in METHODS:
        for n, uri in enumerate(uris(site)):
            yield method, uri, (), mine[n % len(mine)]
        for headers in lures(site):
            for uri, said in zip(plain, (mine[1], mine[2])):
                yield method, uri, headers, said


def with_proof(who, site, method, uri, headers):
    """The challenge of an earlier request, answered as well as @who can."""
    if not who.digest.challenge or any(name.endswith("Authorization")
                                       for name, _ in headers):
        return headers
    return (*headers, ("Authorization", who.digest.header(method, uri)))


def answers_of(who, call_ids):
    """Call-ID: its answers' status codes."""
    found = {ident: [] for ident in call_ids}
    for way, _, data in list(who.log):
        if way == "in" and data.startswith(b"SIP/2.0"):
            message = Message(data)
            if message.call_id in found:
                found[message.call_id].append(message.status)
    return found


def try_all(site, who, what=""):
    """Everything at once; the answers, and that nobody heard of it."""
    sent = {}
    for n, (method, uri, headers, said) in enumerate(attempts(site, who)):
        ident = token(16)
        data = who.make(method, uri, from_uri=said, call_id=ident,
                        headers=with_proof(who, site, method, uri, headers),
                        body=b"hello" if method == "MESSAGE" else b"")
        sent[ident] = (method, uri, headers)
        if method == "INVITE":
            who.invites[ident, 1] = data
        who.send(data)
        if n % 20 == 19:
            time.sleep(0.01)
    site.nobody_heard(f"something of {what or who.user}", 1.0)
    refused = 0
    for ident, codes in answers_of(who, sent).items():
        method = sent[ident][0]
        for code in codes:
            check(code >= 400 or code == 100 or
                  method == "OPTIONS" and code == 200,
                  f"{sent[ident]} answered {code}")
            refused += code >= 400
    check(refused > len(sent) / 2, f"{refused} refusals for {len(sent)} tries")
    check(not site.box.calls(), "there is a call")
    site.box.options_work()


def challenged(who, box):
    """@who has a nonce, and so can answer with the password he has."""
    answer = who.request("MESSAGE", f"sip:bob@{box.address}", auth=False,
                         from_uri=f"sip:alice@{box.address}", body=b"x")
    check(answer.status == 401 and who.digest.take(answer), f"{answer}")


def who_has_no_password_reaches_nobody(context):
    site = Site(context)
    try_all(site, site.gateway(66))


def who_has_no_password_reaches_nobody_over_tcp(context):
    """From the address of a trunk that is known over UDP alone, too."""
    site = Site(context)
    for number in (66, 20):
        thief = Phone("thief", "", site.box.server, domain=site.box.address,
                      local=f"{site.net}.{number}.1", transport="tcp",
                      context=context)
        try_all(site, thief)


def who_has_a_wrong_password_reaches_nobody(context):
    site = Site(context)
    thief = site.box.phone("alice", 66, register=False, word="guessed")
    challenged(thief, site.box)
    try_all(site, thief, "a wrong password")


def neighbours_of_a_trunk_reach_nobody(context):
    """Its port of another host, its host by another port."""
    site = Site(context)
    for local, port in ((f"{site.net}.20.2", 5060), (site.itsp.local, 5070),
                        (f"{site.net}.2.20", 5060)):
        thief = Phone("itsp", "", site.box.server, domain=site.box.address,
                      local=local, port=port, context=context)
        try_all(site, thief, f"{local}:{port}")


def proof_that_was_overheard_is_of_no_use(context):
    """A phone's INVITE, played again from elsewhere, as it was and changed."""
    site = Site(context)
    out = site.alice.invite("0049301234", rtp=site.box.media(site.alice))
    into = site.itsp.incoming()
    into.reply(486, "Busy Here")
    out.expect(486)
    into.expect_ack()
    time.sleep(0.2)
    proved = [Message(d) for way, _, d in site.alice.log
              if way == "out" and b"\r\nAuthorization" in d
              and d.startswith(b"INVITE")][-1]
    proof = ("Authorization", proved.get("authorization"))
    site.look()
    thief = site.box.phone("alice", 66, register=False, word="guessed")
    for method, uri in itertools.product(
            ("INVITE", "MESSAGE", "SUBSCRIBE", "OPTIONS", "PUBLISH"),
            (proved.uri, f"sip:00900@{site.box.address}")):
        ident = token(16)
        data = thief.make(method, uri, call_id=ident, headers=(
            proof, ("Event", "presence")),
            from_uri=f"sip:alice@{site.box.address}")
        thief.invites[ident, 1] = data
        thief.send(data)
        answer = thief.expect(lambda m: not m.is_request and
                              m.call_id == ident and m.status > 100)
        # OPTIONS that no route names is the box's own to answer.
        check(400 <= answer.status < 500 or method == "OPTIONS",
              f"{method} {uri}: {answer}")
    site.nobody_heard("an overheard proof", 0.3)


# ---- identities -------------------------------------------------------------

CEO = "sip:ceo@inside.test"

# Every header that says who calls, or who called, in every way to write it.
CLAIMS = (
    (("P-Asserted-Identity", f"<{CEO}>"),),
    (("P-Asserted-Identity", f'"x" <{CEO}>, <tel:+49-ceo>'),),
    (("P-Asserted-Identity", "<sip:alice@x>"), ("P-ASSERTED-identity",
                                                f"<{CEO}>")),
    (("p-asserted-identity", f"\r\n <{CEO}>"),),
    (("P-Preferred-Identity", f"<{CEO}>"),),
    (("Remote-Party-ID", f"<{CEO}>;party=calling;screen=yes"),),
    (("Remote-Party-ID", f"<sip:a@b>;party=called,\r\n\t<{CEO}>"),),
    (("Diversion", f"<{CEO}>;reason=unconditional"),),
    (("Diversion", f"<sip:a@b>, <{CEO}>"), ("diversion", f"<{CEO}>")),
    (("CC-Diversion", f"<{CEO}>"),),
    (("History-Info", f"<{CEO}>;index=1, <{CEO}>;index=1.1"),),
    (("History-Info", f"\r\n <{CEO}?Privacy=none>;index=1"),),
    (("Referred-By", f"<{CEO}>"),), (("b", f"<{CEO}>"),),
    (("Reply-To", f"<{CEO}>"),), (("P-Called-Party-ID", f"<{CEO}>"),),
    (("P-Associated-URI", f"<{CEO}>"),), (("P-Served-User", f"<{CEO}>"),),
    (("P-Charging-Vector", "icid-value=ceo"),),
    (("P-Access-Network-Info", "ceo"),), (("Identity", '"ceo"'),),
    (("Call-Info", f"<{CEO}>;purpose=info"),), (("y", '"ceo"'),),
    (("Organization", "ceo"),), (("X-Caller", "ceo"),),
    (("P-Asserted-Identity", f"<{CEO}>"), ("Privacy", "none"),
     ("P-Asserted-Identity", f"<{CEO}>")),
)


def no_claim_crosses(got, where):
    check(b"ceo" not in got.raw,
          f"{where}: a made-up name crossed:\n{got.raw.decode()}")


def phone_speaks_for_nobody_else_in_a_call(context):
    """Whatever it writes, trunk, trusted trunk and phone see who it is."""
    site = Site(context)
    us = site.box.address
    carol = site.box.phone("carol")
    for number, (to, callee) in itertools.product(
            range(len(CLAIMS)), (("0049", site.itsp), ("8049", site.friend),
                                 ("carol", carol))):
        said = (CEO, f"sip:bob@{us}", "tel:+49ceo")[number % 3]
        call = site.alice
        out = claiming(call, f"sip:{to}@{us}", said)
        out.start("", True, CLAIMS[number])
        into = callee.incoming()
        no_claim_crosses(into.invite, f"{CLAIMS[number]} to {to}")
        check("sip:alice@" in into.invite.get("from"),
              f"From: {into.invite.get('from')}")
        into.reply(486, "Busy Here")
        out.expect(486)
    site.box.no_calls_left()


def claims_inside_a_call_and_in_answers_do_not_cross(context):
    """18x, 200, ACK, INFO, UPDATE, re-INVITE and BYE, from both sides."""
    site = Site(context)
    everything = tuple(line for lines in CLAIMS for line in lines
                       if line[0] not in ("b", "y"))  # they stand once
    box, alice, itsp = site.box, site.alice, site.itsp
    here, there = box.media(alice, A_SPEECH), box.media(itsp, B_SPEECH)
    out = alice.invite("0049", rtp=here)
    into = itsp.incoming()
    into.reply(180, "Ringing", headers=everything)
    no_claim_crosses(out.expect(180), "180")
    into.reply(200, "OK", rtp=there, headers=everything)
    no_claim_crosses(out.answered(), "200")
    into.expect_ack()
    for one, two, sdps in ((out, into, (here, there)),
                           (into, out, (there, here))):
        one.reinvite(sdps[0].sdp(direction="sendonly"), headers=everything)
        no_claim_crosses(two.expect_request("INVITE"), "re-INVITE")
        two.reply(200, "OK", sdp=sdps[1].sdp(direction="recvonly"),
                  headers=everything)
        no_claim_crosses(one.answered(), "200 of a re-INVITE")
        two.expect_ack()
        answer = meanwhile(lambda: one.request(
            "INFO", b"Signal=1\r\n",
            (("Content-Type", "application/dtmf-relay"), *everything)))
        got = two.expect_request("INFO")
        no_claim_crosses(got, "INFO")
        two.phone.reply(got, 200, "OK", headers=everything)
        no_claim_crosses(answer(), "200 of an INFO")
    answer = meanwhile(lambda: out.request("BYE", b"", everything))
    no_claim_crosses(into.expect_bye(), "BYE")
    answer()
    out = alice.invite("0049", rtp=here)
    into = itsp.incoming()
    into.reply(486, "Busy Here", headers=everything)
    no_claim_crosses(out.expect(486), "486")
    box.no_calls_left()


def stranger_trunk_speaks_for_nobody_to_phones(context):
    """One that is not trusted says who it likes in From, and no more."""
    site = Site(context)
    site.itsp.user = "4930555"
    for claim in CLAIMS:
        out = site.itsp.invite("bob", rtp=None, sdp="", auth=False,
                               headers=claim)
        into = site.bob.incoming()
        no_claim_crosses(into.invite, f"{claim}")
        into.reply(486, "Busy Here")
        out.expect(486)
    site.box.no_calls_left()


# ---- calls of others --------------------------------------------------------

class Stolen:
    """A call that is up, its names in a stranger's hands."""

    def __init__(self, context):
        self.site = site = Site(context)
        self.talk = Talk(site.box, alice=site.alice, bob=site.bob)
        self.talk.speak()
        time.sleep(0.1)
        self.before = self.legs()
        site.look()

    def legs(self):
        return [(leg["peer"], [m.get("remote") for m in leg["media"]])
                for call in self.site.box.calls() for leg in call["legs"]]

    def thieves(self, context):
        """Without a password, with a wrong one, other ports, a trunk and a
        phone that is somebody else."""
        box = self.site.box
        yield box.phone("thief", 66, register=False, domain=box.address)
        wrong = box.phone("alice", 67, register=False, word="guessed")
        challenged(wrong, box)
        yield wrong
        yield Phone("alice", "", box.server, local=self.site.alice.local,
                    port=5099, context=context)
        yield self.site.friend
        carol = box.phone("carol")
        challenged(carol, box)
        yield carol

    def unharmed(self, what, thief=None):
        self.site.nobody_heard(what, 0.2, thief)
        check(self.legs() == self.before,
              f"{what}: {self.before} became {self.legs()}")


def say_inside(thief, call, method, sdp):
    """One request with the call's own names; (its final answer or None)."""
    ident = f"z9hG4bK{token()}"
    us = call.phone.server[0]
    headers = {"REFER": (("Refer-To", f"<sip:0049@{us}>"),),
               "PRACK": (("RAck", f"1 {call.cseq} INVITE"),),
               "INFO": (("Content-Type", "application/dtmf-relay"),),
               "NOTIFY": (("Event", "refer"),
                          ("Subscription-State", "active")),
               "SUBSCRIBE": (("Event", "dialog"),)}.get(method, ())
    if method == "CANCEL":  # as if it were the call's own
        ident = call.last_invite.branch if call.last_invite else ident
    cseq = call.cseq if method in ("ACK", "CANCEL") else 2000000000
    if thief.digest.challenge and method not in ("ACK", "CANCEL"):
        headers += (("Authorization",
                     thief.digest.header(method, call.target)),)
    body = sdp if method in ("INVITE", "UPDATE", "ACK", "PRACK") else \
        b"Signal=1\r\n" if method == "INFO" else b""
    data = thief.make(
        method, call.target, to=call.remote_uri, from_uri=call.local_uri,
        from_tag=call.local_tag, to_tag=call.remote_tag,
        call_id=call.call_id, cseq=cseq, branch=ident, headers=headers,
        body=body)
    if method == "INVITE":
        thief.invites[call.call_id, cseq] = data
    thief.send(data)
    if method == "ACK":
        return None
    try:
        return thief.expect(
            lambda m: not m.is_request and m.branch == ident and
            m.cseq[1] == method and m.status > 100, 0.5)
    except Failed:
        return None


def who_is_not_in_a_call_changes_nothing_in_it(context):
    stolen = Stolen(context)
    talk = stolen.talk
    for thief in stolen.thieves(context):
        media = stolen.site.box.media(thief, b"t" * 160)
        if thief.user == "carol":
            stolen.site.look()
        for call, method in itertools.product((talk.out, talk.into), INSIDE):
            what = f"{method} of {thief.user} at {thief.local}:{thief.port}"
            answer = say_inside(thief, call, method, media.sdp())
            check(answer is None or answer.status >= 400 or
                  method in ("OPTIONS", "CANCEL"), f"{what}: {answer}")
            stolen.site.nobody_heard(what, 0, thief)
        stolen.unharmed(f"{thief.user}", thief)
        talk.heard()
        check(not media.got, f"{thief.user} listens")
        media.close()
    # The numbers of the real ones count on from where they were.
    check(talk.out.request("OPTIONS").status == 200, "alice is shut out")
    check(talk.into.request("OPTIONS").status == 200, "bob is shut out")
    talk.end()


def call_that_rings_is_nobody_elses(context):
    """CANCEL with its branch, PRACK, UPDATE and BYE, before the answer."""
    site = Site(context)
    alice, bob = site.alice, site.bob
    here = site.box.media(alice, A_SPEECH)
    there = site.box.media(bob, B_SPEECH)
    out = alice.invite("bob", rtp=here)
    into = bob.incoming()
    into.reply(180, "Ringing")
    out.expect(180)
    thief = site.gateway(66)
    site.look()
    for call, method in itertools.product(
            (out, into), ("CANCEL", "PRACK", "UPDATE", "BYE", "INFO", "ACK")):
        say_inside(thief, call, method, here.sdp())
        site.nobody_heard(f"{method} of a stranger", 0.05)
    forged = Message(alice.make(
        "CANCEL", out.last_invite.uri, call_id=out.call_id, cseq=out.cseq,
        headers=tuple((name.title(), out.last_invite.get(name))
                      for name in ("via", "from", "to"))))
    thief.send(forged.raw)
    site.nobody_heard("a CANCEL with the Via of the caller", 0.5)
    into.reply(200, "OK", rtp=there)
    out.answered()
    into.expect_ack()
    here.stream(out.media())
    there.stream(into.media())
    hang_up(out, into)
    site.box.no_calls_left()


def answer_in_an_ack_is_the_callers_alone(context):
    """Late offer: who knows the dialog's names cannot take the media."""
    site = Site(context)
    alice, bob = site.alice, site.bob
    here = site.box.media(alice, A_SPEECH)
    there = site.box.media(bob, B_SPEECH)
    out = alice.invite("bob", sdp="")
    into = bob.incoming()
    into.reply(200, "OK", rtp=there)
    out.expect(200)
    thief = site.gateway(66)
    mine = site.box.media(thief)
    say_inside(thief, out, "ACK", mine.sdp())
    time.sleep(0.3)
    out.ack(here.sdp())
    into.expect_ack()
    here.stream(out.media())
    there.stream(into.media())
    end = time.monotonic() + 3
    while here.count(payload=B_SPEECH) < 10:
        check(time.monotonic() < end, "alice hears nothing")
        time.sleep(0.05)
    check(not mine.got, "the thief hears the call")
    hang_up(out, into)
    site.box.no_calls_left()


def place_in_a_call_is_not_given_to_strangers(context):
    """INVITE with Replaces: without a password, and by the wrong phone."""
    stolen = Stolen(context)
    site, talk = stolen.site, stolen.talk
    thieves = list(stolen.thieves(context))
    site.look()
    for thief, call in itertools.product(thieves[:3], (talk.out, talk.into)):
        for a, b in ((call.remote_tag, call.local_tag),
                     (call.local_tag, call.remote_tag)):
            try_ = thief.invite(
                "bob", sdp=talk.here.sdp(), auth=False, headers=(
                    ("Replaces", f"{call.call_id};to-tag={a};from-tag={b}"),
                    ("Require", "replaces")))
            answer = thief.expect(lambda m: try_.answers_invite(m) and
                                  m.status > 100)
            check(answer.status >= 400, f"{thief.user}: {answer}")
    stolen.unharmed("an INVITE with Replaces")
    talk.heard()
    talk.end()


def add_to(suite):
    for function in (who_has_no_password_reaches_nobody,
                     who_has_no_password_reaches_nobody_over_tcp,
                     who_has_a_wrong_password_reaches_nobody,
                     neighbours_of_a_trunk_reach_nobody,
                     proof_that_was_overheard_is_of_no_use,
                     phone_speaks_for_nobody_else_in_a_call,
                     claims_inside_a_call_and_in_answers_do_not_cross,
                     stranger_trunk_speaks_for_nobody_to_phones,
                     who_is_not_in_a_call_changes_nothing_in_it,
                     call_that_rings_is_nobody_elses,
                     answer_in_an_ack_is_the_callers_alone,
                     place_in_a_call_is_not_given_to_strangers):
        suite.add(function)
