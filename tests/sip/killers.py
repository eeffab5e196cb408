# killers.py - inputs that are known to kill or stall the SIP library
#
# After each the box must answer a good OPTIONS within a second.  Attackers
# use addresses of their own, so that a limit per source does not hide a
# stall.
#
# SPDX-License-Identifier: Apache-2.0

import os
import select
import socket
import subprocess
import threading
import time

import netns
from runner import Failed, check
from sip import token
from sipbox import SipBox, Talk

SHIM = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Seconds that real time is off, as the file CLOCK_OFFSET says. */
static long long offset(void)
{
	char text[32] = "0";
	int fd = open(getenv("CLOCK_OFFSET"), O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (read(fd, text, sizeof(text) - 1) < 0)
			text[0] = '0';
		close(fd);
	}
	return atoll(text);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int err = syscall(SYS_clock_gettime, id, ts);

	if (!err && id == CLOCK_REALTIME)
		ts->tv_sec += offset();
	return err;
}

int gettimeofday(struct timeval *tv, void *tz)
{
	struct timespec ts;

	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *out)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (out)
		*out = ts.tv_sec;
	return ts.tv_sec;
}
"""

SDP_HEAD = ("v=0\r\no=- 1 1 IN IP4 {a}\r\ns=-\r\nc=IN IP4 {a}\r\nt=0 0\r\n")
SDP_BOMBS = ("m=image 4000 udptl @\r\n", "m=image 4000 udptl t38 @\r\n",
             "m=audio 4000 RTP/AVPF @\r\n",
             "m=audio 4000 RTP/SAVPF 0 @ 8\r\n",
             "m=audio 4000 UDP/TLS/RTP/SAVPF (\r\n",
             "m=application 9 MRCP @\r\n")


def sdp_bomb_in_offer_and_answer(context):
    """No. 1: a format that is no token loops the library's SDP parser."""
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    head = SDP_HEAD.format(a=alice.local)
    for bomb in SDP_BOMBS:
        for sdp in (head + bomb, head + "m=audio 4002 RTP/AVP 0\r\n" + bomb):
            out = alice.invite("bob", sdp=sdp)
            box.options_work()
            if out.cancel().status == 200:
                time.sleep(0.02)
            alice.inbox.clear()
    for message in list(bob.inbox):
        if message.method == "INVITE" and message.is_request:
            bob.reply(message, 486, "Busy Here", to_tag=token())
    bob.inbox.clear()
    for bomb in SDP_BOMBS:
        out = alice.invite("bob", rtp=box.media(alice))
        into = bob.incoming()
        into.reply(200, "OK", sdp=SDP_HEAD.format(a=bob.local) + bomb)
        box.options_work()
        final = alice.expect(lambda m: out.answers_invite(m)
                             and m.status >= 200)
        if final.status == 200:
            out.learn(final)
            out.ack()
            out.bye()
        alice.inbox.clear()
        bob.inbox.clear()
    box.options_work()


def broken_multipart_bodies(context):
    """No. 2: the library's multipart parser aborts."""
    box = SipBox(context)
    alice = box.phone("alice")
    box.phone("bob")
    bodies = (b"", b"--", b"--b", b"--b\r\n", b"--b--", b"--b\r\n\r\n--b--",
              b"--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n--b",
              b"\r\n--b\r\nContent-Length: 99999\r\n\r\nx\r\n--b--\r\n",
              b"--b\r\n" * 2000, b"\0" * 500, b"--b\n\n--b\n", b"x" * 3000)
    for kind in ("multipart/mixed;boundary=b", "multipart/mixed",
                 'multipart/mixed;boundary=""', "multipart/mixed;boundary",
                 'multipart/related;boundary="b', "multipart/"):
        for body in bodies:
            alice.send(alice.make("INVITE", f"sip:bob@{box.address}",
                                  body=body, headers=(
                                      ("Content-Type", kind),)))
        box.options_work()
    out = alice.invite("bob", sdp="--b\r\n\r\n--b", headers=(
        ("Content-Type", "multipart/mixed;boundary=b"),))
    alice.expect(lambda m: out.answers_invite(m) and m.status > 100)
    box.options_work()


class SilentResolver:
    """Takes every DNS question and answers none."""

    def __init__(self, context):
        where = os.path.realpath("/etc/resolv.conf")
        if not os.path.exists(where):  # a link into /run, which is ours
            os.makedirs(os.path.dirname(where), exist_ok=True)
            open(where, "a").close()
        mine = context.path("resolv.conf")
        address = f"127.{context.id}.53.53"
        with open(mine, "w") as out:
            out.write(f"nameserver {address}\noptions timeout:15\n")
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, 53))
        self.box_limits = ["unshare", "--mount", "sh", "-c",
                           f"mount --bind {mine} {where}; exec \"$@\"", "sh"]
        context.callback(self.sock.close)

    def questions(self):
        count = 0
        while select.select([self.sock], [], [], 0)[0]:
            self.sock.recv(2048)
            count += 1
        return count


def names_that_the_library_would_resolve(context):
    """No. 3: one datagram stalls the library in a DNS look-up."""
    silent = SilentResolver(context)
    box = SipBox(context, limits=silent.box_limits)
    check_resolver_is_silent(silent)
    mallory = box.phone("mallory", 40, register=False)
    name = "no-such-host.test"
    via = (("Via", f"SIP/2.0/UDP {name}:5060;rport;branch=z9hG4bKx"),)
    attacks = [
        mallory.make("OPTIONS", f"sip:{box.address}", headers=via).replace(
            b" SIP/2.0\r\n", b" SIP/9.0\r\n", 1),
        mallory.make("OPTIONS", f"sip:{box.address}", headers=(
            ("Via", f"SIP/2.0/UDP {mallory.local};maddr={name}"
             ";branch=z9hG4bKy"),)),
        mallory.make("OPTIONS", f"sip:{box.address}", headers=via,
                     body=b"x" * 60000),
        mallory.make("INVITE", f"sip:bob@{name}", headers=via),
        mallory.make("OPTIONS", f"sip:{box.address}", headers=(
            *via, ("Route", f"<sip:{name};lr>"))),
        mallory.make("REGISTER", f"sip:{box.address}", headers=via),
        mallory.make("BYE", f"sip:{box.address}", to_tag="x", headers=via),
        b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP " + name.encode() +
        b"\r\n\r\n"]
    for attack in attacks:
        mallory.send(attack)
        box.options_work()
    tcp = box.phone("mallory", 41, register=False, transport="tcp", port=0)
    for attack in attacks:
        try:
            tcp.send(attack.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"))
        except OSError:
            tcp = box.phone("mallory", 41, register=False, transport="tcp",
                            port=0)
        box.options_work()
    asked = silent.questions()
    check(asked == 0, f"{asked} questions reached the resolver")
    phone_with_a_name_as_contact(box)
    check(silent.questions() == 0, "a Contact was resolved")


def check_resolver_is_silent(silent):
    """The trap works: a process in the box's place asks our resolver."""
    process = subprocess.Popen(
        [*silent.box_limits, "getent", "ahosts", "some.test"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ready = select.select([silent.sock], [], [], 3)[0]
    process.kill()
    process.wait()
    check(ready, "the silent resolver is not asked; this test is blind")
    silent.questions()


def phone_with_a_name_as_contact(box):
    alice = box.phone("alice")
    bob = box.phone("bob", register=False)
    bob.register(contact="<sip:bob@phone-of-bob.test:5060>")
    alice.invite("bob", rtp=box.media(alice))
    bob.incoming(2).reply(486, "Busy Here")
    box.options_work()


def more_connections_than_descriptors(context):
    """No. 5: accept() without descriptors spins and floods the log."""
    box = SipBox(context, limits=["prlimit", "--nofile=256:256"])
    before = len(box.log().splitlines())
    opened = []
    for number in range(600):
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind((f"{box.net}.{50 + number % 8}.1", 0))
        try:
            sock.connect(box.server)
        except BlockingIOError:
            pass
        opened.append(sock)
    time.sleep(1)
    busy = cpu_seconds(box.pid)
    time.sleep(1)
    busy = cpu_seconds(box.pid) - busy
    box.options_work()
    lines = len(box.log().splitlines()) - before
    check(lines < 200, f"{lines} lines in the log")
    check(busy < 0.3, f"{busy:.2f} s of CPU in a second of doing nothing")
    for sock in opened:
        sock.close()
    time.sleep(0.5)
    tcp = box.phone("probe", 70, register=False, transport="tcp", port=0)
    answer = tcp.request("OPTIONS", f"sip:{box.address}", auth=False)
    check(answer.status == 200, f"TCP afterwards: {answer}")


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def many_branches_of_one_call_id(context):
    """No. 6: 20 000 requests that fall into one hash chain."""
    box = SipBox(context)
    senders = [box.phone("m", 60 + n, register=False) for n in range(8)]
    template = senders[0].make("OPTIONS", f"sip:{box.address}",
                               call_id="same", branch="z9hG4bK-BRANCH",
                               from_tag="same")
    worst = []
    asking = threading.Thread(target=lambda: measure(box, worst))
    asking.start()
    for number in range(20000):
        sender = senders[number % 8]
        data = template.replace(b"-BRANCH", b"%d" % number)
        sender.transport.send(data)
        if number % 64 == 63:
            time.sleep(0.002)  # let the box's socket buffer breathe
    asking.join()
    check(not worst, f"during the flood: {worst[:1]}")
    box.options_work()


def measure(box, worst):
    for number in range(5):
        try:
            box.options_work(number=240 + number)
        except Failed as failure:
            worst.append(str(failure))
        time.sleep(0.2)


def stun_packets_on_the_sip_port(context):
    """No. 8: the library's STUN server prints and leaks for each packet; ours
    answers what is whole, within a stranger's budget, and says nothing."""
    box = SipBox(context)
    before = len(box.log())
    answers = 0
    with netns.open_socket(None) as sock:
        sock.bind((f"{box.net}.45.1", 0))
        sock.setblocking(False)
        for number in range(3000):
            head = b"\0\1\0\0\x21\x12\xa4\x42" + os.urandom(12)
            sock.sendto(head[:20 - number % 20] if number % 3 else head,
                        box.server)
            if number % 100 == 0:
                time.sleep(0.005)
        box.options_work()
        time.sleep(0.3)
        while select.select([sock], [], [], 0)[0]:
            answer = sock.recv(2048)
            answers += 1
            check(answer[:8] == b"\1\1\0\x0c\x21\x12\xa4\x42",
                  f"not a Binding response: {answer[:40]}")
    check(0 < answers <= 1100, f"{answers} answers to 1050 whole requests")
    grown = len(box.log()) - before
    check(grown < 20000, f"{grown} bytes of log for 3000 packets")


def clock_that_jumps(context):
    """No. 9: a jump of real time aborts or freezes the library."""
    source, shim = context.path("shim.c"), context.path("shim.so")
    with open(source, "w") as out:
        out.write(SHIM)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", shim, source],
                   check=True)
    offset = context.path("offset")

    def jump(seconds):
        with open(offset + ".new", "w") as out:
            out.write(str(seconds))
        os.rename(offset + ".new", offset)
    jump(0)
    box = SipBox(context, env={
        "LD_PRELOAD": shim, "CLOCK_OFFSET": offset,
        "ASAN_OPTIONS": "verify_asan_link_order=0"})
    talk = Talk(box)
    talk.speak()
    day, year = 86400, 365 * 86400
    for seconds in (2 * 3600, -2 * 3600, 16 * day, 0, 28 * year, -5 * year,
                    0):
        jump(seconds)
        box.options_work()
        talk.heard()
        carol = box.phone("carol")
        check(box.binding("alice"), f"a binding is gone after {seconds} s")
        out = carol.invite("alice", sdp="")
        talk.alice.incoming().reply(486, "Busy Here")
        out.expect(486)
        carol.close()
    check("sbc.ready" in box.log(), "no log")
    talk.end()


def random_bytes_on_every_port(context):
    box = SipBox(context)
    with netns.open_socket(None) as sock:
        sock.bind((f"{box.net}.46.1", 0))
        for size in (0, 1, 3, 19, 20, 200, 1400, 65000):
            for _ in range(5):
                sock.sendto(os.urandom(size), box.server)
    for _ in range(10):
        with socket.socket() as tcp:
            tcp.connect(box.server)
            tcp.sendall(os.urandom(3000))
    box.options_work()


def add_to(suite):
    heavy = (more_connections_than_descriptors, many_branches_of_one_call_id)
    for function, name, needs in (
            (sdp_bomb_in_offer_and_answer, "killer_1_sdp_bomb", ()),
            (broken_multipart_bodies, "killer_2_multipart", ()),
            (names_that_the_library_would_resolve, "killer_3_blocking_dns",
             ("unshare", "getent")),
            (more_connections_than_descriptors, "killer_5_fd_exhaustion",
             ("prlimit",)),
            (many_branches_of_one_call_id, "killer_6_hash_flooding", ()),
            (stun_packets_on_the_sip_port, "killer_8_stun", ()),
            (clock_that_jumps, "killer_9_clock_jump", ("gcc",)),
            (random_bytes_on_every_port, "killer_random_bytes", ())):
        suite.add(function, name, needs=needs, limit=90,
                  alone=function in heavy)
