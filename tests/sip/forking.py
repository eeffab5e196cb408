# forking.py - one address of record, several phones: all ring, one wins
#
# SPDX-License-Identifier: Apache-2.0

import time

from runner import check, until
from sipbox import SipBox, hang_up, meanwhile

DEVICE = "00000000-0000-1000-8000-000a95a0e128"


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


def deaf(message):
    """For Phone.ignore: a phone behind a NAT that has restarted."""
    return True


def finish(box, out, into):
    """@into answers the call that it now rings for; both hang up."""
    into.reply(180, "Ringing")
    out.expect(180)
    into.reply(200, "OK", rtp=box.media(into.phone))
    out.answered()
    into.expect_ack()
    hang_up(out, into)
    box.only_ending_calls()


def call_in_the_gap_of_a_nat_restart_reaches_the_phone(context):
    """The INVITE finds a dead flow; then the phone registers along another."""
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob", register=False)
    bob.register(instance=DEVICE)
    bob.ignore = deaf
    out = alice.invite("bob", rtp=box.media(alice))
    time.sleep(1.2)
    again = box.phone("bob", port=5070, register=False)
    again.register(instance=DEVICE)
    into = again.incoming(2)
    check(":5070" in into.invite.uri, f"asked as {into.invite.uri}")
    finish(box, out, into)


def it_may_come_back_after_the_invite_timed_out(context):
    """Behind a NAT, a phone is waited for as long as the caller waits."""
    box = SipBox(context, realm={"nat": "always"}, ring_timeout="60")
    alice, bob = box.phone("alice"), box.phone("bob", register=False)
    bob.register(instance=DEVICE)
    bob.ignore = deaf
    out = alice.invite("bob", rtp=box.media(alice))
    time.sleep(34)  # timer B: 64*T1
    check(len(box.calls()) == 1, "the call has been given up")
    again = box.phone("bob", port=5070, register=False)
    again.register(instance=DEVICE)
    finish(box, out, again.incoming(2))


def phone_that_rings_is_not_rung_twice(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob", register=False)
    bob.register(instance=DEVICE)
    out = alice.invite("bob", rtp=box.media(alice))
    into = bob.incoming()
    into.reply(180, "Ringing")
    out.expect(180)
    again = box.phone("bob", port=5070, register=False)
    again.register(instance=DEVICE)
    again.nothing("INVITE", 0.7)
    into.reply(200, "OK", rtp=box.media(bob))
    out.answered()
    # From now on the box speaks to the phone where it is.
    into.phone = again
    into.expect_ack()
    hang_up(out, into)
    box.no_calls_left()


def two_flows(context):
    """(box, alice, bob's UDP flow, bob's TCP flow): one device, RFC 5626."""
    box = SipBox(context)
    flows = []
    for reg_id, kind in ((2, "udp"), (1, "tcp")):
        flow = box.phone("bob", register=False, transport=kind,
                         port=5060 + reg_id)
        flow.register(
            contact=f'{flow.contact()};+sip.instance="<urn:uuid:{DEVICE}>"'
                    f";reg-id={reg_id}",
            headers=(("Supported", "outbound, path"),))
        flows.append(flow)
    return box, box.phone("alice"), *flows


def device_with_two_flows_rings_once(context):
    box, alice, udp, tcp = two_flows(context)
    out = alice.invite("bob", rtp=box.media(alice))
    into = tcp.incoming()
    udp.nothing("INVITE", 0.5)
    finish(box, out, into)


def closed_connection_leads_to_the_other_flow(context):
    box, alice, udp, tcp = two_flows(context)
    tcp.close()
    out = alice.invite("bob", rtp=box.media(alice))
    finish(box, out, udp.incoming())


def connection_that_closes_under_the_invite_leads_to_the_other(context):
    box, alice, udp, tcp = two_flows(context)
    tcp.ignore = deaf
    out = alice.invite("bob", rtp=box.media(alice))
    until(lambda: b"INVITE sip:" in tcp.received_bytes(), 2, "no INVITE")
    tcp.close()
    finish(box, out, udp.incoming(8))


def flow_failed_leads_to_the_other_flow(context):
    box, alice, udp, tcp = two_flows(context)
    out = alice.invite("bob", rtp=box.media(alice))
    tcp.incoming().reply(430, "Flow Failed")
    finish(box, out, udp.incoming())


def pings(phone, since):
    return sum(when > since for when in phone.blank)


def forks_are_held_open_while_they_ring_and_then_one(context):
    """S3-14, with phones that stop registering: only the dialog counts."""
    box, out, legs = forked(context, 4, realm={
        "keepalive": "crlf", "keepalive_interval": "10"},
        env={"SBC_NAT_SPEED": "10"})
    for leg in legs:
        leg.reply(180, "Ringing")
    for leg in legs:
        leg.phone.register(expires=0)
    began = time.monotonic()
    until(lambda: all(pings(leg.phone, began) >= 2 for leg in legs), 5,
          "a phone that rings is not held")
    legs[2].reply(200, "OK", rtp=box.media(legs[2].phone))
    out.answered()
    legs[2].expect_ack()
    for leg in legs[:2] + legs[3:]:
        lose(leg)
    time.sleep(0.3)
    began = time.monotonic()
    time.sleep(3)
    counts = [pings(leg.phone, began) for leg in legs]
    check(counts[2] >= 2, "the phone that talks is not held")
    check(sum(counts) == counts[2], f"the others still are: {counts}")
    hang_up(out, legs[2])
    box.no_calls_left()


def add_to(suite):
    for function in (
            first_answer_wins_and_the_others_are_cancelled,
            forks_have_their_own_call_ids_and_ports,
            two_that_answer_at_once_make_one_call,
            busy_phone_does_not_stop_the_others,
            decline_everywhere_stops_all, caller_cancels_every_fork,
            dead_phone_does_not_keep_the_other_from_answering,
            call_in_the_gap_of_a_nat_restart_reaches_the_phone,
            it_may_come_back_after_the_invite_timed_out,
            phone_that_rings_is_not_rung_twice,
            device_with_two_flows_rings_once,
            closed_connection_leads_to_the_other_flow,
            connection_that_closes_under_the_invite_leads_to_the_other,
            flow_failed_leads_to_the_other_flow,
            forks_are_held_open_while_they_ring_and_then_one):
        suite.add(function)
    suite.add(all_refuse((486, 486), 486), "all_busy_gives_486")
    suite.add(all_refuse((486, 503), 486), "lowest_class_of_refusals_wins")
