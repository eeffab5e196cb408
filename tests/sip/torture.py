#!/usr/bin/env python3
# torture.py - the messages of RFC 4475 against a running SBC
# SPDX-License-Identifier: Apache-2.0
"""Send each message of tests/data/rfc4475 byte for byte and compare the answer
with tests/data/rfc4475.tsv; after each a good OPTIONS must be answered 200.

The SBC is $SBC, or build/asan/sbc, started on a loopback port of its own with
strangers 'answer'.  Arguments: names of messages; none = all.  A finding of a
sanitizer or a bad exit counts as a failure.
"""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DATA = HERE.parent / "data"
ANSWER_S = 3.0  # an answer is expected within
SILENCE_S = 0.4  # nothing may come for
FINDING = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:")

CONFIG = """config sbc 'global'
	option hostname 'sbc.example.com'
config realm 'lab'
	list address '127.0.0.1'
	list listen 'udp:{port}'
	list listen 'tcp:{port}'
	option strangers 'answer'
	option media_ports '40000-40099'
config phone '100'
	option password 'torture'
"""


def free_port():
    """A port that is free on UDP and TCP right now."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            port = udp.getsockname()[1]
            with socket.socket() as tcp:
                try:
                    tcp.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue
    raise RuntimeError("no free port")


class Sbc:
    """The SBC as a process in a directory that goes with it."""

    def __init__(self, binary, work):
        self.port = free_port()
        config = pathlib.Path(work, "sbc.conf")
        config.write_text(CONFIG.format(port=self.port))
        self.log = pathlib.Path(work, "log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [binary, "run", "--config", str(config), "--data",
                 str(pathlib.Path(work, "data")), "--foreground"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while "sbc.ready" not in self.text():
            if self.process.poll() is not None or time.monotonic() > end:
                self.process.kill()
                raise RuntimeError("not ready:\n" + self.text())
            time.sleep(0.05)

    def text(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        """What was wrong with its end, or None."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "did not stop"
        if FINDING.search(self.text()):
            return "sanitizer finding"
        return None if code == 0 else f"exit {code}"


def statuses(data):
    """Final status of each response in a run of bytes."""
    found = re.findall(rb"(?:^|\r\n)SIP/2\.0 (\d{3})[ \r]", data)
    return [int(s) for s in found if int(s) >= 200]


def over_udp(port, message, wait, linger=SILENCE_S / 2):
    """Final statuses; after the first, more may come for @linger seconds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.send(message)
        got = b""
        sock.settimeout(wait)
        try:
            while True:
                got += b"\r\n" + sock.recv(65536)
                if statuses(got):
                    sock.settimeout(linger)
        except (TimeoutError, ConnectionRefusedError):
            return statuses(got)


def over_tcp(port, message, wait):
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        got = b""
        sock.settimeout(wait)
        try:
            sock.sendall(message)
            while True:
                part = sock.recv(65536)
                got += part
                if not part:
                    break
                if statuses(got):
                    sock.settimeout(SILENCE_S / 2)
        except (TimeoutError, ConnectionResetError, BrokenPipeError):
            pass
        return statuses(got)


def options(port, number):
    """A good OPTIONS is answered 200 within a second."""
    message = (f"OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\n"
               f"Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKgood{number};rport"
               f"\r\nMax-Forwards: 70\r\nFrom: <sip:t@example.com>;tag=g\r\n"
               f"To: <sip:127.0.0.1>\r\nCall-ID: good{number}@example.com\r\n"
               f"CSeq: {number} OPTIONS\r\nContent-Length: 0\r\n\r\n")
    for _ in range(3):  # UDP: a datagram may be lost on a busy machine
        if over_udp(port, message.encode(), 1.0, 0.001)[:1] == [200]:
            return True
    return False


def table():
    """Rows (name, transport, expected set, note) in the RFC's order."""
    for line in (DATA / "rfc4475.tsv").read_text().splitlines():
        if line and not line.startswith("#"):
            name, transport, expected, note = line.split("\t")
            yield name, transport, set(expected.split()), note


def judge(sbc, name, transport, expected):
    """(passed, what happened)"""
    message = (DATA / "rfc4475" / f"{name}.dat").read_bytes()
    send = {"udp": over_udp, "tcp": over_tcp}[transport]
    wait = SILENCE_S if expected == {"silent"} else ANSWER_S
    if "silent" in expected:
        wait = min(wait, 2 * SILENCE_S)
    got = send(sbc.port, message, wait)
    if len(got) > 1:
        return False, f"several answers: {got}"
    return (str(got[0]) if got else "silent") in expected, \
        str(got[0]) if got else "silent"


def main():
    binary = os.environ.get("SBC", str(ROOT / "build/asan/sbc"))
    wanted = set(sys.argv[1:])
    passed = failed = 0
    os.environ.setdefault("ASAN_OPTIONS", "abort_on_error=0")
    with tempfile.TemporaryDirectory(prefix="sbc-torture-") as work:
        sbc = Sbc(binary, work)
        try:
            for number, row in enumerate(table(), 1):
                name, transport, expected, _ = row
                if wanted and name not in wanted:
                    continue
                try:
                    good, what = judge(sbc, name, transport, expected)
                except OSError as err:
                    good, what = False, str(err)
                if not options(sbc.port, number):
                    good, what = False, what + ", then OPTIONS unanswered"
                print(f"{'ok  ' if good else 'FAIL'} {name} {transport} "
                      f"{what} (expected {'/'.join(sorted(expected))})",
                      flush=True)
                passed, failed = passed + good, failed + (not good)
        finally:
            fault = sbc.stop()
        if fault:
            failed += 1
            print(f"FAIL the SBC: {fault}\n{sbc.text()[-8000:]}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
