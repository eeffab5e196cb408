# rtp.py - a scripted phone's media: sends what it is told, keeps all it gets
#
# SPDX-License-Identifier: Apache-2.0

import random
import socket
import struct
import threading
import time

import netns as spaces
from sip import make_sdp

PTIME_S = 0.02


def packet(ssrc, seq, stamp, payload, payload_type=0, marker=False):
    return struct.pack("!BBHII", 0x80, payload_type | marker << 7,
                       seq & 0xffff, stamp & 0xffffffff, ssrc) + payload


class Received:
    """One packet that came: when, from where, and its RTP fields."""

    def __init__(self, data, source):
        self.when = time.monotonic()
        self.data, self.source = data, source[:2]
        if len(data) >= 12:
            self.payload_type = data[1] & 0x7f
            self.seq, self.stamp, self.ssrc = struct.unpack_from("!HII",
                                                                 data, 2)
        else:
            self.payload_type = self.seq = self.stamp = self.ssrc = None
        self.payload = data[12:]


class Rtp:
    """A pair of sockets; stream() speaks until hush()."""

    def __init__(self, local="127.0.0.1", netns=None, context=None,
                 payload=b"\xff" * 160, payload_type=0, port=0):
        self.local, self.netns = local, netns
        self.ssrc = random.getrandbits(32)
        self.seq = random.getrandbits(15)
        self.stamp = random.getrandbits(31)
        self.payload, self.payload_type = payload, payload_type
        self.sock, self.rtcp = self.bind_pair(port)
        self.port = self.sock.getsockname()[1]
        self.got = []       # Received, RTP
        self.got_rtcp = []
        self.sent = 0
        self.remote = None
        self.speaking = False
        self.running = True
        self.version = 0
        self.threads = [threading.Thread(target=t, daemon=True)
                        for t in (self.receive, self.speak)]
        for thread in self.threads:
            thread.start()
        if context:
            context.callback(self.close)

    def bind_pair(self, port):
        family = socket.AF_INET6 if ":" in self.local else socket.AF_INET
        for _ in range(100):
            even = port or random.randrange(5000, 15000) * 2
            pair = [spaces.open_socket(self.netns, family) for _ in "12"]
            try:
                pair[0].bind((self.local, even))
                pair[1].bind((self.local, even + 1))
                for sock in pair:
                    sock.settimeout(0.1)
                return pair
            except OSError:
                for sock in pair:
                    sock.close()
                if port:
                    raise
        raise OSError("no free port pair")

    def rebind(self):
        """Go on from another port, as behind a NAT that gave a new one."""
        old = self.sock, self.rtcp
        self.sock, self.rtcp = self.bind_pair(0)
        self.rtcp.setblocking(False)
        self.port = self.sock.getsockname()[1]
        for sock in old:
            sock.close()

    def missed(self, ssrc, since=0.0):
        """The longest run of packets of @ssrc that did not come."""
        seqs = [p.seq for p in list(self.got)
                if p.ssrc == ssrc and p.when >= since]
        return max((b - a - 1 & 0xffff for a, b in zip(seqs, seqs[1:])
                    if (b - a & 0xffff) < 0x8000), default=0)

    def report(self, remote):
        """Send a receiver report that names nobody as heard."""
        self.rtcp.sendto(struct.pack("!BBHI", 0x80, 201, 1, self.ssrc),
                         remote)

    def close(self):
        self.running = False
        for thread in self.threads:
            thread.join(1)
        self.sock.close()
        self.rtcp.close()

    def sdp(self, **how):
        self.version += 1
        how.setdefault("version", self.version)
        return make_sdp(self.local, self.port, **how)

    def receive(self):
        self.rtcp.setblocking(False)
        while self.running:
            try:
                self.got.append(Received(*self.sock.recvfrom(2048)))
            except (socket.timeout, OSError):
                pass
            try:
                while True:
                    self.got_rtcp.append(
                        Received(*self.rtcp.recvfrom(2048)))
            except OSError:
                pass

    def send(self, remote=None, sock=None):
        """Send the next packet of the stream."""
        self.seq = self.seq + 1 & 0xffff
        self.stamp += 160
        data = packet(self.ssrc, self.seq, self.stamp, self.payload,
                      self.payload_type)
        (sock or self.sock).sendto(data, remote or self.remote)
        self.sent += 1

    def speak(self):
        due = time.monotonic()
        while self.running:
            due += PTIME_S
            time.sleep(max(0.0, due - time.monotonic()))
            if time.monotonic() - due > 0.2:
                due = time.monotonic()
            if self.speaking and self.remote:
                try:
                    self.send()
                except OSError:
                    pass

    def stream(self, remote):
        self.remote, self.speaking = remote, True

    def hush(self):
        self.speaking = False

    def count(self, ssrc=None, payload=None, since=0.0):
        """Packets that came after @since, of that stream and content."""
        return sum(1 for p in list(self.got) if p.when >= since
                   and (ssrc is None or p.ssrc == ssrc)
                   and (payload is None or p.payload == payload))
