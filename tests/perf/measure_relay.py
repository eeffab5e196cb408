"""measure_relay.py - relayed RTP: CPU per packet, latency, loss, most calls.

SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import subprocess
import time

from bench_lab import (BenchError, Figure, GENERATOR_CPU, HOST_A, HOST_B, OUT,
                       SBC_A, note)
from bench_rtpengine import Rtpengine
from bench_sbc import HeldCalls, Sbc, relay_config

SOCKETS = 4  # of the generator, each side
CALLS = 500
MAX_LOSS, MAX_P99_US = 0.0005, 20000
# Beyond this the generator may be what is measured.
MAX_GENERATOR_LATE_US = 3000
FILLERS_S = 5.5  # a box speaks first into a call where nobody does, for 5 s


def port_of(i):
    """The RTP generator's port for call @i, the same on both sides."""
    return 10000 + 2 * (i % SOCKETS)


class Ours:
    """Our box with calls held through it."""

    def __init__(self, lab):
        self.sbc = Sbc(lab, 'relay', relay_config(), (SBC_A, 5060))
        self.held = HeldCalls(lab, port_of)

    def grow(self, n):
        if n > len(self.held.live):
            self.held.grow(n)
            time.sleep(FILLERS_S)
        self.sbc.pids()

    @property
    def calls(self):
        return self.held.calls

    def pids(self):
        return self.sbc.pids()

    def stop(self):
        self.sbc.stop()
        self.held.uac.close()
        self.held.uas.close()


class Peer(Rtpengine):
    def grow(self, n):
        Rtpengine.grow(self, n, port_of)


def generate(lab, calls, pids, warm_ms, window_ms):
    argv = [os.path.join(OUT, 'rtpgen'), '--ns-a', lab.a, '--ns-b', lab.b,
            '--host-a', HOST_A, '--host-b', HOST_B, '--sockets', str(SOCKETS),
            '--warm-ms', str(warm_ms), '--window-ms', str(window_ms)]
    if pids:
        argv += ['--pids', ','.join(map(str, pids))]
    process = lab.start(lab.sbc, argv, GENERATOR_CPU, 'rtpgen.log',
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    lines = '\n'.join('%s %d %s %d' % (a + b) for a, b in calls)
    out = process.communicate(lines.encode())[0]
    lab.processes.remove(process)
    if process.returncode:
        raise BenchError('rtpgen failed, see build/perf/rtpgen.log')
    result = json.loads(out)
    result['us'] = result['relay_cpu_ns'] / 1000 / max(1, result['window_rx'])
    # What comes from a wrong port, harmed or out of order is as good as lost.
    for fault in ('other_source', 'harmed', 'out_of_sequence'):
        if result[fault]:
            note('%d packets: %s' % (result[fault], fault))
            result['lost'] += result[fault]
    result['loss'] = result['lost'] / result['sent']
    return result


def direct(lab, quick):
    """The same load with the kernel forwarding: what the lab itself costs."""
    pairs = [((HOST_B, port_of(i)), (HOST_A, port_of(i)))
             for i in range(CALLS)]
    return generate(lab, pairs, [], 300, 1000 if quick else 2000)


def rounds(lab, sides, quick):
    cpu = Figure('relay CPU per packet, 500 calls', 'us', '>= 1.35 x',
                 lambda r: r >= 1.35)
    cpu.invert = True
    p99 = Figure('relay added latency p99, 500 calls', 'us', '<= 0.6 x',
                 lambda r: r <= 0.6)
    p50 = Figure('relay added latency p50, 500 calls', 'us')
    lost = Figure('relay packets lost or wrong, 500 calls', 'ppm')
    figures = [cpu, p99, p50, lost]
    for side in sides.values():
        side.grow(CALLS)
    for n in range(2 if quick else 7):
        base = direct(lab, quick)
        for who, side in sides.items():
            r = generate(lab, side.calls[:CALLS], side.pids(),
                         500 if quick else 1000, 2500 if quick else 5000)
            note('relay round %d %s: %.2f us/packet, p50 %d p99 %d us '
                 '(direct %d, %d), lost %d of %d' %
                 (n + 1, who, r['us'], r['p50_us'], r['p99_us'],
                  base['p50_us'], base['p99_us'], r['lost'], r['sent']))
            cpu.add(**{who: r['us']})
            p99.add(**{who: max(1, r['p99_us'] - base['p99_us'])})
            p50.add(**{who: max(1, r['p50_us'] - base['p50_us'])})
            lost.add(**{who: r['loss'] * 1e6})
    return figures


def holds(lab, side, who, calls, window_ms):
    """Are @calls relayed within the limits?  One bad window may be noise."""
    side.grow(calls)
    for _ in range(2):
        r = generate(lab, side.calls[:calls], side.pids(), 500, window_ms)
        good = r['loss'] <= MAX_LOSS and r['p99_us'] <= MAX_P99_US
        note('%s: %d calls: %s, p99 %d us, lost %d of %d, generator late '
             '%d us' % (who, calls, 'good' if good else 'too many',
                        r['p99_us'], r['lost'], r['sent'], r['late_p99_us']))
        if good:
            break
    return good, r['late_p99_us'] > MAX_GENERATOR_LATE_US


def most_calls(lab, side, who, start, factor, window_ms):
    """Step down from @start until the limits hold, else up until they don't."""
    calls = start
    good, _ = holds(lab, side, who, calls, window_ms)
    while not good and calls > 100:
        calls = int(calls / factor)
        good, _ = holds(lab, side, who, calls, window_ms)
        if good:
            return calls
    while good and calls * factor < 4500:
        good, is_late = holds(lab, side, who, int(calls * factor), window_ms)
        if good:
            calls = int(calls * factor)
        elif is_late:
            note('%s: the generator was late too; it may be the limit' % who)
    return calls


def run(lab, quick, have_ours):
    sides = {'peer': Peer(lab)}
    if have_ours:
        sides['ours'] = Ours(lab)
    figures = rounds(lab, sides, quick)
    most = Figure('relay calls on one CPU (loss <= 0.05 %, p99 <= 20 ms)', '',
                  '>= 1.5 x', lambda r: r >= 1.5)
    for _ in range(1 if quick else 3):
        for who, side in sides.items():
            start = 600 if who == 'peer' else 900
            most.add(**{who: most_calls(lab, side, who, start,
                                        1.25 if quick else 1.1,
                                        1500 if quick else 3000)})
    figures.append(most)
    for side in sides.values():
        side.stop()
    for figure in figures:
        figure.peer_name = 'rtpengine'
    return figures
