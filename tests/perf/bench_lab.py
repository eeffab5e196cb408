"""bench_lab.py - namespaces, pinned processes and the meters of the bench.

    a (10.77.1.2) ---veth--- sbc (10.77.1.1 | 10.77.2.1) ---veth--- b (10.77.2.2)
                             lo: 10.78.0.1-3 for the set-up of calls

Generators run on CPU 0 and what is measured on CPU 1, both well above the
priority of ordinary work, so that a busy machine disturbs them less.

SPDX-License-Identifier: Apache-2.0
"""
import atexit
import ctypes
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
OUT = os.path.join(TOP, 'build', 'perf')
GENERATOR_CPU, SUT_CPU = 0, 1
SBC_A, SBC_B, HOST_A, HOST_B = ('10.77.1.1', '10.77.2.1',
                                '10.77.1.2', '10.77.2.2')
LOOP_SUT, LOOP_UAC, LOOP_UAS = '10.78.0.1', '10.78.0.2', '10.78.0.3'

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1


class BenchError(Exception):
    """Something could not be measured; the text says what."""


def _setns(fd):
    if _libc.setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), 'setns')


def sh(*args):
    done = subprocess.run(args, capture_output=True, text=True)
    if done.returncode:
        raise BenchError('%s: %s' % (' '.join(args), done.stderr.strip()))
    return done.stdout


def note(text):
    print('  .. %s' % text, file=sys.stderr, flush=True)


def raise_priority():
    """Above other work; each session is a scheduling group of its own."""
    os.setsid()
    os.setpriority(os.PRIO_PROCESS, 0, -15)
    try:
        with open('/proc/self/autogroup', 'w') as f:
            f.write('-15')
    except OSError:
        pass  # a kernel without session groups


class Lab:
    """The three namespaces of one run; gone when the process ends."""

    def __init__(self):
        tag = 'bench%d' % os.getpid()
        self.a, self.b, self.sbc = tag + 'a', tag + 'b', tag + 's'
        self.processes = []
        atexit.register(self.close)
        for name in (self.a, self.b, self.sbc):
            sh('ip', 'netns', 'add', name)
            self.ip(name, 'link', 'set', 'lo', 'up')
        self._veth(self.a, HOST_A, SBC_A, 'va')
        self._veth(self.b, HOST_B, SBC_B, 'vb')
        for address in (LOOP_SUT, LOOP_UAC, LOOP_UAS):
            self.ip(self.sbc, 'addr', 'add', address + '/32', 'dev', 'lo')
        sh('ip', 'netns', 'exec', self.sbc, 'sysctl', '-qw',
           'net.ipv4.ip_forward=1', 'net.ipv4.ip_local_port_range=61000 65000')

    def ip(self, name, *args):
        sh('ip', '-n', name, *args)

    def _veth(self, name, host, sbc, dev):
        sh('ip', 'link', 'add', dev, 'netns', name, 'type', 'veth',
           'peer', 'name', dev, 'netns', self.sbc)
        for where, address in ((name, host), (self.sbc, sbc)):
            self.ip(where, 'addr', 'add', address + '/24', 'dev', dev)
            self.ip(where, 'link', 'set', dev, 'up')
        self.ip(name, 'route', 'add', 'default', 'via', sbc)

    def fd(self, name):
        return os.open('/run/netns/' + name, os.O_RDONLY | os.O_CLOEXEC)

    def socket(self, name, address, kind=socket.SOCK_DGRAM):
        """A socket that lives in namespace @name, bound to @address."""
        own = os.open('/proc/self/ns/net', os.O_RDONLY)
        other = self.fd(name)
        try:
            _setns(other)
            sock = socket.socket(socket.AF_INET, kind)
        finally:
            _setns(own)
            os.close(own)
            os.close(other)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.bind(address)
        return sock

    def start(self, name, argv, cpu, log, **more):
        """Start @argv in namespace @name on @cpu; output goes to file @log."""
        netns = self.fd(name)

        def child():
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            _setns(netns)
            os.sched_setaffinity(0, {cpu})
            raise_priority()

        with open(os.path.join(OUT, log), 'ab') as out:
            more.setdefault('stdout', out)
            process = subprocess.Popen(argv, stderr=out, preexec_fn=child,
                                       **{'stdin': subprocess.DEVNULL, **more})
        os.close(netns)
        self.processes.append(process)
        return process

    def stop(self, process, how=signal.SIGTERM):
        """End @process and what it started; SIGKILL after 8 s."""
        tree = tree_of(process.pid)
        if process.poll() is None:
            process.send_signal(how)
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in tree[1:]:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        if process in self.processes:
            self.processes.remove(process)

    def close(self):
        for process in list(self.processes):
            self.stop(process)
        for name in (self.a, self.b, self.sbc):
            subprocess.run(['ip', 'netns', 'del', name],
                           stderr=subprocess.DEVNULL)


# ---- meters -----------------------------------------------------------------

def alive(pid):
    try:
        with open('/proc/%d/stat' % pid) as f:
            return f.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


def tree_of(pid):
    """@pid and all its descendants."""
    found, todo = [], [pid]
    while todo:
        pid = todo.pop(0)
        found.append(pid)
        try:
            for task in os.listdir('/proc/%d/task' % pid):
                with open('/proc/%d/task/%s/children' % (pid, task)) as f:
                    todo += [int(child) for child in f.read().split()]
        except OSError:
            pass
    return found


def cpu_us(pids):
    """CPU time in µs of processes by their clocks, ended threads included."""
    total = 0
    for pid in pids:
        try:
            total += time.clock_gettime_ns((~pid << 3) | 2)
        except OSError:
            raise BenchError('process %d is gone (see %s)' % (pid, OUT))
    return total / 1000


def pss_kb(pids):
    total = 0
    for pid in pids:
        with open('/proc/%d/smaps_rollup' % pid) as f:
            total += sum(int(line.split()[1]) for line in f
                         if line.startswith('Pss:'))
    return total


def written_bytes(pids):
    total = 0
    for pid in pids:
        with open('/proc/%d/io' % pid) as f:
            total += sum(int(line.split()[1]) for line in f
                         if line.startswith('write_bytes:'))
    return total


# ---- figures ----------------------------------------------------------------

class Figure:
    """One line of the result: values of both sides by round, and a goal."""

    def __init__(self, name, unit, goal='', meets=None, better_low=True):
        self.name, self.unit, self.goal = name, unit, goal
        self.meets, self.better_low = meets, better_low
        self.ours, self.peer, self.peer_name = [], [], ''
        self.alone = False   # the goal is for our value, not for the ratio
        self.invert = False  # ratio is peer / ours: work per CPU time
        self.error = None

    def add(self, ours=None, peer=None):
        if ours is not None:
            self.ours.append(ours)
        if peer is not None:
            self.peer.append(peer)
        return self

    def ratios(self):
        pairs = [(o, p) for o, p in zip(self.ours, self.peer)]
        if self.invert:
            pairs = [(p, o) for o, p in pairs]
        return [x / y for x, y in pairs if y]

    def met(self):
        if self.meets is None:
            return None
        values = self.ours if self.alone else self.ratios()
        return bool(self.meets(statistics.median(values))) if values else None

    def as_json(self):
        def three(values):
            if not values:
                return None
            return {'median': statistics.median(values), 'min': min(values),
                    'max': max(values), 'rounds': values}
        return {'figure': self.name, 'unit': self.unit, 'goal': self.goal,
                'ours': three(self.ours), 'peer': three(self.peer),
                'peer_name': self.peer_name, 'ratio': three(self.ratios()),
                'met': self.met(), 'error': self.error}


def short(value):
    if value is None:
        return '-'
    if abs(value) >= 100:
        return '%.0f' % value
    return '%.3g' % value


def spread(values):
    if not values:
        return '-'
    return '%s (%s-%s)' % (short(statistics.median(values)),
                           short(min(values)), short(max(values)))


def print_table(figures):
    rows = [('figure', 'ours', 'peer', 'ratio median (min-max)',
             'goal "with step 1"', 'met')]
    for f in figures:
        ratio = spread(f.ratios())
        rows.append((
            '%s, %s' % (f.name, f.unit), spread(f.ours),
            spread(f.peer) + (' ' + f.peer_name if f.peer else ''),
            ratio if ratio == '-' else ratio + ' x', f.goal or '-',
            f.error or {None: '-', True: 'yes', False: 'no'}[f.met()]))
    widths = [max(len(row[i]) for row in rows) for i in range(6)]
    for n, row in enumerate(rows):
        print(' | '.join(cell.ljust(w) for cell, w in zip(row, widths))
              .rstrip())
        if not n:
            print('-|-'.join('-' * w for w in widths))


# ---- preparation ------------------------------------------------------------

def need_tools(names):
    missing = [name for name in names
               if not shutil.which(name, path=os.environ['PATH'] +
                                   ':/usr/sbin:/sbin')]
    if missing:
        raise BenchError(
            'missing: %s; tools/deps build bench installs them' %
            ', '.join(missing))


def build_generators():
    os.makedirs(OUT, exist_ok=True)
    for name in ('rtpgen', 'regload'):
        source = os.path.join(HERE, name + '.c')
        target = os.path.join(OUT, name)
        if (os.path.exists(target) and
                os.path.getmtime(target) > os.path.getmtime(source)):
            continue
        sh('cc', '-O2', '-g', '-std=gnu11', '-D_GNU_SOURCE', '-Wall', '-Wextra',
           '-Werror', source, '-o', target, '-lcrypto')


def take_binary():
    """A copy of our own: a make during the run must not change what runs."""
    source = os.path.join(TOP, 'build', 'sbc')
    if not os.access(source, os.X_OK):
        raise BenchError('build/sbc is missing: run make first')
    shutil.copy2(source, os.path.join(OUT, 'sbc'))


def fresh_dir(name):
    path = os.path.join(OUT, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path
