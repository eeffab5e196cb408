# reachable.py - a phone behind a NAT that forgets can be called at any second
#
# SPDX-License-Identifier: Apache-2.0

import time

import quiet
from lab import Pace, Site
from quiet import Quiet, calls_at_random, ring
from runner import check, until
from topology import SBC6


def lan_phone(site, context, user="alice"):
    """A phone on the internet itself, to call from."""
    space = site.host(f"far{user}", "203.0.113.90")
    space.address = "203.0.113.90"
    phone = Quiet(user, space, context)
    phone.register()
    return phone


def site_of(context, **realm):
    pace = Pace(context)
    site = Site(context, {"nat_expires": int(pace.s(120)),
                          "min_expires": int(pace.s(60)),
                          "media_timeout": "3600", **realm}, pace)
    return site, pace, lan_phone(site, context)


CALLS, MINUTES = 30, 10
LATER_S = 15 * 60  # once more after minutes without a call, in a real run


def random_calls(make_space, **how):
    """A phone that says nothing of itself but its REGISTERs; calls at random
    instants all arrive."""
    def run(context):
        site, pace, alice = site_of(context)
        bob = Quiet("bob", make_space(site, pace), context, **how)
        bob.stay_registered()
        began = time.monotonic()
        late = calls_at_random(pace, alice, bob, CALLS, MINUTES)
        if pace.is_real:
            time.sleep(max(0.0, began + LATER_S - time.monotonic()))
            ring(alice, bob, 5)
        with open(context.path("late"), "w") as out:
            out.write("\n".join(late))
        check(len(late) <= CALLS // 10, f"rang late: {late}")
    return run


def forgets_after(seconds, kind="port_restricted"):
    return lambda site, pace: site.behind_nat(kind,
                                              timeout_s=pace.s(seconds))


def home_behind_a_carrier(site, pace):
    """The home router waits 120 s, the carrier's NAT 30 s, and gives each
    home 64 ports at most."""
    return site.behind_nat("port_restricted", timeout_s=pace.s(120),
                           behind=site.cgn(timeout_s=pace.s(30)))


def three_nats_in_a_row(site, pace):
    outer = site.cgn("symmetric", timeout_s=pace.s(30))
    inner = site.cgn("port_restricted", timeout_s=pace.s(60), behind=outer)
    return site.behind_nat("symmetric", timeout_s=pace.s(120), behind=inner)


def refreshed_by_its_phone_alone(site, pace):
    return site.behind_emulator(
        timeout_s=pace.s(30), refresh="outbound",
        filtering="address-and-port-dependent")


def tcp_forgotten_after_40_s(site, pace):
    space = site.behind_nat("port_restricted")
    for name in ("established", "unacknowledged"):
        space.router.sysctl(f"net.netfilter.nf_conntrack_tcp_timeout_{name}",
                            int(pace.s(40)))
    return space


def v6_firewall(site, pace):
    return site.routed_v6(firewall_s=pace.s(30))


RANDOM_CALLS = {
    "silent_phone_behind_a_30_s_nat": (forgets_after(30), {}),
    "silent_phone_behind_a_symmetric_30_s_nat":
        (forgets_after(30, "symmetric"), {}),
    "silent_phone_behind_a_20_s_nat": (forgets_after(20), {}),
    "silent_phone_behind_home_router_and_carrier":
        (home_behind_a_carrier, {}),
    "silent_phone_behind_three_nats": (three_nats_in_a_row, {}),
    "silent_phone_behind_an_outbound_refresh_nat":
        (refreshed_by_its_phone_alone, {}),
    "silent_phone_on_tcp": (tcp_forgotten_after_40_s, {"transport": "tcp"}),
    "silent_phone_behind_a_v6_firewall": (v6_firewall, {"server": SBC6}),
}


def interval_is_kept(context):
    """Pings come once an interval, within 20 %, and never in bursts."""
    site, pace, _ = site_of(context, keepalive="crlf",
                            keepalive_interval="10")
    bob = Quiet("bob", site.behind_nat("port_restricted"), context)
    bob.register()
    began = time.monotonic()
    pace.sleep(75)
    pings = bob.pings(began)
    gaps = [b - a for a, b in zip(pings, pings[1:])]
    check(len(gaps) >= 5, f"{len(pings)} pings in 75 s")
    want = pace.s(10)
    check(all(0.8 * want <= gap <= 1.2 * want for gap in gaps),
          f"gaps are {[round(g, 2) for g in gaps]}, not {want}")
    check(not bob.asked, "OPTIONS where CRLF was written")


def one_ping_per_interval_whatever_the_reasons(context):
    """A registered phone in two calls: one ping an interval, no more."""
    site, pace, alice = site_of(context, keepalive="crlf",
                                keepalive_interval="10")
    bob = Quiet("bob", site.behind_nat("port_restricted"), context)
    bob.register()
    calls = []
    for _ in range(2):
        out = alice.invite("bob", sdp=quiet.rtp_sdp(alice))
        into = bob.incoming()
        into.reply(200, "OK", sdp=quiet.rtp_sdp(bob))
        out.answered()
        into.expect_ack()
        calls.append(out)
    flows = [p for p in site.box.status()["keepalive"].items()]
    began = time.monotonic()
    pace.sleep(65)
    n = len(bob.pings(began))
    check(5 <= n <= 8, f"{n} pings in 6.5 intervals; {flows}")
    for out in calls:
        out.bye()


def nothing_is_sent_after_bye_and_expiry(context):
    """Each reason ends by itself, and with the last one all pings do."""
    site, pace, alice = site_of(context, keepalive_interval="10",
                                min_expires="1", nat_expires="0")
    bob = Quiet("bob", site.behind_nat("port_restricted"), context)
    bob.register(expires=3)
    out = alice.invite("bob", sdp=quiet.rtp_sdp(alice))
    into = bob.incoming()
    into.reply(200, "OK", sdp=quiet.rtp_sdp(bob))
    out.answered()
    into.expect_ack()
    until(lambda: not site.box.binding("bob"), 10, "bob is still bound")
    began = time.monotonic()
    pace.sleep(25)
    check(bob.pings(began), "the dialog does not keep the flow open")
    out.bye()
    into.expect_bye()
    time.sleep(0.5)
    began = time.monotonic()
    pace.sleep(40)
    check(not bob.pings(began), "pings go on after BYE and expiry")
    check(site.box.status()["keepalive"]["flows"] <= 1,
          f"{site.box.status()['keepalive']}")


def expiry_as_granted_ends_the_pings(context):
    """Granted 12 s of 3600 asked: pings stop when those have passed."""
    site, pace, _ = site_of(context, keepalive_interval="10",
                            min_expires="1", nat_expires="0",
                            max_expires="6")
    bob = Quiet("bob", site.behind_nat("port_restricted"), context)
    answer = bob.register(expires=3600)
    check("expires=6" in answer.get("contact"), answer.get("contact"))
    began = time.monotonic()
    until(lambda: bob.pings(began), 6, "no ping at all")
    until(lambda: not site.box.binding("bob"), 10, "bob is still bound")
    began = time.monotonic()
    pace.sleep(40)
    check(not bob.pings(began), "pings go on after the granted time")


def refused_registration_is_not_kept_alive(context):
    """403, 423 and an unanswered challenge make no entry."""
    site, pace, _ = site_of(context, min_expires="60", nat_expires="0")
    space = site.behind_nat("port_restricted")
    bob = Quiet("bob", space, context)
    bob.register(auth=False, must=401)
    bob.register(expires=30, must=423)
    bob.user = "carol"  # the wrong AOR
    bob.register(must=403)
    began = time.monotonic()
    pace.sleep(40)
    check(not bob.pings(began), "a phone that was refused is pinged")
    check(site.box.status()["keepalive"]["registered"] <= 1,
          f"{site.box.status()['keepalive']}")


def unregister_stops_the_pings_at_once(context):
    site, pace, _ = site_of(context, keepalive_interval="10")
    bob = Quiet("bob", site.behind_nat("port_restricted"), context)
    bob.register()
    began = time.monotonic()
    pace.sleep(25)
    check(bob.pings(began), "no pings while registered")
    bob.register(expires=0)
    time.sleep(0.3)
    began = time.monotonic()
    pace.sleep(40)
    check(not bob.pings(began), "pings after un-REGISTER")


def killed_box_goes_on_pinging_in_time(context):
    """kill -9 five seconds after a registration changes nothing."""
    site, pace, alice = site_of(context)
    bob = Quiet("bob", site.behind_nat("port_restricted",
                                       timeout_s=pace.s(30)), context)
    bob.register()
    pace.sleep(5)
    for _ in range(3):
        site.box.kill()
        site.box.start()
        pace.sleep(45)
        ring(alice, bob, 5)
    bob.register(expires=0)
    site.box.kill()
    site.box.start()
    began = time.monotonic()
    pace.sleep(40)
    check(not bob.pings(began), "un-REGISTER was forgotten by kill -9")


def factory_configuration_keeps_phones_reachable(context):
    """No keepalive option is written: it works all the same."""
    site, pace, alice = site_of(context)
    bob = Quiet("bob", site.behind_nat("port_restricted",
                                       timeout_s=pace.s(30)), context)
    bob.register()
    pace.sleep(100)
    ring(alice, bob, 3)


def phone_that_ignores_options_is_kept_by_crlf(context):
    site, pace, alice = site_of(context)
    bob = Quiet("bob", site.behind_nat("port_restricted",
                                       timeout_s=pace.s(30)), context,
                options=0)
    bob.register()
    pace.sleep(100)
    check(bob.blank, "no CRLF after unanswered OPTIONS")
    ring(alice, bob, 3)
    check(not site.box.binding("bob")["nat"]["lost"],
          "a phone that never answered OPTIONS counts as lost")


def phone_that_answers_404_is_alive(context):
    """Any answer proves the way, whatever its status."""
    site, pace, alice = site_of(context, keepalive="options",
                                keepalive_interval="10")
    bob = Quiet("bob", site.behind_nat("port_restricted"), context,
                options=404)
    bob.register()
    pace.sleep(60)
    nat = site.box.binding("bob")["nat"]
    check(nat["answers"] and not nat["lost"], f"{nat}")
    ring(alice, bob, 3)


def lost_phone_is_told_and_comes_back(context):
    """Three losses mark it lost, with an alarm; its next packet clears it."""
    site, pace, alice = site_of(context, keepalive_interval="10")
    bob = Quiet("bob", site.behind_nat("port_restricted"), context)
    bob.register()
    until(lambda: site.box.binding("bob")["nat"]["answers"], pace.s(60),
          "no answer noted", step=0.2)
    bob.ignore = lambda message: True  # deaf
    until(lambda: site.box.binding("bob")["nat"]["lost"], pace.s(60),
          "not marked lost", step=0.2)
    alarms = [a["name"] for a in site.box.status()["alarms"]]
    check("phones-unreachable" in alarms, f"alarms are {alarms}")
    bob.ignore = bob.answer_options
    bob.register()
    until(lambda: not site.box.binding("bob")["nat"]["lost"], 3,
          "still lost after its REGISTER")
    check(not [a for a in site.box.status()["alarms"]
               if a["name"] == "phones-unreachable"], "the alarm stays")
    ring(alice, bob, 3)


def lost_phone_is_dropped_where_the_realm_says_so(context):
    site, pace, _ = site_of(context, keepalive_interval="10",
                            keepalive_lost="drop")
    bob = Quiet("bob", site.behind_nat("port_restricted"), context)
    bob.register()
    until(lambda: site.box.binding("bob")["nat"]["answers"], pace.s(60),
          "no answer noted", step=0.2)
    bob.ignore = lambda message: True
    until(lambda: not site.box.binding("bob"), pace.s(80),
          "a lost binding stays", step=0.2)


def caller_that_never_registered_hears_of_the_end(context):
    """BYE of the callee reaches an unregistered caller behind a NAT, long
    after the NAT would have forgotten it."""
    site, pace, alice = site_of(context)
    bob = Quiet("bob", site.behind_nat("symmetric", timeout_s=pace.s(30)),
                context)
    out = bob.invite("alice", sdp=quiet.rtp_sdp(bob))
    into = alice.incoming()
    into.reply(200, "OK", sdp=quiet.rtp_sdp(alice))
    out.answered()
    into.expect_ack()
    pace.sleep(600 if pace.is_real else 120)
    check(into.bye().status == 200, "BYE of the callee refused")
    out.expect_bye()


def phone_that_unregisters_in_a_call_stays_in_it(context):
    """De-REGISTER mid-call; long after, a re-INVITE still reaches it."""
    site, pace, alice = site_of(context)
    bob = Quiet("bob", site.behind_nat("symmetric", timeout_s=pace.s(30)),
                context)
    bob.register()
    out = alice.invite("bob", sdp=quiet.rtp_sdp(alice))
    into = bob.incoming()
    into.reply(200, "OK", sdp=quiet.rtp_sdp(bob))
    out.answered()
    into.expect_ack()
    bob.register(expires=0)
    pace.sleep(120)
    out.reinvite(quiet.rtp_sdp(alice).replace("sendrecv", "sendonly"))
    into.expect_request("INVITE")
    into.reply(200, "OK", sdp=quiet.rtp_sdp(bob).replace("sendrecv",
                                                         "recvonly"))
    out.answered()
    into.expect_ack()
    out.bye()
    into.expect_bye()


def forks_that_lose_are_let_go(context):
    """Four contacts ring, the third answers: three flows are held no more."""
    site, pace, alice = site_of(context)
    spaces = [site.behind_nat("port_restricted") for _ in range(4)]
    bobs = [Quiet("bob", space, context) for space in spaces]
    for bob in bobs:
        bob.register()
        bob.register_call_id += "x"
    out = alice.invite("bob", sdp=quiet.rtp_sdp(alice))
    ringing = [bob.incoming() for bob in bobs]
    for into in ringing:
        into.reply(180, "Ringing")

    def held():
        return site.box.status()["keepalive"]["dialog"]
    until(lambda: held() >= 4, 3, f"{held()} flows held while ringing")
    ringing[2].reply(200, "OK", sdp=quiet.rtp_sdp(bobs[2]))
    out.answered()
    ringing[2].expect_ack()
    for bob, into in zip(bobs, ringing):
        if into is not ringing[2]:
            cancel = into.expect_request("CANCEL")
            bob.reply(cancel, 200, "OK")
            into.reply(487, "Request Terminated")
    until(lambda: held() <= 2, 2, f"{held()} flows held after the answer")
    check(held() >= 1, "the answered phone is not held")
    out.bye()
    ringing[2].expect_bye()
    until(lambda: held() == 0, 3, f"{held()} flows held after BYE")


def nat_reboot_is_healed_by_the_next_packet(context):
    """The NAT forgets all; the phone's next REGISTER opens it again, and a
    call that came in between is not lost."""
    site, pace, alice = site_of(context, nat_expires="60", min_expires="1")
    bob = Quiet("bob", site.behind_nat("symmetric"), context)
    bob.register()
    pace.sleep(20)
    bob.space.router.reboot()
    out = alice.invite("bob", sdp=quiet.rtp_sdp(alice))
    time.sleep(1.5)
    bob.register()  # as its granted Expires makes it do
    into = bob.incoming(10)
    into.reply(200, "OK", sdp=quiet.rtp_sdp(bob))
    out.answered(10)
    into.expect_ack()
    out.bye()
    into.expect_bye()


def natted_phone_is_granted_a_short_time(context):
    """Behind NAT 120 s at most (B-03), in front of it what it asked."""
    site, _, alice = site_of(context, nat_expires="120", min_expires="60")
    bob = Quiet("bob", site.behind_nat("symmetric"), context)
    check(quiet.granted(bob.register()) == 120, "not 120 s behind NAT")
    check("expires=3600" in alice.register(expires=3600).get("contact"),
          "not 3600 s without NAT")


def tcp_phone_keeps_its_connection_open(context):
    site, pace, alice = site_of(context)
    bob = Quiet("bob", tcp_forgotten_after_40_s(site, pace), context,
                transport="tcp")
    bob.register()
    pace.sleep(150)
    check(bob.blank or bob.asked, "no ping over TCP")
    ring(alice, bob, 3)


def add_to(suite):
    for name, (space, how) in RANDOM_CALLS.items():
        suite.add(random_calls(space, **how),
                  name + "_is_reached_at_any_time", fast=False, limit=200)
    fast = (factory_configuration_keeps_phones_reachable,
            forks_that_lose_are_let_go,
            unregister_stops_the_pings_at_once,
            natted_phone_is_granted_a_short_time)
    for function in fast:
        suite.add(function, limit=120)
    for function in (interval_is_kept,
                     one_ping_per_interval_whatever_the_reasons,
                     nothing_is_sent_after_bye_and_expiry,
                     expiry_as_granted_ends_the_pings,
                     refused_registration_is_not_kept_alive,
                     killed_box_goes_on_pinging_in_time,
                     phone_that_ignores_options_is_kept_by_crlf,
                     phone_that_answers_404_is_alive,
                     lost_phone_is_told_and_comes_back,
                     lost_phone_is_dropped_where_the_realm_says_so,
                     caller_that_never_registered_hears_of_the_end,
                     phone_that_unregisters_in_a_call_stays_in_it,
                     nat_reboot_is_healed_by_the_next_packet,
                     tcp_phone_keeps_its_connection_open):
        suite.add(function, fast=False, limit=120)
