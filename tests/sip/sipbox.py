# sipbox.py - one SBC on a loopback net of its own, and phones around it
#
# SPDX-License-Identifier: Apache-2.0

import threading

import rtp
import sbcproc
from phone import Phone
from runner import check, until

A_SPEECH, B_SPEECH = b"a" * 160, b"b" * 160
USERS = ("alice", "bob", "carol")


class SipBox(sbcproc.Sbc):
    """The SBC at 127.N.0.1:5060; phones sit at 127.N.M.1."""

    def __init__(self, context, phones=USERS, realm=None, extra="",
                 limits=(), env=None, start=True, **options):
        self.net = f"127.{context.id}"
        self.address = f"{self.net}.0.1"
        self.server = (self.address, 5060)
        self.text = sbcproc.config(
            {"loop": {"address": [self.address],
                      "media_ports": "20000-20199", "port_rest": "0",
                      **(realm or {})}},
            phones, extra.replace("NET", self.net),
            **{"ring_timeout": "30", **options})
        super().__init__(context, self.text, limits=limits, env=env,
                         start=start)

    def phone(self, user, number=None, register=True, word=None, **how):
        """A scripted phone at 127.N.@number.1; default by user name."""
        if number is None:
            number = USERS.index(user) + 1 if user in USERS else 9
        how.setdefault("user_agent", f"agent-of-{user}/{number}")
        how.setdefault("port", 5060)
        phone = Phone(user, word or sbcproc.password(user), self.server,
                      local=f"{self.net}.{number}.1", context=self.context,
                      **how)
        if register:
            phone.register()
        return phone

    def media(self, phone, speech=A_SPEECH, **how):
        return rtp.Rtp(phone.local, context=self.context, payload=speech,
                       **how)

    def options_work(self, number=250, seconds=1.0):
        """The box answers a good OPTIONS from an own address in time."""
        asker = Phone("probe", "", self.server, domain=self.address,
                      local=f"{self.net}.{number}.1")
        try:
            answer = asker.request("OPTIONS", f"sip:{self.address}",
                                   auth=False)
            check(answer.status == 200, f"OPTIONS answered {answer}")
            took = asker.log[-1][1] - asker.log[0][1]
            check(took <= seconds, f"OPTIONS took {took:.2f} s")
        finally:
            asker.close()


class Talk:
    """A call from alice to bob that is up, with media on both sides."""

    def __init__(self, box, alice=None, bob=None, **how):
        self.box = box
        self.alice = alice or box.phone("alice")
        self.bob = bob or box.phone("bob")
        self.here = box.media(self.alice, A_SPEECH)
        self.there = box.media(self.bob, B_SPEECH)
        self.out = self.alice.invite("bob", rtp=self.here, **how)
        self.into = self.bob.incoming()
        self.into.reply(180, "Ringing")
        self.out.expect(180)
        self.into.reply(200, "OK", rtp=self.there)
        self.out.answered()
        self.into.expect_ack()

    def speak(self):
        self.here.stream(self.out.media())
        self.there.stream(self.into.media())
        self.heard()

    def heard(self, packets=15):
        """Each side hears the other from now on."""
        import time
        began = time.monotonic()
        until(lambda: self.there.count(payload=A_SPEECH, since=began)
              >= packets, 3, "bob does not hear alice")
        until(lambda: self.here.count(payload=B_SPEECH, since=began)
              >= packets, 3, "alice does not hear bob")

    def end(self):
        """The caller hangs up; both sides end well."""
        hang_up(self.out, self.into)
        self.box.no_calls_left()


def hang_up(first, second):
    """@first sends BYE, @second gets and answers it."""
    answers = []
    sender = threading.Thread(target=lambda: answers.append(first.bye()))
    sender.start()
    second.expect_bye()
    sender.join()
    check(answers and answers[0].status == 200,
          f"BYE answered {answers and str(answers[0])}")


def meanwhile(function):
    """Run @function in a thread; call the result to wait for its value."""
    values, errors = [], []

    def body():
        try:
            values.append(function())
        except Exception as error:
            errors.append(error)
    thread = threading.Thread(target=body, daemon=True)
    thread.start()

    def result():
        thread.join(20)
        if errors:
            raise errors[0]
        return values[0]
    return result
