# sdpcheck.py - a reader of session descriptions that knows nothing of the
# product's, the rules of RFC 8866 and RFC 3264, and random descriptions
#
# SPDX-License-Identifier: Apache-2.0

import re

ORDER = "vosiuepcbtrzkam"  # RFC 8866 5; of a session, then of its media
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
# RFC 3264 6.1: what may answer what.
ANSWERS = {"sendrecv": DIRECTIONS,
           "sendonly": ("recvonly", "inactive"),
           "recvonly": ("sendonly", "inactive"),
           "inactive": ("inactive",)}
STATIC = {0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 25, 26,
          28, 31, 32, 33, 34}
RELAYED = ("RTP/AVP", "RTP/AVPF", "udptl", "UDP/BFCP")


class Wrong(Exception):
    """A rule was broken."""


def need(truth, words):
    if not truth:
        raise Wrong(words)


class Media:
    def __init__(self, value):
        fields = re.fullmatch(r"(\S+) (\d+)(?:/\d+)? (\S+) (\S.*)", value)
        need(fields, f"m={value}")
        self.type, port, self.proto, formats = fields.groups()
        self.port = int(port)
        self.formats = formats.split(" ")
        self.address = None
        self.attrs = []  # (name, value or None)

    @property
    def is_rtp(self):
        return self.proto.startswith("RTP/")

    def values(self, name):
        return [value for have, value in self.attrs if have == name]

    def rtpmap(self):
        return dict(v.split(" ", 1) for v in self.values("rtpmap"))

    @property
    def direction(self):
        found = [d for d, _ in self.attrs if d in DIRECTIONS]
        need(len(found) <= 1, f"directions {found}")
        return found[0] if found else "sendrecv"


class Description:
    def __init__(self, text):
        need(text.endswith("\r\n") and "\r\n\r\n" not in text,
             "lines end with CR LF and none is empty")
        self.text = text
        self.media, self.address = [], None
        place = -1
        for line in text[:-2].split("\r\n"):
            kind, sign, value = line[:1], line[1:2], line[2:]
            need(sign == "=" and kind in ORDER and value == value.strip(),
                 f"line {line!r}")
            now = ORDER.index("m" if self.media else kind)
            need(self.media or now >= place, f"{line!r} is out of order")
            place = now
            self.take(kind, value)
        for name in "vost":
            need(f"{name}=" in text, f"no {name}=")
        for media in self.media:
            self.check_media(media)

    def take(self, kind, value):
        if kind == "v":
            need(value == "0", f"v={value}")
        elif kind == "o":
            fields = value.split(" ")
            need(len(fields) == 6 and fields[1].isdigit() and
                 fields[2].isdigit() and fields[3] == "IN", f"o={value}")
            self.user, self.id, self.version = (fields[0], int(fields[1]),
                                                int(fields[2]))
            self.origin = fields[5]
        elif kind == "m":
            self.media.append(Media(value))
        elif kind == "c":
            fields = value.split(" ")
            need(len(fields) == 3, f"c={value}")
            if self.media:
                self.media[-1].address = fields[2]
            else:
                self.address = fields[2]
        elif kind == "a" and self.media:
            name, colon, rest = value.partition(":")
            self.media[-1].attrs.append((name, rest if colon else None))

    def check_media(self, m):
        m.address = m.address or self.address
        need(m.address, "no c= for a stream")
        need(len(set(m.formats)) == len(m.formats), f"formats {m.formats}")
        if not m.port or not m.is_rtp:
            return
        known = m.rtpmap()
        for fmt in m.formats:
            need(fmt.isdigit() and int(fmt) < 128, f"format {fmt}")
            need(int(fmt) in STATIC or fmt in known, f"no rtpmap of {fmt}")
        for fmt in known:
            need(fmt in m.formats, f"rtpmap of {fmt}, which is not offered")
        for value in m.values("fmtp"):
            need(value.split(" ")[0] in m.formats, f"fmtp {value}")


def check_answer(offer, answer):
    """RFC 3264 6: @answer may be given to @offer."""
    need(len(answer.media) == len(offer.media),
         f"{len(answer.media)} streams answer {len(offer.media)}")
    need(any(m.port for m in answer.media), "everything is refused")
    for theirs, ours in zip(offer.media, answer.media):
        need(theirs.type == ours.type and theirs.proto == ours.proto,
             f"{ours.type} {ours.proto} answers {theirs.type} {theirs.proto}")
        if not theirs.port:
            need(not ours.port, "a refused stream is accepted")
        if not ours.port:
            continue
        need(ours.direction in ANSWERS[theirs.direction],
             f"{ours.direction} answers {theirs.direction}")
        need(set(ours.formats) & set(theirs.formats),
             f"{ours.formats} answers {theirs.formats}")
        if not ours.is_rtp:
            continue
        was, now = theirs.rtpmap(), ours.rtpmap()
        for fmt in set(was) & set(now) & set(ours.formats):
            need(was[fmt].lower() == now[fmt].lower(),
                 f"{fmt} was {was[fmt]} and is {now[fmt]}")


# ---- at random ---------------------------------------------------------------

AUDIO = {"0": None, "8": None, "9": None, "3": None, "18": None,
         "96": "opus/48000/2", "97": "iLBC/8000", "101": "telephone-event/8000",
         "110": "speex/16000", "13": None}
VIDEO = {"34": None, "31": None, "98": "H264/90000", "99": "VP8/90000"}
LEAKS = ("a=candidate:1 1 UDP 1 10.66.6.6 5000 typ host", "a=tool:leak",
         "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:leak",
         "a=ice-ufrag:leak", "a=msid:leak leak", "a=leak",
         "a=rtcp:5999 IN IP4 10.66.6.6", "a=ssrc:7 cname:leak@10.66.6.6",
         "a=X-leak:10.66.6.6", "a=label:leak", "a=mid:leak")


def some(rng, choices, least=1):
    return rng.sample(choices, rng.randint(least, len(choices)))


def rtp_lines(rng, table, proto, kind, port, formats=None):
    formats = formats or some(rng, list(table))
    lines = [f"m={kind} {port} {proto} {' '.join(formats)}"]
    for fmt in formats:
        if table[fmt]:
            lines.append(f"a=rtpmap:{fmt} {table[fmt]}")
            if rng.random() < 0.3:
                lines.append(f"a=fmtp:{fmt} mode={rng.randint(1, 40)}")
    if rng.random() < 0.3:
        lines.append(f"a=ptime:{rng.choice((10, 20, 30))}")
    return lines


def other_lines(rng, kind, port):
    if kind == "fax":
        return [f"m=image {port} udptl t38", "a=T38FaxVersion:0",
                "a=T38FaxRateManagement:transferredTCF"]
    if kind == "bfcp":
        return [f"m=application {port} UDP/BFCP *"]
    if kind == "msrp":
        return [f"m=message {port} TCP/MSRP *", "a=path:msrp://10.66.6.6/leak"]
    return rtp_lines(rng, AUDIO, "RTP/SAVP", "audio", port)


def random_lines(rng, kind, port):
    if kind == "audio":
        return rtp_lines(rng, AUDIO, rng.choice(("RTP/AVP", "RTP/AVPF")),
                         "audio", port)
    if kind == "video":
        return rtp_lines(rng, VIDEO, "RTP/AVP", "video", port)
    return other_lines(rng, kind, port)


def random_offer(rng, address, version=1):
    """A valid description with at least one stream of plain audio, and much
    that is nobody else's business."""
    head = ["v=0", f"o=leak {rng.randint(1, 10**9)} {version} IN IP4 {address}",
            "s=leak"]
    head += ["i=leak"] * rng.randint(0, 1) + ["e=leak@10.66.6.6"] * \
        rng.randint(0, 1)
    session_c = rng.random() < 0.6
    head += [f"c=IN IP4 {address}"] if session_c else []
    head += ["t=0 0"]
    kinds = ["audio"] + rng.choices(
        ("audio", "video", "fax", "bfcp", "msrp", "savp"), k=rng.randint(0, 3))
    rng.shuffle(kinds)
    body = []
    for n, kind in enumerate(kinds):
        port = 4000 + 10 * n if kind == "audio" or rng.random() < 0.8 else 0
        lines = random_lines(rng, kind, port)
        if not session_c or rng.random() < 0.3:
            lines.insert(1, f"c=IN IP4 {address}")
        if rng.random() < 0.5:
            lines.append(f"a={rng.choice(DIRECTIONS)}")
        lines += rng.sample(LEAKS, rng.randint(0, 3))
        body += lines
    return "\r\n".join(head + body) + "\r\n"


def random_answer(rng, offer, address, version=1):
    """One that RFC 3264 allows; at least one stream of plain audio stays."""
    lines = ["v=0", f"o=leak 77 {version} IN IP4 {address}", "s=leak",
             f"c=IN IP4 {address}", "t=0 0"]
    plain = [m for m in offer.media if m.port and m.type == "audio" and
             m.proto in ("RTP/AVP", "RTP/AVPF")]
    keep = rng.choice(plain)
    for n, m in enumerate(offer.media):
        accept = m is keep or (m.port and rng.random() < 0.7)
        formats = some(rng, m.formats) if m.is_rtp and accept else m.formats
        port = 6000 + 10 * n if accept else 0
        lines.append(f"m={m.type} {port} {m.proto} {' '.join(formats)}")
        known = m.rtpmap()
        lines += [f"a=rtpmap:{f} {known[f]}" for f in formats if f in known]
        if accept:
            lines.append(f"a={rng.choice(ANSWERS[m.direction])}")
            lines += rng.sample(LEAKS, rng.randint(0, 2))
    return "\r\n".join(lines) + "\r\n"
