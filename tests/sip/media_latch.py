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


def restricted_realm_never_follows_to_a_new_address(context):
    talk = Talk(SipBox(context))
    talk.speak()
    talk.here.hush()
    time.sleep(0.7)
    thief = another_source(talk, f"{talk.box.net}.77.1", like=talk.here)
    check(not arrives(talk, thief, 1.5), "a stranger took over")
    check(not thief.got, "media was sent to the stranger")
    thief.hush()
    talk.speak()
    talk.end()


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
            restricted_realm_never_follows_to_a_new_address,
            open_realm_follows_to_a_new_address,
            open_realm_keeps_to_a_speaking_stream,
            phone_without_nat_hears_at_its_sdp_port,
            signalling_is_cs3_and_media_is_ef):
        suite.add(function)
