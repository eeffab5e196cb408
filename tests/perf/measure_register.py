"""measure_register.py - REGISTER with digest, and what bindings and calls cost
in memory and on disk.

Our box answers 200 only when the binding survives kill -9; Kamailio keeps it
in memory and writes it to SQLite each minute, as Debian configures it.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import signal
import subprocess
import time

from bench_lab import (BenchError, Figure, GENERATOR_CPU, HOST_A, OUT, SBC_A,
                       note, pss_kb, sh, written_bytes)
from bench_kamailio import registrar
from bench_sbc import Sbc, register_config, wait_for_options
from measure_relay import Ours as OurCalls
from measure_relay import Peer as PeerCalls

WINDOW, WARM, ROUND, CROWD = 64, 500, 2500, 5000
SETTLE_S = 65  # transactions gone after 32 s, written behind within 60 s
# Calls set up in one go before the first and again before the second reading:
# the memory that transactions took for 32 s is in both, so the slope is that of
# the calls.
CALLS, CALLS_SETTLE_S = 500, 40


def accounts(n):
    return [('p%05d' % i, 'pw%05d' % i) for i in range(n)]


class Phones:
    """regload in namespace a, aimed at one SUT."""

    def __init__(self, lab, side, phones, base_port, expires=3600):
        self.lab, self.side = lab, side
        self.argv = [os.path.join(OUT, 'regload'), '--ns', lab.a, '--host',
                     HOST_A, '--target', SBC_A, '--target-port',
                     str(side.port), '--domain', SBC_A, '--phones',
                     str(phones), '--port', str(base_port), '--expires',
                     str(expires), '--pids',
                     ','.join(map(str, side.pids()))]
        self.process = lab.start(lab.sbc, self.argv, GENERATOR_CPU,
                                 'regload.log', stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)

    def __call__(self, what, first, count, window=WINDOW, must=True):
        self.process.stdin.write('%s %d %d %d\n' % (what, first, count,
                                                    window))
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        self.side.pids()
        if not line:
            raise BenchError('regload failed, see build/perf/regload.log')
        r = json.loads(line)
        if must and r['failed'] > count // 100:
            raise BenchError('%s: %d of %d failed, see build/perf/regload.log'
                             % (what, r['failed'], count))
        r['us'] = r['cpu_us'] / max(1, r['done'])
        r['rate'] = r['done'] / r['seconds']
        return r

    def listen(self, first, count, seconds):
        """What keeps NATs open, as it comes in @seconds."""
        self.process.stdin.write('listen %d %d %d\n' % (first, count, seconds))
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        self.side.pids()
        if not line:
            raise BenchError('regload failed, see build/perf/regload.log')
        return json.loads(line)

    def stop(self):
        self.process.stdin.close()
        self.lab.stop(self.process)


class Ours:
    port, base_port = 5080, 10000

    def __init__(self, lab, name, phones):
        self.lab = lab
        self.sbc = Sbc(lab, name, register_config(accounts(phones), self.port),
                       (SBC_A, self.port))
        self.phones = Phones(lab, self, phones, self.base_port)

    def pids(self):
        return self.sbc.pids()

    def restart(self):
        self.sbc.stop(signal.SIGKILL)
        return self.sbc.start()

    def bindings(self):
        out = sh(os.path.join(OUT, 'sbc'), 'status', '--json',
                 '--data', self.sbc.data)
        return json.loads(out)['bindings']

    def stop(self):
        self.phones.stop()
        self.sbc.stop()


class Peer:
    port, base_port = 5090, 30000

    def __init__(self, lab, name, phones):
        self.lab = lab
        self.box = registrar(lab, SBC_A, self.port, accounts(phones))
        self._wait()
        self.phones = Phones(lab, self, phones, self.base_port)

    def _wait(self):
        wait_for_options(self.lab, self.box.process, (SBC_A, self.port),
                         self.box.log)

    def pids(self):
        return self.box.pids()

    def restart(self):
        self.box.stop()  # in order: its bindings are written only then
        began = time.monotonic()
        self.box.start()
        self._wait()
        return time.monotonic() - began

    def stop(self):
        self.phones.stop()
        self.box.stop()


class Figures:
    def __init__(self):
        def ours(*args):
            figure = Figure(*args)
            figure.alone = True
            return figure
        self.rate = Figure('REGISTER with digest, new bindings', '/s',
                           '>= 1.0 x', lambda r: r >= 1.0)
        self.cpu = Figure('REGISTER with digest CPU', 'us')
        self.refresh = Figure('refresh CPU, cached nonce', 'us', '<= 0.8 x',
                              lambda r: r <= 0.8)
        self.crowd = ours('5 000 phones return at once', 's',
                          '<= 4 s, no 5xx (ours)', lambda v: v <= 4)
        self.crowd_5xx = ours('5xx among them', '', '0 (ours)',
                              lambda v: v == 0)
        self.bytes_5k = ours('memory per binding, 5 000', 'bytes',
                             '<= 1400 (ours)', lambda v: v <= 1400)
        self.bytes_all = ours('memory per binding, all, settled', 'bytes',
                              '<= 1400 (ours)', lambda v: v <= 1400)
        self.disk_new = ours('disk per new binding', 'bytes',
                             '<= 3000 (ours)', lambda v: v <= 3000)
        self.disk_refresh = ours('disk per pure refresh', 'bytes',
                                 '<= 100 (ours)', lambda v: v <= 100)
        self.restart = ours('restart to first answer, 5 000 bindings', 's',
                            '<= 2 s (ours)', lambda v: v <= 2)
        self.call_kb = ours('memory per held call, second 500', 'KB',
                            '<= 24 KB (ours)', lambda v: v <= 24)
        self.first_kb = ours('memory per held call, first 500', 'KB')

    def all(self):
        figures = list(vars(self).values())
        self.call_kb.peer_name = self.first_kb.peer_name = 'rtpengine'
        for figure in figures:
            figure.peer_name = figure.peer_name or 'Kamailio'
        return figures


def one_round(f, sides, first, n):
    """New bindings, then a refresh of the same, both sides in turn."""
    written = {who: written_bytes(side.pids()) for who, side in sides.items()}
    for who, side in sides.items():
        r = side.phones('register', first, ROUND)
        f.rate.add(**{who: r['rate']})
        f.cpu.add(**{who: r['us']})
        note('register round %d %s: %.0f/s, %.0f us, p99 %d us, repeats %d' %
             (n, who, r['rate'], r['us'], r['p99_us'], r['repeats']))
    time.sleep(2.5)  # the writer is at most 1 s behind
    if 'ours' in sides:
        bytes_ = written_bytes(sides['ours'].pids()) - written['ours']
        f.disk_new.add(ours=bytes_ / ROUND)
    for who, side in sides.items():
        r = side.phones('refresh', first, ROUND)
        f.refresh.add(**{who: r['us']})
        note('refresh round %d %s: %.0f/s, %.0f us, %d challenged' %
             (n, who, r['rate'], r['us'], r['challenges']))


def crowd(f, sides):
    for who, side in sides.items():
        r = side.phones('register', 0, CROWD, CROWD, must=False)
        note('%s: %d at once: %.1f s, %d failed, %d 5xx, %d repeats' %
             (who, CROWD, r['seconds'], r['failed'], r['status_5xx'],
              r['repeats']))
        f.crowd.add(**{who: r['seconds']})
        f.crowd_5xx.add(**{who: r['status_5xx']})


class Held:
    """Calls held through the box and rtpengine, beside the registrations."""

    def __init__(self, lab, kinds):
        self.sides = {who: kind(lab) for who, kind in kinds.items()}
        self.pss = [self._read()]
        self._grow()

    def _read(self):
        return {who: pss_kb(side.pids()) for who, side in self.sides.items()}

    def _grow(self):
        for side in self.sides.values():
            side.grow(len(self.pss) * CALLS)
        self.grown_at = time.monotonic()

    def next(self):
        """Wait until transactions are over, read, and set more calls up."""
        time.sleep(max(0, self.grown_at + CALLS_SETTLE_S - time.monotonic()))
        self.pss.append(self._read())
        self._grow()

    def finish(self, f):
        self.pss.append(self._read())
        for who, side in self.sides.items():
            idle, first, second = [pss[who] for pss in self.pss]
            f.first_kb.add(**{who: (first - idle) / CALLS})
            f.call_kb.add(**{who: (second - first) / CALLS})
            side.stop()


def settled(f, sides, base, phones):
    """Let all rest, then read memory and what a refresh wrote."""
    for who, side in sides.items():
        side.phones('register', 0, CROWD)  # the old nonces have gone stale
    time.sleep(3)
    # Every binding is clean or freshly dirty now; count one more refresh.
    written = {who: written_bytes(side.pids()) for who, side in sides.items()}
    for who, side in sides.items():
        side.phones('refresh', 0, CROWD)
    note('waiting %d s for all to settle' % SETTLE_S)
    time.sleep(SETTLE_S)
    for who, side in sides.items():
        new = written_bytes(side.pids()) - written[who]
        f.disk_refresh.add(**{who: new / CROWD})
        f.bytes_all.add(**{who: (pss_kb(side.pids()) - base[who]) * 1024 /
                           (phones - WARM)})


def restarts(lab, f, kinds, times):
    for who, kind in kinds.items():
        side = kind(lab, 'restart', CROWD)
        side.phones('register', 0, CROWD)
        time.sleep(2)
        for _ in range(times):
            seconds = side.restart()
            note('%s: restart with %d bindings: first answer after %.2f s' %
                 (who, CROWD, seconds))
            f.restart.add(**{who: seconds})
        if who == 'ours' and side.bindings() != CROWD:
            raise BenchError('%d of %d bindings after kill -9' %
                             (side.bindings(), CROWD))
        side.stop()


def run(lab, quick, have_ours):
    f = Figures()
    n_rounds = 2 if quick else 7
    phones = WARM + n_rounds * ROUND
    kinds, call_kinds = {'peer': Peer}, {'peer': PeerCalls}
    if have_ours:
        kinds['ours'], call_kinds['ours'] = Ours, OurCalls
    held = Held(lab, call_kinds)
    restarts(lab, f, kinds, 1 if quick else 3)
    sides = {who: kind(lab, 'register', phones) for who, kind in kinds.items()}
    base = {}
    for who, side in sides.items():
        side.phones('register', 0, WARM)
        time.sleep(1)
        base[who] = pss_kb(side.pids())
    for n in range(n_rounds):
        one_round(f, sides, WARM + n * ROUND, n + 1)
        if n == 1:
            for who, side in sides.items():
                f.bytes_5k.add(**{who: (pss_kb(side.pids()) - base[who]) *
                                  1024 / (2 * ROUND)})
    for _ in range(1 if quick else 3):
        crowd(f, sides)
    held.next()
    settled(f, sides, base, phones)
    held.finish(f)
    for side in sides.values():
        side.stop()
    return f.all()
