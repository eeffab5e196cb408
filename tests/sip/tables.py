# tables.py - routes, numbers and header rules: told by the command line, and
# done to requests
#
# SPDX-License-Identifier: Apache-2.0

import json
import subprocess

from phone import uri_in
from runner import check
from sipbox import SipBox

CONFIG = """
config sbc 'global'
	list emergency '112'

config realm 'lan'
	list listen 'udp:5060'

config realm 'wan'
	list listen 'udp:5070'

config phone 'desk'
	option user '101'
	option password 'x'
	option caller_id '+493012345101'

config trunk 'itsp'
	option realm 'wan'
	option host 'sip.example.net'
	option country_code '49'
	option numbers 'e164'

config trunk 'spare'
	option realm 'wan'
	option host '192.0.2.1'

config route 'in'
	option from 'itsp'
	option match '+4930!'
	list to 'desk'

config route 'out'
	option from_realm 'lan'
	option match '9!'
	option strip '1'
	list to 'itsp'
	list to 'spare'

config route 'help'
	option match '112'
	list to 'spare'
"""


def tables(context, text=CONFIG):
    """A command that asks the file with @text, without a daemon."""
    box = SipBox(context, start=False)
    path = context.path("tables.conf")
    with open(path, "w") as out:
        out.write(text)

    def ask(*words, given=None):
        return subprocess.run([box.binary, *words, "--config", path],
                              input=given, capture_output=True, text=True,
                              timeout=10)
    return ask


def route_test_tells_each_step(context):
    ask = tables(context)
    done = ask("route", "test", "9030123456", "--from", "101")
    check(done.returncode == 0, f"exit {done.returncode}: {done.stderr}")
    for words in ("Phone 'desk'", "calling from +493012345101",
                  "not on the list of emergency numbers",
                  "No phone has the user 9030123456",
                  "Route 'in' does not fit",
                  "Route 'out' fits: from_realm is 'lan', match '9!'",
                  "becomes 030123456: strip 1",
                  "Target 1 is trunk 'itsp'",
                  "means +4930123456", "country_code is 49",
                  "Target 2 is trunk 'spare'"):
        check(words in done.stdout, f"not told: {words}\n{done.stdout}")


def route_test_tells_scripts_what_it_found(context):
    ask = tables(context)
    done = ask("route", "test", "9030123456", "--from", "desk", "--json")
    found = json.loads(done.stdout)
    check(found["found"] and found["route"] == "out" and
          found["called"] == "030123456", f"{found}")
    check([(t["type"], t["name"], t["called"]) for t in found["targets"]] ==
          [("trunk", "itsp", "+4930123456"), ("trunk", "spare", "030123456")],
          f"{found['targets']}")
    check(len(found["steps"]) > 5, "no steps")
    done = ask("route", "test", "030123", "--from", "itsp", "--json")
    check(json.loads(done.stdout)["called"] == "+4930123", done.stdout)
    done = ask("route", "test", "112", "--json")
    check(json.loads(done.stdout)["emergency"] is True, done.stdout)
    done = ask("route", "test", "tel:1-0-1", "--json")
    check(json.loads(done.stdout)["targets"][0]["name"] == "desk",
          done.stdout)


def route_test_has_exit_codes(context):
    ask = tables(context)
    for code, words in ((5, ("77",)), (5, ("112x",)), (2, ()),
                        (2, ("1", "2")), (2, ("1", "--from", "nobody")),
                        (2, ("1", "--method", "BYE")), (2, ("1" * 128,)),
                        (0, ("101", "--from", "spare"))):
        done = ask("route", "test", *words)
        check(done.returncode == code, f"{words}: exit {done.returncode}")
    done = tables(context, "config realm 'r'\n\toption x 'y'\n")(
        "route", "test", "1")
    check(done.returncode == 78 and ":2: " in done.stderr,
          f"{done.returncode} {done.stderr}")


LIVE = """
config trunk 'itsp'
	option realm 'loop'
	option host 'NET.20.1'
	option port '5060'
	option trust 'source'
	option country_code '49'
	option numbers 'plain'

config trunk 'spare'
	option realm 'loop'
	option host 'NET.21.1'
	option port '5060'

config route 'in'
	option from 'itsp'
	option match '+4930777'
	option calling '+44!'
	option calling_strip '3'
	option calling_prefix '00'
	list to 'bob'

config route 'out'
	option from 'alice'
	option match '9!'
	option strip '1'
	list to 'itsp'
	list to 'spare'

config route 'help'
	option match '112'
	list to 'itsp'

config header 'tenant'
	option action 'pass'
	option header 'X-Tenant'
	option trunk 'itsp'

config header 'calm'
	option action 'remove'
	option header 'Priority'
	option direction 'in'

config header 'box'
	option action 'add'
	option header 'X-Box'
	option value 'ours, yes'
	option direction 'out'
"""


def live(context, text=LIVE):
    box = SipBox(context, extra=text)
    itsp = box.phone("itsp", 20, register=False, domain=box.address)
    spare = box.phone("spare", 21, register=False, domain=box.address)
    return box, itsp, spare


def user_of(header):
    return uri_in(header).split(":", 1)[1].split("@")[0]


def refuse(into, out, code):
    into.reply(code, "No")
    out.expect(code)


def each_trunk_gets_numbers_and_headers_by_its_rules(context):
    box, itsp, spare = live(context)
    alice = box.phone("alice")
    out = alice.invite("9030123456", rtp=box.media(alice),
                       headers=[("Subject", "lunch"), ("X-Tenant", "5"),
                                ("X-Other", "6"), ("Priority", "urgent"),
                                ("P-Asserted-Identity", "<sip:ceo@inside>"),
                                ("User-to-User", "56;encoding=hex")])
    first = itsp.incoming()
    check(first.invite.uri.startswith("sip:4930123456@"), first.invite.uri)
    check(user_of(first.invite.get("to")) == "4930123456",
          first.invite.get("to"))
    for name, value in (("subject", "lunch"), ("x-tenant", "5"),
                        ("x-box", "ours, yes"),
                        ("user-to-user", "56;encoding=hex")):
        check(first.invite.all(name) == [value],
              f"{name}: {first.invite.all(name)}")
    for name in ("x-other", "priority", "p-asserted-identity"):
        check(not first.invite.all(name), f"{name} crossed")
    first.reply(503, "No")
    second = spare.incoming()
    check(second.invite.uri.startswith("sip:030123456@"), second.invite.uri)
    check(not second.invite.all("x-tenant") and
          second.invite.all("x-box") == ["ours, yes"], "rules of the spare")
    refuse(second, out, 486)
    box.no_calls_left()


def trunk_numbers_are_read_and_rewritten(context):
    box, itsp, _ = live(context)
    bob = box.phone("bob")
    itsp.user = "442012345678"
    out = itsp.invite("4930777", rtp=box.media(itsp), auth=False)
    into = bob.incoming()
    check(user_of(into.invite.get("from")) == "002012345678",
          f"From: {into.invite.get('from')}")
    refuse(into, out, 486)
    box.no_calls_left()


def route_of_one_phone_is_not_for_another(context):
    box, _, _ = live(context)
    bob = box.phone("bob")
    out = bob.invite("9030123456", rtp=box.media(bob))
    out.expect(404)
    box.no_calls_left()


def tel_uri_is_dialled_like_a_number(context):
    box, itsp, _ = live(context)
    alice = box.phone("alice")
    out = alice.invite("x", uri="tel:9-030-123.456", rtp=box.media(alice))
    into = itsp.incoming()
    check(into.invite.uri.startswith("sip:4930123456@"), into.invite.uri)
    refuse(into, out, 486)
    box.no_calls_left()


def emergency_call_passes_a_full_box(context):
    box, itsp, _ = live(context)
    box.write_config(box.text.replace(
        "config sbc 'global'\n", "config sbc 'global'\n"
        "\tlist emergency '112'\n\toption max_calls '1'\n", 1))
    check(box.reload() == "reloaded", "refused")
    alice, bob = box.phone("alice"), box.phone("bob")
    first = alice.invite("bob", rtp=box.media(alice))
    into = bob.incoming()
    bob.invite("alice", rtp=box.media(bob)).expect(503)
    help_ = bob.invite("112", rtp=box.media(bob))
    asked = itsp.incoming()
    check(asked.invite.uri.startswith("sip:112@"), asked.invite.uri)
    refuse(asked, help_, 486)
    refuse(into, first, 486)
    box.no_calls_left()


RULES = CONFIG + """
config header 'plain'
	option action 'replace'
	option header 's'
	option match 'secret*'
	option value 'call'

config header 'tenant'
	option action 'pass'
	option header 'X-Tenant'
	option trunk 'itsp'

config header 'box'
	option action 'add'
	option header 'X-Box'
	option value 'ours'
	option direction 'out'

config header 'calm'
	option action 'remove'
	option header 'Priority'
"""

PASTED = ("\nINVITE sip:1@h SIP/2.0\nVia: SIP/2.0/UDP h\nSubject: secret\n"
          " plan\nPriority: urgent\nX-Tenant: 5\nX-Other: 6\n"
          "User-to-User: 56\nPrivacy: id\n\nv=0\n")


def header_test_tells_what_becomes_of_each_line(context):
    ask = tables(context, RULES)
    done = ask("header", "test", "-", "--trunk", "itsp", given=PASTED)
    check(done.returncode == 0, f"exit {done.returncode}: {done.stderr}")
    for words in ("out to trunk 'itsp' in realm 'wan'", "own       Via:",
                  "replaced  Subject: call", "it was: secret plan",
                  "removed   Priority: urgent", "rule 'calm' removes it",
                  "passed    X-Tenant: 5", "left      X-Other: 6",
                  "kept      User-to-User: 56", "left      Privacy: id",
                  "added     X-Box: ours"):
        check(words in done.stdout, f"not told: {words}\n{done.stdout}")


def header_test_knows_directions_and_peers(context):
    ask = tables(context, RULES)
    for words, absent, present in (
            (("--realm", "lan"), "passed", "X-Box"),
            (("--trunk", "spare"), "passed", "X-Box"),
            (("--trunk", "itsp", "--direction", "in"), "X-Box", "passed")):
        done = ask("header", "test", "-", *words, given=PASTED)
        check(absent not in done.stdout and present in done.stdout,
              f"{words}: {done.stdout}")
    done = ask("header", "test", "-", "--trunk", "itsp", "--json",
               given=PASTED)
    lines = {line["name"]: line for line in json.loads(done.stdout)["lines"]}
    check(lines["Subject"]["what"] == "replaced" and
          lines["Subject"]["was"] == "secret plan" and
          lines["Subject"]["rule"] == "plain", f"{lines['Subject']}")


def header_test_is_for_messages_too(context):
    ask = tables(context, RULES + "\tlist method 'INVITE'\n")
    done = ask("header", "test", "-", "--trunk", "itsp",
               given="MESSAGE sip:1@h SIP/2.0\nUser-to-User: 5\n"
                     "Priority: normal\nContent-Language: de\n")
    for words in ("left      User-to-User", "kept      Priority",
                  "kept      Content-Language"):
        check(words in done.stdout, f"not told: {words}\n{done.stdout}")


def header_test_says_what_it_cannot_read(context):
    ask = tables(context, RULES)
    for given, code, words in ((PASTED.replace("Via:", "Via"), 1, ":3: "),
                               ("", 1, ":0: "),
                               ("BYE sip:1@h SIP/2.0\n", 1, "INVITE"),
                               ("SIP/2.0 200 OK\n", 1, "INVITE")):
        done = ask("header", "test", "-", given=given)
        check(done.returncode == code and words in done.stderr,
              f"{done.returncode} {done.stderr}")
    for words in (("-", "--trunk", "x"), ("-", "--realm", "x"), (),
                  ("-", "--direction", "up"),
                  ("-", "--realm", "lan", "--trunk", "itsp")):
        done = ask("header", "test", *words, given=PASTED)
        check(done.returncode == 2, f"{words}: exit {done.returncode}")
    check(ask("header", "test", "/nonexistent").returncode == 1, "no file")


def add_to(suite):
    for function in (each_trunk_gets_numbers_and_headers_by_its_rules,
                     trunk_numbers_are_read_and_rewritten,
                     route_of_one_phone_is_not_for_another,
                     tel_uri_is_dialled_like_a_number,
                     emergency_call_passes_a_full_box,
                     header_test_tells_what_becomes_of_each_line,
                     header_test_knows_directions_and_peers,
                     header_test_is_for_messages_too,
                     header_test_says_what_it_cannot_read,
                     route_test_tells_each_step,
                     route_test_tells_scripts_what_it_found,
                     route_test_has_exit_codes):
        suite.add(function)
