# emulator_kinds.py - proves that our own NAT is what its options say
#
# A prober behind it and a responder with two addresses in front of it see
# what it does; it is not asked itself.
#
# SPDX-License-Identifier: Apache-2.0

import socket
import threading
import time

import emulator
import prober
import topology
from nat_kinds import responder
from runner import Failed, check

TIMEOUT_S = 1.5
SLACK_S = 0.12  # of a busy machine


def in_parallel(*jobs):
    """Run all; the first failure is ours."""
    failures = []

    def run(job):
        try:
            job()
        except Exception as error:
            failures.append(error)
    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


# ---- every cell of mapping, filtering, refresh and port policy -------------

def cells_of(mapping, filtering):
    def run(context):
        lab = topology.Lab(context)
        stun = responder(lab)
        jobs = []
        for ports in emulator.PORTS:
            for refresh in emulator.REFRESHES:
                options = {"mapping": mapping, "filtering": filtering,
                           "ports": ports, "refresh": refresh,
                           "timeout_s": TIMEOUT_S}
                phone = lab.behind_emulator(**options)
                jobs.append(lambda p=phone, o=options: cell(p, stun, o))
        in_parallel(*jobs)
    return run


def cell(phone, stun, options):
    found = prober.classify(phone, stun)
    wanted = options["mapping"], options["filtering"]
    if found[:2] != wanted:
        raise Failed(f"{options}: found {found[:2]}")
    check(all(address == phone.wan for address, _ in found[2]),
          f"{options}: seen as {found[2]}, not {phone.wan}")
    check_ports(phone, stun, options)
    check_refresh(phone, stun, options)


def check_ports(phone, stun, options):
    opened = [prober.Opened(phone, stun, 7000 + 10 * i) for i in range(4)]
    ports = [one.mapped[1] for one in opened]
    local = [7000 + 10 * i for i in range(4)]
    for one in opened:
        one.close()
    if options["ports"] == "preserving":
        check(ports == local, f"{options}: {local} became {ports}")
    elif options["ports"] == "random":
        check(not set(ports) & set(local) and max(ports) - min(ports) > 100,
              f"{options}: {local} became {ports}")
    else:
        blocks = {(port - 1024) // 64 for port in ports}
        check(len(blocks) == 1, f"{options}: {local} became {ports}")


def check_refresh(phone, stun, options):
    """Packets from outside alone: do they hold the mapping open?"""
    one = prober.Opened(phone, stun, 7100)
    step = TIMEOUT_S / 3
    for n in range(1, 6):
        time.sleep(max(0, one.since + n * step - time.monotonic()))
        came = one.knock()
    one.close()
    check(came == (options["refresh"] == "both"),
          f"{options}: a knock {'came' if came else 'did not come'} in after "
          f"5/3 of the time-out with knocks all the time")


# ---- times ------------------------------------------------------------------

def check_lifetime(phone, stun, timeout_s, first_port=6000):
    waits = [timeout_s * part for part in (0.5, 0.8, 0.9, 1.1, 1.2, 1.5)]
    alive, dead = prober.lifetime(phone, stun, waits, first_port)
    check(alive <= timeout_s + SLACK_S and dead >= timeout_s - SLACK_S
          and alive >= 0.75 * timeout_s and dead <= 1.35 * timeout_s + 0.4,
          f"alive after {alive:.2f} s, dead after {dead:.2f} s, "
          f"time-out {timeout_s} s")


def emulator_forgets_after_its_timeout(context):
    lab = topology.Lab(context)
    stun = responder(lab)
    phones = {s: lab.behind_emulator(timeout_s=s,
                                     filtering="address-and-port-dependent")
              for s in (1.0, 2.0, 3.0)}
    in_parallel(*[lambda p=p, s=s: check_lifetime(p, stun, s)
                  for s, p in phones.items()])


def emulator_takes_another_timeout_while_it_runs(context):
    lab = topology.Lab(context)
    stun = responder(lab)
    phone = lab.behind_emulator(timeout_s=30)
    one = prober.Opened(phone, stun, 5060)
    phone.router.set(timeout_s=1)
    one.ask()  # what is refreshed now has the new time
    time.sleep(1.4)
    check(not one.knock(), "still open after 1.4 s of 1 s")
    one.close()


# ---- hairpin ----------------------------------------------------------------

def hairpin(on):
    def run(context):
        lab = topology.Lab(context)
        stun = responder(lab)
        first, second = lab.behind_emulator(
            phones=2, hairpin="on" if on else "off", ports="random")
        a = prober.Opened(first, stun, 5060)
        b = prober.Opened(second, stun, 5060)
        check(a.mapped != b.mapped, "two phones have one port")
        a.sock.sendto(b"across", b.mapped)
        b.sock.settimeout(0.5)
        try:
            data, source = b.sock.recvfrom(100)
        except TimeoutError:
            data, source = None, None
        a.close()
        b.close()
        if on:
            check((data, source) == (b"across", a.mapped),
                  f"{data} came from {source}, not from outside {a.mapped}")
        else:
            check(data is None, f"{data} came back from {source}")
    return run


# ---- ports ------------------------------------------------------------------

def block_allocation_stops_at_its_cap(context):
    """64 ports for a home in blocks of 32; the 65th gets none, and another
    home behind the same CGN is not touched."""
    lab = topology.Lab(context)
    stun = responder(lab)
    first, second = lab.behind_emulator(phones=2, ports="block",
                                        block_size=32, port_cap=64,
                                        timeout_s=3)
    opened = [prober.Opened(first, stun, 7000 + i) for i in range(64)]
    blocks = {(one.mapped[1] - 1024) // 32 for one in opened}
    check(len(blocks) == 2, f"ports of {len(blocks)} blocks of 32")
    check(len({one.mapped for one in opened}) == 64, "a port is given twice")
    try:
        prober.Opened(first, stun, 7064).close()
        raise Failed("a 65th port was given")
    except OSError:
        pass
    prober.Opened(second, stun, 7000).close()
    for one in opened:
        one.close()
    time.sleep(3.5)
    one = prober.Opened(first, stun, 7100)  # all are free again: no leak
    one.close()
    check(first.router.stats()["mappings"] <= 2, "mappings are left over")


def two_phones_of_one_port_get_two(context):
    lab = topology.Lab(context)
    stun = responder(lab)
    phones = lab.behind_emulator(phones=2)
    opened = [prober.Opened(phone, stun, 5060) for phone in phones]
    check(opened[0].mapped != opened[1].mapped, "both have one port")
    check(all(one.knock() for one in opened), "a knock went astray")
    for one in opened:
        one.close()


# ---- what happens to homes ---------------------------------------------------

def reboot_forgets_every_mapping(context):
    lab = topology.Lab(context)
    stun = responder(lab)
    phone = lab.behind_emulator(ports="random")
    one = prober.Opened(phone, stun, 5060)
    before = one.mapped
    check(one.knock(), "no way in")
    phone.router.reboot()
    check(not one.knock(), "open after the reboot")
    check(one.ask() != before and one.knock(), "no new mapping")
    one.close()


def rebind_moves_every_mapping_to_another_port(context):
    lab = topology.Lab(context)
    stun = responder(lab)
    phone = lab.behind_emulator(filtering="address-and-port-dependent")
    one = prober.Opened(phone, stun, 5060)
    before = one.mapped
    phone.router.rebind()
    check(not one.knock(), "the old port is still open")
    after = one.ask()
    check(after[0] == before[0] and after[1] != before[1],
          f"{before} became {after}")
    check(one.knock(), "the new port is shut")
    one.close()


def address_change_keeps_ports_and_the_way_in(context):
    lab = topology.Lab(context)
    stun = responder(lab)
    phone = lab.behind_emulator(filtering="address-and-port-dependent")
    one = prober.Opened(phone, stun, 5060)
    before = one.mapped
    phone.router.new_address("203.0.113.77")
    check(not one.knock(), "the old address is still there")
    after = one.ask()
    check(after == ("203.0.113.77", before[1]), f"{before} became {after}")
    check(one.knock(), "the new address is shut")
    one.close()


def kernel_nat_changes_address_and_reboots(context):
    lab = topology.Lab(context)
    stun = responder(lab)
    phone = lab.behind_nat("symmetric")
    one = prober.Opened(phone, stun, 5060)
    first = one.mapped
    phone.router.reboot()
    check(not one.knock(), "open after the reboot")
    second = one.ask()
    check(second and second != first, f"{first} became {second}")
    phone.router.new_address("203.0.113.77")
    third = one.ask()
    check(third and third[0] == "203.0.113.77", f"{first} became {third}")
    check(one.knock(), "the new address is shut")
    one.close()


# ---- the line ----------------------------------------------------------------

class Stream:
    """Numbered packets through the NAT and what came of them."""

    def __init__(self, phone, stun, count=500, gap_s=0.004):
        one = prober.Opened(phone, stun, 5060)
        source = stun.sockets[one.server]
        self.seen = []  # (number, seconds on the way)
        began = {}

        def receive():
            one.sock.settimeout(0.6)
            while True:
                try:
                    number = int(one.sock.recv(100))
                except (TimeoutError, ValueError):
                    return
                self.seen.append((number, time.monotonic() - began[number]))
        thread = threading.Thread(target=receive)
        thread.start()
        for number in range(count):
            began[number] = time.monotonic()
            source.sendto(b"%d" % number, one.mapped)
            time.sleep(gap_s)
        thread.join()
        one.close()
        self.count = count
        self.lost = 1 - len(self.seen) / count
        order = [number for number, _ in self.seen]
        self.overtaken = sum(b < a for a, b in zip(order, order[1:]))
        self.delays = sorted(delay for _, delay in self.seen)


def line_of(lab, stun, **options):
    return Stream(lab.behind_emulator(timeout_s=30, **options), stun)


def plain_line_loses_and_turns_nothing(context):
    lab = topology.Lab(context)
    got = line_of(lab, responder(lab))
    check(got.lost == 0 and got.overtaken == 0,
          f"{got.lost:.1%} lost, {got.overtaken} overtaken")


def loss_is_what_was_asked_for(context):
    lab = topology.Lab(context)
    phone = lab.behind_emulator(timeout_s=30)
    stun = responder(lab)
    prober.Opened(phone, stun, 5058).close()  # ARP is settled
    one_way = phone.router
    one_way.set(loss_permille=0)
    # The first packet opens the way; then one in ten is lost.
    threading.Timer(0.1, one_way.set, kwargs={"loss_permille": 100}).start()
    got = Stream(phone, stun)
    check(0.05 < got.lost < 0.15, f"{got.lost:.1%} lost of 10 %")
    check(got.overtaken == 0, f"{got.overtaken} overtaken")


def delay_and_jitter_keep_the_order(context):
    lab = topology.Lab(context)
    got = line_of(lab, responder(lab), delay=60, jitter=40)
    check(got.lost == 0 and got.overtaken == 0,
          f"{got.lost:.1%} lost, {got.overtaken} overtaken")
    check(got.delays[0] >= 0.059, f"one came after {got.delays[0]:.3f} s")
    spread = got.delays[-1] - got.delays[0]
    check(spread >= 0.025, f"jitter of {spread:.3f} s only")


def reordering_makes_packets_overtake(context):
    lab = topology.Lab(context)
    got = line_of(lab, responder(lab), reorder_permille=100, reorder_ms=30)
    check(got.lost == 0, f"{got.lost:.1%} lost")
    check(20 <= got.overtaken <= 80,
          f"{got.overtaken} of {got.count} overtaken, asked for 10 %")


# ---- more than UDP -----------------------------------------------------------

def tcp_goes_through_and_is_forgotten_in_silence(context):
    lab = topology.Lab(context)
    phone = lab.behind_emulator(tcp_timeout=1500, ports="random")
    far = lab.sbc.socket(kind=socket.SOCK_STREAM)
    far.bind((topology.SBC4, 5060))
    far.listen()
    near = phone.socket(kind=socket.SOCK_STREAM)
    near.settimeout(3)
    near.bind(("0.0.0.0", 5060))
    near.connect((topology.SBC4, 5060))
    there, source = far.accept()
    there.settimeout(3)
    check(source[0] == phone.wan and source[1] != 5060, f"seen as {source}")
    word = bytes(range(256)) * 400  # more than a segment, both ways
    near.sendall(word)
    got = b""
    while len(got) < len(word):
        got += there.recv(65536)
    there.sendall(got)
    back = b""
    while len(back) < len(word):
        back += near.recv(65536)
    check(back == word, "bytes have changed on the way")
    time.sleep(2)
    there.sendall(b"too late")
    near.settimeout(0.5)
    try:
        check(not near.recv(100), "open after its time-out")
        raise Failed("the connection was closed, not forgotten")
    except TimeoutError:
        pass
    for sock in (near, there, far):
        sock.close()


def shut_port_is_told_across_the_nat(context):
    """ICMP errors find the socket that they are about, both ways."""
    lab = topology.Lab(context)
    stun = responder(lab)
    phone = lab.behind_emulator(ports="random")
    with phone.socket() as sock:
        sock.connect((topology.SBC4, 9))
        sock.settimeout(2)
        sock.send(b"anybody?")
        try:
            sock.recv(100)
            raise Failed("an answer from a shut port")
        except ConnectionRefusedError:
            pass
        except TimeoutError:
            raise Failed("the error did not come in")
    one = prober.Opened(phone, stun, 5060)
    one.close()
    with lab.sbc.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stun.close()
        sock.bind(one.server)
        sock.connect(one.mapped)
        sock.settimeout(2)
        sock.send(b"anybody?")
        try:
            sock.recv(100)
            raise Failed("an answer from a shut phone")
        except ConnectionRefusedError:
            pass
        except TimeoutError:
            raise Failed("the error did not go out")


def large_datagrams_cross_in_fragments(context):
    lab = topology.Lab(context)
    stun = responder(lab)
    phone = lab.behind_emulator(ports="random")
    one = prober.Opened(phone, stun, 5060)
    with lab.sbc.socket() as far:
        far.bind((topology.SBC4, 6060))
        far.settimeout(2)
        big = bytes(range(256)) * 24
        one.sock.sendto(big, (topology.SBC4, 6060))
        got, source = far.recvfrom(65536)
        check(got == big and source == one.mapped, f"from {source}")
        far.sendto(big[::-1], source)
        one.sock.settimeout(2)
        check(one.sock.recv(65536) == big[::-1], "changed on the way in")
    one.close()


# ---- several in a row --------------------------------------------------------

def home_behind_cgn(home_kind, cgn, expected):
    def run(context):
        lab = topology.Lab(context)
        stun = responder(lab)
        phone = lab.behind_nat(home_kind, behind=lab.cgn(**cgn)) \
            if home_kind else lab.behind_emulator(behind=lab.cgn(**cgn))
        found = prober.classify(phone, stun)
        check(found[:2] == expected, f"found {found[:2]}")
        check(all(address == phone.wan for address, _ in found[2]),
              f"seen as {found[2]}, not as the carrier's {phone.wan}")
    return run


def three_nats_forget_after_the_shortest(context):
    """Inner 6 s, middle 4 s, outer 1.5 s (S0-35)."""
    lab = topology.Lab(context)
    stun = responder(lab)
    outer = lab.cgn(timeout_s=1.5)
    middle = lab.cgn(kind="port_restricted", behind=outer, timeout_s=4)
    phone = lab.behind_emulator(behind=middle, timeout_s=6)
    check_lifetime(phone, stun, 1.5)


def v6_firewall_lets_in_answers_until_its_timeout(context):
    lab = topology.Lab(context)
    phone = lab.routed_v6(firewall_s=2)
    far = lab.sbc.socket(socket.AF_INET6)
    far.bind((topology.SBC6, 5060))
    near = phone.socket(socket.AF_INET6)
    near.bind(("::", 5060))
    where = (phone.address, 5060)

    def comes_in():
        far.sendto(b"hello", where)
        near.settimeout(0.3)
        try:
            return near.recv(100) == b"hello"
        except TimeoutError:
            return False
    check(not comes_in(), "unasked packets come in")
    near.sendto(b"hello", (topology.SBC6, 5060))
    far.settimeout(2)
    check(far.recvfrom(100)[1][:2] == where, "it translates")
    check(comes_in(), "an answer does not come in")
    time.sleep(3.3)
    check(not comes_in(), "open after its time-out")


def add_to(suite):
    for mapping in emulator.MAPPINGS:
        for filtering in emulator.FILTERS:
            suite.add(cells_of(mapping, filtering),
                      f"emulator_maps_{mapping}_filters_{filtering}"
                      .replace("-", "_"),
                      fast=mapping == filtering)
    suite.add(hairpin(True), "hairpin_comes_from_the_outside_address")
    suite.add(hairpin(False), "no_hairpin_where_it_is_off", fast=False)
    for home, cgn, expected in (
            ("port_restricted", {}, ("endpoint-independent",
                                     "address-and-port-dependent")),
            ("port_restricted", {"kind": "symmetric"},
             ("address-and-port-dependent", "address-and-port-dependent")),
            (None, {"filtering": "endpoint-independent"},
             ("endpoint-independent", "endpoint-independent"))):
        suite.add(home_behind_cgn(home, cgn, expected),
                  f"{home or 'emulated'}_home_behind_"
                  f"{cgn.get('kind', 'emulated')}_cgn",
                  fast=cgn == {})
    for function in (emulator_forgets_after_its_timeout,
                     block_allocation_stops_at_its_cap,
                     reboot_forgets_every_mapping,
                     rebind_moves_every_mapping_to_another_port,
                     address_change_keeps_ports_and_the_way_in,
                     tcp_goes_through_and_is_forgotten_in_silence,
                     shut_port_is_told_across_the_nat):
        suite.add(function)
    for function in (emulator_takes_another_timeout_while_it_runs,
                     two_phones_of_one_port_get_two,
                     kernel_nat_changes_address_and_reboots,
                     plain_line_loses_and_turns_nothing,
                     loss_is_what_was_asked_for,
                     delay_and_jitter_keep_the_order,
                     reordering_makes_packets_overtake,
                     large_datagrams_cross_in_fragments,
                     three_nats_forget_after_the_shortest,
                     v6_firewall_lets_in_answers_until_its_timeout):
        suite.add(function, fast=False)
