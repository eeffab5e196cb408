# alg_kinds.py - proves what each SIP ALG of the lab does to messages
#
# A phone's REGISTER and INVITE go through, and the bytes on the other side
# are looked at; then answers and requests go back in.
#
# SPDX-License-Identifier: Apache-2.0

import sip
import topology
from runner import check
from sip import Message, media_of, parameter

PHONE, PORT = "192.168.1.50", 5060
RTP = 4000


class Ends:
    """A phone's socket behind an ALG and the box's in front of it."""

    def __init__(self, phone, lab):
        self.phone, self.box = phone.socket(), lab.sbc.socket()
        self.phone.bind(("0.0.0.0", PORT))
        self.box.bind((topology.SBC4, 5060))
        for sock in (self.phone, self.box):
            sock.settimeout(2)
            lab.context.callback(sock.close)

    def leaves(self, data):
        """What the box gets of @data."""
        self.phone.sendto(data, (topology.SBC4, 5060))
        return Message(*self.box.recvfrom(4096))

    def enters(self, data, to):
        self.box.sendto(data, to)
        return Message(*self.phone.recvfrom(4096))


def request(method, body="", call_id=f"one@{PHONE}"):
    return sip.build(f"{method} sip:{topology.SBC4} SIP/2.0", [
        ("Via", f"SIP/2.0/UDP {PHONE}:{PORT};branch=z9hG4bKx1;rport"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:bob@{topology.SBC4}>;tag=a"),
        ("To", f"<sip:bob@{topology.SBC4}>"),
        ("Call-ID", call_id), ("CSeq", f"1 {method}"),
        ("Contact", f"<sip:bob@{PHONE}:{PORT}>"),
        *([("Content-Type", "application/sdp")] if body else []),
        ("User-Agent", "a phone")], body)


def sdp():
    return sip.make_sdp(PHONE, RTP).replace(
        "a=sendrecv", f"a=rtcp:{RTP + 1}\r\na=sendrecv")


def answer(to, **changed):
    """200 to @to, with received and rport as RFC 3581 has it."""
    via = to.get("via").replace(
        ";rport", f";received={to.source[0]};rport={to.source[1]}")
    headers = {"Via": via, "From": to.get("from"),
               "To": to.get("to") + ";tag=b", "Call-ID": to.call_id,
               "CSeq": to.get("cseq"), "Contact": to.get("contact"),
               **changed}
    return sip.build("SIP/2.0 200 OK", headers.items())


def incoming(to):
    """The box calls the contact that it was told."""
    return sip.build(f"INVITE {to.contact_uri} SIP/2.0", [
        ("Via", f"SIP/2.0/UDP {topology.SBC4}:5060;branch=z9hG4bKy1;rport"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:alice@{topology.SBC4}>;tag=c"),
        ("To", f"<{to.contact_uri}>"), ("Call-ID", "two"),
        ("CSeq", "1 INVITE"),
        ("Contact", f"<sip:alice@{topology.SBC4}:5060>")])


def sent_by(message):
    return message.get("via").split()[1].split(";")[0]


def contact_host(message):
    return message.contact_uri.split("@")[1]


def is_same(got, sent, *but):
    """Nothing has changed except the headers @but."""
    sent = Message(sent)
    for name, value in sent.headers:
        check(name in but or got.get(name) == value,
              f"{name}: {value} became {got.get(name)}")
    check("body" in but or got.body == sent.body,
          f"the body became {got.body}")
    check(got.start == sent.start, f"{got.start}")


def seen(got):
    return f"{got.source[0]}:{got.source[1]}"


# ---- what each pattern must do: REGISTER and INVITE as the box gets them ----

def via(reg, inv, ends):
    is_same(reg, request("REGISTER"), "via")
    is_same(inv, request("INVITE", sdp()), "via")
    check(sent_by(reg) == sent_by(inv) == seen(reg), sent_by(reg))


def contact(reg, inv, ends):
    is_same(reg, request("REGISTER"), "contact")
    is_same(inv, request("INVITE", sdp()), "contact")
    check(contact_host(reg) == contact_host(inv) == seen(reg),
          contact_host(reg))


def keep_port(reg, inv, ends):
    is_same(reg, request("REGISTER"), "via", "contact")
    wan = reg.source[0]
    check(sent_by(reg) == contact_host(reg) == f"{wan}:{PORT}"
          and reg.source[1] != PORT, f"{reg.get('via')} from {seen(reg)}")


def sdp_c(reg, inv, ends):
    is_same(reg, request("REGISTER"))
    is_same(inv, request("INVITE", sdp()), "body", "content-length")
    check(inv.sdp == sdp().replace(f"c=IN IP4 {PHONE}",
                                   f"c=IN IP4 {inv.source[0]}"), inv.sdp)


def sdp_port(reg, inv, ends):
    is_same(reg, request("REGISTER"))
    check(inv.sdp == sdp().replace(f"audio {RTP}", f"audio {RTP + 7}"),
          inv.sdp)


def length_short(reg, inv, ends):
    is_same(reg, request("REGISTER"))
    check(int(inv.get("content-length")) < len(inv.body),
          f"{inv.get('content-length')} of {len(inv.body)}")
    check(media_of(inv.sdp)[0] == inv.source[0], inv.sdp)


def length_long(reg, inv, ends):
    check(int(inv.get("content-length")) > len(inv.body),
          f"{inv.get('content-length')} of {len(inv.body)}")


def rport(reg, inv, ends):
    is_same(reg, request("REGISTER"), "via")
    said = parameter(reg.get("via"), "rport")
    check(said and int(said) != reg.source[1], reg.get("via"))
    back = ends.enters(answer(reg, Via=request_via(reg)), reg.source)
    check(parameter(back.get("via"), "rport") != str(reg.source[1]),
          back.get("via"))


def request_via(reg):
    """Via of an answer as RFC 3581 has it, whatever rport said before."""
    return (f"SIP/2.0/UDP {PHONE}:{PORT};branch=z9hG4bKx1;"
            f"received={reg.source[0]};rport={reg.source[1]}")


def callid(reg, inv, ends):
    is_same(inv, request("INVITE", sdp()))
    again = ends.leaves(request("REGISTER"))
    mine = Message(request("REGISTER")).call_id
    check(len({mine, reg.call_id, again.call_id}) == 3,
          f"{reg.call_id}, then {again.call_id}")
    for one in (reg, again):
        back = ends.enters(answer(one), one.source)
        check(back.call_id == mine, f"the answer has {back.call_id}")


def received(reg, inv, ends):
    is_same(reg, request("REGISTER"), "via")
    check(parameter(reg.get("via"), "received") == PHONE, reg.get("via"))


def from_host(reg, inv, ends):
    is_same(reg, request("REGISTER"))
    call = ends.enters(incoming(reg), reg.source)
    check(topology.SBC4 not in call.get("from"), call.get("from"))
    reply = sip.build("SIP/2.0 486 Busy Here", [
        (name, call.get(name)) for name in ("via", "from", "to", "call-id",
                                            "cseq")])
    got = ends.leaves(reply)
    check(got.get("from") == call.get("from"), got.get("from"))


def to_host(reg, inv, ends):
    is_same(reg, request("REGISTER"), "to")
    check(reg.get("to") == f"<sip:bob@{reg.source[0]}>", reg.get("to"))


def transparent(reg, inv, ends):
    """All is as if the phone stood outside, and back again."""
    for got in (reg, inv):
        check(sent_by(got) == contact_host(got) == seen(got), got.raw)
        check(PHONE not in got.get("via") + got.get("contact") + got.sdp,
              got.raw)
        check(int(got.get("content-length")) == len(got.body),
              got.get("content-length"))
        check(PHONE in got.call_id, "it has changed the Call-ID")
    back = ends.enters(answer(reg), reg.source)
    check(sent_by(back) == f"{PHONE}:{PORT}", back.get("via"))
    check(contact_host(back) == f"{PHONE}:{PORT}", back.get("contact"))
    call = ends.enters(incoming(reg), reg.source)
    check(call.uri == f"sip:bob@{PHONE}:{PORT}", call.uri)
    check(contact_host(call) == f"{topology.SBC4}:5060", "it has changed us")


PATTERNS = {"via": via, "contact": contact, "keep-port": keep_port,
            "sdp-c": sdp_c, "sdp-port": sdp_port,
            "length-short": length_short, "length-long": length_long,
            "rport": rport, "callid": callid, "received": received,
            "from": from_host, "to": to_host, "transparent": transparent}


def media_comes_in(inv, ends, lab, phone):
    """The port that the SDP names leads to the phone's, unasked."""
    address, port = media_of(inv.sdp)[:2]
    with phone.socket() as ear, lab.sbc.socket() as mouth:
        ear.bind(("0.0.0.0", RTP))
        ear.settimeout(2)
        mouth.sendto(b"sound", (address, port))
        check(ear.recv(100) == b"sound", "other sound")


def damage(pattern):
    def run(context):
        lab = topology.Lab(context)
        phone = lab.behind_emulator(ports="random", alg=pattern)
        ends = Ends(phone, lab)
        reg = ends.leaves(request("REGISTER"))
        inv = ends.leaves(request("INVITE", sdp()))
        PATTERNS[pattern](reg, inv, ends)
        if pattern == "transparent":
            media_comes_in(inv, ends, lab, phone)
    return run


def kernel_alg_is_transparent(context):
    lab = topology.Lab(context)
    phone = lab.behind_nat("symmetric", alg=True)
    ends = Ends(phone, lab)
    reg = ends.leaves(request("REGISTER"))
    ends.enters(answer(reg), reg.source)
    inv = ends.leaves(request("INVITE", sdp()))
    transparent(reg, inv, ends)


def add_to(suite):
    for pattern in PATTERNS:
        suite.add(damage(pattern),
                  f"alg_{pattern.replace('-', '_')}_does_what_it_says",
                  fast=pattern in ("transparent", "via", "length-short"))
    suite.add(kernel_alg_is_transparent)
