# pressed.py - pressed keys between a phone that says them by events in RTP
# (RFC 4733) and one that says them by INFO
#
# SPDX-License-Identifier: Apache-2.0

import struct
import time

import rtp
from runner import check, until
from sip import media_of
from sipbox import A_SPEECH, B_SPEECH, SipBox, Talk, meanwhile

EVENT = 101
PLAIN = (("Allow", "INVITE, ACK, CANCEL, BYE"),)
INFO = (("Allow", "INVITE, ACK, CANCEL, BYE, INFO"),)
RELAY = (("Content-Type", "application/dtmf-relay"),)
END = 0x80


def by_events(media):
    return media.sdp(codecs=(0, EVENT))


def by_info(media):
    return media.sdp(codecs=(0,))


def talk_between(context, caller, callee, realm=None):
    """A call; @caller and @callee are (SDP, headers) of each."""
    talk = Talk.__new__(Talk)
    talk.box = SipBox(context, realm=realm)
    talk.alice, talk.bob = talk.box.phone("alice"), talk.box.phone("bob")
    talk.here = talk.box.media(talk.alice, A_SPEECH)
    talk.there = talk.box.media(talk.bob, B_SPEECH)
    talk.out = talk.alice.invite("bob", sdp=caller[0](talk.here),
                                 headers=caller[1])
    talk.into = talk.bob.incoming()
    talk.into.reply(200, "OK", sdp=callee[0](talk.there), headers=callee[1])
    talk.out.answered()
    talk.into.expect_ack()
    talk.speak()
    return talk


def press(media, key, ticks=800, ends=3):
    """One key, as RFC 4733 2.5.1 has it, in place of the voice."""
    media.hush()
    time.sleep(0.05)
    stamp = media.stamp = media.stamp + 160
    told = list(range(160, ticks, 160)) + [ticks] * ends
    for i, duration in enumerate(told):
        end = END if i >= len(told) - ends else 0
        media.seq = media.seq + 1 & 0xffff
        media.sock.sendto(
            rtp.packet(media.ssrc, media.seq, stamp,
                       struct.pack("!BBH", key, end | 10, duration), EVENT,
                       i == 0), media.remote)
        time.sleep(0.02)
    media.stamp = stamp + ticks
    media.speaking = True


def is_told(phone, leg, signal, duration=100):
    """One INFO comes for the key."""
    seen = leg.expect_request("INFO")
    phone.reply(seen, 200, "OK")
    check(seen.get("content-type") == "application/dtmf-relay",
          f"type {seen.get('content-type')}")
    check(seen.body == b"Signal=%s\r\nDuration=%d\r\n" % (signal, duration),
          f"INFO says {seen.body}")


def says(leg, body, headers=RELAY):
    return meanwhile(lambda: leg.request("INFO", body, headers))()


def events_of(media, since):
    return [p for p in list(media.got)
            if p.when >= since and p.payload_type == EVENT]


def is_played(media, speaker, since, key, ticks):
    """One whole event came in @speaker's own stream, which lacks nothing."""
    until(lambda: sum(p.payload[1] & END != 0
                      for p in events_of(media, since)) >= 3, 3,
          "no end of the event")
    got = events_of(media, since)
    check(all(p.ssrc == speaker.ssrc for p in got), "a source of its own")
    check({p.payload[0] for p in got} == {key},
          f"events {[p.payload[0] for p in got]}")
    check(len({p.stamp for p in got}) == 1, "more than one timestamp")
    check([p.data[1] >> 7 for p in got] == [1] + [0] * (len(got) - 1),
          "marker not on the first packet alone")
    lengths = [struct.unpack("!H", p.payload[2:4])[0] for p in got]
    check(lengths == sorted(lengths) and lengths[-3:] == [ticks] * 3,
          f"durations {lengths}")
    ends = [p.payload[1] & END != 0 for p in got]
    check(ends == [False] * (len(got) - 3) + [True] * 3, f"ends {ends}")
    check(media.missed(speaker.ssrc, since) == 0, "a sequence has a hole")


def keys_cross(talk, events, info):
    """@events and @info: (phone, leg, media) of the two."""
    # Events become INFO, and no event is heard.
    for key, signal in ((5, b"5"), (11, b"#"), (11, b"#")):
        press(events[2], key)
        is_told(info[0], info[1], signal)
    press(events[2], 10, ends=0)  # all end packets are lost
    is_told(info[0], info[1], b"*", 80)
    check(not events_of(info[2], 0), "an event came to who takes none")
    # INFO becomes an event.
    for body, headers, key, ticks in (
            (b"Signal=7\r\nDuration=200\r\n", RELAY, 7, 1600),
            (b"Signal=*\r\nDuration=10\r\n", RELAY, 10, 560),
            (b"#", (("Content-Type", "application/dtmf"),), 11, 1280)):
        since = time.monotonic()
        answer = says(info[1], body, headers)
        check(answer.status == 200, f"INFO answered {answer}")
        is_played(events[2], info[2], since, key, ticks)
    # What is no key is none of the box's business.
    answer = meanwhile(lambda: info[1].request("INFO", b"Signal=hf\r\n",
                                               RELAY))
    events[0].reply(events[1].expect_request("INFO"), 415, "No Such Type")
    check(answer().status == 415, f"no key was answered {answer()}")
    talk.heard()
    # There is no voice to put one into.
    info[2].hush()
    time.sleep(0.8)
    answer = says(info[1], b"Signal=1\r\nDuration=100\r\n")
    check(answer.status == 480, f"into silence: {answer}")
    talk.end()


def keys_cross_from_a_caller_with_events(context):
    talk = talk_between(context, (by_events, PLAIN), (by_info, INFO))
    check(EVENT in media_of(talk.out.remote_sdp)[2],
          f"caller reads of no events:\n{talk.out.remote_sdp}")
    keys_cross(talk, (talk.alice, talk.out, talk.here),
               (talk.bob, talk.into, talk.there))


def keys_cross_from_a_caller_with_info(context):
    talk = talk_between(context, (by_info, INFO), (by_events, PLAIN))
    check(EVENT in media_of(talk.into.remote_sdp)[2],
          f"callee is offered no events:\n{talk.into.remote_sdp}")
    check(EVENT not in media_of(talk.out.remote_sdp)[2],
          "caller is answered what it did not offer")
    keys_cross(talk, (talk.bob, talk.into, talk.there),
               (talk.alice, talk.out, talk.here))


def keys_of_like_phones_cross_as_they_are(context):
    talk = talk_between(context, (by_events, INFO), (by_events, INFO))
    since = time.monotonic()
    press(talk.here, 5)
    until(lambda: len(events_of(talk.there, since)) == 7, 3,
          "events do not cross")
    digit = b"Signal=5\r\nDuration=160\r\n"
    answer = meanwhile(lambda: talk.out.request("INFO", digit, RELAY))
    seen = talk.into.expect_request("INFO")
    talk.bob.reply(seen, 200, "OK")
    check(answer().status == 200 and seen.body == digit, f"INFO {seen}")
    talk.end()


def all_is_by_info_where_the_realm_says_so(context):
    """Both phones could do events, and neither reads of any."""
    talk = talk_between(context, (by_events, PLAIN), (by_events, PLAIN),
                        realm={"dtmf": "info"})
    for leg in (talk.out, talk.into):
        check(EVENT not in media_of(leg.remote_sdp)[2],
              f"events in\n{leg.remote_sdp}")
    talk.end()


def all_is_by_events_where_the_realm_says_so(context):
    talk = talk_between(context, (by_events, INFO), (by_events, INFO),
                        realm={"dtmf": "rfc4733"})
    since = time.monotonic()
    answer = says(talk.into, b"Signal=3\r\nDuration=100\r\n")
    check(answer.status == 200, f"INFO answered {answer}")
    is_played(talk.here, talk.there, since, 3, 800)
    talk.end()


def add_to(suite):
    for function in (
            keys_cross_from_a_caller_with_events,
            keys_cross_from_a_caller_with_info,
            keys_of_like_phones_cross_as_they_are,
            all_is_by_info_where_the_realm_says_so,
            all_is_by_events_where_the_realm_says_so):
        suite.add(function)
