"""measure_edge.py - REGISTER through the edge to the registrar behind it: our
box in both modes, and Kamailio as a proxy with Path.

    phones (a) --- edge (sbc, measured) --- registrar (b, the phones' CPU)

Each edge has a registrar of its own, all alike: Kamailio with digest and
bindings in memory.  Our box authenticates the phone, registers it anew and
keeps it on disk; the proxy sends on what it gets and keeps nothing.

SPDX-License-Identifier: Apache-2.0
"""
import os
import re
import time

from bench_kamailio import Kamailio
from bench_lab import (BenchError, Figure, GENERATOR_CPU, HOST_B, OUT, SBC_A,
                       SBC_B, note, pss_kb, sh)
from bench_sbc import GLOBAL, Sbc, realm, section, wait_for_options
from measure_register import Phones, accounts

WARM = 500
SETTLE_S = 40  # transactions are gone after 32 s
# Throttling at a sixtieth of the time: phones that refresh each minute, and a
# registrar that grants an hour.  The 2 % make it plain which refresh is the
# first of the second half.
SLOT_S, GRANT_S = 1.02, 60
REFRESHES_PER_ASKING, RATIO_PHONES = 30, 300


class Upstream:
    """A registrar in namespace b; @grant: the most it grants, in s."""

    def __init__(self, lab, name, port, grant):
        self.control = os.path.join(OUT, name + '.ctl')
        self.box = Kamailio(lab, 'kamailio-upstream.cfg', name + '.log',
                            netns=lab.b, cpu=GENERATOR_CPU, name=name,
                            LISTEN='%s:%d' % (HOST_B, port), MAX=grant,
                            CONTROL=self.control)
        wait_for_options(lab, self.box.process, (HOST_B, port), self.box.log,
                         netns=lab.b)

    def _count(self, name):
        out = sh('kamcmd', '-s', 'unix:' + self.control, 'stats.fetch', name)
        return int(re.search(name + r': (\d+)', out).group(1))

    def accepted(self):
        """REGISTERs that were answered 200 since its start."""
        return self._count('registrar.accepted_regs')

    def received(self):
        """All REGISTERs, those that were challenged too."""
        return self._count('core.rcv_requests_register')

    def stop(self):
        self.box.stop()


def edge_config(phones, side, **options):
    return (section('sbc', 'global', **GLOBAL) +
            realm('a', SBC_A, side.port, '20000-29999', registrar='pbx',
                  keepalive='off', nat_expires=0, **options) +
            realm('b', SBC_B, side.port, '30000-39999') +
            section('trunk', 'pbx', realm='b', host=HOST_B, port=side.port,
                    trust='source') +
            ''.join(section('phone', user, password=password)
                    for user, password in accounts(phones)))


class Side:
    """An edge, its registrar and its phones."""
    grant, expires = 3600, 3600

    def __init__(self, lab, phones):
        self.upstream = Upstream(lab, 'edge-upstream-%d' % self.port,
                                 self.port, self.grant)
        self.begin(lab, phones)
        self.phones = Phones(lab, self, phones, self.base_port, self.expires)

    def pids(self):
        return self.box.pids()

    def stop(self):
        self.phones.stop()
        self.box.stop()
        self.upstream.stop()


class Mirror(Side):
    port, base_port, mode, more = 5070, 10000, 'mirror', {}

    def begin(self, lab, phones):
        self.box = Sbc(lab, 'edge-%d' % self.port,
                       edge_config(phones, self, registrar_mode=self.mode,
                                   **self.more), (SBC_A, self.port))


class Throttle(Mirror):
    port, base_port, mode = 5071, 26000, 'throttle'


class Scaled(Throttle):
    port, base_port = 5072, 58000
    grant = expires = GRANT_S
    more = {'registrar_expires': GRANT_S}


class Peer(Side):
    port, base_port = 5073, 42000

    def begin(self, lab, phones):
        self.box = Kamailio(lab, 'kamailio-edge.cfg', 'kamailio-edge.log',
                            memory_mb=2048,  # for what exercise() asks
                            LISTEN='%s:%d' % (SBC_A, self.port),
                            INSIDE='%s:%d' % (SBC_B, self.port),
                            NEXT='%s:%d' % (HOST_B, self.port))
        wait_for_options(lab, self.box.process, (SBC_A, self.port),
                         self.box.log)


class Figures:
    def __init__(self):
        self.rate = Figure('REGISTER through the edge, new', '/s')
        self.cpu = Figure('the same, CPU of the edge', 'us')
        self.refresh_rate = Figure('refresh through the edge', '/s')
        self.refresh = Figure('the same, CPU of the edge', 'us')
        self.absorbed_rate = Figure('refresh, throttled here', '/s')
        self.absorbed = Figure('the same, CPU of the edge', 'us')
        self.bytes = Figure('edge memory per registered phone', 'bytes')
        self.asked = Figure('upstream per 100 refreshes, mirror', '')
        self.throttled = Figure('upstream per 100 refreshes, throttled', '')

    def all(self):
        figures = list(vars(self).values())
        for figure in figures:
            figure.peer_name = 'Kamailio'
        self.throttled.peer_name = 'expected'
        return figures


def bindings_made(side, first, count):
    before, heard = side.upstream.accepted(), side.upstream.received()
    r = side.phones('register', first, count)
    made = side.upstream.accepted() - before
    r['heard'] = (side.upstream.received() - heard) / count
    if made < r['done']:
        raise BenchError('%d new phones, %d of them at the registrar' %
                         (r['done'], made))
    return r


def refreshed(side, first, count):
    """(result, registrar's REGISTERs per 100 of the phones)"""
    before = side.upstream.accepted()
    r = side.phones('refresh', first, count)
    return r, 100 * (side.upstream.accepted() - before) / r['done']


def one_round(f, sides, first, count, n):
    """New phones, then each once more; the sides in turn."""
    for who, side in sides.items():
        r = bindings_made(side, first, count)
        if who != 'throttle':
            f.rate.add(**{who: r['rate']})
            f.cpu.add(**{who: r['us']})
        note('edge round %d %s: new: %.0f/s, %.0f us, %.2f requests upstream '
             'each, p99 %d us, repeats %d' %
             (n, who, r['rate'], r['us'], r['heard'], r['p99_us'],
              r['repeats']))
    for who, side in sides.items():
        r, asked = refreshed(side, first, count)
        note('edge round %d %s: refresh: %.0f/s, %.0f us, %.1f %% upstream, '
             '%d challenged' % (n, who, r['rate'], r['us'], asked,
                                r['challenges']))
        if who == 'throttle':
            f.absorbed_rate.add(ours=r['rate'])
            f.absorbed.add(ours=r['us'])
            continue
        f.refresh_rate.add(**{who: r['rate']})
        f.refresh.add(**{who: r['us']})
        f.asked.add(**{who: asked})
        if who == 'peer':  # what throttling is measured against
            f.absorbed_rate.add(peer=r['rate'])
            f.absorbed.add(peer=r['us'])


def ratio(lab, f, cycles):
    """Phones refresh for @cycles halves of what the registrar grants."""
    side = Scaled(lab, RATIO_PHONES)
    side.phones('register', 0, RATIO_PHONES)
    next_at = time.monotonic()
    before, heard = side.upstream.accepted(), side.upstream.received()
    done = challenges = 0
    for _ in range(cycles * REFRESHES_PER_ASKING):
        next_at += SLOT_S
        time.sleep(max(0, next_at - time.monotonic()))
        r = side.phones('refresh', 0, RATIO_PHONES)
        done += r['done']
        challenges += r['challenges']
    asked = side.upstream.accepted() - before
    heard = side.upstream.received() - heard
    note('throttled: %d refreshes of %d phones, %d challenged, made %d '
         'upstream (%d requests with challenges); expected %d' %
         (done, RATIO_PHONES, challenges, asked, heard,
          done // REFRESHES_PER_ASKING))
    f.throttled.add(ours=100 * asked / done, peer=100 / REFRESHES_PER_ASKING)
    side.stop()


def exercise(sides, phones):
    """Memory of our box in kB, read in the middle of the transactions that
    @phones need, of phones that are there already.  Read so before and after
    others came: once the transactions are gone their memory is free, and would
    hide what takes its place.  The throttling box has half without
    transactions upstream; a binding is the same in both modes."""
    kb = {}
    for who, side in sides.items():
        for what in ('register', 'refresh'):
            for _ in range(phones // WARM):
                side.phones(what, 0, WARM)
        if who == 'ours':
            kb[who] = pss_kb(side.pids())
    return kb


def settled(sides):
    """The proxy's, which has nothing that could be hidden."""
    return {'peer': pss_kb(sides['peer'].pids())}


def memory(f, before, after, phones):
    """A proxy keeps nothing: its value is noise around 0."""
    each = {who: (after[who] - before[who]) * 1024 / phones for who in after}
    note('memory per phone: %s' %
         ', '.join('%s %.0f bytes' % pair for pair in each.items()))
    f.bytes.add(ours=each.get('ours'), peer=max(0, each['peer']))


def run(lab, quick, have_ours):
    f = Figures()
    rounds, count = (2, 2000) if quick else (6, 2500)
    phones = WARM + rounds * count
    kinds = {'peer': Peer}
    if have_ours:
        kinds = {'ours': Mirror, 'throttle': Throttle, 'peer': Peer}
    sides = {who: kind(lab, phones) for who, kind in kinds.items()}
    before = exercise(sides, rounds * count)
    settled_at = time.monotonic() + SETTLE_S
    if have_ours:
        ratio(lab, f, 2 if quick else 4)
    time.sleep(max(0, settled_at - time.monotonic()))
    before.update(settled(sides))
    for n in range(rounds):
        one_round(f, sides, WARM + n * count, count, n + 1)
    note('waiting %d s for all to settle' % SETTLE_S)
    time.sleep(SETTLE_S)
    after = settled(sides)
    if have_ours:
        after.update(exercise({'ours': sides['ours']}, rounds * count))
    memory(f, before, after, rounds * count)
    for side in sides.values():
        side.stop()
    return f.all() if have_ours else [x for x in f.all() if x.peer]
