# topology.py - the lab's internet: phones, NAT routers, a bridge, the SBC
#
#   phone 192.168.1.50 -- router -- bridge -- sbc 203.0.113.10
#   phone 192.168.1.50 -- router --'   |          2001:db8:1::10
#                        stranger 203.0.113.66
#
# Every LAN uses the same net and the same phone address on purpose.
#
# SPDX-License-Identifier: Apache-2.0

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

    def namespace(self, name):
        space = netns.Netns(f"lab{self.id}-{name}")
        self.context.callback(space.close)
        space.sysctl("net.ipv6.conf.default.accept_dad", 0)
        return space

    def host(self, name, *addresses):
        """A machine on the internet itself, in front of every NAT."""
        space = self.namespace(name)
        self.ports += 1
        netns.plug(self.net, f"port{self.ports}", space)
        for address in addresses:
            add_address(space, "eth0", address)
        return space

    def stranger(self):
        return self.host("stranger", STRANGER)

    def behind_nat(self, kind, phones=1, timeout_s=30):
        """@phones namespaces behind one new router; also sets its WAN."""
        self.routers += 1
        number = self.routers
        wan = f"203.0.113.{20 + number}"
        router = self.host(f"r{number}", wan)
        router.ip("link", "add", "br0", "type", "bridge")
        router.ip("link", "set", "br0", "up")
        router.ip("addr", "add", "192.168.1.1/24", "dev", "br0")
        nat.make_router(router, kind, wan, LAN, timeout_s)
        spaces = []
        for index in range(phones):
            phone = self.namespace(f"p{number}{'abcdef'[index]}")
            netns.plug(router, f"lan{index}", phone)
            add_address(phone, "eth0", f"192.168.1.{50 + index}")
            phone.ip("route", "add", "default", "via", "192.168.1.1")
            phone.wan = wan
            phone.router = router
            phone.address = f"192.168.1.{50 + index}"
            spaces.append(phone)
        return spaces[0] if phones == 1 else spaces

    def routed_v6(self):
        """A phone with a public IPv6 address behind a plain router."""
        self.routers += 1
        number = self.routers
        router = self.host(f"r{number}", f"2001:db8:1::{20 + number}")
        router.sysctl("net.ipv6.conf.all.forwarding", 1)
        phone = self.namespace(f"p{number}")
        netns.cable(router, "lan", phone, "eth0")
        prefix = f"2001:db8:10{number}"
        router.ip("addr", "add", f"{prefix}::1/64", "dev", "lan", "nodad")
        add_address(phone, "eth0", f"{prefix}::50")
        phone.ip("route", "add", "default", "via", f"{prefix}::1")
        self.sbc.ip("route", "add", f"{prefix}::/64", "via",
                    f"2001:db8:1::{20 + number}")
        phone.address = f"{prefix}::50"
        return phone


def add_address(space, device, address):
    if ":" in address:
        space.ip("addr", "add", f"{address}/64", "dev", device, "nodad")
    else:
        space.ip("addr", "add", f"{address}/24", "dev", device)
