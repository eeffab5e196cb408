# storm.py - registers many phones at once and remembers what was acknowledged
#
# A window of REGISTERs is kept open from several loopback addresses.  Each
# phone has an instance id, so a new Contact replaces the old one; what a
# phone may show afterwards is its last acknowledged state or any state that
# was on its way when the box died.
#
# SPDX-License-Identifier: Apache-2.0

import random
import select
import socket
import time
import uuid

from runner import Failed
from sip import Digest, Message, build, token

SOURCES = 16
WINDOW = 64
GONE = "gone"


class Bound:
    """One phone: what the box has acknowledged, and what is on its way."""

    def __init__(self, user, password, source):
        self.user = user
        self.source = source
        self.digest = Digest(user, password)
        self.instance = uuid.uuid4()
        self.call_id = token(16)
        self.cseq = 0
        self.wish = None          # contact asked for now, or GONE
        self.acknowledged = GONE  # the state of the last 200
        self.possible = {GONE}    # states that may be found
        self.sent_at = 0.0
        self.data = b""

    def ask(self, wish, nonce):
        self.wish = wish
        self.possible.add(wish)
        self.send(nonce)

    def send(self, nonce):
        self.cseq += 1
        uri = f"sip:{self.source.server[0]}"
        mine = f"sip:{self.user}@{self.source.server[0]}"
        where = self.wish if self.wish != GONE else self.contact()
        expires = 0 if self.wish == GONE else 3600
        headers = [
            ("Via", f"SIP/2.0/UDP {self.source.host}:{self.source.port}"
             f";rport;branch=z9hG4bK{token(12)}"),
            ("Max-Forwards", "70"), ("From", f"<{mine}>;tag={token()}"),
            ("To", f"<{mine}>"), ("Call-ID", self.call_id),
            ("CSeq", f"{self.cseq} REGISTER"),
            ("Contact", f'<{where}>;+sip.instance="<urn:uuid:'
             f'{self.instance}>";reg-id=1;expires={expires}')]
        if nonce:
            fresh = self.digest.challenge is not nonce
            self.digest.challenge = nonce
            if fresh:
                self.digest.count = 0
            headers.append(("Authorization",
                            self.digest.header("REGISTER", uri)))
        self.data = build(f"REGISTER {uri} SIP/2.0", headers)
        self.sent_at = time.monotonic()
        self.source.sock.sendto(self.data, self.source.server)

    def contact(self):
        return (f"sip:{self.user}@{self.source.host}:{self.source.port}"
                f";id={token(6)}")

    def settle(self):
        """The 200 came: only this state may be found from now on."""
        self.acknowledged, self.possible = self.wish, {self.wish}
        self.wish = None

    def abandon(self):
        """The box died under the request: either state may be found."""
        self.wish = None


class Source:
    """One loopback address that many phones share."""

    def __init__(self, number, server):
        self.server = server
        self.host = f"127.0.3.{number + 1}"
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self.sock.bind((self.host, 0))
        self.sock.setblocking(False)
        self.port = self.sock.getsockname()[1]
        self.nonce = None  # challenges are valid per source address


class Storm:
    def __init__(self, users, password, server):
        self.sources = [Source(n, server) for n in range(SOURCES)]
        self.phones = {
            user: Bound(user, password(user), self.sources[n % SOURCES])
            for n, user in enumerate(users)}
        self.open = {}  # call_id: Bound
        self.answered = 0

    def close(self):
        for source in self.sources:
            source.sock.close()

    def start_one(self, phone, wish):
        phone.ask(wish, phone.source.nonce)
        self.open[phone.call_id] = phone

    def random_wish(self, phone):
        """Mostly a new contact; some refreshes, some leave."""
        dice = random.random()
        if phone.acknowledged == GONE or dice < 0.6:
            return phone.contact()
        return GONE if dice < 0.75 else phone.acknowledged

    def take_answers(self, wait_s):
        ready = select.select([s.sock for s in self.sources], [], [],
                              wait_s)[0]
        for source in self.sources:
            if source.sock in ready:
                self.drain(source)

    def drain(self, source):
        while True:
            try:
                data = source.sock.recv(65535)
            except (BlockingIOError, ConnectionRefusedError):
                return
            if not data.strip() or data[:7] != b"SIP/2.0":
                continue  # a keepalive
            answer = Message(data)
            phone = self.open.get(answer.call_id)
            if phone and answer.cseq[0] == phone.cseq:
                self.take(phone, answer)

    def take(self, phone, answer):
        if answer.status == 401:
            if not phone.digest.take(answer):
                raise Failed("a challenge that cannot be answered")
            phone.source.nonce = phone.digest.challenge
            phone.send(phone.source.nonce)
        elif answer.status == 200:
            phone.settle()
            del self.open[phone.call_id]
            self.answered += 1
        elif answer.status >= 300:
            raise Failed(f"REGISTER of {phone.user} answered {answer}")

    def send_again(self, after_s):
        now = time.monotonic()
        for phone in self.open.values():
            if now - phone.sent_at > after_s:
                phone.sent_at = now
                phone.source.sock.sendto(phone.data, phone.source.server)

    def register_all(self, seconds):
        """Every phone once, until all are acknowledged."""
        waiting = list(self.phones.values())
        end = time.monotonic() + seconds
        while waiting or self.open:
            while waiting and len(self.open) < WINDOW:
                phone = waiting.pop()
                self.start_one(phone, phone.contact())
            self.take_answers(0.1)
            self.send_again(0.5)
            if time.monotonic() > end:
                raise Failed(f"after {seconds} s {len(waiting)} of "
                             f"{len(self.phones)} are not registered yet, "
                             f"{len(self.open)} wait for an answer")

    def rage(self, seconds):
        """Random changes for @seconds; leaves requests on their way."""
        idle = [p for p in self.phones.values() if not p.wish]
        random.shuffle(idle)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            while len(self.open) < WINDOW and idle:
                phone = idle.pop()
                self.start_one(phone, self.random_wish(phone))
            self.take_answers(max(0.0, min(0.01, end - time.monotonic())))
            self.send_again(0.5)
            if not idle:
                idle = [p for p in self.phones.values() if not p.wish]

    def box_died(self):
        """Take what was acknowledged before; drop the rest."""
        self.take_answers(0)
        for phone in self.open.values():
            phone.abandon()
        self.open.clear()
        for source in self.sources:
            source.nonce = None

    def losses(self, listed):
        """Words per phone whose state in @listed cannot be."""
        found = {}
        for row in listed:
            found.setdefault(row["phone"], []).append(row["contact"])
        words = []
        for user, phone in self.phones.items():
            have = [bare(c) for c in found.get(user, [])] or [GONE]
            if len(have) > 1:
                words.append(f"{user} has {len(have)} bindings: {have}")
            elif have[0] not in phone.possible:
                words.append(f"{user} has {have[0]}, acknowledged was "
                             f"{phone.acknowledged}, possible "
                             f"{sorted(phone.possible)}")
            else:
                phone.acknowledged = have[0]
                phone.possible = {have[0]}
        return words


def bare(contact):
    return contact.strip().lstrip("<").split(">")[0]
