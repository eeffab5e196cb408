# transferred.py - real phones hand a call on: REFER as baresip sends it, and
# the re-INVITEs that it and the others get
#
# SPDX-License-Identifier: Apache-2.0

import time

import tone
from lab import Site, call, hang_up
from runner import check, until

TALK_S = 4.0


def baresip_transfers_a_call(context):
    """Alice calls Bob, who sends her on to Carol; each behind a NAT."""
    site = Site(context)
    alice = site.baresip("alice", site.behind_nat("port_restricted"),
                         tone.CALLER_HZ)
    bob = site.baresip("bob", site.behind_nat("symmetric"), tone.CALLEE_HZ)
    carol = site.baresip("carol", site.behind_nat("port_restricted"),
                         tone.THIRD_HZ)
    call(alice, bob, "bob")
    time.sleep(1)
    marks = bob.mark(), carol.mark()
    answer = bob.command("transfer", f"sip:carol@{bob.uri_host}")
    check(answer.get("ok"), f"transfer refused: {answer}")
    carol.await_event("CALL_ESTABLISHED", 10, marks[1])
    bob.await_event("CALL_CLOSED", 10, marks[0])
    until(lambda: len(site.box.calls()) == 1, 8, "two calls are left")
    time.sleep(TALK_S)
    check(len(site.box.calls()[0]["legs"]) == 2, "a leg too many")
    hang_up(carol, alice)
    site.box.no_calls_left()
    time.sleep(0.3)  # the recorder closes its file
    carol.must_have_heard(alice, TALK_S)
    said = carol.recording("enc").tones[carol.hz]
    heard = alice.recording("dec").tones[carol.hz]
    check(heard >= 0.5 * min(said, TALK_S),
          f"alice heard carol for {heard:.1f} s of {said:.1f}")


def add_to(suite):
    suite.add(baresip_transfers_a_call)
