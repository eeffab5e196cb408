"""measure_setup.py - set-up of calls: sipp -> SUT -> sipp on loopback.

INVITE, 100, 180, 200, ACK, BYE, 200.  Both sides anchor the media, log as
shipped into a file and run on one CPU.

SPDX-License-Identifier: Apache-2.0
"""
import os
import subprocess
import time

from bench_lab import (BenchError, Figure, GENERATOR_CPU, HERE, LOOP_SUT,
                       LOOP_UAC, LOOP_UAS, OUT, cpu_us, note, pss_kb)
from bench_kamailio import proxy
from bench_rtpengine import Rtpengine
from bench_sbc import Sbc, setup_config, wait_for_options

NG = (LOOP_SUT, 2224)
MAX_FAILED = 0.002  # of the calls; of a clean rate
MAX_REPEATS = 0.005
SIPP_CALLS = '18000'
SIPP_MOST = 4000  # calls/s that sipp itself still does cleanly on its CPU


class Ours:
    port = 5060

    def __init__(self, lab):
        self.sbc = Sbc(lab, 'setup', setup_config(), (LOOP_SUT, self.port))

    def pids(self):
        return self.sbc.pids()

    def stop(self):
        self.sbc.stop()


class Peer:
    port = 5070

    def __init__(self, lab):
        self.media = Rtpengine(lab, [NG[0]], NG[0], NG[1])
        self.proxy = proxy(lab, self.port, '%s:%d' % NG)
        wait_for_options(lab, self.proxy.process, (LOOP_SUT, self.port),
                         self.proxy.log)

    def pids(self):
        return self.proxy.pids() + self.media.pids()

    def stop(self):
        self.proxy.stop()
        self.media.stop()


def sipp(lab, scenario, *args):
    return lab.start(
        lab.sbc, ['sipp', '-sf', os.path.join(HERE, scenario), '-p', '5060',
                  '-l', SIPP_CALLS, '-nostdin', *args],
        GENERATOR_CPU, 'sipp.log', stdout=subprocess.DEVNULL, cwd=OUT)


def read_stat(path):
    """The rows of sipp's statistics, one a second, as dictionaries."""
    try:
        with open(path) as f:
            rows = [line.rstrip('\n').split(';') for line in f
                    if line.endswith('\n')]
    except FileNotFoundError:
        rows = []
    if len(rows) < 2:
        raise BenchError('sipp told nothing, see build/perf/sipp.log')
    return [dict(zip(rows[0], row)) for row in rows[1:]]


def offer(lab, side, rate, seconds, patience=4):
    """Offer @rate calls/s for @seconds; what came of them."""
    stat = os.path.join(OUT, 'sipp.csv')
    if os.path.exists(stat):
        os.unlink(stat)
    callee = sipp(lab, 'uas.xml', '-i', LOOP_UAS)
    time.sleep(0.3)
    pids = side.pids()
    cpu = cpu_us(pids)
    caller = sipp(lab, 'uac.xml', '-i', LOOP_UAC, '-r', str(rate), '-m',
                  str(rate * seconds), '-trace_stat', '-stf', stat, '-fd', '1',
                  '%s:%d' % (LOOP_SUT, side.port))
    try:
        caller.wait(seconds + patience)
    except subprocess.TimeoutExpired:
        pass
    cpu = cpu_us(pids) - cpu
    lab.stop(caller)
    lab.stop(callee)
    side.pids()
    rows = read_stat(stat)
    done = [int(row['SuccessfulCall(C)']) for row in rows]
    last = rows[-1]
    return {'calls': rate * seconds, 'done': done[-1], 'by_second': done,
            'offered': int(last['OutgoingCall(C)']) / seconds,
            'failed': rate * seconds - done[-1],
            'repeats': int(last['Retransmissions(C)']),
            'us': cpu / max(1, done[-1])}


def is_clean(result):
    return (result['failed'] <= MAX_FAILED * result['calls'] and
            result['repeats'] <= MAX_REPEATS * result['calls'])


def highest_clean(lab, side, who, start, factor, seconds):
    best, rate = 0, start
    while rate <= SIPP_MOST:
        for _ in range(2):
            r = offer(lab, side, rate, seconds, 2)
            note('%s: %d calls/s: %s, %d failed, %d repeats, %.0f us/call' %
                 (who, rate, 'clean' if is_clean(r) else 'too many',
                  r['failed'], r['repeats'], r['us']))
            if is_clean(r):
                break
            settle(side)
        else:
            return best
        best = rate
        rate = int(rate * factor)
    return best


def settle(side, limit=8):
    """Wait until the SUT has worked off what an overload left behind."""
    for _ in range(limit):
        pids = side.pids()
        before = cpu_us(pids)
        time.sleep(1)
        if cpu_us(pids) - before < 50000:
            return


def overload(lab, side, who, peak, seconds):
    """Completed calls per second at 2x @peak, in % of @peak."""
    r = offer(lab, side, 2 * peak, seconds, 1)
    done = r['by_second']
    if len(done) < 4:
        raise BenchError('overload run too short')
    end = min(len(done) - 1, seconds - 1)
    rate = (done[end] - done[1]) / (end - 1)
    note('%s: offered %.0f/s completed %.0f/s' % (who, r['offered'], rate))
    settle(side)
    return 100.0 * rate / peak


def idle(side, seconds):
    pids = side.pids()
    before, at = cpu_us(pids), time.monotonic()
    time.sleep(seconds)
    spent = cpu_us(pids) - before
    return 100 * spent / 1e6 / (time.monotonic() - at), pss_kb(pids) / 1024


def run(lab, quick, have_ours):
    sides = {'peer': Peer(lab)}
    if have_ours:
        sides['ours'] = Ours(lab)
    cpu = Figure('set-up CPU per anchored call at 400/s', 'us', '<= 0.4 x',
                 lambda r: r <= 0.4)
    failed = Figure('set-up calls failed at 400/s', 'per mille')
    most = Figure('set-up highest clean rate on one CPU', 'calls/s', '>= 3 x',
                  lambda r: r >= 3)
    over = Figure('set-up completed at 2x the clean rate', '% of it',
                  '>= 70 % (ours)', lambda v: v >= 70)
    idle_cpu = Figure('idle CPU', '%', '<= 0.1 % (ours)', lambda v: v <= 0.1)
    idle_pss = Figure('idle PSS', 'MB', '<= 16 MB (ours)', lambda v: v <= 16)
    figures = [cpu, failed, most, over, idle_cpu, idle_pss]
    for figure in figures[3:]:
        figure.alone = True
    for who, side in sides.items():
        load, memory = idle(side, 4 if quick else 20)
        idle_cpu.add(**{who: load})
        idle_pss.add(**{who: memory})
    for n in range(2 if quick else 7):
        for who, side in sides.items():
            r = offer(lab, side, 400, 3 if quick else 8)
            note('set-up round %d %s: %.0f us/call, %d of %d failed' %
                 (n + 1, who, r['us'], r['failed'], r['calls']))
            cpu.add(**{who: r['us']})
            failed.add(**{who: 1000 * r['failed'] / r['calls']})
    for _ in range(1 if quick else 2):
        for who, side in sides.items():
            rate = highest_clean(lab, side, who,
                                 500 if who == 'peer' else 1000,
                                 1.5 if quick else 1.15, 2 if quick else 6)
            most.add(**{who: rate})
            if rate:
                over.add(**{who: overload(lab, side, who, rate,
                                          5 if quick else 10)})
    for side in sides.values():
        side.stop()
    for figure in figures:
        figure.peer_name = 'Kamailio+rtpengine'
    return figures
