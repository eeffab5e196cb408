# forking.py - one address of record, several phones: all ring, one wins
#
# SPDX-License-Identifier: Apache-2.0

import time

from runner import check
from sipbox import SipBox, hang_up, meanwhile


def forked(context, count=3, **options):
    """(box, alice's call, [calls at each of bob's phones])."""
    box = SipBox(context, **options)
    alice = box.phone("alice")
    bobs = [box.phone("bob", 10 + n) for n in range(count)]
    out = alice.invite("bob", rtp=box.media(alice))
    legs = [bob.incoming() for bob in bobs]
    return box, out, legs


def lose(leg, seconds=6):
    """This phone is told that another one answered."""
    leg.phone.reply(leg.expect_request("CANCEL", seconds), 200, "OK")
    leg.reply(487, "Request Terminated")
    leg.phone.expect("ACK")


def first_answer_wins_and_the_others_are_cancelled(context):
    box, out, legs = forked(context)
    for leg in legs:
        leg.reply(180, "Ringing")
    out.expect(180)
    legs[1].reply(200, "OK", rtp=box.media(legs[1].phone))
    out.answered()
    legs[1].expect_ack()
    lose(legs[0])
    lose(legs[2])
    check(len(box.calls()) == 1, "more than one call")
    hang_up(out, legs[1])
    box.no_calls_left()


def forks_have_their_own_call_ids_and_ports(context):
    _, _, legs = forked(context)
    check(len({leg.call_id for leg in legs}) == 3, "one Call-ID for two")
    uris = [leg.invite.uri for leg in legs]
    for leg, uri in zip(legs, uris):
        check(f"{leg.phone.local}" in uri, f"Request-URI {uri} is not the "
                                           "phone's own Contact")


def two_that_answer_at_once_make_one_call(context):
    box, out, legs = forked(context, 2)
    for leg in legs:
        leg.reply(180, "Ringing")
    out.expect(180)
    for leg in legs:
        leg.reply(200, "OK", rtp=box.media(leg.phone))
    out.answered()
    for leg in legs:
        leg.expect_ack()
    late = [leg for leg in legs
            if any(m.method == "BYE" and m.is_request
                   for m in wait_inbox(leg.phone))]
    check(len(late) == 1, f"{len(late)} of 2 phones were hung up")
    late[0].expect_bye()
    winner = [leg for leg in legs if leg is not late[0]][0]
    hang_up(out, winner)
    box.no_calls_left()


def wait_inbox(phone, seconds=0.7):
    time.sleep(seconds)
    return list(phone.inbox)


def busy_phone_does_not_stop_the_others(context):
    box, out, legs = forked(context)
    legs[0].reply(486, "Busy Here")
    for leg in legs[1:]:
        leg.reply(180, "Ringing")
    legs[2].reply(200, "OK", rtp=box.media(legs[2].phone))
    out.answered()
    legs[2].expect_ack()
    lose(legs[1])
    hang_up(out, legs[2])


def all_refuse(answers, wanted):
    def run(context):
        box, out, legs = forked(context, len(answers))
        for leg, status in zip(legs, answers):
            leg.reply(180, "Ringing")
            leg.reply(status, "No")
        out.expect(wanted)
        box.no_calls_left()
    return run


def decline_everywhere_stops_all(context):
    """6xx ends the search (RFC 3261 16.7)."""
    box, out, legs = forked(context)
    for leg in legs:
        leg.reply(180, "Ringing")
    out.expect(180)
    legs[0].reply(603, "Decline")
    losers = [meanwhile(lambda leg=leg: lose(leg)) for leg in legs[1:]]
    out.expect(603)
    for loser in losers:
        loser()
    box.no_calls_left()


def caller_cancels_every_fork(context):
    box, out, legs = forked(context)
    for leg in legs:
        leg.reply(180, "Ringing")
    out.expect(180)
    check(out.cancel().status == 200, "CANCEL refused")
    out.expect(487)
    for leg in legs:
        lose(leg)
    box.no_calls_left()


def dead_phone_does_not_keep_the_other_from_answering(context):
    box = SipBox(context)
    alice = box.phone("alice")
    dead, alive = box.phone("bob", 10), box.phone("bob", 11)
    dead.ignore = lambda m: True
    out = alice.invite("bob", rtp=box.media(alice))
    into = alive.incoming()
    into.reply(200, "OK", rtp=box.media(alive))
    out.answered()
    into.expect_ack()
    hang_up(out, into)
    box.only_ending_calls()


def add_to(suite):
    for function in (
            first_answer_wins_and_the_others_are_cancelled,
            forks_have_their_own_call_ids_and_ports,
            two_that_answer_at_once_make_one_call,
            busy_phone_does_not_stop_the_others,
            decline_everywhere_stops_all, caller_cancels_every_fork,
            dead_phone_does_not_keep_the_other_from_answering):
        suite.add(function)
    suite.add(all_refuse((486, 486), 486), "all_busy_gives_486")
    suite.add(all_refuse((486, 503), 486), "lowest_class_of_refusals_wins")
