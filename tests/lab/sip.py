# sip.py - just enough SIP for a scripted phone: messages, digest, SDP
#
# SPDX-License-Identifier: Apache-2.0

import hashlib
import random
import re
import string

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact",
           "l": "content-length", "c": "content-type", "k": "supported",
           "s": "subject", "e": "content-encoding", "x": "session-expires"}


def token(length=10):
    return "".join(random.choices(string.ascii_lowercase + string.digits,
                                  k=length))


class Message:
    """A parsed request or response; raw keeps the very bytes."""

    def __init__(self, raw, source=None):
        self.raw = raw
        self.source = source
        head, _, self.body = raw.partition(b"\r\n\r\n")
        text = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "replace"))
        lines = text.split("\r\n")
        self.start = lines[0]
        self.headers = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            self.headers.append((COMPACT.get(name, name), value.strip()))
        words = self.start.split(" ", 2)
        self.is_request = not self.start.startswith("SIP/")
        self.method = words[0] if self.is_request else self.cseq[1]
        self.uri = words[1] if self.is_request else None
        self.status = 0 if self.is_request else int(words[1])
        self.reason = "" if self.is_request else (words + [""])[2]

    def get(self, name, default=""):
        for have, value in self.headers:
            if have == name.lower():
                return value
        return default

    def all(self, name):
        return [value for have, value in self.headers if have == name.lower()]

    @property
    def cseq(self):
        number, _, method = self.get("cseq").partition(" ")
        return int(number) if number.isdigit() else 0, method.strip()

    @property
    def call_id(self):
        return self.get("call-id")

    @property
    def branch(self):
        return parameter(self.get("via"), "branch")

    @property
    def from_tag(self):
        return parameter(self.get("from"), "tag")

    @property
    def to_tag(self):
        return parameter(self.get("to"), "tag")

    @property
    def contact_uri(self):
        return uri_in(self.get("contact"))

    @property
    def sdp(self):
        return self.body.decode("utf-8", "replace")

    def __str__(self):
        return self.start


def parameter(value, name):
    found = re.search(rf";\s*{name}\s*=\s*([^;,>\s]+)", value)
    return found.group(1) if found else ""


def uri_in(value):
    found = re.search(r"<([^>]*)>", value)
    return found.group(1) if found else value.split(";")[0].strip()


def build(start, headers, body=b""):
    if isinstance(body, str):
        body = body.encode()
    lines = [start] + [f"{name}: {value}" for name, value in headers]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Digest:
    """Answers challenges; counts nc per nonce (RFC 7616)."""

    HASH = {"md5": hashlib.md5, "sha-256": hashlib.sha256}

    def __init__(self, user, password):
        self.user, self.password = user, password
        self.challenge = None
        self.count = 0

    def take(self, response):
        """Remember the first challenge that we can answer."""
        for value in response.all("www-authenticate") + \
                response.all("proxy-authenticate"):
            fields = {name.lower(): text.strip('"') for name, text in
                      re.findall(r'(\w+)\s*=\s*("[^"]*"|[^\s,]+)', value)}
            if fields.get("algorithm", "MD5").lower() in self.HASH:
                self.challenge, self.count = fields, 0
                return True
        return False

    def header(self, method, uri):
        """The Authorization value for the remembered challenge."""
        c = self.challenge
        name = c.get("algorithm", "MD5")

        def digest(text):
            return self.HASH[name.lower()](text.encode()).hexdigest()
        one = digest(f"{self.user}:{c['realm']}:{self.password}")
        two = digest(f"{method}:{uri}")
        words = [f'username="{self.user}"', f'realm="{c["realm"]}"',
                 f'nonce="{c["nonce"]}"', f'uri="{uri}"',
                 f"algorithm={name}"]
        if "qop" in c:
            self.count += 1
            nc, cnonce = f"{self.count:08x}", token()
            answer = digest(f"{one}:{c['nonce']}:{nc}:{cnonce}:auth:{two}")
            words += ["qop=auth", f"nc={nc}", f'cnonce="{cnonce}"']
        else:
            answer = digest(f"{one}:{c['nonce']}:{two}")
        words.append(f'response="{answer}"')
        if "opaque" in c:
            words.append(f'opaque="{c["opaque"]}"')
        return "Digest " + ", ".join(words)


CODECS = {0: "PCMU/8000", 8: "PCMA/8000", 101: "telephone-event/8000"}


def make_sdp(address, port, codecs=(0, 8), direction="sendrecv", version=1,
             session=None, connection=None):
    """One audio stream; @connection is the c= address when it differs."""
    family = "IP6" if ":" in address else "IP4"
    where = connection or address
    lines = ["v=0", f"o=- {session or 4711} {version} IN {family} {address}",
             "s=-", f"c=IN {'IP6' if ':' in where else 'IP4'} {where}",
             "t=0 0",
             f"m=audio {port} RTP/AVP {' '.join(map(str, codecs))}"]
    lines += [f"a=rtpmap:{c} {CODECS[c]}" for c in codecs if c in CODECS]
    lines += [f"a={direction}"]
    return "\r\n".join(lines) + "\r\n"


def media_of(sdp):
    """(address, port, payload types, direction) of the first audio line."""
    address = re.search(r"^c=IN IP[46] (\S+)", sdp, re.M)
    line = re.search(r"^m=audio (\d+) \S+ ([\d ]+)", sdp, re.M)
    way = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)", sdp, re.M)
    if not address or not line:
        raise ValueError("no audio in SDP:\n" + sdp)
    return (address.group(1), int(line.group(1)),
            [int(n) for n in line.group(2).split()],
            way.group(1) if way else "sendrecv")
