# dnsserver.py - a name server that says what a scenario wants
#
# A zone in memory: A, AAAA, SRV, NAPTR and CNAME with their TTLs; what is not
# there is answered with the zone's SOA.  It can fall silent, fail, answer
# nonsense, and tells what it was asked.
#
# SPDX-License-Identifier: Apache-2.0

import ipaddress
import socket
import struct
import threading

import netns as spaces

A, CNAME, SOA, AAAA, SRV, NAPTR = 1, 5, 6, 28, 33, 35
NAMES = {A: "A", CNAME: "CNAME", AAAA: "AAAA", SRV: "SRV", NAPTR: "NAPTR"}
SERVFAIL, NXDOMAIN, REFUSED = 2, 3, 5


def name_bytes(name):
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(one)]) + one for one in labels) + b"\0"


def text_bytes(text):
    return bytes([len(text)]) + text.encode()


def read_question(query):
    """(name, type, bytes of the question)."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
        at += 1 + query[at]
    kind = struct.unpack_from(">H", query, at + 1)[0]
    return ".".join(labels), kind, query[12:at + 5]


class NameServer:
    """Answers at UDP @address:@port from when it is made."""

    def __init__(self, context, address, port=53, netns=None, ttl=60,
                 refusal_ttl=5):
        self.ttl, self.refusal_ttl = ttl, refusal_ttl
        self.rows = {}        # (name, type): [(ttl, data)]
        self.asked = []       # "SRV _sip._udp.example", in order
        self.silent = False   # says nothing at all
        self.failing = 0      # the response code of every answer
        self.nonsense = None  # bytes behind the question of every answer
        self.sock = spaces.open_socket(netns, socket.AF_INET6 if ":" in address
                                       else socket.AF_INET,
                                       socket.SOCK_DGRAM)
        self.sock.bind((address, port))
        self.sock.settimeout(0.2)
        self.where = f"[{address}]:{port}" if ":" in address \
            else f"{address}:{port}"
        self.running = True
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()
        context.callback(self.close)
        context.traces.append(lambda: "==== name server ====\n"
                              + "\n".join(self.asked))

    def close(self):
        self.running = False
        self.thread.join(2)
        self.sock.close()

    # ---- the zone -----------------------------------------------------------
    def add(self, name, kind, data, ttl=None):
        row = (self.ttl if ttl is None else ttl, data)
        self.rows.setdefault((name.lower(), kind), []).append(row)

    def host(self, name, *addresses, ttl=None):
        for address in addresses:
            packed = ipaddress.ip_address(address).packed
            self.add(name, A if len(packed) == 4 else AAAA, packed, ttl)

    def srv(self, name, priority, weight, port, target, ttl=None):
        self.add(name, SRV, struct.pack(">HHH", priority, weight, port)
                 + name_bytes(target), ttl)

    def naptr(self, name, order, preference, flags, service, replacement,
              ttl=None):
        self.add(name, NAPTR, struct.pack(">HH", order, preference)
                 + text_bytes(flags) + text_bytes(service) + text_bytes("")
                 + name_bytes(replacement), ttl)

    def cname(self, name, target, ttl=None):
        self.add(name, CNAME, name_bytes(target), ttl)

    def forget(self, name):
        """All that is known of @name."""
        for key in [key for key in self.rows if key[0] == name.lower()]:
            del self.rows[key]

    # ---- answering ----------------------------------------------------------
    def loop(self):
        while self.running:
            try:
                query, source = self.sock.recvfrom(4096)
            except OSError:
                continue
            name, kind, question = read_question(query)
            self.asked.append(f"{NAMES.get(kind, kind)} {name}")
            if not self.silent:
                self.sock.sendto(self.answer(query[:2], name, kind, question),
                                 source)

    def answer(self, number, name, kind, question):
        code, answers, authority = self.failing, [], []
        if not code and self.nonsense is None:
            code, answers, authority = self.find(name, kind)
        head = struct.pack(">HHHHH", 0x8580 | code, 1,
                           1 if self.nonsense else len(answers),
                           len(authority), 0)
        return number + head + question + (self.nonsense or b"") \
            + b"".join(answers + authority)

    def find(self, name, kind):
        """(response code, answers, authority)"""
        answers = []
        while (name, CNAME) in self.rows and kind != CNAME:
            ttl, data = self.rows[name, CNAME][0]
            answers.append(record(name, CNAME, ttl, data))
            name = read_question(b"\0" * 12 + data + b"\0" * 4)[0]
        rows = self.rows.get((name, kind), [])
        answers += [record(name, kind, ttl, data) for ttl, data in rows]
        if rows:
            return 0, answers, []
        is_there = any(key[0] == name or key[0].endswith("." + name)
                       for key in self.rows)
        return 0 if is_there else NXDOMAIN, answers, [self.soa()]

    def soa(self):
        numbers = (1, 3600, 600, 86400, self.refusal_ttl)
        return record("example", SOA, self.refusal_ttl,
                      name_bytes("ns.example") + name_bytes("admin.example")
                      + struct.pack(">IIIII", *numbers))


def record(owner, kind, ttl, data):
    return name_bytes(owner) + struct.pack(">HHIH", kind, 1, ttl, len(data)) \
        + data
