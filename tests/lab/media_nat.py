# media_nat.py - media that finds its way: NATs that move it mid-call, phones
# that listen elsewhere than they speak, peers that wait for each other
#
# Gaps are counted in packets of 20 ms that did not arrive, not by the clock.
#
# SPDX-License-Identifier: Apache-2.0

import random
import threading
import time

import rtp
import sbcproc
import topology
from lab import Site
from runner import check, until
from strangers import EVIL, PEER, VICTIM, Attack
from topology import SBC4

PORT_GAP, ADDRESS_GAP = 15, 50  # 300 ms, 1 s
SECOND_SBC = "203.0.113.11"


class Guesser:
    """Sends with the right SSRC and a wrong sequence, from many ports."""

    def __init__(self, attack):
        self.attack = attack
        space = attack.site.stranger_space
        self.socks = [space.socket() for _ in range(20)]
        for sock in self.socks:
            sock.bind((topology.STRANGER, 0))
            attack.site.context.callback(sock.close)
        self.sent = 0
        self.running = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        """Sequence and time are out by what one who looked once has."""
        victim = self.attack.victim
        while self.running:
            off = random.choice([-500, -20, 80, 300, 2000, 20000])
            try:
                random.choice(self.socks).sendto(
                    rtp.packet(victim.ssrc, victim.seq + off,
                               victim.stamp + 160 * off, EVIL),
                    self.attack.port_of_victim)
            except OSError:
                return  # the scenario is over
            self.sent += 1
            time.sleep(0.003)

    def stop(self):
        self.running = False
        self.thread.join()
        for sock in self.socks:
            sock.setblocking(False)
            try:
                sock.recv(2048)
            except BlockingIOError:
                continue
            check(False, "media was sent to the stranger")
        check(self.sent > 100, "the stranger did not try")


class Moving(Attack):
    """A call of a phone whose NAT moves it, with a stranger beside it."""

    def __init__(self, context):
        super().__init__(context)
        self.router = self.alice_space.router
        self.wan = self.alice_space.wan
        self.spare = "203.0.113.91"
        # Else the second address would go with the first.
        self.router.sysctl("net.ipv4.conf.eth0.promote_secondaries", 1)
        self.moves = 0

    def new_port(self):
        """The socket moves; seen from outside it is the NAT that did."""
        self.moves += 1
        self.victim.rebind()

    def new_address(self):
        """The NAT gets another address and forgets all of the old one."""
        self.moves += 1
        self.wan, self.spare = self.spare, self.wan
        topology.add_address(self.router, "eth0", self.wan)
        self.router.ip("addr", "del", f"{self.spare}/24", "dev", "eth0")

    def must_go_on(self, what, gap):
        """Do @what; both ways at most @gap packets are lost to it."""
        began = time.monotonic()
        what()
        until(lambda: self.victim.count(payload=PEER, since=began + 1) > 25
              and self.peer.count(payload=VICTIM, since=began + 1) > 25, 5,
              f"audio does not come back after {what.__name__}")
        for name, to, by in (("peer", self.peer, self.victim),
                             ("phone", self.victim, self.peer)):
            missed = to.missed(by.ssrc, began - 0.2)
            check(missed <= gap, f"{what.__name__}: the {name} missed "
                  f"{missed} packets in a row")

    def no_re_invite(self):
        for phone, most in ((self.alice, 0), (self.bob, 1)):
            invites = [d for way, _, d in phone.log
                       if way == "in" and d.startswith(b"INVITE")]
            check(len(invites) <= most, f"{phone.user} got a re-INVITE")


def moves_of_a_nat_are_followed(context):
    """Its port changes often, its address now and then, for a whole call."""
    call = Moving(context)
    real = context.options.real
    port_s, rounds, ports = (20, 5, 2) if real else (2, 2, 3)
    guesser = Guesser(call)
    for _ in range(rounds):
        for _ in range(ports):
            call.must_go_on(call.new_port, PORT_GAP)
            time.sleep(port_s - 2 if real else 0.2)
        call.must_go_on(call.new_address, ADDRESS_GAP)
        for phone in (call.alice, call.bob):
            phone.register()  # as phones do in time; this moves the flow
        time.sleep(port_s - 2 if real else 0.2)
    guesser.stop()
    for name, media in (("victim", call.victim), ("peer", call.peer)):
        check(not media.count(payload=EVIL), f"the {name} heard the stranger")
    call.no_re_invite()
    answers = []
    bye = threading.Thread(target=lambda: answers.append(call.into.bye()))
    bye.start()
    call.out.expect_bye()
    bye.join()
    check(answers and answers[0].status == 200, f"BYE answered {answers}")


def nat_that_moves_a_muted_phone_is_followed(context):
    """It says nothing for seconds, and goes on from elsewhere."""
    call = Moving(context)
    for move, clock_runs in ((call.new_port, True), (call.new_address, False)):
        call.victim.hush()
        time.sleep(3)
        move()
        if clock_runs:
            call.victim.stamp += 3 * 8000
        call.both_ways()
    call.no_re_invite()


def line_that_dials_in_again_is_followed(context):
    """It is gone for 6 s and comes back with another address."""
    call = Moving(context)
    guesser = Guesser(call)
    call.router.ip("addr", "del", f"{call.wan}/24", "dev", "eth0")
    time.sleep(6)
    topology.add_address(call.router, "eth0", call.spare)
    call.both_ways()
    guesser.stop()
    call.no_re_invite()


class Public:
    """A call between alice, on the internet itself, and bob behind NAT."""

    def __init__(self, context, space=None, **sdp):
        self.site = site = Site(context)
        self.space = space(site) if space else site.host(
            "alice", "203.0.113.77")
        if not space:
            self.space.address = "203.0.113.77"
        far = site.behind_nat("port_restricted")
        alice = site.scripted("alice", self.space)
        bob = site.scripted("bob", far)
        self.ear, self.mouth = (
            rtp.Rtp(self.space.address, self.space.name, context, VICTIM)
            for _ in "12")
        self.peer = rtp.Rtp(far.address, far.name, context, PEER)
        self.out = alice.invite("bob", sdp=self.ear.sdp(**sdp))
        into = bob.incoming()
        into.reply(200, "OK", rtp=self.peer)
        self.out.answered()
        into.expect_ack()
        self.peer.stream(into.media())

    def hears_at(self, media, seconds):
        until(lambda: media.count(payload=PEER) > 25, seconds,
              "audio does not come where the phone listens")


def phone_that_speaks_from_another_port_hears(context):
    """It listens where its SDP says; no NAT anywhere."""
    call = Public(context)
    call.mouth.stream(call.out.media())
    until(lambda: call.peer.count(payload=VICTIM) > 25, 3, "it is not heard")
    call.hears_at(call.ear, 3)


def phone_that_is_deaf_at_its_sdp_port_hears(context):
    """Its own machine answers with ICMP; it listens where it speaks."""
    call = Public(context)
    call.ear.close()
    call.mouth.stream(call.out.media())
    call.hears_at(call.mouth, 5)


def reports_find_where_a_phone_behind_nat_listens(context):
    """It names the mapping of its ear (STUN), but speaks from elsewhere, and
    its reports say that nothing comes."""
    call = Public(context,
                  lambda site: site.behind_nat("endpoint_independent"),
                  connection="203.0.113.21")
    address, port = call.out.media()
    # The NAT learns the port that the phone's STUN told it.
    call.ear.send((topology.STRANGER, 9))
    call.mouth.stream((address, port))
    until(lambda: call.peer.count(payload=VICTIM) > 25, 3, "it is not heard")
    for _ in range(8):
        time.sleep(0.7)
        call.ear.report((address, port + 1))
        if call.ear.count(payload=PEER) > 5:
            break
    call.hears_at(call.ear, 3)


class Waiting(rtp.Rtp):
    """A relay before a NAT: sends nothing until something has come."""

    def speak(self):
        while self.running and not (self.got and self.remote):
            time.sleep(0.005)
        super().speak()


def wait_for_each_other(out, into, here, there):
    here.stream(out.media())
    there.stream(into.media())
    until(lambda: here.count(payload=PEER) > 25 and
          there.count(payload=VICTIM) > 25, 5, "both still wait")
    for name, media, other in (("caller", here, there),
                               ("callee", there, here)):
        fillers = [p for p in media.got if p.ssrc != other.ssrc]
        # The first is due after 200 ms, the second after 400.
        check(len(fillers) <= 4, f"the {name} got {len(fillers)} fillers")
        check(all(p.payload_type in (0, 8) for p in fillers),
              f"the {name} got a filler that it has not asked for")


def peers_that_wait_for_each_other_are_woken(context):
    site = Site(context)
    media, phones = [], []
    for user, address, word in (("alice", "203.0.113.77", VICTIM),
                                ("bob", "203.0.113.78", PEER)):
        space = site.host(user, address)
        space.address = address
        phones.append(site.scripted(user, space))
        media.append(Waiting(address, space.name, context, word))
    out = phones[0].invite("bob", rtp=media[0])
    into = phones[1].incoming()
    into.reply(200, "OK", rtp=media[1])
    out.answered()
    into.expect_ack()
    wait_for_each_other(out, into, *media)


TRUNK = """
config trunk 'other'
	option realm 'inet'
	option host '{}'
	option port '5060'
	option trust 'source'
"""
ROUTE = """
config route 'there'
	option match 'robert'
	list to 'other'
"""


def second_box(site):
    """Another SBC on the internet, which takes the first for a trunk."""
    space = site.host("sbc2", SECOND_SBC)
    conf = sbcproc.config(
        {"inet": {"address": [SECOND_SBC], "media_ports": "20000-20999",
                  "port_rest": "0"}}, ("robert",), extra=TRUNK.format(SBC4))
    return sbcproc.Sbc(site.context, conf, space.name, name="sbc2")


def two_boxes_that_wait_for_each_other_are_woken(context):
    """Caller and callee wait too, so that nobody at all speaks first."""
    site = Site(context, extra=TRUNK.format(SECOND_SBC) + ROUTE)
    second_box(site)
    phones, media = [], []
    for user, address, box, word in (
            ("alice", "203.0.113.77", SBC4, VICTIM),
            ("robert", "203.0.113.78", SECOND_SBC, PEER)):
        space = site.host(user, address)
        space.address = address
        phones.append(site.scripted(user, space, host=box))
        media.append(Waiting(address, space.name, context, word))
    out = phones[0].invite("robert", rtp=media[0])
    into = phones[1].incoming()
    into.reply(200, "OK", rtp=media[1])
    out.answered()
    into.expect_ack()
    wait_for_each_other(out, into, *media)


def add_to(suite):
    suite.add(moves_of_a_nat_are_followed, limit=420)
    suite.add(reports_find_where_a_phone_behind_nat_listens)
    suite.add(peers_that_wait_for_each_other_are_woken)
    for function in (nat_that_moves_a_muted_phone_is_followed,
                     line_that_dials_in_again_is_followed,
                     phone_that_speaks_from_another_port_hears,
                     phone_that_is_deaf_at_its_sdp_port_hears,
                     two_boxes_that_wait_for_each_other_are_woken):
        suite.add(function, fast=False)
