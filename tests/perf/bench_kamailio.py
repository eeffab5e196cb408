"""bench_kamailio.py - Kamailio as anchoring proxy and as registrar.

SPDX-License-Identifier: Apache-2.0
"""
import os
import sqlite3

from bench_lab import HERE, LOOP_SUT, LOOP_UAS, OUT, SUT_CPU, tree_of

SCHEMA = '/usr/share/kamailio/db_sqlite'
# A handful: enough to overlap the wait for rtpengine, few enough for one CPU.
CHILDREN = 4


class Kamailio:
    """@netns, @cpu: the SBC's unless told.  @name tells two of the same
    configuration apart; @memory_mb: shared, for bindings and transactions."""

    def __init__(self, lab, config, log, netns=None, cpu=SUT_CPU, name=None,
                 memory_mb=512, **words):
        with open(os.path.join(HERE, config)) as f:
            text = f.read()
        words.setdefault('CHILDREN', CHILDREN)
        for word, value in words.items():
            text = text.replace('@%s@' % word, str(value))
        self.path = os.path.join(OUT, name + '.cfg' if name else config)
        with open(self.path, 'w') as f:
            f.write(text)
        self.lab, self.log = lab, log
        self.netns, self.cpu = netns or lab.sbc, cpu
        self.memory_mb = memory_mb
        self.start()

    def start(self):
        self.process = self.lab.start(
            self.netns, ['kamailio', '-DD', '-f', self.path,
                         '-m', str(self.memory_mb), '-M', '16', '-Y', OUT,
                         '-P', self.path + '.pid'],
            self.cpu, self.log)

    def pids(self):
        return tree_of(self.process.pid)

    def stop(self):
        self.lab.stop(self.process)


def proxy(lab, port, ng):
    return Kamailio(lab, 'kamailio-calls.cfg', 'kamailio-calls.log',
                    LISTEN='%s:%d' % (LOOP_SUT, port), NG=ng,
                    NEXT='%s:5060' % LOOP_UAS)


PINGS = {
    None: '',
    'crlf': 'modparam("nathelper", "natping_interval", 30)\n'
            'modparam("nathelper", "ping_nated_only", 1)\n',
    'options': 'modparam("nathelper", "natping_interval", 30)\n'
               'modparam("nathelper", "ping_nated_only", 1)\n'
               'modparam("nathelper", "sipping_bflag", 7)\n'
               'modparam("nathelper", "sipping_from", '
               '"sip:pinger@example.com")\n'
               'modparam("nathelper", "sipping_method", "OPTIONS")\n',
}


def registrar(lab, host, port, phones, flush_s=60, ping=None):
    """@phones: (user, password) of each.  @ping: what nathelper sends each
    30 s to phones behind NAT; bindings are in memory alone then."""
    path = os.path.join(OUT, 'kamailio.sqlite')
    for suffix in ('', '-wal', '-shm', '-journal'):
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)
    db = sqlite3.connect(path)
    for table in ('standard', 'usrloc', 'auth_db'):
        with open('%s/%s-create.sql' % (SCHEMA, table)) as f:
            db.executescript(f.read())
    db.executemany('INSERT INTO subscriber (username, domain, password) '
                   'VALUES (?, ?, ?)',
                   [(user, host, password) for user, password in phones])
    db.commit()
    db.close()
    return Kamailio(lab, 'kamailio-register.cfg', 'kamailio-register.log',
                    LISTEN='%s:%d' % (host, port), DB=path, FLUSH=flush_s,
                    PING=PINGS[ping], DBMODE=0 if ping else 2)
