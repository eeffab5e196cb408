"""bench_sbc.py - our box as the bench runs it, and calls held through it.

The calling side lives in namespace a, the called side in b; both are trunks,
which need no password.  The SDP names the ports of the RTP generator.

SPDX-License-Identifier: Apache-2.0
"""
import collections
import os
import re
import select
import socket
import time

from bench_lab import (BenchError, HOST_A, HOST_B, LOOP_SUT, LOOP_UAC,
                       LOOP_UAS, OUT, SBC_A, SBC_B, SUT_CPU, fresh_dir, note,
                       tree_of)
from bench_rtpengine import media_of, sdp

GLOBAL = {'schema': 1, 'hostname': 'bench', 'max_calls': 10000,
          'source_rate': 0, 'workers': 1, 'log_level': 'info'}
REALM = {'port_rest': 0, 'media_timeout': 3600, 'max_expires': 3600}


def section(kind, name, lists=(), **options):
    lines = ["config %s '%s'" % (kind, name)]
    lines += ["\toption %s '%s'" % (key, options[key]) for key in options]
    lines += ["\tlist %s '%s'" % pair for pair in lists]
    return '\n'.join(lines) + '\n'


def realm(name, address, port, media, **options):
    return section('realm', name, [('address', address),
                                   ('listen', 'udp:%d' % port)],
                   media_ports=media, **{**REALM, **options})


def relay_config():
    return (section('sbc', 'global', **GLOBAL) +
            realm('a', SBC_A, 5060, '20000-39999') +
            realm('b', SBC_B, 5060, '20000-39999') +
            section('trunk', 'caller', realm='a', host=HOST_A, port=5060,
                    trust='source') +
            section('trunk', 'callee', realm='b', host=HOST_B, port=5060,
                    trust='source') +
            section('route', 'all', [('to', 'callee')]))


def setup_config():
    return (section('sbc', 'global', **GLOBAL) +
            realm('loop', LOOP_SUT, 5060, '10000-39999') +
            section('trunk', 'caller', realm='loop', host=LOOP_UAC,
                    trust='source') +
            section('trunk', 'callee', realm='loop', host=LOOP_UAS, port=5060,
                    trust='source') +
            section('route', 'all', [('to', 'callee')]))


def register_config(phones, port, **options):
    """@options: of the realm."""
    return (section('sbc', 'global', **GLOBAL) +
            realm('a', SBC_A, port, '20000-39999', **options) +
            ''.join(section('phone', user, password=password)
                    for user, password in phones))


class Sbc:
    """One running instance; @probe is an address and port of its own."""

    def __init__(self, lab, name, config, probe):
        self.lab, self.name, self.probe = lab, name, probe
        self.data = fresh_dir('data-' + name)
        self.config = os.path.join(OUT, 'sbc-%s.conf' % name)
        self.log = 'sbc-%s.log' % name
        with open(self.config, 'w') as f:
            f.write(config)
        self.start()

    def start(self):
        """Returns seconds from start to the first answer to OPTIONS."""
        began = time.monotonic()
        self.process = self.lab.start(
            self.lab.sbc, [os.path.join(OUT, 'sbc'), 'run',
                           '--config', self.config, '--data', self.data,
                           '--foreground'], SUT_CPU, self.log)
        wait_for_options(self.lab, self.process, self.probe, self.log)
        return time.monotonic() - began

    def pids(self):
        if self.process.poll() is not None:
            raise BenchError('sbc ended with %d, see build/perf/%s' %
                             (self.process.returncode, self.log))
        return tree_of(self.process.pid)

    def stop(self, *how):
        self.lab.stop(self.process, *how)


def wait_for_options(lab, process, to, log, timeout=20, netns=None):
    """Ask every 5 ms until the SUT answers, from its own namespace."""
    sock = lab.socket(netns or lab.sbc, (to[0], 0))
    sock.settimeout(0.005)
    me = sock.getsockname()
    end = time.monotonic() + timeout
    n = 0
    try:
        while time.monotonic() < end:
            n += 1
            text = ('OPTIONS sip:%s:%d SIP/2.0\r\n'
                    'Via: SIP/2.0/UDP %s:%d;branch=z9hG4bKping%d;rport\r\n'
                    'Max-Forwards: 70\r\nFrom: <sip:bench@%s>;tag=p%d\r\n'
                    'To: <sip:%s>\r\nCall-ID: ping%d-%d\r\nCSeq: 1 OPTIONS\r\n'
                    'Content-Length: 0\r\n\r\n' %
                    (to[0], to[1], me[0], me[1], n, me[0], n, to[0], n,
                     me[1]))
            try:
                sock.sendto(text.encode(), to)
                if sock.recv(4096).startswith(b'SIP/2.0'):
                    return
            except ConnectionRefusedError:
                time.sleep(0.005)
            except socket.timeout:
                pass
            if process.poll() is not None:
                break
    finally:
        sock.close()
    raise BenchError('%s does not answer OPTIONS, see build/perf/%s' %
                     (' '.join(process.args[:2]), log))


# ---- calls that stay up -----------------------------------------------------

def parse(data):
    """(start line, {header: [values]}, body)"""
    head, _, body = data.decode('latin-1').partition('\r\n\r\n')
    lines = head.split('\r\n')
    headers = collections.defaultdict(list)
    for line in lines[1:]:
        key, _, value = line.partition(':')
        key = {'v': 'via', 'f': 'from', 't': 'to', 'i': 'call-id',
               'm': 'contact', 'c': 'content-type', 'l': 'content-length'}.get(
                   key.strip().lower(), key.strip().lower())
        headers[key].append(value.strip())
    return lines[0], headers, body


def uri_of(contact):
    match = re.search(r'<([^>]+)>', contact)
    return match.group(1) if match else contact.split(';')[0]


class Call:
    def __init__(self, number):
        self.number = number
        self.to = self.target = self.to_a = self.to_b = None
        self.tries, self.due = 0, 0.0
        self.state = 'asking'


class HeldCalls:
    WINDOW = 16

    def __init__(self, lab, port_of):
        self.port_of = port_of
        self.uac = lab.socket(lab.a, (HOST_A, 5060))
        self.uas = lab.socket(lab.b, (HOST_B, 5060))
        self.sbc = (SBC_A, 5060)
        self.live, self.started = {}, 0
        self.leaving = False

    @property
    def calls(self):
        """What the RTP generator needs, in the order of the calls."""
        return [(call.to_a, call.to_b) for call in self.live.values()]

    def grow(self, n):
        """Set calls up until @n are held."""
        self._drain(0)
        while len(self.live) < n:
            while len(self.live) < n and self._open() < self.WINDOW:
                call = Call(self.started)
                self.started += 1
                self.live[call.number] = call
                self._ask(call)
            self._drain(0.05)
        while self._open():
            self._drain(0.05)

    def release(self):
        """Hang all calls up."""
        self.leaving = True
        for call in self.live.values():
            call.state = 'leaving'
        todo = list(self.live.values())
        while self.live:
            for call in todo[:self.WINDOW]:
                self._ask(call)
            todo = todo[self.WINDOW:]
            self._drain(0.02 if todo else 0.2)
        self.leaving = False

    def _open(self):
        return sum(1 for n in range(max(0, self.started - 3 * self.WINDOW),
                                    self.started)
                   if n in self.live and self.live[n].state != 'up')

    def _ask(self, call):
        """Send, or send again, the INVITE or BYE that @call waits for."""
        bye = call.state == 'leaving'
        call.tries += 1
        call.due = time.monotonic() + 1.0
        if call.tries > 12:
            raise BenchError('call %d: no answer to %s' %
                             (call.number, 'BYE' if bye else 'INVITE'))
        self._request(call, 'BYE' if bye else 'INVITE', 2 if bye else 1,
                      '' if bye else sdp(HOST_A, self.port_of(call.number)))

    def _request(self, call, method, cseq, body=''):
        n = call.number
        uri = call.target or 'sip:%d@%s' % (100000 + n, SBC_A)
        text = ('%s %s SIP/2.0\r\n'
                'Via: SIP/2.0/UDP %s:5060;branch=z9hG4bK%s%d;rport\r\n'
                'Max-Forwards: 70\r\nFrom: <sip:1000@%s>;tag=f%d\r\nTo: %s\r\n'
                'Call-ID: held-%d@%s\r\nCSeq: %d %s\r\n'
                'Contact: <sip:1000@%s:5060>\r\n' %
                (method, uri, HOST_A, method, n, HOST_A, n,
                 call.to or '<sip:%d@%s>' % (100000 + n, SBC_A), n, HOST_A,
                 cseq, method, HOST_A))
        if body:
            text += 'Content-Type: application/sdp\r\n'
        text += 'Content-Length: %d\r\n\r\n%s' % (len(body), body)
        self.uac.sendto(text.encode(), self.sbc)

    def _drain(self, timeout):
        ready, _, _ = select.select([self.uac, self.uas], [], [], timeout)
        for sock in ready:
            for _ in range(64):
                try:
                    data, peer = sock.recvfrom(65536, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    break
                if len(data) < 12:
                    continue  # keepalive
                line, headers, body = parse(data)
                if not line.startswith('SIP/2.0'):
                    self._answer(sock, peer, line, headers, body)
                elif sock is self.uac:
                    self._take(line, headers, body)
        now = time.monotonic()
        for n in range(max(0, self.started - 3 * self.WINDOW), self.started):
            call = self.live.get(n)
            if call and call.state == 'asking' and call.due < now:
                self._ask(call)
        for call in list(self.live.values()) if not ready else ():
            if call.state == 'leaving' and call.tries and call.due < now:
                self._ask(call)

    def _take(self, line, headers, body):
        status = int(line.split()[1])
        number, method = headers['cseq'][0].split()
        call = self.live.get(int(headers['call-id'][0][5:].split('@')[0]))
        if not call or status < 200:
            return
        if method == 'BYE':
            self.live.pop(call.number)
        elif method == 'INVITE' and status == 200:
            call.to = headers['to'][0]
            call.target = uri_of(headers['contact'][0])
            call.to_a = media_of(body)
            if call.state == 'asking':
                call.state, call.tries = 'up', 0
            self._request(call, 'ACK', 1)
        elif method == 'INVITE':
            raise BenchError('call %d was refused: %s' % (call.number, line))

    def _answer(self, sock, peer, line, headers, body):
        method, uri = line.split()[:2]
        if method == 'ACK':
            return
        if method == 'BYE' and not self.leaving:
            note('a held call was ended by the box')
        port, host = 9, HOST_A if sock is self.uac else HOST_B
        if method == 'INVITE' and sock is self.uas:
            number = int(re.search(r'sip:(\d+)@', uri).group(1)) - 100000
            port = self.port_of(number)
            if number in self.live:
                self.live[number].to_b = media_of(body)
        text = 'SIP/2.0 200 OK\r\n'
        for key in ('via', 'record-route', 'from', 'to', 'call-id', 'cseq'):
            for value in headers[key]:
                if key == 'to' and 'tag=' not in value:
                    value += ';tag=t' + re.sub(r'\W', '',
                                               headers['call-id'][0])[:24]
                text += '%s: %s\r\n' % (key.title(), value)
        text += 'Contact: <sip:2000@%s:5060>\r\n' % host
        answer = sdp(host, port) if method == 'INVITE' else ''
        if answer:
            text += 'Content-Type: application/sdp\r\n'
        text += 'Content-Length: %d\r\n\r\n%s' % (len(answer), answer)
        sock.sendto(text.encode(), peer)
