# topology.py - the lab's internet: phones, NAT routers, a bridge, the SBC
#
#   phone 192.168.1.50 -- router ---------- bridge -- sbc 203.0.113.10
#   phone 192.168.1.50 -- router -- CGN ----'   |     2001:db8:1::10
#                            100.64.1.x   stranger 203.0.113.66
#
# Every LAN uses the same net and the same phone address on purpose.  A router
# is a namespace: of the kernel's NAT (nat.py) or with our own (emulator.py).
# Both have reboot() and new_address(); the emulator has more.
#
# SPDX-License-Identifier: Apache-2.0

import emulator
import nat
import netns

SBC4 = "203.0.113.10"
SBC6 = "2001:db8:1::10"
STRANGER = "203.0.113.66"
LAN = "192.168.1.0/24"


class Lab:
    """One internet; everything in it is removed with @context."""

    def __init__(self, context):
        self.context = context
        self.id = context.id
        self.ports = 0
        self.routers = 0
        self.net = self.namespace("net")
        self.net.ip("link", "add", "br0", "type", "bridge")
        self.net.ip("link", "set", "br0", "up")
        self.sbc = self.host("sbc", SBC4, SBC6)

    def namespace(self, name, make=netns.Netns):
        space = make(f"lab{self.id}-{name}")
        self.context.callback(space.close)
        space.sysctl("net.ipv6.conf.default.accept_dad", 0)
        return space

    def host(self, name, *addresses, make=netns.Netns, behind=None):
        """A machine on the internet itself, or in the LAN of @behind."""
        space = self.namespace(name, make)
        self.ports += 1
        netns.plug(behind or self.net, f"port{self.ports}", space)
        for address in addresses:
            add_address(space, "eth0", address)
        return space

    def stranger(self):
        return self.host("stranger", STRANGER)

    # ---- routers ----------------------------------------------------------
    def router(self, make, lan, behind):
        """(router, its WAN address); not yet a NAT.

        An emulated NAT owns its WAN address, so the router has another.
        """
        self.routers += 1
        number = self.routers
        net = behind.lan if behind else "203.0.113"
        wan = f"{net}.{20 + number}"
        own = f"{net}.{120 + number}" if make is emulator.Router else wan
        router = self.host(f"r{number}", own, make=make, behind=behind)
        router.number, router.lan, router.behind = number, lan, behind
        router.ip("link", "add", "br0", "type", "bridge")
        router.ip("link", "set", "br0", "up")
        add_address(router, "br0", f"{lan}.1")
        if behind:
            router.ip("route", "add", "default", "via", f"{net}.1")
        return router, wan

    def nat_router(self, kind, lan, behind, **how):
        router, wan = self.router(nat.Router, lan, behind)
        router.begin(kind, wan, f"{lan}.0/24", **how)
        return router

    def emulated_router(self, lan, behind, **options):
        router, wan = self.router(emulator.Router, lan, behind)
        router.begin(self.context, wan, **options)
        return router

    def phones_of(self, router, phones):
        outermost = router
        while outermost.behind:
            outermost = outermost.behind
        spaces = []
        for index in range(phones):
            phone = self.namespace(f"p{router.number}{'abcdef'[index]}")
            netns.plug(router, f"lan{index}", phone)
            phone.address = f"{router.lan}.{50 + index}"
            add_address(phone, "eth0", phone.address)
            phone.ip("route", "add", "default", "via", f"{router.lan}.1")
            phone.wan = outermost.wan
            phone.router = router
            spaces.append(phone)
        return spaces[0] if phones == 1 else spaces

    def behind_nat(self, kind, phones=1, timeout_s=30, behind=None, **how):
        """@phones namespaces behind one new router of a kind of nat.py; also
        sets its WAN.  behind: the CGN that stands before it."""
        return self.phones_of(
            self.nat_router(kind, "192.168.1", behind, timeout_s=timeout_s,
                            **how), phones)

    def behind_emulator(self, phones=1, behind=None, **options):
        """The same behind a NAT of our own, with the options of
        tools/nat-emulator: mapping, filtering, refresh, ports, block_size,
        port_cap, hairpin, alg, delay, jitter, loss_permille, ... and
        timeout_s or timeout, which are milliseconds."""
        return self.phones_of(
            self.emulated_router("192.168.1", behind, **options), phones)

    def cgn(self, kind=None, behind=None, **how):
        """A carrier's NAT to stand before home routers: a kind of nat.py, or
        an emulated one that gives each home blocks of 32 ports, 64 at most,
        maps by endpoint and filters by port (S2-19)."""
        lan = f"100.64.{self.routers + 1}"  # RFC 6598
        if kind:
            return self.nat_router(kind, lan, behind, **how)
        how = {"ports": "block", "block_size": 32, "port_cap": 64,
               "filtering": "address-and-port-dependent", **how}
        return self.emulated_router(lan, behind, **how)

    def routed_v6(self, firewall_s=None):
        """A phone with a public IPv6 address behind a plain router, or with
        firewall_s behind one that lets in answers only, and forgets UDP
        after so many seconds."""
        self.routers += 1
        number = self.routers
        router = self.host(f"r{number}", f"2001:db8:1::{20 + number}")
        router.sysctl("net.ipv6.conf.all.forwarding", 1)
        if firewall_s:
            nat.make_v6_firewall(router, firewall_s)
        phone = self.namespace(f"p{number}")
        netns.cable(router, "lan", phone, "eth0")
        prefix = f"2001:db8:10{number}"
        router.ip("addr", "add", f"{prefix}::1/64", "dev", "lan", "nodad")
        add_address(phone, "eth0", f"{prefix}::50")
        phone.ip("route", "add", "default", "via", f"{prefix}::1")
        self.sbc.ip("route", "add", f"{prefix}::/64", "via",
                    f"2001:db8:1::{20 + number}")
        phone.address = f"{prefix}::50"
        phone.router = router
        return phone


def add_address(space, device, address):
    if ":" in address:
        space.ip("addr", "add", f"{address}/64", "dev", device, "nodad")
    else:
        space.ip("addr", "add", f"{address}/24", "dev", device)
