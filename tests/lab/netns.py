# netns.py - network namespaces: own them, wire them, open sockets in them
#
# A private mount, network and process namespace around the whole run makes
# every name ours alone and lets the kernel remove all of it when the run
# dies, however it dies.  Root is not needed where user namespaces are
# allowed.
#
# SPDX-License-Identifier: Apache-2.0

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys

MARK = "SBC_LAB_PRIVATE"
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


def enter_private_world():
    """Run this program again inside namespaces of its own.

    Returns only there, or with words why it cannot be.
    """
    if os.environ.get(MARK):
        return setup_private_world()
    base = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
            "--mount-proc"]
    if os.geteuid() != 0:
        base[1:1] = ["--user", "--map-root-user"]
    try:
        probe = subprocess.run([*base, "true"], capture_output=True,
                               text=True, timeout=20)
    except OSError as error:
        return f"unshare does not run: {error}"
    if probe.returncode:
        return "no right to make network namespaces: " + probe.stderr.strip()
    os.environ[MARK] = "1"
    sys.stdout.flush()
    sys.exit(supervise([*base, sys.executable, *sys.argv]))


def supervise(argv):
    """Run @argv, an unshare; it is deaf for signals, so pass them on."""
    process = subprocess.Popen(
        argv, preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))

    def end(number, _):
        with contextlib.suppress(OSError):
            with open(f"/proc/{process.pid}/task/{process.pid}/children") \
                    as children:
                for pid in children.read().split():
                    os.kill(int(pid), signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()  # takes everything inside along
        sys.exit(128 + number)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return process.wait()


def setup_private_world():
    for argv in (["mount", "-t", "tmpfs", "tmpfs", "/run"],
                 ["ip", "link", "set", "lo", "up"]):
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode:
            return f"{' '.join(argv)}: {done.stderr.strip()}"
    return None


def ip(*words):
    run(["ip", *words])


def run(argv, **how):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20,
                          **how)
    if done.returncode:
        raise OSError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


class Netns:
    """One network namespace; removed by close()."""

    def __init__(self, name):
        self.name = name
        ip("netns", "add", name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *words):
        ip("-n", self.name, *words)

    def run(self, *argv, **how):
        return run(["nsenter", f"--net=/run/netns/{self.name}", *argv], **how)

    def sysctl(self, key, value):
        self.run("sysctl", "-qw", f"{key}={value}")

    def nft(self, text):
        self.run("nft", "-f", "-", input=text)

    def close(self):
        subprocess.run(["ip", "netns", "del", self.name],
                       capture_output=True)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_DGRAM):
        return open_socket(self.name, family, kind)


def open_socket(netns, family=socket.AF_INET, kind=socket.SOCK_DGRAM,
                protocol=0):
    """A socket inside namespace @netns; None is our own."""
    if netns is None:
        return socket.socket(family, kind, protocol)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{netns}", os.O_RDONLY)
    try:
        setns(there)
        try:
            return socket.socket(family, kind, protocol)
        finally:
            setns(home)
    finally:
        os.close(home)
        os.close(there)


def setns(fd):
    if libc.setns(fd, CLONE_NEWNET):
        error = ctypes.get_errno()
        raise OSError(error, "setns: " + os.strerror(error))


def plug(bridge, port, host, device="eth0"):
    """A cable from @bridge (namespace with br0) to @host's @device."""
    ip("link", "add", "name", device, "netns", host.name, "type", "veth",
       "peer", "name", port, "netns", bridge.name)
    bridge.ip("link", "set", port, "master", "br0", "up")
    host.ip("link", "set", device, "up")


def cable(one, device_one, two, device_two):
    ip("link", "add", "name", device_one, "netns", one.name, "type", "veth",
       "peer", "name", device_two, "netns", two.name)
    one.ip("link", "set", device_one, "up")
    two.ip("link", "set", device_two, "up")
