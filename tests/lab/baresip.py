# baresip.py - drives a headless baresip 1.0: config, control port, recording
#
# It talks a tone from a wav file (`ausine` works at 48 kHz only) and
# `sndfile` writes what it hears to dump-*-dec.wav.  Commands and events are
# netstrings of JSON on the ctrl_tcp port.
#
# SPDX-License-Identifier: Apache-2.0

import glob
import json
import os
import select
import time

import netns
import runner
import tone

MODULES = "/usr/lib/baresip/modules"
CONTROL_PORT = 4444

CONFIG = """\
poll_method epoll
sip_listen {listen}
audio_player aufile,{dir}/player.wav
audio_source aufile,{dir}/tone.wav
audio_alert aufile,{dir}/alert.wav
audio_level no
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
rtp_ports {rtp_low}-{rtp_high}
rtp_timeout 0
call_local_timeout 60
module_path {modules}
module g711.so
module aufile.so
module sndfile.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
{apps}
ctrl_tcp_listen 127.0.0.1:{control}
snd_path {dir}
"""


class Baresip:
    """One phone.  Commands return its answer text; events are kept."""

    def __init__(self, context, name, netns, account, hz, listen="0.0.0.0",
                 rtp_low=10000, apps=(), contacts=""):
        """apps: further modules; contacts: lines of its address book."""
        self.context, self.name, self.netns = context, name, netns
        self.hz = hz
        self.dir = os.path.dirname(context.path(name, "x"))
        self.events = []
        self.buffer = b""
        tone.write_wav(os.path.join(self.dir, "tone.wav"), hz, 120)
        self.write("config", CONFIG.format(
            dir=self.dir, listen=f"{listen}:5060", modules=MODULES,
            apps="\n".join(f"module_app {app}.so" for app in apps),
            control=CONTROL_PORT, rtp_low=rtp_low, rtp_high=rtp_low + 999))
        self.write("accounts", account + "\n")
        self.write("contacts", contacts)
        self.process = runner.spawn(
            context, ["baresip", "-f", self.dir],
            os.path.join(name, "log"), netns=netns, grace=0)
        self.control = self.connect()
        context.traces.append(self.trace)

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w") as out:
            out.write(text)

    def connect(self):
        def try_it():
            runner.check(self.process.poll() is None,
                         f"baresip {self.name} died: see its log")
            sock = netns.open_socket(self.netns, kind=1)
            try:
                sock.connect(("127.0.0.1", CONTROL_PORT))
                return sock
            except OSError:
                sock.close()
                return None
        return runner.until(try_it, 10, f"baresip {self.name} has no control")

    def trace(self):
        with open(os.path.join(self.dir, "log"), errors="replace") as log:
            lines = [line for line in log.read().splitlines()
                     if line.strip() and "audio=" not in line]
            return f"==== {self.name} log ====\n" + "\n".join(lines) + \
                f"\n==== {self.name} events ====\n" + \
                "\n".join(json.dumps(e) for e in self.events)

    def read(self, seconds):
        """Take in what the control port has, waiting at most @seconds."""
        if select.select([self.control], [], [], seconds)[0]:
            data = self.control.recv(65536)
            if not data:
                raise runner.Failed(f"baresip {self.name} hung up its port")
            self.buffer += data
        while b":" in self.buffer:
            head, rest = self.buffer.split(b":", 1)
            size = int(head)
            if len(rest) < size + 1:
                return
            self.events.append(json.loads(rest[:size]))
            self.buffer = rest[size + 1:]

    def command(self, name, parameters=""):
        start = len(self.events)
        text = json.dumps({"command": name, "params": parameters,
                           "token": "t"}).encode()
        self.control.sendall(b"%d:%s," % (len(text), text))
        end = time.monotonic() + 5
        while time.monotonic() < end:
            for event in self.events[start:]:
                if event.get("response"):
                    return event
            self.read(0.2)
        raise runner.Failed(f"baresip {self.name} does not answer {name}")

    def seen(self, kind, since=0):
        return [e for e in self.events[since:] if e.get("type") == kind]

    def await_event(self, kind, seconds=10, since=0):
        end = time.monotonic() + seconds
        while True:
            found = self.seen(kind, since)
            if found:
                return found[0]
            if time.monotonic() > end:
                kinds = [e.get("type") for e in self.events if "type" in e]
                raise runner.Failed(f"{self.name}: no {kind} in {seconds} s, "
                                    f"had {kinds}")
            self.read(0.1)

    def mark(self):
        """Events after this moment are counted from what is returned."""
        self.read(0)
        return len(self.events)

    def dial(self, uri):
        return self.command("dial", uri)

    def accept(self):
        return self.command("accept")

    def hangup(self):
        return self.command("hangup")

    def recording(self, which):
        files = sorted(glob.glob(os.path.join(self.dir,
                                              f"dump-*-{which}.wav")),
                       key=os.path.getmtime)
        runner.check(files, f"{self.name} recorded nothing")
        return tone.heard_in(files[-1])

    def must_have_heard(self, other, seconds):
        """The newest call brought the tone of @other, and no other.

        On a busy machine a phone speaks less than the call lasts; what
        counts is what it said.
        """
        said = other.recording("enc").tones[other.hz]
        runner.check(said >= 0.3 * seconds, f"{other.name} spoke only "
                     f"{said:.1f} s of {seconds:.1f} s: no test")
        problem = self.recording("dec").problem(other.hz,
                                                min(said, seconds))
        runner.check(problem is None, f"{self.name}: {problem}")


def account(user, password, host, transport="udp", expires=3600, auto=True,
            proxy=None):
    """An accounts line, as an example for a person would read."""
    if ":" in host:
        host = f"[{host}]"
    outbound = f';outbound="sip:{proxy};transport={transport}"' \
        if proxy else ""
    return (f"<sip:{user}@{host};transport={transport}>"
            f";auth_pass={password};regint={expires}"
            f";answermode={'auto' if auto else 'manual'}"
            f";audio_codecs=PCMU/8000/1,PCMA/8000/1{outbound}")
