# nat_kinds.py - proves that each NAT of the lab is of the kind it says
#
# SPDX-License-Identifier: Apache-2.0

import time

import nat
import prober
import topology
from runner import check

SECOND = "203.0.113.11"


def responder(lab):
    topology.add_address(lab.sbc, "eth0", SECOND)
    stun = prober.Responder(lab.sbc, (topology.SBC4, SECOND), (3478, 3479))
    stun.start()
    lab.context.callback(stun.close)
    return stun


def probe_kind(kind):
    def run(context):
        lab = topology.Lab(context)
        phone = lab.behind_nat(kind)
        found = prober.probe(phone, responder(lab))
        check(found == nat.PROOF[kind],
              f"(mapping depends on peer, filter) is {found}, "
              f"not {nat.PROOF[kind]}")
    return run


def probe_timeout(kind, timeout_s, alive_s, dead_s):
    def run(context):
        lab = topology.Lab(context)
        phone = lab.behind_nat(kind, timeout_s=timeout_s)
        stun = responder(lab)
        check(not prober.lifetime_over(
            phone, stun, lambda: time.sleep(alive_s), 5070),
            f"mapping is shut after {alive_s} s")
        check(prober.lifetime_over(
            phone, stun, lambda: time.sleep(dead_s), 5072),
            f"mapping is still open after {dead_s} s")
    return run


def add_to(suite):
    for kind in nat.KINDS:
        suite.add(probe_kind(kind), f"nat_is_{kind}")
        suite.add(probe_timeout(kind, 3, 1.5, 4.5),
                  f"nat_{kind}_forgets_after_its_timeout", fast=False)
    suite.add(probe_timeout("port_restricted", 30, 25, 32),
              "nat_forgets_after_30_s", fast=False, limit=90)
