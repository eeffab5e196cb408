# trunks.py - calls from and to trunks, and the order of routes
#
# SPDX-License-Identifier: Apache-2.0

import json
import socket
import subprocess

from runner import check, until
from sipbox import SipBox, hang_up

# NET stands for the scenario's loopback net.
TRUNKS = """
config trunk 'first'
	option realm 'loop'
	option host 'NET.20.1'
	option port '5060'
config trunk 'second'
	option realm 'loop'
	option host 'NET.21.1'
	option port '5060'
config route 'out'
	option match '0X!'
	list to 'first'
	list to 'second'
config route 'internal'
	option match '+49.'
	list to 'second'
config route 'desk'
	option match '77'
	list to 'bob'
"""


def site(context, **how):
    box = SipBox(context, extra=TRUNKS, **how)
    first = box.phone("first", 20, register=False, domain=box.address)
    second = box.phone("second", 21, register=False, domain=box.address)
    return box, first, second


def trunk_calls_a_phone_without_password(context):
    box, first, _ = site(context)
    bob = box.phone("bob")
    out = first.invite("bob", rtp=box.media(first), auth=False)
    into = bob.incoming()
    into.reply(180, "Ringing")
    out.expect(180)
    into.reply(200, "OK", rtp=box.media(bob))
    out.answered()
    into.expect_ack()
    hang_up(into, out)
    box.no_calls_left()


def escaped_user_is_routed_by_its_meaning(context):
    """*21# is dialled as *21%23; it crosses escaped once, not twice."""
    box = SipBox(context, extra=TRUNKS + """
config route 'codes'
	option match '*21#'
	list to 'first'
""")
    first = box.phone("first", 20, register=False, domain=box.address)
    alice = box.phone("alice")
    out = alice.invite("*21%23", rtp=box.media(alice))
    into = first.incoming()
    check("sip:*21%23@" in into.invite.start,
          f"not {into.invite.start}")
    check("sip:*21%23@" in into.invite.get("to"),
          f"To: {into.invite.get('to')}")
    into.reply(486, "Busy Here")
    out.expect(486)
    box.no_calls_left()


def trunk_without_a_way_to_it_is_passed_over(context):
    """Sending fails at once, over UDP and over TCP; the next one is asked."""
    box = SipBox(context, extra="""
config trunk 'nowhere'
	option realm 'loop'
	option host '192.0.2.77'
config trunk 'closed'
	option realm 'loop'
	option host 'NET.21.1'
	option port '5999'
	option transport 'tcp'
config trunk 'first'
	option realm 'loop'
	option host 'NET.20.1'
config route 'out'
	option match '0X!'
	list to 'nowhere'
	list to 'closed'
	list to 'first'
""")
    first = box.phone("first", 20, register=False, domain=box.address)
    alice = box.phone("alice")
    out = alice.invite("0123", rtp=box.media(alice))
    into = first.incoming(3)
    into.reply(486, "Busy Here")
    out.expect(486)
    box.no_calls_left()


def trunk_registers_only_with_a_password(context):
    _, first, _ = site(context)
    first.register(auth=False, must=401)


def another_port_of_the_trunks_address_is_no_trunk(context):
    box, _, _ = site(context)
    other = box.phone("first", 20, register=False, port=5070)
    out = other.invite("bob", rtp=box.media(other), auth=False)
    refused = other.expect(lambda m: out.answers_invite(m) and m.status > 100)
    check(refused.status == 401, f"answered {refused}")


def phone_calls_out_by_the_first_trunk(context):
    box, first, second = site(context)
    alice = box.phone("alice")
    out = alice.invite("0123456", rtp=box.media(alice))
    into = first.incoming()
    check(into.invite.uri.startswith("sip:0123456@"),
          f"Request-URI {into.invite.uri}")
    into.reply(200, "OK", rtp=box.media(first))
    out.answered()
    into.expect_ack()
    hang_up(out, into)
    second.nothing("INVITE", 0.2)


def failing_trunk_gives_way_to_the_next(context):
    box, first, second = site(context)
    alice = box.phone("alice")
    out = alice.invite("0123456", rtp=box.media(alice))
    first.incoming().reply(503, "Service Unavailable")
    into = second.incoming()
    into.reply(200, "OK", rtp=box.media(second))
    out.answered()
    into.expect_ack()
    hang_up(out, into)
    box.no_calls_left()


def busy_number_is_not_tried_elsewhere(context):
    box, first, second = site(context)
    alice = box.phone("alice")
    out = alice.invite("0123456", rtp=box.media(alice))
    first.incoming().reply(486, "Busy Here")
    out.expect(486)
    second.nothing("INVITE", 0.3)


def unreachable_trunk_gives_503(context):
    box, _, second = site(context)
    second.close()
    alice = box.phone("alice")
    out = alice.invite("+4930123", rtp=box.media(alice))
    out.expect(503)
    box.no_calls_left()


def route_to_a_phone_and_no_route(context):
    box, _, _ = site(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    out = alice.invite("77", rtp=box.media(alice))
    into = bob.incoming()
    into.reply(486, "Busy Here")
    out.expect(486)
    alice.invite("778", rtp=box.media(alice)).expect(404)
    alice.invite("0", rtp=box.media(alice)).expect(404)


# ---- its state ---------------------------------------------------------------

WATCHED = """
config trunk 'first'
	option realm 'loop'
	option host 'NET.20.1'
	option options_interval '10'
"""


def trunks_command(box, *words):
    done = subprocess.run([box.binary, "trunks", *words, "--data", box.data],
                          capture_output=True, text=True, timeout=10)
    check(done.returncode == 0, f"exit {done.returncode}: {done.stderr}")
    return done.stdout


def trunk_of(box):
    return json.loads(trunks_command(box, "--json"))["trunks"][0]


def alarms(box):
    return [alarm["name"] for alarm in box.status()["alarms"]]


def state_of_a_trunk_is_told_with_its_reason(context):
    """Nobody is there: ICMP says so.  Then somebody is."""
    box = SipBox(context, extra=WATCHED)
    until(lambda: trunk_of(box)["state"] == "down", 10, "not found down")
    trunk = trunk_of(box)
    where = f"{box.net}.20.1:5060"
    check(where in trunk["reason"] and
          trunk["hosts"][0]["address"] == where, f"{trunk}")
    check("trunk-down" in alarms(box), f"{alarms(box)}")
    shown = trunks_command(box, "show", "first")
    check("first (loop) is down" in shown and where in shown, shown)
    first = box.phone("first", 20, register=False)

    def answers():
        request = first.expect("OPTIONS", 15)
        first.reply(request, 405, "No OPTIONS here")

    answers()
    until(lambda: trunk_of(box)["state"] == "up", 5, "not found up")
    trunk = trunk_of(box)
    check(trunk["rtt_ms"] is not None and trunk["reason"] is None, f"{trunk}")
    check("trunk-down" not in alarms(box), "the alarm stands")
    check(" up " in trunks_command(box), "not in the table")


# ---- large requests ----------------------------------------------------------

LARGE = """
config trunk 'first'
	option realm 'loop'
	option host 'NET.20.1'
	option tcp_above '400'
config route 'out'
	option match '0X!'
	list to 'first'
"""


def large_invite_goes_over_tcp(context):
    box = SipBox(context, extra=LARGE)
    with socket.create_server((f"{box.net}.20.1", 5060)) as server:
        server.settimeout(5)
        alice = box.phone("alice")
        out = alice.invite("0123", rtp=box.media(alice))
        connection, _ = server.accept()
        with connection:
            connection.settimeout(5)
            data = b""
            while b"a=sendrecv" not in data:
                data += connection.recv(65536)
            check(data.startswith(b"INVITE ") and
                  b"Via: SIP/2.0/TCP " in data, f"{data[:200]}")
        out.cancel()


def large_invite_goes_over_udp_where_tcp_is_refused(context):
    box = SipBox(context, extra=LARGE)
    first = box.phone("first", 20, register=False)
    alice = box.phone("alice")
    out = alice.invite("0123", rtp=box.media(alice))
    into = first.incoming()
    check(into.invite.all("via")[0].startswith("SIP/2.0/UDP "),
          f"{into.invite.all('via')}")
    into.reply(200, "OK", rtp=box.media(first))
    out.answered()
    into.expect_ack()
    hang_up(out, into)
    box.no_calls_left()


def add_to(suite):
    for function in (
            trunk_calls_a_phone_without_password,
            escaped_user_is_routed_by_its_meaning,
            trunk_without_a_way_to_it_is_passed_over,
            trunk_registers_only_with_a_password,
            another_port_of_the_trunks_address_is_no_trunk,
            phone_calls_out_by_the_first_trunk,
            failing_trunk_gives_way_to_the_next,
            busy_number_is_not_tried_elsewhere, unreachable_trunk_gives_503,
            route_to_a_phone_and_no_route,
            state_of_a_trunk_is_told_with_its_reason,
            large_invite_goes_over_tcp,
            large_invite_goes_over_udp_where_tcp_is_refused):
        suite.add(function)
