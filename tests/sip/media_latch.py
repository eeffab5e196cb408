# media_latch.py - from where media is taken, and where it is sent to
#
# SPDX-License-Identifier: Apache-2.0

import socket
import time

import rtp
from runner import check, until
from sipbox import A_SPEECH, B_SPEECH, SipBox, Talk

IP_RECVTOS, IP_TOS = 13, 1


def another_source(talk, local, like=None):
    """Media from elsewhere; @like: continues that very stream."""
    media = rtp.Rtp(local, context=talk.box.context, payload=A_SPEECH)
    if like:
        media.ssrc, media.seq, media.stamp = like.ssrc, like.seq, like.stamp
    media.payload = b"n" * 160
    return media


def arrives(talk, media, seconds=2.0):
    before = talk.there.count(payload=media.payload)
    media.stream(talk.out.media())
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if talk.there.count(payload=media.payload) - before > 15:
            return True
        time.sleep(0.05)
    return False


def stream_that_moves_to_another_port_is_followed(context):
    """A NAT gave it a new port: same address, SSRC and sequence go on."""
    talk = Talk(SipBox(context))
    talk.speak()
    talk.here.hush()
    time.sleep(0.2)
    moved = another_source(talk, talk.alice.local, like=talk.here)
    check(arrives(talk, moved), "the moved stream is not heard")


def other_stream_from_the_same_address_is_not_taken(context):
    """Same address, another port and SSRC, while the first one speaks."""
    talk = Talk(SipBox(context))
    talk.speak()
    other = another_source(talk, talk.alice.local)
    check(not arrives(talk, other, 1), "a second stream is mixed in")
    other.hush()
    talk.heard()
    talk.end()


def stream_that_moves_to_another_address_is_followed(context):
    """A NAT got a new address: nobody named it, but the stream goes on."""
    talk = Talk(SipBox(context))
    talk.speak()
    talk.here.hush()
    time.sleep(0.7)
    moved = another_source(talk, f"{talk.box.net}.77.1", like=talk.here)
    check(arrives(talk, moved), "the moved stream is not heard")
    until(lambda: moved.count(payload=B_SPEECH) > 15, 3,
          "what is sent does not follow")


def new_address_without_proof_is_refused(context):
    """The right SSRC, but a sequence that does not go on."""
    talk = Talk(SipBox(context))
    talk.speak()
    talk.here.hush()
    time.sleep(0.7)
    thief = another_source(talk, f"{talk.box.net}.77.1", like=talk.here)
    thief.seq += 1000
    check(not arrives(talk, thief, 1.5), "a stranger took over")
    check(not thief.got, "media was sent to the stranger")
    thief.hush()
    talk.speak()
    talk.end()


def first_media_from_a_third_host_is_refused(context):
    """Signalling from one address, media from another (S0-36)."""
    talk = Talk(SipBox(context))
    third = another_source(talk, f"{talk.box.net}.77.1")
    check(not arrives(talk, third, 1), "media of a third host is taken")
    check(not third.got, "media was sent to a third host")
    talk.speak()
    talk.end()


def open_realm_takes_first_media_from_a_third_host(context):
    talk = Talk(SipBox(context, realm={"latch": "open"}))
    third = another_source(talk, f"{talk.box.net}.77.1")
    check(arrives(talk, third), "media of a third host is not taken")


def open_realm_follows_to_a_new_address(context):
    talk = Talk(SipBox(context, realm={"latch": "open"}))
    talk.speak()
    talk.here.hush()
    time.sleep(0.7)
    moved = another_source(talk, f"{talk.box.net}.77.1", like=talk.here)
    check(arrives(talk, moved), "the moved stream is not heard")


def open_realm_keeps_to_a_speaking_stream(context):
    talk = Talk(SipBox(context, realm={"latch": "open"}))
    talk.speak()
    thief = another_source(talk, f"{talk.box.net}.77.1", like=talk.here)
    check(not arrives(talk, thief, 1), "a stranger took over")
    check(not thief.got, "media was sent to the stranger")
    thief.hush()
    talk.heard()
    talk.end()


def phone_without_nat_hears_at_its_sdp_port(context):
    """It sends from another port than it listens on."""
    talk = Talk(SipBox(context))
    sender = another_source(talk, talk.alice.local)
    sender.stream(talk.out.media())
    talk.there.stream(talk.into.media())
    until(lambda: talk.there.count(payload=sender.payload) > 15, 3,
          "its other port is not heard")
    began = time.monotonic()
    until(lambda: talk.here.count(payload=B_SPEECH, since=began) > 15, 3,
          "nothing comes to the SDP port")
    talk.end()


def phone_that_is_deaf_at_its_sdp_port_hears_where_it_speaks(context):
    """Its own machine says so: ICMP port unreachable."""
    talk = Talk(SipBox(context))
    sender = another_source(talk, talk.alice.local)
    sender.stream(talk.out.media())
    talk.there.stream(talk.into.media())
    until(lambda: talk.there.count(payload=sender.payload) > 15, 3,
          "its other port is not heard")
    talk.here.close()  # nobody listens where its SDP says
    until(lambda: sender.count(payload=B_SPEECH) > 15, 3,
          "nothing comes to where it speaks from")
    talk.end()


class Relay(rtp.Rtp):
    """Sends nothing until something came, as relays before a NAT do."""

    def wait(self, remote):
        self.remote = remote
        return self

    def speak(self):
        while self.running and not self.got:
            time.sleep(0.005)
        self.speaking = True
        super().speak()


def peers_that_both_wait_are_woken(context):
    """Two relays face each other and neither speaks first (X-13)."""
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    here, there = (Relay(phone.local, context=context, payload=speech)
                   for phone, speech in ((alice, A_SPEECH), (bob, B_SPEECH)))
    out = alice.invite("bob", rtp=here)
    into = bob.incoming()
    into.reply(200, "OK", rtp=there)
    out.answered()
    into.expect_ack()
    here.wait(out.media())
    there.wait(into.media())
    until(lambda: there.count(payload=A_SPEECH) > 15 and
          here.count(payload=B_SPEECH) > 15, 5, "both still wait")
    for media, word in ((here, B_SPEECH), (there, A_SPEECH)):
        fillers = [p for p in media.got if p.payload == b"\xff" * 160]
        speech = [p for p in media.got if p.payload == word]
        check(len(fillers) <= 2, f"{len(fillers)} fillers")
        check(all(p.payload_type == 0 for p in fillers),
              "a filler of another type than the first of the SDP")
        check(not {p.ssrc for p in fillers} & {p.ssrc for p in speech},
              "a filler has the SSRC of what is relayed")
    check(out.bye().status == 200, "BYE refused")


def tos_of(sock, seconds=3):
    """The TOS byte of the next packet on @sock."""
    sock.settimeout(seconds)
    _, control, _, _ = sock.recvmsg(2048, 64)
    for level, kind, data in control:
        if level == socket.IPPROTO_IP and kind == IP_TOS:
            return data[0]
    return None


def signalling_is_cs3_and_media_is_ef(context):
    box = SipBox(context)
    talk = Talk(box)
    talk.here.running = False  # we read the socket ourselves
    time.sleep(0.3)
    talk.here.sock.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
    talk.there.stream(talk.into.media())
    seen = tos_of(talk.here.sock)
    check(seen == 0xb8, f"RTP has TOS {seen}, not EF")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
        sock.bind((f"{box.net}.31.1", 5060))
        probe = box.phone("probe", 32, register=False)
        data = probe.make("OPTIONS", f"sip:{box.address}").replace(
            probe.local.encode(), f"{box.net}.31.1".encode())
        sock.sendto(data, box.server)
        seen = tos_of(sock)
        check(seen == 0x60, f"SIP has TOS {seen}, not CS3")


def add_to(suite):
    for function in (
            stream_that_moves_to_another_port_is_followed,
            other_stream_from_the_same_address_is_not_taken,
            stream_that_moves_to_another_address_is_followed,
            new_address_without_proof_is_refused,
            first_media_from_a_third_host_is_refused,
            open_realm_takes_first_media_from_a_third_host,
            open_realm_follows_to_a_new_address,
            open_realm_keeps_to_a_speaking_stream,
            phone_without_nat_hears_at_its_sdp_port,
            phone_that_is_deaf_at_its_sdp_port_hears_where_it_speaks,
            peers_that_both_wait_are_woken,
            signalling_is_cs3_and_media_is_ef):
        suite.add(function)
