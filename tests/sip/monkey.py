# monkey.py - phones that do anything at any time, by dice
#
# They call, answer, cancel, hang up, repeat and forget in random order, with
# good and bad descriptions.  The box must neither die nor keep a call once
# they are silent.  MONKEY_SEED repeats a run's dice.
#
# SPDX-License-Identifier: Apache-2.0

import contextlib
import json
import os
import random
import time

from phone import Call
from runner import Failed, check, until
from sipbox import SipBox

RAGE_S = 20
RELIABLE = ("Supported", "100rel"), ("Require", "100rel")
USERS = ("alice", "bob", "carol")
BAD_SDP = ("v=0\r\n", "hello", "v=0\r\no=- 1 1 IN IP4 x\r\ns=-\r\nt=0 0\r\n",
           "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nc=IN IP4 0.0.0.0\r\n"
           "t=0 0\r\nm=audio 0 RTP/AVP 0\r\n",
           "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\n"
           "t=0 0\r\nm=image 4000 udptl @\r\n",
           "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\n"
           "t=0 0\r\nm=video 4000 RTP/AVP 99\r\nm=audio 4002 RTP/AVP 96\r\n")


class Monkey:
    def __init__(self, box, dice):
        self.box, self.dice = box, dice
        self.phones = [box.phone(user, 10 + 3 * n + at)
                       for n, user in enumerate(USERS) for at in range(2)]
        self.media = {phone: box.media(phone) for phone in self.phones}
        self.calls = []

    def sdp(self, phone):
        dice = self.dice.random()
        if dice < 0.1:
            return ""
        if dice < 0.2:
            return self.dice.choice(BAD_SDP)
        return self.media[phone].sdp(
            direction=self.dice.choice(("sendrecv", "sendrecv", "sendonly",
                                        "inactive")),
            codecs=self.dice.choice(((0, 8), (0,), (8,), (8, 101))))

    def act(self):
        phone = self.dice.choice(self.phones)
        self.dice.choice((self.call, self.react, self.react, self.react,
                          self.react, self.poke, self.poke, self.repeat,
                          self.register))(phone)

    def call(self, phone):
        if len(self.calls) > 30:
            self.calls.pop(0)
        call = Call(phone, phone.address_of(self.dice.choice(USERS)))
        call.sdp = self.sdp(phone)
        call.headers = self.dice.choice(((), (), *((h,) for h in RELIABLE)))
        call.send_invite(call.headers)
        self.calls.append(call)

    def known(self, message, phone):
        for call in self.calls:
            if call.phone is phone and call.call_id == message.call_id:
                return call
        return None

    def react(self, phone):
        with phone.wake:
            if not phone.inbox:
                return
            message = phone.inbox.pop(self.dice.randrange(len(phone.inbox)))
        call = self.known(message, phone)
        if message.is_request:
            self.answer(phone, message, call)
        elif message.method == "INVITE" and call:
            self.go_on(phone, message, call)

    def answer(self, phone, message, call):
        if message.method == "ACK":
            return
        if message.method != "INVITE":
            if self.dice.random() < 0.9:
                body = self.sdp(phone) if message.body else ""
                phone.reply(message, self.dice.choice((200, 200, 200, 481,
                                                       500)), body=body)
            return
        if call is None:
            call = Call(phone, "sip:x@x.test", invite=message)
            self.calls.append(call)
        call.invite = message
        for code in self.dice.choice((
                (180, 200), (200,), (180,), (183, 180, 200), (486,), (603,),
                (100, 500), (180, 183, 487), (302,), (200, 200), (491,), (),
                (199,), (180, 200))):
            call.reply(code, sdp=self.sdp(phone)
                       if code in (183, 200) else None,
                       headers=self.reliably(call) if code < 200 else ())

    def reliably(self, call):
        """Mostly with the next number."""
        if self.dice.random() < 0.5:
            return (("Allow", "UPDATE, PRACK"),)
        call.rseq = getattr(call, "rseq", 0) + self.dice.choice((1, 1, 1, 0,
                                                                 2))
        return (("Require", "100rel"), ("RSeq", str(call.rseq)),
                ("Allow", "UPDATE, PRACK"))

    def go_on(self, phone, message, call):
        if message.status == 401 and phone.digest.take(message):
            call.send_invite((("Authorization", phone.digest.header(
                "INVITE", call.target)),
                *getattr(call, "headers", ())))
        elif 100 < message.status < 200 and message.get("rseq"):
            call.learn(message)
            if self.dice.random() < 0.8:
                self.prack(call, int(message.get("rseq")))
        elif message.status >= 200:
            call.learn(message)
            if message.status < 300 and self.dice.random() < 0.85:
                call.ack(self.sdp(phone) if self.dice.random() < 0.2 else "")

    def prack(self, call, number):
        rack = f"{number} {call.cseq} INVITE"
        body = self.sdp(call.phone) if self.dice.random() < 0.3 else ""
        call.phone.send(call.make("PRACK", body, (("RAck", rack),),
                                  cseq=call.cseq + 1))

    def poke(self, _):
        if not self.calls:
            return
        call = self.dice.choice(self.calls)
        what = self.dice.choice(("BYE", "BYE", "INFO", "OPTIONS", "INVITE",
                                 "INVITE", "CANCEL", "REFER", "UPDATE",
                                 "UPDATE", "PRACK", "NONSENSE"))
        if what == "INVITE":
            call.sdp = self.sdp(call.phone)
            call.send_invite()
        elif what == "CANCEL" and call.last_invite:
            invite = call.last_invite.raw.split(b"\r\n\r\n")[0]
            lines = [line for line in invite.split(b"\r\n")[1:]
                     if not line.lower().startswith((b"content", b"contact",
                                                     b"cseq"))]
            lines.insert(0, b"CANCEL " + call.last_invite.uri.encode()
                         + b" SIP/2.0")
            lines.append(b"CSeq: %d CANCEL" % call.cseq)
            call.phone.send(b"\r\n".join(lines) + b"\r\n\r\n")
        elif what == "PRACK":
            self.prack(call, self.dice.randrange(5))
        elif what == "UPDATE":
            call.phone.send(call.make(what, self.sdp(call.phone)))
        elif what != "CANCEL":
            call.phone.send(call.make(what))

    def repeat(self, phone):
        """Send something old again."""
        sent = [data for way, _, data in phone.log[-40:] if way == "out"]
        if sent:
            phone.send(self.dice.choice(sent))

    def register(self, phone):
        if self.dice.random() < 0.8:
            return
        with contextlib.suppress(Failed):
            phone.register(expires=self.dice.choice((0, 60, 3600)))

    def calm(self):
        """Everybody is polite again: answer all, hang up all."""
        for call in self.calls:
            if call.remote_tag:
                call.phone.send(call.make("BYE"))
        end = time.monotonic() + 3
        while time.monotonic() < end:
            for phone in self.phones:
                with phone.wake:
                    inbox, phone.inbox = phone.inbox, []
                for message in inbox:
                    self.be_polite(phone, message)
            time.sleep(0.05)

    def be_polite(self, phone, message):
        if message.is_request and message.method == "INVITE":
            phone.reply(message, 486, to_tag="busy")
        elif message.is_request and message.method != "ACK":
            phone.reply(message, 200)
        elif message.method == "INVITE" and 200 <= message.status < 300:
            call = self.known(message, phone)
            if call:
                call.learn(message)
                call.ack()
                phone.send(call.make("BYE"))


def random_phones_neither_kill_the_box_nor_leave_calls(context):
    seed = int(os.environ.get("MONKEY_SEED", random.randrange(1 << 30)))
    box = SipBox(context, ring_timeout="5", max_calls="20", realm={
        "media_timeout": "10", "media_timeout_hold": "10"})
    monkey = Monkey(box, random.Random(seed))
    context.traces.append(lambda: json.dumps(box.calls(), indent=1))
    try:
        end = time.monotonic() + RAGE_S
        asked = time.monotonic()
        while time.monotonic() < end:
            monkey.act()
            time.sleep(0.004)
            if time.monotonic() - asked > 2:
                asked = time.monotonic()
                check(box.alive(), "the box died")
                box.options_work(seconds=3)
        monkey.calm()
        # A peer that never answered is given up after 32 s (timer B, H).
        until(lambda: monkey.calm() or not box.calls(), 60,
              f"calls are left over: {[c['state'] for c in box.calls()]}")
        monkey.phones[0].register()
        box.options_work()
    except Exception as error:
        raise Failed(f"{error} (MONKEY_SEED={seed})")


def add_to(suite):
    suite.add(random_phones_neither_kill_the_box_nor_leave_calls, limit=150)
