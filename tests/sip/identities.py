# identities.py - who calls, told to trunks that may know, and how many may
#
# SPDX-License-Identifier: Apache-2.0

from phone import Call
from runner import check
from sipbox import SipBox, Talk, hang_up, meanwhile

BETWEEN = """
config trunk 'known'
	option realm 'loop'
	option host 'NET.20.1'
	option port '5060'
	option identity 'pai'
	option trust_identity '1'
config trunk 'friend'
	option realm 'loop'
	option host 'NET.21.1'
	option port '5060'
	option identity 'rpid'
	option trust_identity '1'
config trunk 'other'
	option realm 'loop'
	option host 'NET.22.1'
	option port '5060'
	option identity 'pai'
config route 'friend'
	option match '8!'
	list to 'friend'
config route 'other'
	option match '9!'
	list to 'other'
"""


def claiming(phone, uri, said):
    """A call whose From is what @phone says of itself."""
    call = Call(phone, uri)
    call.local_uri = said
    return call


def between(context):
    box = SipBox(context, extra=BETWEEN)
    return box, *(box.phone(name, number, register=False, domain=box.address)
                  for name, number in (("4930111", 20), ("4930222", 21),
                                       ("4930333", 22)))


def arrives(box, caller, number, callee, *headers, mine=None):
    """The INVITE that @callee gets, and the call is over."""
    out = claiming(caller, f"sip:{number}@{box.address}",
                   mine or caller.address_of(caller.user))
    out.start(box.media(caller).sdp(), False, headers)
    into = callee.incoming()
    into.reply(486, "Busy Here")
    out.expect(486)
    into.expect_ack()
    return into.invite


def trusted_trunks_tell_each_other_who_calls(context):
    """PAI becomes RPID, diversions are kept with the numbers alone."""
    box, known, friend, _ = between(context)
    got = arrives(box, known, "8049", friend,
                  ("P-Asserted-Identity", '"Boss" <sip:4930777@inside.test>'),
                  ("Diversion", "<sip:4930888@inside.test>;reason=no-answer"))
    check("4930777@" in got.get("remote-party-id") and
          "privacy=off" in got.get("remote-party-id"),
          f"Remote-Party-ID: {got.get('remote-party-id')}")
    check("4930888@" in got.get("diversion") and
          "reason=no-answer" in got.get("diversion"),
          f"Diversion: {got.get('diversion')}")
    check(b"inside.test" not in got.raw, "a host of the other side")
    got = arrives(box, friend, "8049", friend,
                  ("Remote-Party-ID", "<sip:4930777@inside.test>"
                   ";party=calling;privacy=full"))
    check("privacy=full" in got.get("remote-party-id") and
          got.get("privacy") == "id" and
          "sip:anonymous@anonymous.invalid" in got.get("from"),
          f"hidden by Remote-Party-ID:\n{got.raw.decode()}")


def what_trusted_trunks_say_ends_at_others(context):
    """The number is told, diversions are not; hidden ones are nobody."""
    box, known, friend, other = between(context)
    boss = ("P-Asserted-Identity", "<sip:4930777@inside.test>")
    away = ("Diversion", "<sip:4930888@inside.test>;reason=no-answer")
    got = arrives(box, known, "9049", other, boss, away)
    check("4930777@" in got.get("p-asserted-identity"),
          f"not told: {got.get('p-asserted-identity')}")
    check(b"4930888" not in got.raw, "a diversion crossed")
    got = arrives(box, known, "9049", other, boss, away, ("Privacy", "id"))
    check(b"4930777" not in got.raw and b"4930888" not in got.raw and
          b"4930111" not in got.raw, f"hidden:\n{got.raw.decode()}")
    check("anonymous.invalid" in got.get("from") and
          got.get("privacy") == "id", f"hidden:\n{got.raw.decode()}")
    got = arrives(box, other, "8049", friend, boss, away)
    check(b"4930777" not in got.raw and b"4930888" not in got.raw,
          f"a stranger was believed:\n{got.raw.decode()}")
    check("4930333@" in got.get("remote-party-id"),
          f"Remote-Party-ID: {got.get('remote-party-id')}")


def hidden_callers_are_anonymous_to_phones(context):
    box, known, _, other = between(context)
    bob = box.phone("bob")
    boss = ("P-Asserted-Identity", "<sip:4930777@inside.test>")
    for caller, headers, mine in (
            (known, (boss, ("Privacy", "id")), None),
            (known, (boss,), "sip:anonymous@anonymous.invalid"),
            (known, (("Remote-Party-ID", "<sip:4930777@inside.test>"
                      ";privacy=full"),), None),
            (other, (("Privacy", "user;header"),), None)):
        got = arrives(box, caller, "bob", bob, *headers, mine=mine)
        check("sip:anonymous@anonymous.invalid" in got.get("from"),
              f"{headers}: From: {got.get('from')}")
        for word in (b"4930777", b"4930111", b"4930333"):
            check(word not in got.raw, f"{headers}:\n{got.raw.decode()}")
    got = arrives(box, known, "bob", bob, boss)
    check("sip:4930777@" in got.get("from") and
          not got.all("p-asserted-identity"),
          f"not named by From alone:\n{got.raw.decode()}")


# ---- admission -------------------------------------------------------------

FEW = """
config trunk 'itsp'
	option realm 'loop'
	option host 'NET.20.1'
	option port '5060'
	option max_calls '1'
config trunk 'spare'
	option realm 'loop'
	option host 'NET.21.1'
	option port '5060'
	option max_cps '1'
config route 'help'
	option match '112'
	list to 'itsp'
config route 'both'
	option match '0!'
	list to 'itsp'
	list to 'spare'
config route 'one'
	option match '8!'
	list to 'itsp'
"""


def few(context, phones=("alice", "bob", "carol")):
    box = SipBox(context, phones=phones, extra=FEW)
    box.write_config(box.text.replace(
        "config sbc 'global'\n",
        "config sbc 'global'\n\tlist emergency '112'\n", 1))
    check(box.reload() == "reloaded", "refused")
    return box, *(box.phone(name, number, register=False, domain=box.address)
                  for name, number in (("itsp", 20), ("spare", 21)))


def is_full(caller, out):
    """503, and when to come again."""
    answer = caller.expect(lambda m: out.answers_invite(m) and m.status > 100)
    check(answer.status == 503, f"answered {answer}")
    check(answer.get("retry-after").isdigit(), "no Retry-After")


def full_trunk_gives_way_and_then_503(context):
    """A call in it goes on, and emergencies pass."""
    box, itsp, spare = few(context)
    alice, bob, carol = (box.phone(u) for u in ("alice", "bob", "carol"))
    here, there = box.media(alice), box.media(itsp)
    out = alice.invite("0123", rtp=here)
    into = itsp.incoming()
    into.reply(200, "OK", rtp=there)
    out.answered()
    into.expect_ack()
    second = bob.invite("0124", rtp=box.media(bob))
    passed = spare.incoming()
    passed.reply(486, "Busy Here")
    second.expect(486)
    passed.expect_ack()
    is_full(carol, carol.invite("8123", rtp=box.media(carol)))
    incoming = itsp.invite("bob", rtp=box.media(itsp), auth=False)
    is_full(itsp, incoming)
    for side, other in ((out, into), (into, out)):
        answer = meanwhile(lambda: side.request("INFO", b"Signal=1\r\n", (
            ("Content-Type", "application/dtmf-relay"),)))
        other.phone.reply(other.expect_request("INFO"), 200, "OK")
        check(answer().status == 200, "INFO in a call that is up")
    help_ = carol.invite("112", rtp=box.media(carol))
    asked = itsp.incoming()
    asked.reply(486, "Busy Here")
    help_.expect(486)
    asked.expect_ack()
    hang_up(out, into)
    box.no_calls_left()
    again = bob.invite("8123", rtp=box.media(bob))
    into = itsp.incoming()
    into.reply(486, "Busy Here")
    again.expect(486)
    box.no_calls_left()


def trunk_begins_as_many_calls_a_second_as_it_may(context):
    box, itsp, spare = few(context)
    bob = box.phone("bob")
    for user in ("one", "two"):
        out = spare.invite("bob", rtp=box.media(spare), auth=False)
        if user == "two":
            is_full(spare, out)
            continue
        into = bob.incoming()
        into.reply(486, "Busy Here")
        out.expect(486)
    box.no_calls_left()


def phone_has_as_many_calls_as_it_may(context):
    """As caller and as callee; who is in a call is not disturbed."""
    box, itsp, _ = few(context, phones={
        "alice": {"max_calls": "1"}, "bob": {}, "carol": {}})
    carol = box.phone("carol")
    talk = Talk(box)
    is_full(talk.alice, talk.alice.invite("carol", rtp=talk.here))
    carol.invite("alice", rtp=box.media(carol)).expect(486)
    help_ = talk.alice.invite("112", rtp=talk.here)
    asked = itsp.incoming()
    asked.reply(486, "Busy Here")
    help_.expect(486)
    talk.speak()
    talk.end()
    again = carol.invite("alice", rtp=box.media(carol))
    into = talk.alice.incoming()
    into.reply(486, "Busy Here")
    again.expect(486)
    box.no_calls_left()


def add_to(suite):
    for function in (trusted_trunks_tell_each_other_who_calls,
                     what_trusted_trunks_say_ends_at_others,
                     hidden_callers_are_anonymous_to_phones,
                     full_trunk_gives_way_and_then_503,
                     trunk_begins_as_many_calls_a_second_as_it_may,
                     phone_has_as_many_calls_as_it_may):
        suite.add(function)
