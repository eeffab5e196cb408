# prober.py - finds a NAT's behaviour from behind it, as RFC 5780 does
#
# A responder with two addresses and two ports answers STUN binding requests
# from where CHANGE-REQUEST says (RFC 5780 section 7.2), so the prober learns
# how its port is mapped and from whom packets are let in.
#
# SPDX-License-Identifier: Apache-2.0

import os
import select
import socket
import struct
import threading
import time

COOKIE = 0x2112A442
XOR_MAPPED, CHANGE_REQUEST = 0x0020, 0x0003
CHANGE_IP, CHANGE_PORT = 4, 2


def request(change=0):
    body = struct.pack("!HHI", CHANGE_REQUEST, 4, change) if change else b""
    head = struct.pack("!HHI", 0x0001, len(body), COOKIE) + os.urandom(12)
    return head + body


def mapped_in(answer):
    """(address, port) that XOR-MAPPED-ADDRESS tells."""
    at = 20
    while at + 4 <= len(answer):
        kind, size = struct.unpack_from("!HH", answer, at)
        if kind == XOR_MAPPED:
            port = struct.unpack_from("!H", answer, at + 6)[0]
            packed = struct.unpack_from("!I", answer, at + 8)[0] ^ COOKIE
            return (socket.inet_ntoa(struct.pack("!I", packed)),
                    port ^ COOKIE >> 16)
        at += 4 + (size + 3 & ~3)
    raise ValueError("no XOR-MAPPED-ADDRESS")


class Responder(threading.Thread):
    """STUN on two addresses times two ports of one host."""

    def __init__(self, space, addresses, ports):
        super().__init__(daemon=True)
        self.addresses, self.ports = addresses, ports
        self.sockets = {}
        for address in addresses:
            for port in ports:
                sock = space.socket()
                sock.bind((address, port))
                self.sockets[address, port] = sock
        self.stopping = False

    def run(self):
        while not self.stopping:
            ready = select.select(list(self.sockets.values()), [], [], 0.1)[0]
            for sock in ready:
                self.answer(sock)

    def answer(self, sock):
        data, source = sock.recvfrom(2048)
        address, port = sock.getsockname()
        change = 0
        if len(data) >= 28:
            change = struct.unpack_from("!I", data, 24)[0]
        if change & CHANGE_IP:
            address = self.addresses[address == self.addresses[0]]
        if change & CHANGE_PORT:
            port = self.ports[port == self.ports[0]]
        packed = struct.unpack("!I", socket.inet_aton(source[0]))[0] ^ COOKIE
        body = struct.pack("!HHBBHI", XOR_MAPPED, 8, 0, 1,
                           source[1] ^ COOKIE >> 16, packed)
        head = struct.pack("!HHI", 0x0101, len(body), COOKIE) + data[8:20]
        self.sockets[address, port].sendto(head + body, source)

    def close(self):
        self.stopping = True
        self.join()
        for sock in self.sockets.values():
            sock.close()


def ask(sock, server, change=0, wait_s=0.4, tries=2):
    """The mapped address, or None when no answer was let in."""
    for _ in range(tries):
        packet = request(change)
        sock.sendto(packet, server)
        while select.select([sock], [], [], wait_s)[0]:
            answer = sock.recv(2048)
            if answer[8:20] == packet[8:20]:
                return mapped_in(answer)
    return None


def probe(space, responder, local_port=5060):
    """(mapping depends on destination, filtering), see nat.PROOF."""
    first = (responder.addresses[0], responder.ports[0])
    with space.socket() as sock:
        sock.bind(("0.0.0.0", local_port))
        mapped = ask(sock, first)
        if mapped is None:
            raise OSError("UDP is blocked")
        if ask(sock, first, CHANGE_IP | CHANGE_PORT):
            filtering = "any"
        elif ask(sock, first, CHANGE_PORT):
            filtering = "address"
        else:
            filtering = "port"
        others = [ask(sock, (address, port))
                  for address in responder.addresses
                  for port in responder.ports]
        return any(other != mapped for other in others), filtering


def lifetime_over(space, responder, idle, local_port=5070):
    """Whether a mapping is shut after idle(); it was open before."""
    server = (responder.addresses[0], responder.ports[0])
    with space.socket() as sock:
        sock.bind(("0.0.0.0", local_port))
        mapped = ask(sock, server)
        if mapped is None:
            raise OSError("UDP is blocked")
        idle()
        knock = os.urandom(20)
        responder.sockets[server].sendto(knock, mapped)
        return not select.select([sock], [], [], 0.5)[0]


def classify(space, responder, local_port=5060):
    """(mapping, filtering) in RFC 4787's words, and the mapped addresses."""
    first = (responder.addresses[0], responder.ports[0])
    with space.socket() as sock:
        sock.bind(("0.0.0.0", local_port))
        mapped = ask(sock, first)
        if mapped is None:
            raise OSError("UDP is blocked")
        if ask(sock, first, CHANGE_IP | CHANGE_PORT, tries=1):
            filtering = "endpoint-independent"
        elif ask(sock, first, CHANGE_PORT, tries=1):
            filtering = "address-dependent"
        else:
            filtering = "address-and-port-dependent"
        seen = {}
        for address in responder.addresses:
            for port in responder.ports:
                seen[address, port] = ask(sock, (address, port))
    by_address = [{seen[address, port] for port in responder.ports}
                  for address in responder.addresses]
    if len(set(seen.values())) == 1:
        mapping = "endpoint-independent"
    elif all(len(one) == 1 for one in by_address):
        mapping = "address-dependent"
    else:
        mapping = "address-and-port-dependent"
    return mapping, filtering, list(seen.values())


class Opened:
    """A socket behind the NAT and its mapping, opened towards @server."""

    def __init__(self, space, responder, local_port, server=None):
        self.responder = responder
        self.server = server or (responder.addresses[0], responder.ports[0])
        self.sock = space.socket()
        self.sock.bind(("0.0.0.0", local_port))
        self.since = time.monotonic()
        self.mapped = ask(self.sock, self.server)
        if self.mapped is None:
            raise OSError("UDP is blocked")

    def ask(self):
        """Where it is mapped now; a packet goes out."""
        self.mapped = ask(self.sock, self.server)
        return self.mapped

    def knock(self, source=None, wait_s=0.3):
        """Whether a packet from @source comes in by the mapping."""
        word = os.urandom(20)
        source = self.responder.sockets[source or self.server]
        source.sendto(word, self.mapped)
        while select.select([self.sock], [], [], wait_s)[0]:
            if self.sock.recv(2048) == word:
                return True
        return False

    def close(self):
        self.sock.close()


def lifetime(space, responder, waits, first_port=6000):
    """(longest silence survived, shortest that was not), measured.

    Each of @waits has a mapping of its own, which is knocked at once.
    """
    opened = [Opened(space, responder, first_port + 2 * index)
              for index in range(len(waits))]
    alive, dead = 0, float("inf")
    for wait, one in zip(sorted(waits), opened):
        time.sleep(max(0, one.since + wait - time.monotonic()))
        before = time.monotonic() - one.since
        if one.knock():
            alive = max(alive, before)
        else:
            dead = min(dead, time.monotonic() - 0.3 - one.since)
        one.close()
    return alive, dead
