# emulator.py - a router whose NAT is our own program, tools/nat-emulator
#
#   br0 (LAN) --rule--> nin = nat-emulator = nout --route--> eth0 (WAN)
#
# The WAN address is no address of the router's kernel: it is routed to nout,
# and the router answers ARP for it.
#
# SPDX-License-Identifier: Apache-2.0

import json
import os
import socket
import subprocess
import tempfile

import netns
import runner
from runner import check, until

MAPPINGS = FILTERS = ("endpoint-independent", "address-dependent",
                      "address-and-port-dependent")
PORTS = ("preserving", "random", "block")
REFRESHES = ("both", "outbound")
ALGS = ("transparent", "via", "contact", "keep-port", "sdp-c", "sdp-port",
        "length-short", "length-long", "rport", "callid", "received", "from",
        "to")

TUN = "/dev/net/tun"


def program():
    return os.environ.get("SBC_NAT_EMULATOR") or \
        os.path.join(runner.root_dir(), "build", "nat-emulator")


def arguments(options):
    """timeout_s=1.5, tcp_timeout=9000, ... as the program takes them."""
    options = dict(options)
    if "timeout_s" in options:
        options["timeout"] = int(options.pop("timeout_s") * 1000)
    return [f"{key.replace('_', '-')}={value}"
            for key, value in options.items()]


class Router(netns.Netns):
    """A namespace with eth0 and br0 that becomes a NAT with begin()."""

    def begin(self, context, wan, **options):
        check(os.access(program(), os.X_OK),
              f"{program()} is not there: make nat-emulator")
        why = missing()
        check(not why, f"the NAT emulator cannot run: {why}")
        self.wan = wan
        # A path of its own: those of sockets must be short.
        self.dir = tempfile.mkdtemp(prefix="nat-")
        context.callback(self.remove)
        self.control = os.path.join(self.dir, "control")
        self.lay_routes()
        self.process = runner.spawn(
            context, [program(), "inside=nin", "outside=nout",
                      f"control={self.control}", f"address={wan}",
                      *arguments(options)],
            f"{self.name}.log", netns=self.name)
        context.push(self.verdict)
        until(lambda: os.path.exists(self.control)
              or self.process.poll() is not None, 5, "no NAT emulator",
              step=0.01)
        check(self.process.poll() is None,
              f"nat-emulator ended with {self.process.returncode}")

    def lay_routes(self):
        self.sysctl("net.ipv4.ip_forward", 1)
        for name in ("nin", "nout"):
            self.ip("tuntap", "add", "dev", name, "mode", "tun")
            self.ip("link", "set", name, "up")
        # Sources are those of other interfaces; ARP is answered at once.
        for name in ("all", "eth0", "br0", "nin", "nout"):
            self.sysctl(f"net.ipv4.conf.{name}.rp_filter", 0)
        self.sysctl("net.ipv4.neigh.eth0.proxy_delay", 0)
        self.ip("rule", "add", "iif", "br0", "table", "100")
        self.ip("route", "add", "default", "dev", "nin", "table", "100")
        self.answer_for(self.wan)

    def answer_for(self, address):
        self.ip("route", "replace", f"{address}/32", "dev", "nout")
        self.ip("neigh", "replace", "proxy", address, "dev", "eth0")

    def remove(self):
        for name in os.listdir(self.dir):
            os.unlink(os.path.join(self.dir, name))
        os.rmdir(self.dir)

    def verdict(self, kind, *_):
        """After all went well it must end well; it was told to by spawn."""
        if kind is None:
            code = runner.stop(self.process)
            check(code == 0, f"nat-emulator ended with code {code}")

    # ---- words ------------------------------------------------------------
    def ask(self, *words):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(5)
            sock.connect(self.control)
            sock.sendall(" ".join(str(word) for word in words).encode())
            answer = b""
            while True:
                part = sock.recv(65536)
                if not part:
                    break
                answer += part
        answer = answer.decode().strip()
        check(answer and not answer.startswith("error"),
              f"nat-emulator: {words}: {answer}")
        return answer

    def set(self, **options):
        for option in arguments(options):
            self.ask(*option.split("=", 1))

    def reboot(self):
        """It forgets every mapping."""
        self.ask("reboot")

    def rebind(self):
        """Every mapping gets another outside port."""
        self.ask("rebind")

    def new_address(self, address):
        """Another WAN address; mappings keep their ports."""
        self.answer_for(address)
        self.ask("address", address)
        self.ip("neigh", "del", "proxy", self.wan, "dev", "eth0")
        self.wan = address

    def stats(self):
        return json.loads(self.ask("stats"))

    def dump(self):
        return json.loads(self.ask("dump"))


def missing():
    """None, or words why the emulator cannot run here,"""
    if not os.path.exists(TUN):
        try:  # a container may lack the file and yet have the right
            os.makedirs(os.path.dirname(TUN), exist_ok=True)
            subprocess.run(["mknod", TUN, "c", "10", "200"], check=True,
                           capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return f"no {TUN}"
    try:
        os.close(os.open(TUN, os.O_RDWR))
    except OSError as error:
        return f"{TUN}: {error.strerror}"
    return None
