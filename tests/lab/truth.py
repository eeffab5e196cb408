# truth.py - the truth matrix: what the box says of a NAT is what it is
#
# Each cell is a NAT or ALG whose nature the lab knows (emulator_kinds.py and
# alg_kinds.py have proved it), and what `sbc phones --json` must say of it.
#
# SPDX-License-Identifier: Apache-2.0

import threading
import time

import emulator
import quiet
import topology
from lab import Site
from quiet import Quiet
from runner import check, until
from sip import token

SPEED = 10
SECOND = "203.0.113.11"  # the box's other address, to probe filters from
EIM, ADM, APDM = EIF, ADF, APDF = emulator.MAPPINGS


class Fast:
    """A pace of its own: learning takes many cycles."""

    def __init__(self, context):
        self.is_real = context.options.real
        self.speed = 1 if self.is_real else SPEED

    def s(self, seconds):
        return seconds / self.speed


def site_of(context):
    pace = Fast(context)
    site = Site(context, {"nat_expires": 120, "min_expires": "1"}, pace)
    topology.add_address(site.sbc, "eth0", SECOND)
    return site, pace


def phone_of(context, space, user="bob", **how):
    """A phone that shows where it is in its Call-ID, as many do."""
    phone = Quiet(user, space, context, **how)
    phone.register_call_id = f"{token(8)}@{space.address}"
    return phone


def nat_of(site, user="bob"):
    binding = site.box.binding(user)
    return (binding or {}).get("nat") or {}


# ---- kinds ------------------------------------------------------------------

# Mapping, filtering, port policy: the word of RFC 3489 for it.  What lets
# nobody in cannot be told apart by its mapping, and is said to be either.
KINDS = {
    (EIM, EIF, "preserving"): "full-cone",
    (EIM, EIF, "random"): "full-cone",
    (EIM, ADF, "preserving"): "address-restricted",
    (EIM, ADF, "random"): "address-restricted",
    (EIM, APDF, "preserving"): "port-restricted",
    (EIM, APDF, "random"): "port-restricted or symmetric",
    (EIM, APDF, "block"): "port-restricted or symmetric",
    (ADM, EIF, "random"): "symmetric",
    (APDM, EIF, "random"): "symmetric",
    (APDM, ADF, "random"): "symmetric",
    (APDM, APDF, "random"): "port-restricted or symmetric",
}


def must_be_kind(site, space, context, wanted):
    phone_of(context, space).register()
    until(lambda: nat_of(site).get("kind", "unknown") != "unknown", 20,
          "no kind was found", step=0.2)
    nat = nat_of(site)
    check(nat["kind"] == wanted, f"kind is {nat['kind']}, not {wanted}")
    check(nat["alg"] == "none", f"an ALG, where there is none: {nat}")
    check(nat["behind"] == (wanted != "none"), f"behind: {nat['behind']}")


def kind_of_emulated(mapping, filtering, ports, wanted):
    def run(context):
        site, _ = site_of(context)
        space = site.behind_emulator(mapping=mapping, filtering=filtering,
                                     ports=ports)
        must_be_kind(site, space, context, wanted)
    return run


def kind_of_kernels(kind, wanted):
    def run(context):
        site, _ = site_of(context)
        must_be_kind(site, site.behind_nat(kind), context, wanted)
    return run


def kind_behind_cgn_is_that_of_both(context):
    site, _ = site_of(context)
    space = site.behind_emulator(filtering=EIF, behind=site.cgn())
    must_be_kind(site, space, context, "port-restricted or symmetric")


def phone_without_nat_is_behind_none(context):
    site, _ = site_of(context)
    space = site.host("near", "203.0.113.90")
    space.address = "203.0.113.90"
    phone_of(context, space).register()
    nat = nat_of(site)
    check(not nat.get("behind") and nat.get("alg", "none") == "none"
          and not nat.get("evidence"), f"{nat}")


# ---- ALGs -------------------------------------------------------------------

# Pattern: (alg, evidence that must be there) of the binding, after two
# REGISTERs, and of the call's leg.  Contact alone, Via and Contact with the
# inside port, or c= alone is what phones do by themselves that ask STUN, and a
# media port can be any: there the phone counts as behind a NAT, and works.
REGISTERED, CALLED = "registered", "called"
ALGS = {
    "transparent": {REGISTERED: ("transparent", {"callid-private"})},
    "via": {REGISTERED: ("broken", {"alg-mix"})},
    "contact": {REGISTERED: ("none", {"via-private"})},
    "keep-port": {REGISTERED: ("none", {"via-port"})},
    "sdp-c": {REGISTERED: ("none", set()),
              CALLED: ("none", {"origin-private"})},
    "sdp-port": {REGISTERED: ("none", set()), CALLED: ("none", set())},
    "length-short": {REGISTERED: ("none", set()),
                     CALLED: ("broken", {"alg-length"})},
    "rport": {REGISTERED: ("broken", {"alg-rport"})},
    "received": {REGISTERED: ("broken", {"alg-rport"})},
    "callid": {REGISTERED: ("broken", {"alg-callid"})},
    "from": {REGISTERED: ("none", set())},
}


def must_say(where, nat, wanted):
    alg, evidence = wanted
    check(nat["behind"], f"{where}: not behind a NAT: {nat}")
    check(nat["alg"] == alg and evidence <= set(nat["evidence"]),
          f"{where}: alg {nat['alg']}, {nat['evidence']}: "
          f"\"{nat['reason']}\"; not {alg} by {evidence}")


def called(site, bob, alice, wanted):
    """bob calls alice: the leg tells it, and the call works."""
    out = bob.invite("alice", sdp=quiet.rtp_sdp(bob))
    into = alice.incoming()
    into.reply(200, "OK", sdp=quiet.rtp_sdp(alice))
    out.answered()
    into.expect_ack()
    if wanted:
        legs = [leg for call in site.box.calls() for leg in call["legs"]]
        nats = [leg["nat"] for leg in legs if (leg["nat"] or {}).get("behind")]
        check(len(nats) == 1, f"legs behind NAT: {legs}")
        must_say("the leg", nats[0], wanted)
    out.bye()
    into.expect_bye()


def alg_cell(make_space, wanted):
    def run(context):
        site, _ = site_of(context)
        near = site.host("near", "203.0.113.90")
        near.address = "203.0.113.90"
        alice = Quiet("alice", near, context)
        alice.register()
        bob = phone_of(context, make_space(site))
        bob.register()
        bob.register()
        must_say("the binding", nat_of(site), wanted[REGISTERED])
        called(site, bob, alice, wanted.get(CALLED))
        quiet.ring(alice, bob, 5)
    return run


def behind_alg(pattern):
    return lambda site: site.behind_emulator(ports="random", alg=pattern)


def alg_that_says_too_long_a_length_is_told_the_phone(context):
    """Content-Length says more than came: 400 (RFC 3261 18.3), and the
    binding still works."""
    site, _ = site_of(context)
    near = site.host("near", "203.0.113.90")
    near.address = "203.0.113.90"
    alice = Quiet("alice", near, context)
    alice.register()
    bob = phone_of(context, behind_alg("length-long")(site))
    bob.register()
    out = bob.invite("alice", sdp=quiet.rtp_sdp(bob), auth=False)
    answer = bob.expect(lambda m: out.answers_invite(m) and m.status >= 300,
                        6, "an answer")
    check(answer.status == 400, f"{answer}")
    quiet.ring(alice, bob, 5)


def alg_that_hides_the_box_is_told_the_phone(context):
    """To names the NAT instead of the box: 404 (RFC 3261 10.3)."""
    site, _ = site_of(context)
    bob = phone_of(context, behind_alg("to")(site))
    bob.register(must=404)


# ---- time-outs --------------------------------------------------------------

def learned_timeout(timeout_s, **options):
    """The box finds out when the NAT forgets, within 20 %."""
    def run(context):
        site, pace = site_of(context)
        space = site.behind_emulator(timeout_s=pace.s(timeout_s), **options)
        bob = phone_of(context, space)
        stop = threading.Event()
        context.callback(stop.set)

        def refresh():
            while not stop.wait(pace.s(timeout_s + 40)):
                bob.register()
        bob.register()
        threading.Thread(target=refresh, daemon=True).start()

        def is_known():
            nat = nat_of(site)
            low, high = nat.get("floor_s"), nat.get("ceiling_s")
            return low and high and high - low <= 2 + low / 25 and nat
        nat = until(is_known, pace.s(40 * (timeout_s + 40)),
                    f"not learned: {nat_of(site)}", step=0.5)
        check(0.8 * timeout_s <= nat["lifetime_s"] <= 1.2 * timeout_s,
              f"lifetime is {nat['lifetime_s']} s, not {timeout_s} s")
        check(nat["interval_s"] < timeout_s,
              f"pinged each {nat['interval_s']} s")
    return run


# As RFC 4787's readers write it: mapping and filtering.
SHORT = {EIM: ("eim", "eif"), ADM: ("adm", "adf"), APDM: ("apdm", "apdf")}


def name_of(*words):
    return "_".join(words).replace("-", "_").replace(" ", "_")


def add_to(suite):
    for (mapping, filtering, ports), wanted in KINDS.items():
        suite.add(kind_of_emulated(mapping, filtering, ports, wanted),
                  name_of("truth", SHORT[mapping][0], SHORT[filtering][1],
                          ports, "is", wanted),
                  fast=(mapping, filtering) in ((EIM, EIF), (EIM, APDF)))
    for kind, wanted in (("endpoint_independent", "full-cone"),
                         ("address_restricted", "address-restricted"),
                         ("port_restricted", "port-restricted"),
                         ("symmetric", "port-restricted or symmetric")):
        suite.add(kind_of_kernels(kind, wanted),
                  name_of("truth kernels", kind, "is", wanted), fast=False)
    suite.add(kind_behind_cgn_is_that_of_both, fast=False)
    suite.add(phone_without_nat_is_behind_none)
    for pattern, wanted in ALGS.items():
        suite.add(alg_cell(behind_alg(pattern), wanted),
                  name_of("truth alg", pattern, "is", wanted[REGISTERED][0]),
                  fast=pattern in ("transparent", "via"))
    suite.add(alg_cell(lambda site: site.behind_nat("symmetric", alg=True),
                       ALGS["transparent"]),
              "truth_alg_of_the_kernel_is_transparent")
    suite.add(alg_that_says_too_long_a_length_is_told_the_phone, fast=False)
    suite.add(alg_that_hides_the_box_is_told_the_phone, fast=False)
    symmetric = {"ports": "random", "mapping": APDM, "filtering": APDF}
    for name, timeout_s, options in (
            ("of_30_s", 30, {}), ("of_60_s", 60, {}), ("of_120_s", 120, {}),
            ("of_outbound_refresh", 60, {"refresh": "outbound"}),
            ("of_symmetric", 60, symmetric)):
        suite.add(learned_timeout(timeout_s, **options),
                  f"truth_timeout_{name}_is_learned", fast=False, limit=400)
