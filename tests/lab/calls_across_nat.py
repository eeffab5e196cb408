# calls_across_nat.py - two phones hear each other, whatever stands between
#
# SPDX-License-Identifier: Apache-2.0

import nat
import tone
from lab import Site, talk
from topology import SBC6

# One caller and one callee of each kind, none with its like.
FAST_PAIRS = {("endpoint_independent", "symmetric"),
              ("address_restricted", "port_restricted"),
              ("port_restricted", "endpoint_independent"),
              ("symmetric", "address_restricted")}


def pair(site, alice_space, bob_space, alice_how=None, bob_how=None):
    """Both ways to end a call: the caller hangs up, then the callee."""
    alice = site.baresip("alice", alice_space, tone.CALLER_HZ,
                         **(alice_how or {}))
    bob = site.baresip("bob", bob_space, tone.CALLEE_HZ, **(bob_how or {}))
    talk(alice, bob, "bob", hang_up_by=alice)
    talk(alice, bob, "bob", hang_up_by=bob)
    site.box.no_calls_left()


def nat_pair(caller_kind, callee_kind):
    def run(context):
        site = Site(context)
        pair(site, site.behind_nat(caller_kind), site.behind_nat(callee_kind))
    return run


def ipv6_phone_and_ipv4_phone_hear_each_other(context):
    site = Site(context)
    pair(site, site.routed_v6(), site.behind_nat("port_restricted"),
         alice_how={"host": SBC6})


def ipv4_phone_calls_ipv6_phone(context):
    site = Site(context)
    pair(site, site.behind_nat("symmetric"), site.routed_v6(),
         bob_how={"host": SBC6})


def tcp_phone_calls_udp_phone(context):
    site = Site(context)
    pair(site, site.behind_nat("port_restricted"),
         site.behind_nat("symmetric"), alice_how={"transport": "tcp"})


def udp_phone_calls_tcp_phone(context):
    site = Site(context)
    pair(site, site.behind_nat("symmetric"),
         site.behind_nat("port_restricted"), bob_how={"transport": "tcp"})


def two_phones_behind_the_same_nat_hear_each_other(context):
    site = Site(context)
    alice, bob = site.behind_nat("port_restricted", phones=2)
    pair(site, alice, bob)


def two_phones_behind_the_same_symmetric_nat_hear_each_other(context):
    site = Site(context)
    alice, bob = site.behind_nat("symmetric", phones=2)
    pair(site, alice, bob)


def add_to(suite):
    for caller in nat.KINDS:
        for callee in nat.KINDS:
            suite.add(nat_pair(caller, callee),
                      f"{caller}_nat_calls_{callee}_nat",
                      fast=(caller, callee) in FAST_PAIRS)
    for function in (ipv6_phone_and_ipv4_phone_hear_each_other,
                     ipv4_phone_calls_ipv6_phone,
                     tcp_phone_calls_udp_phone,
                     udp_phone_calls_tcp_phone,
                     two_phones_behind_the_same_nat_hear_each_other,
                     two_phones_behind_the_same_symmetric_nat_hear_each_other):
        suite.add(function, fast=False)
