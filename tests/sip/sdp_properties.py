# sdp_properties.py - whatever is offered and answered: what the box makes of
# it is valid, and nothing of one side's addresses is in it (RFC 3264)
#
# SPDX-License-Identifier: Apache-2.0

import os
import random

import sdpcheck
from runner import Failed, check
from sipbox import SipBox, hang_up

OFFERS = int(os.environ.get("SBC_SDP_OFFERS", "40"))
CHANGES = 20


def read(box, text, words):
    """A description that the box wrote."""
    try:
        description = sdpcheck.Description(text)
    except sdpcheck.Wrong as wrong:
        raise Failed(f"{words}: {wrong}\n{text}") from wrong
    for trace in ("leak", "10.66.6.6", f"{box.net}.1.1", f"{box.net}.2.1"):
        check(trace not in text, f"{words}: {trace} crossed\n{text}")
    check(description.origin == box.address, f"{words}: o= {text}")
    for m in description.media:
        if m.port:
            check(m.address == box.address and m.port % 2 == 0 and
                  20000 <= m.port <= 20199, f"{words}: {m.port}\n{text}")
            check(m.proto in sdpcheck.RELAYED, f"{words}: {m.proto}\n{text}")
    return description


def same_streams(said, made, words):
    """The box has passed an offer on."""
    check(len(said.media) == len(made.media), f"{words}: streams\n{made.text}")
    for theirs, ours in zip(said.media, made.media):
        check(theirs.type == ours.type and theirs.proto == ours.proto,
              f"{words}: {theirs.type} became {ours.type}")
        relayed = theirs.port and theirs.proto in sdpcheck.RELAYED
        check(bool(ours.port) == bool(relayed),
              f"{words}: {theirs.proto} {theirs.port} became {ours.port}")
        if ours.port:
            check(ours.formats == theirs.formats, f"{words}: {ours.formats}")
            check(ours.direction == theirs.direction,
                  f"{words}: {ours.direction}")


def answers(offer, answer, words):
    try:
        sdpcheck.check_answer(offer, answer)
    except sdpcheck.Wrong as wrong:
        raise Failed(f"{words}: {wrong}\nto\n{offer.text}\ncame\n"
                     f"{answer.text}") from wrong


def one_call(box, rng, alice, bob, seed):
    """An offer and an answer, from end to end; returns the two calls."""
    words = f"seed {seed}"
    said = sdpcheck.random_offer(rng, alice.local)
    out = alice.invite("bob", sdp=said)
    into = bob.incoming()
    offer = read(box, into.remote_sdp, f"{words}: offer")
    same_streams(sdpcheck.Description(said), offer, words)
    reply = sdpcheck.random_answer(rng, offer, bob.local)
    into.reply(200, "OK", sdp=reply)
    out.answered()
    into.expect_ack()
    answer = read(box, out.remote_sdp, f"{words}: answer")
    answers(sdpcheck.Description(said), answer, words)
    return out, into, offer, answer


def random_offers_and_answers_stay_valid(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    first = random.randrange(10**6)
    for seed in range(first, first + OFFERS):
        rng = random.Random(seed)
        out, into, _, _ = one_call(box, rng, alice, bob, seed)
        hang_up(out, into)
    box.no_calls_left()


def session_id_is_constant_and_its_version_counts_changes(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    out, into, offer, answer = one_call(box, rng, alice, bob, seed)
    for n in range(CHANGES):
        words = f"seed {seed}, change {n}"
        said = changed(out.sdp)
        out.reinvite(said)
        into.expect_request("INVITE")
        offer_now = read(box, into.remote_sdp, words)
        check(offer_now.id == offer.id, f"{words}: id {offer_now.id}")
        moved = body_of(offer_now) != body_of(offer)
        check(offer_now.version == offer.version + moved,
              f"{words}: version {offer.version} -> {offer_now.version}\n"
              f"{offer_now.text}")
        for was, taken, m in zip(offer.media, answer.media, offer_now.media):
            check(not (was.port and taken.port and m.port) or
                  was.port == m.port, f"{words}: a port has moved")
        into.reply(200, "OK", sdp=sdpcheck.random_answer(
            rng, offer_now, bob.local, n + 2))
        out.answered()
        into.expect_ack()
        answer_now = read(box, out.remote_sdp, words)
        answers(sdpcheck.Description(said), answer_now, words)
        check(answer_now.id == answer.id, f"{words}: id {answer_now.id}")
        moved = body_of(answer_now) != body_of(answer)
        check(answer_now.version == answer.version + moved,
              f"{words}: version {answer.version} -> {answer_now.version}\n"
              f"{answer.text}{answer_now.text}")
        offer, answer = offer_now, answer_now
    hang_up(out, into)
    box.no_calls_left()


def body_of(description):
    return description.text.split("\r\n", 2)[2]


def changed(text):
    """The last offer with the next version and another direction: held,
    resumed.  What changes nothing the box would answer itself."""
    relayed = [m for m in sdpcheck.Description(text).media
               if m.port and m.proto in sdpcheck.RELAYED]
    n = sdpcheck.DIRECTIONS.index(relayed[0].direction) + 1
    lines = [line for line in text[:-2].split("\r\n")
             if line[2:] not in sdpcheck.DIRECTIONS]
    words = lines[1].split(" ")
    words[2] = str(int(words[2]) + 1)
    lines[1] = " ".join(words)
    way = sdpcheck.DIRECTIONS[n % 4]
    streams, out = 0, []
    for line in lines:
        if line.startswith("m=") and streams:
            out.append(f"a={way}")
        streams += line.startswith("m=")
        out.append(line)
    out.append(f"a={way}")
    return "\r\n".join(out) + "\r\n"


def add_to(suite):
    for scenario in (random_offers_and_answers_stay_valid,
                     session_id_is_constant_and_its_version_counts_changes):
        suite.add(scenario)
