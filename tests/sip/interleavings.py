# interleavings.py - re-INVITE, UPDATE, PRACK, BYE, CANCEL and REFER of both
# sides at any moment, over a line that loses datagrams
#
# Each call is one interleaving, thrown by dice; SBC_INTERLEAVINGS says how
# many (10 000 take some minutes), SBC_DICE repeats a run's dice.  The box must
# live, answer every request, and keep no call once the peers are silent.
#
# SPDX-License-Identifier: Apache-2.0

import os
import random
import time

import diceua
import sbcproc
from runner import check, until
from sipbox import SipBox

CALLS = int(os.environ.get("SBC_INTERLEAVINGS", "150"))
AT_ONCE = 60
LOSS = 0.04


def rss_kb(box):
    with open(f"/proc/{box.pid}/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


class Storm:
    def __init__(self, context, seed):
        self.box = SipBox(context, realm={"media_ports": "20000-24999"},
                          max_calls="1000", ring_timeout="20")
        self.dice = random.Random(seed)
        self.line = diceua.Line()
        self.agents = [self.agent(user, n + 1)
                       for n, user in enumerate(("alice", "bob", "carol"))]
        self.begun = 0
        self.bad = []
        self.marks = []  # (calls begun, RSS in kB)

    def agent(self, user, number):
        phone = self.box.phone(user, number)
        phone.close()  # the agent takes its place
        agent = diceua.Agent(self.line, user, sbcproc.password(user),
                             phone.local, 5060, self.box.server,
                             self.box.address, self.dice, LOSS)
        self.box.context.callback(agent.close)
        return agent

    def begin_more(self):
        alive = sum(1 for a in self.agents[:1] for d in a.dialogs.values()
                    if d.state != "over")
        for _ in range(min(10, AT_ONCE - alive, CALLS - self.begun)):
            self.agents[0].call(self.dice.choice(("bob", "bob", "carol")))
            self.begun += 1
            if self.begun % max(1, CALLS // 10) == 0:
                self.marks.append((self.begun, rss_kb(self.box)))
        for agent in self.agents:
            self.bad += agent.forget()
        if self.begun < CALLS:
            self.line.after(0.05, self.begin_more)

    def settled(self):
        return self.begun >= CALLS and not self.open()

    def open(self):
        return [f"{a.user} {d.call_id} {d.state}: {d.unanswered()}"
                for a in self.agents for d in a.dialogs.values()
                if d.state != "over" or d.unanswered()]


def anything_at_any_moment_is_answered_and_nothing_is_left(context):
    seed = int(os.environ.get("SBC_DICE", random.randrange(10**9)))
    storm = Storm(context, seed)
    context.traces.append(lambda: f"SBC_DICE={seed}")
    storm.begin_more()
    quiet = storm.line.run(storm.settled, 60 + CALLS * 0.2 +
                           2.5 * diceua.TIMEOUT)
    check(quiet, f"dice {seed}: still open: {storm.open()[:5]}")
    for agent in storm.agents:
        for dialog in agent.dialogs.values():
            storm.bad += [f"{agent.user} {dialog.call_id}: {r.method}"
                          for r in dialog.requests.values() if not r.final]
    check(not storm.bad, f"dice {seed}: never answered: {storm.bad[:5]}")
    check(storm.box.alive(), f"dice {seed}: the box has died")
    # Who lost the last message of a call hears of it within 64*T1.
    end = time.monotonic() + 45
    storm.line.run(lambda: not storm.box.calls() or time.monotonic() > end, 50)
    until(lambda: not storm.box.calls(), 5, f"dice {seed}: a call is left")
    if CALLS >= 1000:
        print(f"memory: {storm.marks}, then {rss_kb(storm.box)} kB", flush=True)


def add_to(suite):
    suite.add(anything_at_any_moment_is_answered_and_nothing_is_left,
              limit=240 + CALLS)
