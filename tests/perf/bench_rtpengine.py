"""bench_rtpengine.py - rtpengine in userspace, driven by its ng protocol.

SPDX-License-Identifier: Apache-2.0
"""
import re
import time

from bench_lab import (BenchError, HOST_A, HOST_B, SBC_A, SBC_B, SUT_CPU,
                       tree_of)


def bencode(value):
    if isinstance(value, int):
        return b'i%de' % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b'%d:%s' % (len(value), value)
    if isinstance(value, list):
        return b'l' + b''.join(bencode(v) for v in value) + b'e'
    return b'd' + b''.join(bencode(k) + bencode(value[k])
                           for k in sorted(value)) + b'e'


def bdecode(data, at=0):
    """Returns (value, next offset)."""
    head = data[at:at + 1]
    if head == b'i':
        end = data.index(b'e', at)
        return int(data[at + 1:end]), end + 1
    if head in (b'l', b'd'):
        items, at = [], at + 1
        while data[at:at + 1] != b'e':
            item, at = bdecode(data, at)
            items.append(item)
        if head == b'l':
            return items, at + 1
        return dict(zip(items[::2], items[1::2])), at + 1
    colon = data.index(b':', at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1:end], end


def sdp(host, port):
    return ('v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n'
            'm=audio %d RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n'
            'a=ptime:20\r\na=sendrecv\r\n' % (host, host, port))


def media_of(body):
    """(host, port) of the first audio stream of an SDP."""
    host = re.search(r'^c=IN IP4 (\S+)', body, re.M)
    port = re.search(r'^m=audio (\d+)', body, re.M)
    if not host or not port:
        raise BenchError('no audio in SDP %r' % body)
    return host.group(1), int(port.group(1))


class Rtpengine:
    """As Debian ships it, in userspace; forgets a call at once when told."""

    def __init__(self, lab, interfaces=None, control='127.0.0.1', port=2223,
                 threads=None):
        argv = ['rtpengine', '--foreground', '--config-file=none',
                '--table=-1', '--log-stderr', '--tos=184', '--delete-delay=0',
                '--timeout=3600', '--silent-timeout=3600',
                '--port-min=40000', '--port-max=60000',
                '--listen-ng=%s:%d' % (control, port)]
        for interface in interfaces or ('a/' + SBC_A, 'b/' + SBC_B):
            argv.append('--interface=' + interface)
        if threads:
            argv.append('--num-threads=%d' % threads)
        self.lab = lab
        self.log = 'rtpengine-%d.log' % port
        self.process = lab.start(lab.sbc, argv, SUT_CPU, self.log)
        self.ng = lab.socket(lab.sbc, (control, 0))
        self.ng.settimeout(3)
        self.to = (control, port)
        self.cookie = 0
        self.calls = []
        self._wait()

    def _wait(self):
        self.ng.settimeout(0.2)
        for _ in range(50):
            try:
                if self.command(command='ping')[b'result'] == b'pong':
                    self.ng.settimeout(3)
                    return
            except OSError:
                time.sleep(0.1)
        raise BenchError('rtpengine does not answer, see build/perf/' +
                         self.log)

    def command(self, **words):
        self.cookie += 1
        cookie = b'%d' % self.cookie
        words = {k.replace('_', '-'): v for k, v in words.items()}
        self.ng.sendto(cookie + b' ' + bencode(words), self.to)
        while True:
            answer = self.ng.recv(65536)
            mark, _, body = answer.partition(b' ')
            if mark == cookie:
                return bdecode(body)[0]

    def _sdp(self, answer):
        if answer.get(b'result') != b'ok':
            raise BenchError('rtpengine: %r' % answer)
        return media_of(answer[b'sdp'].decode())

    def grow(self, calls, port_of):
        """Hold @calls calls; side x of call i is at port @port_of(i)."""
        while len(self.calls) < calls:
            i = len(self.calls)
            name = 'call-%d' % i
            to_b = self._sdp(self.command(
                command='offer', call_id=name, from_tag='a%d' % i,
                direction=['a', 'b'], ICE='remove',
                replace=['origin', 'session-connection'],
                sdp=sdp(HOST_A, port_of(i))))
            to_a = self._sdp(self.command(
                command='answer', call_id=name, from_tag='a%d' % i,
                to_tag='b%d' % i, ICE='remove',
                replace=['origin', 'session-connection'],
                sdp=sdp(HOST_B, port_of(i))))
            # What side a sees in its answer is where side a sends to.
            self.calls.append((to_a, to_b))

    def pids(self):
        return tree_of(self.process.pid)

    def stop(self):
        self.lab.stop(self.process)
