# edge.py - the box in front of another registrar: Kamailio owns the bindings
#
#   phones 127.N.M.1 -- edge 127.N.0.1 [box] 127.N.0.2 core -- Kamailio 127.N.0.3
#
# SPDX-License-Identifier: Apache-2.0

import contextlib
import json
import os
import random
import re
import resource
import subprocess
import time

import runner
from phone import Phone
from registration import expires_of
from runner import check, until
from sbcproc import password
from sipbox import SipBox, hang_up

HERE = os.path.dirname(os.path.abspath(__file__))


def registrar_words(max_expires=3600, min_expires=0, path=1,
                    password="s3cret-$fU", asked="127.255.255.255"):
    """What stands in kamailio-edge.cfg; @asked hears where a phone is."""
    return {"MAX": max_expires, "MIN": min_expires, "PATH": path,
            "PASSWORD": password, "ASKED": asked}


class Kamailio:
    """One Kamailio at port 5060 of @address, in namespace @netns."""

    def __init__(self, context, address, words, cfg="kamailio-edge.cfg",
                 name="kamailio", netns=None):
        self.context, self.address = context, address
        self.name, self.netns = name, netns
        with open(os.path.join(HERE, cfg)) as text:
            text = text.read()
        for word, value in (("LISTEN", f"{address}:5060"), *words.items()):
            text = text.replace(f"@{word}@", str(value))
        self.config = context.path(name, "cfg")
        with open(self.config, "w") as out:
            out.write(text)
        self.runs = 0
        self.start()

    def start(self):
        self.runs += 1
        self.log = os.path.join(self.name, f"log{self.runs}")
        run = os.path.dirname(self.config)
        self.process = runner.spawn(
            self.context, ["kamailio", "-DD", "-f", self.config, "-m", "64",
                           "-M", "8", "-Y", run, "-P",
                           os.path.join(run, "pid")], self.log,
            netns=self.netns)
        probe = Phone("probe", "", (self.address, 5060), local=self.address,
                      netns=self.netns)
        try:
            until(lambda: self.answers(probe), 20,
                  f"{self.name} does not start")
        finally:
            probe.close()

    def answers(self, probe):
        with contextlib.suppress(runner.Failed):
            return probe.transact(probe.make(
                "REGISTER", f"sip:{self.address}"), 0.3)

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Edge(SipBox):
    """The box with Kamailio as the registrar of realm loop."""

    def __init__(self, context, mode="mirror", realm=None, kamailio=None,
                 trunk="", **how):
        net = f"127.{context.id}"
        self.kamailio = Kamailio(context, f"{net}.0.3",
                                 registrar_words(**(kamailio or {})))
        super().__init__(context, realm={
            "registrar": "pbx", "registrar_mode": mode, **(realm or {})},
            extra=EXTRA + trunk, **how)

    def upstream(self, user):
        row = self.binding(user)
        return row and row["upstream"]

    def caller(self):
        """Somebody at Kamailio's side who calls without the box."""
        return Phone("dave", "", (self.kamailio.address, 5060),
                     local=f"{self.net}.30.1", port=5060, context=self.context)


FEW = ("ann", "ben", "cem", "dan", "eva", "fay")
# NET stands for the scenario's loopback net.
EXTRA = """
config realm 'core'
	list address 'NET.0.2'
	option media_ports '21000-21199'
	option port_rest '0'
config trunk 'pbx'
	option realm 'core'
	option host 'NET.0.3'
	option trust 'source'
"""


def phone_registers_at_the_registrar_behind(context):
    box = Edge(context)
    alice = box.phone("alice", register=False)
    answer = alice.register(expires=600)
    check(expires_of(answer, alice.local) in (599, 600), f"{answer}")
    up = box.upstream("alice")
    check(up["trunk"] == "pbx" and up["state"] == "held", f"upstream {up}")
    check(590 <= up["expires_s"] <= 600, f"upstream {up}")


def wrong_password_never_gets_there(context):
    box = Edge(context)
    alice = box.phone("alice", register=False, word="wrong")
    alice.register(must=401)
    check(box.binding("alice") is None, "bound without a password")


def refusal_of_the_registrar_is_the_phones(context):
    box = Edge(context)
    carol = box.phone("carol", register=False)
    carol.register(must=403)
    check(box.binding("carol") is None, "bound though refused")


def shorter_expires_of_the_registrar_is_obeyed(context):
    box = Edge(context, kamailio={"max_expires": 90})
    alice = box.phone("alice", register=False)
    answer = alice.register(expires=600)
    check(85 <= expires_of(answer, alice.local) <= 90, f"{answer}")
    check(box.binding("alice")["expires_s"] <= 90, "bound for longer")


def call_in(box, alice, caller):
    out = caller.invite("alice", rtp=box.media(caller), auth=False)
    into = alice.incoming()
    check(into.invite.uri.startswith("sip:alice@"),
          f"rings as {into.invite.start}")
    check("alice@" in into.invite.get("to"), f"To {into.invite.get('to')}")
    into.reply(180, "Ringing")
    out.expect(180)
    into.reply(200, "OK", rtp=box.media(alice))
    out.answered()
    into.expect_ack()
    hang_up(into, out)
    box.no_calls_left()


def call_through_the_registrar_reaches_the_phone(context):
    box = Edge(context)
    alice = box.phone("alice", register=False)
    alice.register(contact="sip:alice@192.168.1.50:5060")
    call_in(box, alice, box.caller())


def call_reaches_the_phone_without_path(context):
    box = Edge(context, kamailio={"path": 0}, trunk="\toption path '0'\n")
    alice = box.phone("alice")
    call_in(box, alice, box.caller())


def one_call_rings_two_phones_of_one_user(context):
    box = Edge(context)
    one = box.phone("alice")
    two = box.phone("alice", 8)
    caller = box.caller()
    out = caller.invite("alice", rtp=box.media(caller), auth=False)
    first, second = one.incoming(), two.incoming()
    first.reply(180, "Ringing")
    second.reply(180, "Ringing")
    out.expect(180)
    second.reply(200, "OK", rtp=box.media(two))
    out.answered()
    second.expect_ack()
    one.expect("CANCEL")
    hang_up(second, out)


def throttled_refreshes_stay_here(context):
    box = Edge(context, mode="throttle")
    alice = box.phone("alice", register=False)
    alice.register(expires=120)
    before = box.upstream("alice")["expires_s"]
    check(before > 3500, f"asked for {before} s only")
    box.kamailio.stop()
    for _ in range(5):
        answer = alice.register(expires=120)
        check(expires_of(answer, alice.local) == 120, f"{answer}")
    check("upstream.down" not in box.log(), "it was asked")
    alice.register(expires=120, auth=False, must=401)


def gone_phone_is_gone_at_the_registrar(context):
    box = Edge(context)
    alice = box.phone("alice")
    alice.register(expires=0)
    time.sleep(0.5)
    caller = box.caller()
    out = caller.invite("alice", rtp=box.media(caller), auth=False)
    out.expect(404)


def phones_live_on_while_the_registrar_is_away(context):
    box = Edge(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    box.kamailio.stop()
    began = time.monotonic()
    answer = alice.register(expires=600)
    check(time.monotonic() - began < 12, "the phone waited too long")
    check(60 <= expires_of(answer, alice.local) <= 120, f"{answer}")
    alarms = [a["name"] for a in box.ask("status")["alarms"]]
    check("registrar-unreachable" in alarms, f"alarms {alarms}")
    out = alice.invite("bob", rtp=box.media(alice))
    into = bob.incoming()
    into.reply(200, "OK", rtp=box.media(bob))
    out.answered()
    into.expect_ack()
    hang_up(out, into)
    check(box.phone("carol", register=False).register(
        must=503).get("retry-after"), "no Retry-After")
    box.kamailio.start()
    until(lambda: box.upstream("alice")["state"] == "held", 60,
          "the registrar is not told again")
    alarms = [a["name"] for a in box.ask("status")["alarms"]]
    check("registrar-unreachable" not in alarms, f"alarms {alarms}")
    call_in(box, alice, box.caller())


def restart_of_the_box_rings_the_phone_once(context):
    """Contact and Call-ID are the same again: no second binding there."""
    box = Edge(context)
    alice = box.phone("alice", register=False)
    alice.register(expires=600)
    box.kill()
    box.start()
    alice.register(expires=600)
    caller = box.caller()
    out = caller.invite("alice", rtp=box.media(caller), auth=False)
    into = alice.incoming()
    into.reply(180, "Ringing")
    time.sleep(0.7)
    check(len(re.findall(rb"(?m)^INVITE ", b"\n".join(
        data for way, _, data in alice.log if way == "in"))) == 1,
        "the phone rang twice")
    into.reply(486, "Busy Here")
    out.expect(486)


class Known:
    """Who is known to the registrar, and to the box."""

    def __init__(self, box, users):
        self.box, self.users = box, users
        self.askers = {user: Phone(
            user, password(user), (box.kamailio.address, 5060),
            local=f"{box.net}.0.3", port=0, domain=box.address,
            context=box.context) for user in users}

    def there(self):
        known = set()
        for user, asker in self.askers.items():
            answer = asker.request(
                "REGISTER", f"sip:{self.box.address}",
                to=asker.address_of(user), headers=[("Contact", None)])
            check(answer.status == 200, f"fetch of {user} answered {answer}")
            if answer.get("contact"):
                known.add(user)
        return known

    def here(self):
        return {row["phone"] for row in self.box.phones()}

    def agree(self):
        return self.here() == self.there()


def registrar_and_box_agree(mode):
    def run(context):
        """Random events; then both know the same, and before that for no
        longer than a refresh takes."""
        box = Edge(context, mode, phones=FEW, kamailio={"max_expires": 20},
                   realm={"registrar_expires": "60", "min_expires": "1",
                          "nat_expires": "0"})
        known = Known(box, FEW)
        phones = {user: box.phone(user, 10 + n, register=False)
                  for n, user in enumerate(FEW)}
        rng = random.Random(7)
        for event in range(150):
            phone, what = phones[rng.choice(FEW)], rng.randrange(100)
            if what < 55:
                phone.register(expires=20, must=None)
            elif what < 75:
                phone.register(expires=0, must=None)
            elif what < 90:
                phone.register(auth=False, expires=20, must=401)
            elif event % 50 == 49 or what > 97:
                box.kamailio.stop()
                box.kamailio.start()
            if event % 30 == 29:
                live = known.here()

                def settled():
                    for user in live:
                        phones[user].register(expires=20, must=None)
                    return known.agree()
                until(settled, 25, f"after {event} events here "
                      f"{known.here()}, there {known.there()}", step=1)
        until(lambda: not known.here() and not known.there(), 45,
              "not forgotten", step=1)
    return run


def forged_token_is_not_found(context):
    box = Edge(context)
    box.phone("alice")
    stranger = Phone("eve", "", (f"{box.net}.0.2", 5060),
                     local=f"{box.net}.0.3", port=5090, context=context)
    out = stranger.invite("AQ" + "A" * 57, rtp=box.media(stranger),
                          auth=False)
    out.expect(404)


class Crowd:
    """Scripted phones p00000 and up, of tests/perf/regload.c."""

    def __init__(self, box, count):
        self.program = os.path.join(box.context.dir, "regload")
        source = os.path.join(HERE, "..", "perf", "regload.c")
        subprocess.run(["cc", "-O2", "-std=gnu11", "-D_GNU_SOURCE", source,
                        "-o", self.program, "-lcrypto"], check=True)
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))
        self.process = subprocess.Popen(
            [self.program, "--host", f"{box.net}.50.1", "--target",
             box.address, "--target-port", "5060", "--domain", box.address,
             "--phones", str(count), "--port", "20000"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        box.context.callback(runner.stop, self.process)

    def __call__(self, what, count, window):
        self.process.stdin.write(f"{what} 0 {count} {window}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def ten_thousand_phones_come_back(context):
    """After an outage all REGISTER at once, and none hears a 5xx."""
    count = 10000
    names = [f"p{i:05d}" for i in range(count)]
    box = Edge(context, phones={n: {"password": "pw" + n[1:]} for n in names},
               kamailio={"password": "pw$(fU{s.substr,1,0})"},
               realm={"nat_expires": "0"}, source_rate="0")
    crowd = Crowd(box, count)
    for round_ in ("first", "again", "without it"):
        if round_ == "without it":
            box.kamailio.stop()
        began = time.monotonic()
        seen = crowd("register", count, 2000)
        took = time.monotonic() - began
        check(seen["failed"] == 0 and seen["status_5xx"] == 0,
              f"{round_}: {seen}")
        check(took < 60, f"{round_}: all were back after {took:.0f} s")
        check(box.status()["bindings"] == count, "some are missing")
    box.kamailio.start()
    until(lambda: all(p["upstream"]["state"] == "held"
                      for p in box.phones()), 200,
          "the registrar is not filled again", step=5)


def add_to(suite):
    for scenario in (phone_registers_at_the_registrar_behind,
                     wrong_password_never_gets_there,
                     refusal_of_the_registrar_is_the_phones,
                     shorter_expires_of_the_registrar_is_obeyed,
                     call_through_the_registrar_reaches_the_phone,
                     call_reaches_the_phone_without_path,
                     one_call_rings_two_phones_of_one_user,
                     throttled_refreshes_stay_here,
                     gone_phone_is_gone_at_the_registrar,
                     restart_of_the_box_rings_the_phone_once,
                     forged_token_is_not_found):
        suite.add(scenario, needs=("kamailio",))
    for mode in ("mirror", "throttle"):
        suite.add(registrar_and_box_agree(mode),
                  f"registrar_and_box_agree_{mode}", limit=150,
                  fast=mode == "throttle", needs=("kamailio",))
    suite.add(phones_live_on_while_the_registrar_is_away, fast=False,
              limit=120, needs=("kamailio",))
    suite.add(ten_thousand_phones_come_back, fast=False, limit=400,
              alone=True, needs=("kamailio", "cc"))
