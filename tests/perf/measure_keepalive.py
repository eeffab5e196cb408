"""measure_keepalive.py - what it costs to keep 10 000 NATs open, and how evenly
the pings go out, beside Kamailio's nathelper at the same interval.

CPU is what comes on top of the idle process.  Kamailio keeps its bindings in
memory alone here, which is its best case.

SPDX-License-Identifier: Apache-2.0
"""
import time

from bench_kamailio import registrar
from bench_lab import BenchError, Figure, SBC_A, note
from bench_sbc import Sbc, register_config, wait_for_options
from measure_register import Ours as OurRegistrar
from measure_register import Peer as PeerRegistrar
from measure_register import Phones, accounts

INTERVAL_S, IDLE_S = 30, 10


class Ours(OurRegistrar):
    def __init__(self, lab, phones, how):
        self.lab = lab
        self.sbc = Sbc(lab, 'keepalive',
                       register_config(accounts(phones), self.port,
                                       keepalive=how,
                                       keepalive_interval=INTERVAL_S,
                                       nat_expires=0),
                       (SBC_A, self.port))
        self.phones = Phones(lab, self, phones, self.base_port)


class Peer(PeerRegistrar):
    def __init__(self, lab, phones, how):
        self.lab = lab
        self.box = registrar(lab, SBC_A, self.port, accounts(phones),
                             ping=how)
        wait_for_options(lab, self.box.process, (SBC_A, self.port),
                         self.box.log)
        self.phones = Phones(lab, self, phones, self.base_port)


class Figures:
    def __init__(self, how):
        name = {'crlf': 'CRLF', 'options': 'OPTIONS'}[how]
        self.cpu = Figure('keepalive CPU per ping, %s' % name, 'us',
                          '<= 5 us (ours)', lambda v: v <= 5)
        self.cpu.alone = True
        self.busiest = Figure('busiest 100 ms against the mean, %s' % name,
                              'x', '<= 1.5 (ours)', lambda v: v <= 1.5)
        self.busiest.alone = True
        self.all = [self.cpu, self.busiest]
        for figure in self.all:
            figure.peer_name = 'Kamailio'


def measure(lab, who, kind, how, phones, rounds, f):
    side = kind(lab, phones, how)
    idle = side.phones.listen(0, phones, IDLE_S)['cpu_us'] / IDLE_S
    side.phones('register', 0, phones)
    note('%s: %d registered, waiting for the first interval' % (who, phones))
    time.sleep(2)
    side.phones.listen(0, phones, INTERVAL_S + 2)
    for n in range(rounds):
        r = side.phones.listen(0, phones, INTERVAL_S)
        sent = r['crlf'] + r['options']
        if not sent:
            raise BenchError('%s: no ping at all' % who)
        mean = phones / (INTERVAL_S * 10)
        each = (r['cpu_us'] - idle * INTERVAL_S) / sent
        note('%s %s round %d: %d pings, %.2f us each, busiest %d of mean '
             '%.1f, %d phones had none' %
             (who, how, n + 1, sent, each, r['busiest'], mean, r['silent']))
        f.cpu.add(**{who: each})
        f.busiest.add(**{who: r['busiest'] / mean})
    side.stop()


def run(lab, quick, have_ours):
    phones, rounds = (5000, 1) if quick else (10000, 3)
    kinds = {'peer': Peer}
    if have_ours:
        kinds = {'ours': Ours, 'peer': Peer}
    figures = []
    for how in ('crlf', 'options'):
        f = Figures(how)
        for who, kind in kinds.items():
            measure(lab, who, kind, how, phones, rounds, f)
        figures += f.all
    return figures
