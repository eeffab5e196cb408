# topology_hiding.py - nothing of one side shows on the other
#
# A call with everything in it; then all bytes that each phone received are
# searched for what only the other side can have said.
#
# SPDX-License-Identifier: Apache-2.0

import re

from runner import check
from sipbox import B_SPEECH, SipBox, Talk, meanwhile


def chatty(side):
    """Headers that tell a lot about the side that sends them."""
    return (("Organization", f"organization-of-{side}"),
            ("Server", f"server-of-{side}"),
            ("Record-Route", f"<sip:inner-proxy-of-{side}.test;lr>"),
            ("P-Preferred-Identity", f"<sip:inner-{side}@10.9.8.7>"),
            ("X-Internal", f"internal-of-{side}"),
            ("Warning", f'399 10.9.8.7 "warning-of-{side}"'),
            ("Call-Info", f"<http://10.9.8.7/picture-of-{side}>"),
            ("Reply-To", f"<sip:reply-{side}@10.9.8.7>"))


def own_words(phone, calls, media):
    """What only this side can have said: addresses, ids, tags, ports."""
    words = {phone.local, phone.user_agent, "10.9.8.7", f":{media.port}",
             str(media.port)}
    for _, value in chatty(phone.user):
        words.update(re.findall(rf"[\w-]+-of-{phone.user}", value))
    for call in calls:
        words.update({call.call_id, call.local_tag})
    for way, _, data in phone.log:
        if way == "out":
            text = data.decode("utf-8", "replace")
            words.update(re.findall(r"branch=(z9hG4bK\w+)", text))
            words.update(re.findall(r"nonce=\"([^\"]+)\"", text))
    return words


def search(reader, words, whose):
    heard = reader.received_bytes().decode("utf-8", "replace")
    # Our own Via, tag and Call-ID come back to us; they are not in @words.
    for word in sorted(words):
        for line in heard.split("\r\n"):
            check(word not in line or line.startswith("Via:") and
                  reader.local in line,
                  f"{reader.user} can read {whose}'s {word!r} in: {line}")


def nothing_of_one_side_shows_on_the_other(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    talk = Talk.__new__(Talk)
    talk.box, talk.alice, talk.bob = box, alice, bob
    talk.here, talk.there = box.media(alice), box.media(bob, B_SPEECH)
    talk.out = alice.invite("bob", sdp=talk.here.sdp(session=918273645),
                            headers=chatty("alice")[0:2] + chatty("alice")[3:])
    talk.into = bob.incoming()
    talk.into.reply(180, "Ringing-of-bob", headers=chatty("bob"))
    talk.into.reply(183, "Progress-of-bob", rtp=talk.there,
                    headers=chatty("bob"))
    talk.out.expect(183)
    talk.into.reply(200, "OK-of-bob", sdp=talk.there.sdp(session=564738291),
                    headers=chatty("bob"))
    talk.out.answered()
    talk.into.expect_ack()
    talk.speak()
    info = meanwhile(lambda: talk.out.request(
        "INFO", b"Signal=1\r\n", (("Content-Type", "application/dtmf-relay"),
                                  *chatty("alice")[3:])))
    bob.reply(talk.into.expect_request("INFO"), 200, "Fine-of-bob",
              headers=chatty("bob"))
    info()
    talk.into.reinvite(talk.there.sdp(direction="sendonly"))
    talk.out.expect_request("INVITE")
    talk.out.reply(200, "OK", sdp=talk.here.sdp(direction="recvonly"),
                   headers=chatty("alice"))
    talk.into.answered()
    talk.out.expect_ack()
    end = meanwhile(talk.into.bye)
    bye = talk.out.expect_request("BYE")
    alice.reply(bye, 200, "Bye-of-alice", headers=chatty("alice"))
    end()
    refused = alice.invite("bob", rtp=talk.here)
    again = bob.incoming()
    again.reply(486, "Busy-of-bob", headers=chatty("bob"))
    refused.expect(486)

    search(bob, own_words(alice, (talk.out, refused), talk.here)
           | {"918273645"}, "alice")
    search(alice, own_words(bob, (talk.into, again), talk.there)
           | {"564738291", "Ringing-of-bob", "Busy-of-bob"}, "bob")


def session_lines_are_the_boxs_own(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    here = box.media(alice)
    sdp = here.sdp().replace("s=-", "s=secret session").replace(
        "t=0 0", "i=secret info\r\nu=http://secret.test\r\nt=0 0")
    sdp += "a=tool:secret tool\r\na=x-secret:1\r\n"
    sdp += f"a=rtcp:{here.port + 1} IN IP4 {here.local}\r\n"
    sdp += (f"a=candidate:1 1 UDP 2130706431 {here.local} {here.port} "
            "typ host\r\n")
    alice.invite("bob", sdp=sdp)
    offer = bob.incoming().remote_sdp
    for word in ("secret", here.local, str(here.port), "candidate"):
        check(word not in offer, f"{word!r} shows in:\n{offer}")


def identities_are_unlike_from_call_to_call(context):
    """Tags, branches and Call-IDs of the box are no counters."""
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    seen = []
    for _ in range(4):
        out = alice.invite("bob", rtp=box.media(alice))
        into = bob.incoming()
        invite = into.invite
        seen.append((invite.call_id, invite.from_tag, invite.branch))
        into.reply(486, "Busy Here")
        out.expect(486)
    for column in zip(*seen):
        for one, two in zip(column, column[1:]):
            same = sum(a == b for a, b in zip(one, two))
            check(same < 0.6 * len(one), f"alike: {one} and {two}")


def add_to(suite):
    for function in (nothing_of_one_side_shows_on_the_other,
                     session_lines_are_the_boxs_own,
                     identities_are_unlike_from_call_to_call):
        suite.add(function)
