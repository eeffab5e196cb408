# moving_nat.py - a phone in a call, and its NAT gives it another port, another
# address, or forgets it
#
# SPDX-License-Identifier: Apache-2.0

import random
import threading
import time

import rtp
import topology
from quiet import Quiet, two_way_call
from reachable import site_of
from runner import check

FRAME_MS = 1000 * rtp.PTIME_S
PORT_MS, ADDRESS_MS = 300, 1000
EVIL = b"X" * 160


def longest_gap_ms(packets):
    """The most that is missing in a row, by sequence numbers."""
    seqs = [p.seq for p in packets]
    gaps = [(b - a & 0xffff) - 1 for a, b in zip(seqs, seqs[1:])]
    return max([g for g in gaps if g < 0x8000], default=0) * FRAME_MS


class Guesser:
    """A stranger who knows SSRC and time, and not the sequence."""

    def __init__(self, site, victim, port):
        self.sock = site.stranger().socket()
        self.sock.bind((topology.STRANGER, 0))
        self.victim, self.port = victim, port
        self.running, self.sent = True, 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.running:
            off = random.choice((-3000, -400, 200, 900, 5000))
            data = rtp.packet(self.victim.ssrc, self.victim.seq + off,
                              self.victim.stamp + 160, EVIL)
            try:
                self.sock.sendto(data, self.port)
            except OSError:
                pass
            self.sent += 1
            time.sleep(0.01)

    def stop(self):
        self.running = False
        self.thread.join(2)
        self.sock.close()


def nat_that_moves_a_call_is_followed(context):
    """A new port every 20 s and a new address every 60 s: no re-INVITE, short
    gaps, no stranger; and the BYE finds the phone that has registered."""
    site, pace, alice = site_of(context)
    bob = Quiet("bob", site.behind_emulator(
        filtering="address-and-port-dependent", ports="random"), context)
    bob.stay_registered()
    out, into, (speech, answer) = two_way_call(alice, bob, context)
    router = bob.space.router
    stranger = Guesser(site, answer, into.media())
    step_s = 20 if pace.is_real else 2.5
    moves, address = 15 if pace.is_real else 9, 200
    for move in range(1, moves + 1):
        time.sleep(step_s / 2)
        heard = len(speech.got), len(answer.got)
        limit = PORT_MS
        if move % 3:
            router.rebind()
        else:
            address += 1
            router.new_address(f"203.0.113.{address}")
            limit = ADDRESS_MS
        time.sleep(step_s / 2)
        for name, media, before in (("alice", speech, heard[0]),
                                    ("bob", answer, heard[1])):
            got = media.got[before - 1:]
            check(len(got) > 10, f"move {move}: {name} hears nothing more")
            gap = longest_gap_ms(got)
            check(gap <= limit, f"move {move}: {name} lost {gap} ms")
    stranger.stop()
    check(stranger.sent > 100, "the stranger did not try")
    check(not speech.count(payload=EVIL), "the stranger was heard")
    check(not any(m.is_request and m.method == "INVITE" for m in bob.inbox),
          "a re-INVITE was sent")
    bob.register()
    check(out.bye().status == 200, "BYE refused")
    into.expect_bye()


def call_outlives_the_reboot_of_its_nat(context):
    """Every mapping is forgotten in a call: the phone's next packets open
    new ones, and both go on hearing each other."""
    site, _, alice = site_of(context)
    bob = Quiet("bob", site.behind_emulator(
        filtering="address-and-port-dependent", ports="random"), context)
    bob.register()
    out, into, (speech, answer) = two_way_call(alice, bob, context)
    heard = len(speech.got), len(answer.got)
    bob.space.router.reboot()
    time.sleep(2)
    for media, before in ((speech, heard[0]), (answer, heard[1])):
        got = media.got[before - 1:]
        check(len(got) > 50, "no audio after the reboot")
        check(longest_gap_ms(got) <= PORT_MS,
              f"{longest_gap_ms(got)} ms are lost")
    bob.register()
    out.bye()
    into.expect_bye()


def add_to(suite):
    suite.add(nat_that_moves_a_call_is_followed, fast=False, limit=90)
    suite.add(call_outlives_the_reboot_of_its_nat, fast=False)
