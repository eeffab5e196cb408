# phone_ways.py - what phones do of their own accord, right and wrong: Via
# without rport, pings, STUN, stale public addresses, foreign Contacts
#
# SPDX-License-Identifier: Apache-2.0

import socket
import struct
import time

import netns
import rtp
from lab import Site
from quiet import Quiet, ring, rtp_sdp, two_way_call
from reachable import lan_phone
from runner import check, until
from sip import make_sdp, parameter
from topology import SBC4

PING = b"\r\n\r\n"
COOKIE = 0x2112a442


class NoRport(Quiet):
    """A client that does not know RFC 3581."""

    def via(self, branch=None):
        return super().via(branch).replace(";rport", "")


def answer_finds_a_phone_that_does_not_ask_for_rport(context):
    site = Site(context)
    bob = NoRport("bob", site.behind_nat("symmetric"), context)
    answer = bob.register()
    via = answer.get("via")
    check(parameter(via, "received") == bob.space.wan, f"Via is {via}")
    alice = lan_phone(site, context)
    ring(alice, bob, 3)


def phone_is_called_by_its_own_contact(context):
    """Request-URI is the Contact verbatim, the packet goes to the NAT."""
    site = Site(context)
    alice = lan_phone(site, context)
    bob = Quiet("bob", site.behind_nat("symmetric"), context)
    contact = "<sip:bob-line2@192.168.1.50:5060;line=k7h3;ob>"
    bob.register(contact=contact)
    out = alice.invite("bob", sdp=rtp_sdp(alice))
    into = bob.incoming()
    check(into.invite.uri == contact[1:-1], f"called as {into.invite.uri}")
    into.reply(486, "Busy Here")
    into.expect_ack()
    out.expect(486)


def audio_flows_both_ways_from_the_first_packets(context):
    """As soon as the phone's first packet has come, its answer follows."""
    site = Site(context)
    alice = lan_phone(site, context)
    bob = Quiet("bob", site.behind_nat("symmetric"), context)
    bob.register()
    speech = rtp.Rtp(alice.local, alice.netns, context, b"A" * 160)
    answer = rtp.Rtp(bob.local, bob.netns, context, b"B" * 160)
    out = alice.invite("bob", rtp=speech)
    into = bob.incoming()
    into.reply(200, "OK", rtp=answer)
    out.answered()
    into.expect_ack()
    speech.stream(out.media())
    time.sleep(0.5)
    first = speech.seq
    answer.stream(into.media())
    until(lambda: answer.count(payload=b"A" * 160) > 20, 3, "bob is deaf")
    until(lambda: speech.count(payload=b"B" * 160) > 20, 3, "alice is deaf")
    heard = [p.seq for p in answer.got if p.payload == b"A" * 160]
    check((heard[0] - first) & 0xffff <= 10,
          f"{(heard[0] - first) & 0xffff} packets until bob heard alice")


def own_pings_of_phones_are_answered_or_ignored(context):
    """OPTIONS, CRLF on a connection and STUN get answers, the rest silence;
    none of it is logged above debug, and the phone stays what it was."""
    site = Site(context)
    bob = Quiet("bob", site.behind_nat("symmetric"), context)
    bob.register()
    log = len(site.box.log())
    for _ in range(20):
        for data in (PING, b"\0", b"\0\0\0\0", b"", b"\r\n"):
            bob.transport.send(data)
    answer = bob.request("OPTIONS", f"sip:{SBC4}")
    check(answer.status == 200, f"OPTIONS: {answer}")
    check(answer.get("allow") and answer.get("accept"),
          "200 to OPTIONS without Allow or Accept")
    carol = Quiet("carol", site.behind_nat("symmetric"), context,
                 transport="tcp")
    carol.register()
    carol.transport.sock.sendall(PING)
    until(lambda: carol.transport.pongs, 5,
          "CRLF CRLF on TCP is not answered")
    more = [line for line in site.box.log()[log:].splitlines()
            if " debug " not in line and "reg." not in line]
    check(not more, f"pings are logged: {more[:3]}")


def stun_on_the_sip_port_tells_the_mapped_address(context):
    """RFC 8489 on 5060, as RFC 5626 wants of the edge."""
    site = Site(context)
    space = site.behind_nat("symmetric")
    sock = netns.open_socket(space.name, socket.AF_INET)
    context.callback(sock.close)
    sock.settimeout(1)
    ident = b"reachable-12"
    sock.sendto(struct.pack("!HHI", 1, 0, COOKIE) + ident, (SBC4, 5060))
    data = sock.recv(1500)
    kind, size, cookie = struct.unpack_from("!HHI", data)
    check((kind, cookie, data[8:20]) == (0x101, COOKIE, ident),
          f"answer is {data[:20].hex()}")
    address = None
    at = 20
    while at + 4 <= len(data):
        name, length = struct.unpack_from("!HH", data, at)
        if name == 0x20:
            raw = struct.unpack_from("!I", data, at + 8)[0] ^ COOKIE
            address = socket.inet_ntoa(struct.pack("!I", raw))
        at += 4 + (length + 3 & ~3)
    check(address == space.wan, f"mapped address is {address}")


def stale_public_address_in_contact_and_sdp_does_no_harm(context):
    """The phone believes an old STUN answer: calls in and out work."""
    site = Site(context)
    alice = lan_phone(site, context)
    space = site.behind_nat("symmetric")
    bob = Quiet("bob", space, context)
    stale = f"<sip:bob@{space.wan}:9>"
    bob.register(contact=stale)

    class Stale(rtp.Rtp):
        def sdp(self, **how):
            return make_sdp(space.wan, 7, **how)
    media = Stale(bob.local, bob.netns, context, b"B" * 160)
    out, into, _ = two_way_call(alice, bob, context, callee_rtp=media)
    out.bye()
    into.expect_bye()
    media = Stale(bob.local, bob.netns, context, b"C" * 160)
    alice.register()
    out, into, _ = two_way_call(bob, alice, context, caller_rtp=media)
    out.bye()
    into.expect_bye()


def contact_of_a_living_server_elsewhere_is_honoured(context):
    """REGISTER from A names B, where a user agent answers: calls go to B."""
    site = Site(context)
    alice = lan_phone(site, context)
    there = site.host("server", "203.0.113.95")
    there.address = "203.0.113.95"
    server = Quiet("bob", there, context)
    registrar = Quiet("bob", site.behind_nat("symmetric"), context)
    registrar.register(contact="<sip:bob@203.0.113.95:5060>")
    until(lambda: server.asked, 5, "the Contact is not probed")
    time.sleep(0.5)
    ring(alice, server, 3)


def contact_where_nobody_answers_is_not_believed(context):
    """The same without a user agent at B: calls go to A."""
    site = Site(context)
    alice = lan_phone(site, context)
    bob = Quiet("bob", site.behind_nat("symmetric"), context)
    bob.register(contact="<sip:bob@203.0.113.96:5060>")
    time.sleep(2)
    ring(alice, bob, 4)


def large_requests_pass_over_udp(context):
    """INVITEs of 1 900 bytes, as FireBrick's author promises."""
    site = Site(context)
    alice = lan_phone(site, context)
    bob = Quiet("bob", site.behind_nat("symmetric"), context)
    bob.register()
    sdp = rtp_sdp(alice)
    sdp += "".join(f"a=x-filler-{n}:{'y' * 60}\r\n" for n in range(17))
    check(len(sdp) > 1300, "the body is too small for this test")
    out = alice.invite("bob", sdp=sdp)
    into = bob.incoming()
    into.reply(486, "Busy Here")
    into.expect_ack()
    out.expect(486)


def phone_that_roams_is_judged_anew(context):
    """It registers from the LAN, then calls from behind a NAT: each dialog
    has its own verdict."""
    site = Site(context)
    alice = lan_phone(site, context)
    near = site.host("near", "203.0.113.91")
    near.address = "203.0.113.91"
    home = Quiet("bob", near, context)
    home.register()
    check(not site.box.binding("bob")["nat"]["behind"], "NAT where none is")
    away = Quiet("bob", site.behind_nat("symmetric"), context)
    out = away.invite("alice", sdp=rtp_sdp(away))
    into = alice.incoming()
    into.reply(200, "OK", sdp=rtp_sdp(alice))
    out.answered()
    into.expect_ack()
    legs = {leg["side"]: leg for leg in site.box.calls()[0]["legs"]}
    check(legs["a"]["nat"]["behind"], f"{legs['a']['nat']}")
    check(not legs["b"]["nat"]["behind"], f"{legs['b']['nat']}")
    check(not site.box.binding("bob")["nat"]["behind"],
          "the dialog's verdict became the binding's")
    out.bye()
    into.expect_bye()


def add_to(suite):
    for function in (answer_finds_a_phone_that_does_not_ask_for_rport,
                     stun_on_the_sip_port_tells_the_mapped_address,
                     phone_is_called_by_its_own_contact,
                     contact_of_a_living_server_elsewhere_is_honoured):
        suite.add(function)
    for function in (audio_flows_both_ways_from_the_first_packets,
                     own_pings_of_phones_are_answered_or_ignored,
                     stale_public_address_in_contact_and_sdp_does_no_harm,
                     contact_where_nobody_answers_is_not_believed,
                     large_requests_pass_over_udp,
                     phone_that_roams_is_judged_anew):
        suite.add(function, fast=False)
