# providers.py - a site's calls through its providers, and what befalls them
#
#   phones 127.N.M.1 -- box 127.N.0.1 -- provider 127.N.20.1 -- its net .30.1
#                                     \- second   127.N.21.1
#                       names: 127.N.0.53
#
# Kamailio is the provider where registrations and passwords matter; where it
# is to be silent or busy, a scripted one is.
#
# SPDX-License-Identifier: Apache-2.0

import hashlib
import os
import re
import signal
import time

from dnsserver import NameServer, REFUSED, SERVFAIL
from edge import Kamailio
from runner import check, until
from sipbox import A_SPEECH, B_SPEECH, SipBox, hang_up, meanwhile

PASSWORD = "pr0vided"

# NET stands for the scenario's loopback net.
CUSTOMER = """
config trunk 'provider'
	option realm 'loop'
	option host 'NET.20.1'
	option register '1'
	option username 'u4930'
	option password 'pr0vided'
	option register_expires '3600'
	MORE
config route 'in'
	option from 'provider'
	option match 'u4930'
	list to 'bob'
config route 'out'
	option match '0!'
	list to 'provider'
	list to 'second'
config trunk 'second'
	option realm 'loop'
	option host 'NET.21.1'
"""

# Two that ask for no password and know no registration.
PAIR = """
config trunk 'provider'
	option realm 'loop'
	option options_interval '0'
	FIRST
config trunk 'second'
	option realm 'loop'
	option host 'NET.21.1'
	option port '5060'
	option options_interval '0'
config route 'out'
	option match '0!'
	list to 'provider'
	list to 'second'
config route 'in'
	option match '77'
	list to 'bob'
"""


class Customer(SipBox):
    """The box with Kamailio as its provider."""

    def __init__(self, context, more="", algorithm="MD5"):
        net = f"127.{context.id}"
        self.kamailio = Kamailio(
            context, f"{net}.20.1", {
                "NET": f"{net}.30.1", "PASSWORD": PASSWORD,
                "ALGORITHM": algorithm},
            cfg="kamailio-provider.cfg", name="provider")
        super().__init__(context, extra=CUSTOMER.replace("MORE", more))
        self.abroad = self.phone("abroad", 30, register=False)
        self.abroad.server = (self.kamailio.address, 5060)
        self.abroad.transport.server = self.abroad.server
        self.abroad.domain = self.kamailio.address
        self.gets_bound()

    def is_bound(self):
        """Kamailio knows where we are."""
        answer = self.abroad.request(
            "MESSAGE", self.abroad.address_of("u4930"), auth=False)
        return answer.status == 200

    def gets_bound(self, seconds=10):
        until(self.is_bound, seconds, "not registered", step=0.2)

    def call_out(self, alice):
        """A call to the provider's net: up, heard, and ended; its ACK."""
        return talk(self, alice, "0123", self.abroad)

    def call_in(self, bob):
        talk(self, self.abroad, "u4930", bob, auth=False)


def talk(box, caller, number, callee, **how):
    """A call that is up, heard both ways, and ended by the caller."""
    here, there = box.media(caller, A_SPEECH), box.media(callee, B_SPEECH)
    out = caller.invite(number, rtp=here, **how)
    into = callee.incoming()
    into.reply(180, "Ringing")
    out.expect(180)
    into.reply(200, "OK", rtp=there)
    out.answered()
    ack = into.expect_ack()
    here.stream(out.media())
    there.stream(into.media())
    until(lambda: there.count(payload=A_SPEECH) >= 10 and
          here.count(payload=B_SPEECH) >= 10, 3, "not heard both ways")
    for media in (here, there):
        media.close()
    hang_up(out, into)
    box.no_calls_left()
    return ack


def pair(context, first, **how):
    """The box with two providers, the first one as @first says."""
    box = SipBox(context, extra=PAIR.replace("FIRST", first), **how)
    second = box.phone("second", 21, register=False, domain=box.address)
    return box, second


def names(context):
    return NameServer(context, f"127.{context.id}.0.53")


def refuse(call, out):
    """The provider has the call: that is enough."""
    call.reply(486, "Busy Here")
    out.expect(486)


# ---- Kamailio ----------------------------------------------------------------

def both_ways(context, algorithm="MD5"):
    box = Customer(context, algorithm=algorithm)
    # Kamailio takes the proof off the INVITE, but not off the ACK.
    proof = box.call_out(box.phone("alice")).get("proxy-authorization")
    check(f"algorithm={algorithm}" in proof, f"proved by {proof}")
    box.call_in(box.phone("bob"))
    check(PASSWORD not in box.log(), "the password is logged")


def kamailio_provider_is_registered_at_and_calls_go_both_ways(context):
    both_ways(context)


def kamailio_provider_with_sha_256(context):
    both_ways(context, algorithm="SHA-256")


# Kamailio 5.6 refuses proofs of auth-int that are right by this calculation.
def body_is_proved_where_the_provider_asks_for_it(context):
    """qop=auth-int with SHA-256 alone (RFC 7616 3.4.3)."""
    box = SipBox(context, extra=CUSTOMER.replace("MORE", ""), start=False)
    provider = box.phone("u4930", 20, register=False)
    box.start()
    first = provider.expect("REGISTER")
    challenge(provider, first, 401)
    again = provider.expect("REGISTER")
    is_proved(again, again.get("authorization"))
    check(again.cseq[0] > first.cseq[0], "not counted on")
    provider.reply(again, 200, "OK", to_tag="r", headers=[
        ("Contact", again.get("contact") + ";expires=600")])
    alice = box.phone("alice")
    out = alice.invite("0123", rtp=box.media(alice))
    into = provider.incoming()
    challenge(provider, into.invite, 407)
    into.expect_ack()
    into.expect_request("INVITE")
    check(into.invite.body, "no body in the second INVITE")
    is_proved(into.invite, into.invite.get("proxy-authorization"))
    refuse(into, out)


WORDS = {"realm": "provider.example", "nonce": "4711/+abc", "qop": "auth-int",
         "algorithm": "SHA-256", "opaque": "x"}


def challenge(provider, request, code):
    name = "WWW" if code == 401 else "Proxy"
    words = ", ".join(f'{k}={v}' if k == "algorithm" else f'{k}="{v}"'
                      for k, v in WORDS.items())
    provider.reply(request, code, "Who", to_tag="no",
                   headers=[(f"{name}-Authenticate", f"Digest {words}")])


def is_proved(request, proof):
    """Calculated anew from the RFC's words."""
    def digest(what):
        what = what if isinstance(what, bytes) else what.encode()
        return hashlib.sha256(what).hexdigest()
    said = dict(re.findall(r'(\w+)="?([^",]+)"?', proof))
    for word, value in WORDS.items():
        check(said.get(word) == value, f"{word} in {proof}")
    one = digest(f"u4930:{said['realm']}:{PASSWORD}")
    two = digest(f"{request.method}:{said['uri']}:{digest(request.body)}")
    check(said["response"] == digest(
        f"{one}:{said['nonce']}:{said['nc']}:{said['cnonce']}:auth-int:{two}"),
        f"not the right response: {proof}")


def kamailio_provider_over_tcp(context):
    box = Customer(context, more="option transport 'tcp'")
    box.call_out(box.phone("alice"))
    box.call_in(box.phone("bob"))


def box_that_stops_takes_its_binding_away(context):
    box = Customer(context)
    box.stop()
    check(not box.is_bound(), "still bound")


def wrong_password_is_told_and_not_tried_for_ever(context):
    box = SipBox(context, start=False, extra=CUSTOMER.replace(
        "MORE", "").replace("'pr0vided'", "'guessed'"))
    provider = Kamailio(context, f"{box.net}.20.1", {
        "NET": f"{box.net}.30.1", "PASSWORD": PASSWORD,
        "ALGORITHM": "MD5"},
        cfg="kamailio-provider.cfg", name="provider")
    box.start()
    until(lambda: " trunk.refused " in box.log(), 10, "not told")
    check("password" in re.search(r" trunk\.refused .*", box.log()).group(),
          "not told why")
    time.sleep(2)
    check(box.log().count(" trunk.refused ") == 1, "it insists")
    provider.stop()


def restarted_provider_is_registered_at_again(context):
    """It has forgotten us; calls that it refuses while it is away tell."""
    box = Customer(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    box.call_in(bob)
    box.kamailio.stop()
    second = box.phone("second", 21, register=False, domain=box.address)
    for _ in range(2):
        out = alice.invite("0123", rtp=box.media(alice))
        refuse(second.incoming(), out)
    box.kamailio.start()
    check(not box.is_bound(), "it has not forgotten us")
    box.gets_bound(30)
    box.call_in(bob)
    box.call_out(alice)


def lost_connection_to_the_provider_is_made_anew(context):
    """Over TCP the provider's end is seen at once."""
    box = Customer(context, more="option transport 'tcp'")
    bob = box.phone("bob")
    box.call_in(bob)
    box.kamailio.stop()
    box.kamailio.start()
    check(not box.is_bound(), "it has not forgotten us")
    box.gets_bound(45)
    box.call_in(bob)


def children_of(pid):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    parent = int(stat.read().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            if parent == pid:
                found.append(int(entry))
    return found


def hung_kamailio_gives_way_within_4_s(context):
    """It is stopped in its tracks: its sockets are there, nobody reads."""
    box = Customer(context)
    alice = box.phone("alice")
    second = box.phone("second", 21, register=False, domain=box.address)
    pids = children_of(box.kamailio.process.pid)
    check(len(pids) > 1, "no children of Kamailio")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        took = failover_s(alice, box, second)
        check(3.4 <= took <= 4.0, f"the second was asked after {took:.2f} s")
        # It is known to be silent now: the next call does not wait for it.
        took = failover_s(alice, box, second)
        check(took < 3.4, f"the next call waited {took:.2f} s")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def failover_s(alice, box, second):
    """Seconds from the INVITE that was let in to the second provider's."""
    out = alice.invite("0123", rtp=box.media(alice))
    into = second.incoming(8)
    when = {way: [at for direction, at, data in phone.log
                  if direction == way and data.startswith(b"INVITE")][-1]
            for way, phone in (("out", alice), ("in", second))}
    refuse(into, out)
    return when["in"] - when["out"]


# ---- failover ----------------------------------------------------------------

def silent_provider_gives_way_after_failover_ms(context):
    box, second = pair(context, "option host 'NET.20.1'\n"
                                "\toption failover_ms '1000'")
    first = box.phone("provider", 20, register=False)
    first.ignore = lambda m: m.method == "INVITE"
    alice = box.phone("alice")
    took = failover_s(alice, box, second)
    check(took >= 0.95, f"not even waited for: {took:.2f} s")
    asked = [data for way, _, data in first.log
             if way == "in" and data.startswith(b"INVITE")]
    check(asked, "the first was not asked at all")


def closed_port_gives_way_at_once(context):
    """ICMP tells; failover_ms would take longer than the test waits."""
    box, second = pair(context, "option host 'NET.20.1'\n"
                                "\toption failover_ms '30000'")
    alice = box.phone("alice")
    out = alice.invite("0123", rtp=box.media(alice))
    refuse(second.incoming(), out)


def refused_connection_gives_way_at_once(context):
    box, second = pair(context, "option host 'NET.20.1'\n"
                                "\toption transport 'tcp'\n"
                                "\toption failover_ms '30000'")
    alice = box.phone("alice")
    out = alice.invite("0123", rtp=box.media(alice))
    refuse(second.incoming(), out)


def busy_provider_is_left_alone_as_long_as_it_asks(context):
    box, second = pair(context, "option host 'NET.20.1'")
    first = box.phone("provider", 20, register=False)
    alice = box.phone("alice")
    out = alice.invite("0123", rtp=box.media(alice))
    began = time.monotonic()
    first.incoming().reply(503, "Service Unavailable",
                           headers=[("Retry-After", "4")])
    refuse(second.incoming(), out)
    out = alice.invite("0123", rtp=box.media(alice))
    refuse(second.incoming(), out)
    first.nothing(lambda m: m.method == "INVITE", 0.1)
    time.sleep(max(0, began + 4.5 - time.monotonic()))
    out = alice.invite("0123", rtp=box.media(alice))
    refuse(first.incoming(), out)


# ---- names -------------------------------------------------------------------

def hosts_of_a_service_are_tried_by_priority(context):
    """SRV: the first is closed, the next one has another port."""
    dns = names(context)
    net = f"127.{context.id}"
    dns.srv("_sip._udp.provider.example", 10, 0, 5060, "a.provider.example")
    dns.srv("_sip._udp.provider.example", 20, 0, 5070, "b.provider.example")
    dns.host("a.provider.example", f"{net}.20.1")
    dns.host("b.provider.example", f"{net}.22.1")
    box, second = pair(context, "option host 'provider.example'\n"
                                "\toption failover_ms '1000'",
                       nameserver=[dns.where])
    one = box.phone("provider", 20, register=False)
    two = box.phone("provider", 22, register=False, port=5070)
    is_resolved(dns, "A b.provider.example")
    alice = box.phone("alice")
    out = alice.invite("0123", rtp=box.media(alice))
    refuse(one.incoming(), out)
    one.ignore = lambda m: m.method == "INVITE"
    out = alice.invite("0123", rtp=box.media(alice))
    into = two.incoming()
    check("@provider.example" in into.invite.uri, f"not {into.invite.uri}")
    refuse(into, out)
    second.nothing(lambda m: m.method == "INVITE", 0.1)


def is_resolved(dns, last):
    """The @last question is answered, and the answer was taken."""
    until(lambda: last in dns.asked, 5, f"{last} is not asked for")
    time.sleep(0.3)


def provider_is_known_by_the_addresses_of_its_name(context):
    """Who calls from there needs no password, who calls from elsewhere does."""
    dns = names(context)
    dns.host("gw.provider.example", f"127.{context.id}.20.1",
             f"127.{context.id}.22.1")
    box, _ = pair(context, "option host 'gw.provider.example'",
                  nameserver=[dns.where])
    is_resolved(dns, "A gw.provider.example")
    bob = box.phone("bob")
    for number in (20, 22):
        gateway = box.phone("provider", number, register=False)
        out = gateway.invite("77", rtp=box.media(gateway), auth=False)
        refuse(bob.incoming(), out)
    stranger = box.phone("provider", 23, register=False)
    out = stranger.invite("77", rtp=box.media(stranger), auth=False)
    refused = stranger.expect(
        lambda m: out.answers_invite(m) and m.status > 100)
    check(refused.status == 401, f"answered {refused}")
    bob.nothing(lambda m: m.method == "INVITE", 0.2)


def provider_that_moves_is_followed(context):
    dns = names(context)
    net = f"127.{context.id}"
    dns.host("gw.provider.example", f"{net}.20.1", ttl=1)
    box, second = pair(context, "option host 'gw.provider.example'\n"
                                "\toption port '5060'",
                       nameserver=[dns.where])
    one = box.phone("provider", 20, register=False)
    two = box.phone("provider", 22, register=False)
    is_resolved(dns, "A gw.provider.example")
    alice = box.phone("alice")
    out = alice.invite("0123", rtp=box.media(alice))
    refuse(one.incoming(), out)
    dns.forget("gw.provider.example")
    dns.host("gw.provider.example", f"{net}.22.1")
    before = len(dns.asked)
    until(lambda: len(dns.asked) > before, 15, "not asked again")
    time.sleep(0.3)
    out = alice.invite("0123", rtp=box.media(alice))
    refuse(two.incoming(), out)
    one.nothing(lambda m: m.method == "INVITE", 0.1)
    second.nothing(lambda m: m.method == "INVITE", 0.1)


def provider_does_not_vanish_because_name_servers_do(context):
    """Silent, failing, refusing and talking nonsense, one after the other."""
    dns = names(context)
    dns.host("gw.provider.example", f"127.{context.id}.20.1", ttl=1)
    box, second = pair(context, "option host 'gw.provider.example'\n"
                                "\toption port '5060'",
                       nameserver=[dns.where])
    first = box.phone("provider", 20, register=False)
    is_resolved(dns, "A gw.provider.example")
    dns.failing = SERVFAIL
    until(lambda: " dns.stale " in box.log(), 20, "the failure is not noticed")
    for fault in ({"failing": REFUSED}, {"failing": 0, "nonsense": b"\xc0"},
                  {"nonsense": None, "silent": True}):
        vars(dns).update(fault)
        before = len(dns.asked)
        until(lambda: len(dns.asked) > before, 15, f"not asked: {fault}")
    alice = box.phone("alice")
    out = alice.invite("0123", rtp=box.media(alice))
    refuse(first.incoming(), out)
    second.nothing(lambda m: m.method == "INVITE", 0.1)
    box.options_work()


def silent_name_servers_hold_up_nobody(context):
    """Nothing of the provider is known: calls go to the next at once."""
    dns = names(context)
    dns.silent = True
    box, second = pair(context, "option host 'provider.example'\n"
                                "\toption failover_ms '30000'",
                       nameserver=[dns.where])
    alice = box.phone("alice")
    result = meanwhile(lambda: box.options_work())
    out = alice.invite("0123", rtp=box.media(alice))
    refuse(second.incoming(), out)
    result()
    check(dns.asked, "nobody was asked")


def add_to(suite):
    for scenario in (kamailio_provider_is_registered_at_and_calls_go_both_ways,
                     kamailio_provider_with_sha_256,
                     kamailio_provider_over_tcp,
                     box_that_stops_takes_its_binding_away,
                     wrong_password_is_told_and_not_tried_for_ever,
                     restarted_provider_is_registered_at_again,
                     lost_connection_to_the_provider_is_made_anew):
        suite.add(scenario, needs=("kamailio",))
    suite.add(hung_kamailio_gives_way_within_4_s, needs=("kamailio",),
              alone=True)
    for scenario in (silent_provider_gives_way_after_failover_ms,
                     closed_port_gives_way_at_once,
                     refused_connection_gives_way_at_once,
                     busy_provider_is_left_alone_as_long_as_it_asks,
                     hosts_of_a_service_are_tried_by_priority,
                     provider_is_known_by_the_addresses_of_its_name,
                     provider_that_moves_is_followed,
                     silent_name_servers_hold_up_nobody,
                     body_is_proved_where_the_provider_asks_for_it):
        suite.add(scenario)
    suite.add(provider_does_not_vanish_because_name_servers_do, limit=90,
              fast=False)
