# nat.py - NAT routers of each kind, written in nft
#
# Linux keeps the source port and filters by address and port: that is a port
# restricted NAT.  The freer kinds learn every outgoing packet in a map, in a
# filter chain that sees the packet before its source is rewritten, and use
# the map as destination NAT for what comes from others.  They rest on the
# kept port, so two phones behind one must not share a port.
#
# SPDX-License-Identifier: Apache-2.0

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


def make_router(router, kind, wan, lan, timeout_s=30):
    """Turn namespace @router into a NAT of @kind."""
    router.sysctl("net.ipv4.ip_forward", 1)
    router.nft(ruleset(kind, wan, lan, timeout_s))
    for name in ("udp_timeout", "udp_timeout_stream"):
        router.sysctl(f"net.netfilter.nf_conntrack_{name}", timeout_s)
