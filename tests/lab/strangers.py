# strangers.py - RTP from an address that is no party of the call
#
# The victim and its peer are scripted, so every packet is counted.  A
# stranger sends to the call's own ports and guesses others, with an SSRC of
# its own and with all that sniffing the victim could have told it.
#
# SPDX-License-Identifier: Apache-2.0

import functools
import random
import select
import time

import rtp
from lab import Site
from runner import check, until
from topology import SBC4, STRANGER

TRIES = 1000
FAST_TRIES = 250
EVIL = b"\x55" * 160
VICTIM, PEER = b"V" * 160, b"P" * 160


class Attack:
    """A call between victim and peer, and a stranger beside it."""

    def __init__(self, context, speaks=True):
        self.tries = FAST_TRIES if context.options.fast else TRIES
        self.site = site = Site(context)
        near, far = (site.behind_nat(kind)
                     for kind in ("port_restricted", "symmetric"))
        self.alice_space = near
        self.alice = site.scripted("alice", near)
        self.bob = site.scripted("bob", far)
        self.victim = rtp.Rtp(near.address, near.name, context, VICTIM)
        self.peer = rtp.Rtp(far.address, far.name, context, PEER)
        self.out = self.alice.invite("bob", rtp=self.victim)
        self.into = self.bob.incoming()
        self.into.reply(200, "OK", rtp=self.peer)
        self.out.answered()
        self.into.expect_ack()
        self.port_of_victim = self.out.media()
        self.port_of_peer = self.into.media()
        space = site.stranger_space = site.stranger()
        self.sock = space.socket()
        self.sock.bind((STRANGER, 40000))
        context.callback(self.sock.close)
        if speaks:
            self.both_ways()

    def both_ways(self):
        """Audio runs both ways from now on; fails when it does not."""
        began = time.monotonic()
        self.victim.stream(self.port_of_victim)
        self.peer.stream(self.port_of_peer)
        until(lambda: self.peer.count(payload=VICTIM, since=began) >= 25 and
              self.victim.count(payload=PEER, since=began) >= 25, 5,
              "audio does not run both ways")

    def target(self, number):
        """Half of the tries at the call's own four ports, half guessed."""
        known = (self.port_of_victim, self.port_of_peer)
        if number % 2 == 0:
            address, port = known[number // 2 % 2]
            return address, port + (number % 16 == 8)
        return SBC4, random.randrange(20000, 21000)

    def shoot(self, stream):
        """@stream: the Rtp whose SSRC, sequence and time are known."""
        wild = rtp.Rtp.__new__(rtp.Rtp)
        wild.ssrc, wild.seq = random.getrandbits(32), random.getrandbits(16)
        wild.stamp = random.getrandbits(32)
        for number in range(self.tries):
            like = stream or wild
            step = 1 + number % 50
            self.sock.sendto(
                rtp.packet(like.ssrc, like.seq + step,
                           like.stamp + 160 * step, EVIL),
                self.target(number))
            wild.seq += 1
            wild.stamp += 160
            time.sleep(0.002)

    def harm(self):
        """Words for what the stranger reached, or None."""
        time.sleep(0.2)
        for name, media in (("victim", self.victim), ("peer", self.peer)):
            evil = media.count(payload=EVIL)
            if evil:
                return f"{evil} of the stranger's packets reached the {name}"
        got = 0
        while select.select([self.sock], [], [], 0)[0]:
            self.sock.recv(2048)
            got += 1
        return f"{got} packets were sent to the stranger" if got else None

    def must_flow(self, meanwhile, when):
        """Nearly all that is sent while @meanwhile runs must arrive."""
        ways = (("victim", self.victim, self.peer, PEER),
                ("peer", self.peer, self.victim, VICTIM))
        before = [(to.count(payload=word), by.sent)
                  for _, to, by, word in ways]
        meanwhile()
        sent = [by.sent for _, _, by, _ in ways]
        time.sleep(0.2)
        for (name, to, _, word), (had, spoken), now in zip(ways, before,
                                                           sent):
            seen, asked = to.count(payload=word) - had, now - spoken
            check(seen >= 0.9 * asked - 2, f"{when} the attack the {name} "
                  f"got only {seen} of {asked} packets")

    def must_be_harmless(self):
        words = self.harm()
        check(words is None, words)
        self.both_ways()
        self.must_flow(lambda: time.sleep(1), "after")
        call = self.site.box.calls()[0]
        strange = sum(m["dropped"]["stranger"] for leg in call["legs"]
                      for m in leg["media"])
        check(strange > 0, "no stranger was counted")
        check(self.out.bye().status == 200, "BYE refused")


def while_victim_speaks(context, known):
    attack = Attack(context)
    attack.must_flow(
        lambda: attack.shoot(attack.victim if known else None), "during")
    attack.must_be_harmless()


def while_victim_is_silent(context, known):
    attack = Attack(context)
    attack.victim.hush()
    time.sleep(1)
    attack.shoot(attack.victim if known else None)
    attack.must_be_harmless()


def stranger_is_unheard_before_the_victim_spoke(context):
    """Nobody has latched yet: the first packet comes from the stranger."""
    attack = Attack(context, speaks=False)
    attack.shoot(None)
    attack.must_be_harmless()


def media_is_not_sent_into_the_box_itself(context):
    """SDP that names loopback or the box makes it send nothing there."""
    site = Site(context)
    near, far = (site.behind_nat(kind)
                 for kind in ("port_restricted", "symmetric"))
    alice, bob = site.scripted("alice", near), site.scripted("bob", far)
    for number, victim in enumerate(("127.0.0.1", SBC4)):
        trap = rtp.Rtp(victim, site.sbc.name, context, port=30000 + number)
        here = rtp.Rtp(near.address, near.name, context, VICTIM)
        peer = rtp.Rtp(far.address, far.name, context, PEER)
        out = alice.invite("bob", sdp=here.sdp(connection=victim).replace(
            f"m=audio {here.port}", f"m=audio {trap.port}"))
        into = bob.incoming()
        into.reply(200, "OK", rtp=peer)
        out.answered()
        into.expect_ack()
        peer.stream(into.media())
        time.sleep(1)
        check(not trap.got, f"{len(trap.got)} packets went to {victim}")
        # What it really sends from is its signalling's address: heard.
        here.stream(out.media())
        until(lambda: peer.count(payload=VICTIM) > 10, 3,
              "the phone is not heard")
        check(not trap.got, f"{len(trap.got)} packets went to {victim}")
        check(out.bye().status == 200, "BYE refused")
        into.expect_bye()


def contact_that_names_the_box_is_refused(context):
    site = Site(context)
    space = site.behind_nat("port_restricted")
    alice = site.scripted("alice", space)
    for where in ("127.0.0.1:5060", f"{SBC4}:5060", "127.0.0.1:80"):
        answer = alice.register(contact=f"<sip:alice@{where}>", must=None)
        check(400 <= answer.status < 500,
              f"Contact {where} answered {answer}")


def add_to(suite):
    for state, attack in (("speaks", while_victim_speaks),
                          ("is_silent", while_victim_is_silent)):
        for known in (False, True):
            ssrc = "with_its_ssrc" if known else "with_own_ssrc"
            suite.add(functools.partial(attack, known=known),
                      f"stranger_{ssrc}_is_unheard_while_victim_{state}")
    for function in (stranger_is_unheard_before_the_victim_spoke,
                     media_is_not_sent_into_the_box_itself,
                     contact_that_names_the_box_is_refused):
        suite.add(function, fast=False)
