# nat.py - NAT routers of each kind, written in nft
#
# Linux keeps the source port and filters by address and port: that is a port
# restricted NAT.  The freer kinds learn every outgoing packet in a map, in a
# filter chain that sees the packet before its source is rewritten, and use
# the map as destination NAT for what comes from others.  They rest on the
# kept port, so two phones behind one must not share a port.
#
# SPDX-License-Identifier: Apache-2.0

import math
import socket
import struct

import netns

KINDS = ("endpoint_independent", "address_restricted", "port_restricted",
         "symmetric")

# What the prober must find: (mapping depends on the destination,
# filter lets in: "any" peer, same "address", same "port").
PROOF = {
    "endpoint_independent": (False, "any"),
    "address_restricted": (False, "address"),
    "port_restricted": (False, "port"),
    "symmetric": (True, "port"),
}

LEARNED = {
    "endpoint_independent": ("inet_service", "udp sport", "udp dport"),
    "address_restricted": ("ipv4_addr . inet_service",
                           "ip daddr . udp sport", "ip saddr . udp dport"),
}


def ruleset(kind, wan, lan, timeout_s):
    """nft text for a router with WAN address @wan in front of net @lan."""
    how = "fully-random" if kind == "symmetric" else ""
    learn = LEARNED.get(kind)
    free = free_rules(learn, wan, lan, timeout_s) if learn else ""
    # Unasked packets are dropped before conntrack confirms them; an entry
    # would take the port away from the phone's own mapping.
    return f"""
table ip nat {{
{free}
    chain out {{
        type nat hook postrouting priority 100;
        ip saddr {lan} ip daddr != {lan} masquerade {how}
    }}
    chain shut {{
        type filter hook input priority 0;
        ip daddr {wan} ct state new meta l4proto {{ tcp, udp }} drop
    }}
    chain shut_lan {{
        type filter hook forward priority 0;
        ip daddr {lan} ct state new ct status dnat accept
        ip daddr {lan} ct state new drop
    }}
}}
"""


def free_rules(learn, wan, lan, timeout_s):
    key, leaving, arriving = learn
    return f"""
    map inside {{
        type {key} : ipv4_addr . inet_service
        flags dynamic,timeout
        timeout {timeout_s}s
    }}
    chain learn {{
        type filter hook postrouting priority 90;
        ip saddr {lan} meta l4proto udp \
update @inside {{ {leaving} : ip saddr . udp sport }}
    }}
    chain in {{
        type nat hook prerouting priority -100;
        ip daddr {wan} meta l4proto udp dnat ip to {arriving} map @inside
    }}
"""


def whole(seconds):
    """The kernel's time-outs are whole seconds."""
    return max(1, math.ceil(seconds))


class Router(netns.Netns):
    """A namespace with eth0 and br0 that becomes a NAT with begin()."""

    def begin(self, kind, wan, lan, timeout_s=30, tcp_timeout_s=None,
              alg=False):
        """alg: the kernel's own SIP ALG stands in the way, too."""
        self.how = (kind, lan, whole(timeout_s), alg)
        self.wan = wan
        self.sysctl("net.ipv4.ip_forward", 1)
        self.write_rules()
        set_timeouts(self, timeout_s, tcp_timeout_s)

    def write_rules(self):
        kind, lan, timeout_s, alg = self.how
        self.nft("flush ruleset\n" + ruleset(kind, self.wan, lan, timeout_s)
                 + (SIP_ALG if alg else ""))

    def reboot(self):
        """It forgets every mapping."""
        self.write_rules()
        forget_all(self)

    def new_address(self, address):
        """Another WAN address; the kernel forgets mappings of the old."""
        self.ip("addr", "add", f"{address}/24", "dev", "eth0")
        self.ip("addr", "del", f"{self.wan}/24", "dev", "eth0")
        # The second of a net goes with the first; then it is added anew.
        self.ip("addr", "replace", f"{address}/24", "dev", "eth0")
        if self.behind:
            self.ip("route", "replace", "default", "via",
                    f"{self.behind.lan}.1")
        self.wan = address
        self.reboot()


SIP_ALG = """
table ip alg {
    ct helper sip-alg {
        type "sip" protocol udp
        l3proto ip
    }
    chain pre {
        type filter hook prerouting priority -150;
        udp dport 5060 ct helper set "sip-alg"
    }
}
"""


def set_timeouts(router, udp_s, tcp_s=None):
    times = {"udp_timeout": udp_s, "udp_timeout_stream": udp_s}
    if tcp_s:
        times.update(tcp_timeout_established=tcp_s,
                     tcp_timeout_unacknowledged=tcp_s)
    for name, seconds in times.items():
        router.sysctl(f"net.netfilter.nf_conntrack_{name}", whole(seconds))


def forget_all(router):
    """Flush conntrack: IPCTNL_MSG_CT_DELETE without attributes."""
    request = struct.pack("=IHHIIBBH", 20, 1 << 8 | 2, 5, 1, 0, 0, 0, 0)
    with netns.open_socket(router.name, socket.AF_NETLINK, socket.SOCK_RAW,
                           12) as sock:  # NETLINK_NETFILTER
        sock.settimeout(5)
        sock.send(request)
        error = struct.unpack_from("=i", sock.recv(4096), 16)[0]
        if error:
            raise OSError(-error, "conntrack flush")


def make_v6_firewall(router, timeout_s):
    """Forward out everything, in only what was asked for."""
    router.nft("""
table ip6 wall {
    chain forward {
        type filter hook forward priority 0; policy drop;
        iifname "lan" accept
        ct state established,related accept
        icmpv6 type { echo-request, packet-too-big } accept
    }
}
""")
    set_timeouts(router, timeout_s, timeout_s)
