# sbcproc.py - starts, asks, kills and stops the SBC under test
#
# SPDX-License-Identifier: Apache-2.0

import json
import os
import re
import signal
import subprocess
import time

import runner
from runner import Failed, check, until

PASSWORD = "s3cret-{}"


def password(user):
    return PASSWORD.format(user)


def section(kind, name, options):
    """One config section; a list value becomes `list` lines."""
    lines = [f"config {kind} '{name}'"]
    for key, value in options.items():
        if isinstance(value, (list, tuple)):
            lines += [f"\tlist {key} '{one}'" for one in value]
        else:
            lines.append(f"\toption {key} '{value}'")
    return "\n".join(lines) + "\n"


def config(realms, phones, extra="", **options):
    """A config; @phones are user names or {name: options}."""
    text = [section("sbc", "global", {"schema": "1", "workers": "2",
                                      **options})]
    text += [section("realm", name, realm) for name, realm in realms.items()]
    for name in phones:
        how = {"password": password(name)}
        if isinstance(phones, dict):
            how.update(phones[name])
        text.append(section("phone", name, how))
    return "\n".join(text) + extra


class Sbc:
    """The process and its data directory; kill() and start() at will."""

    def __init__(self, context, conf, netns=None, name="sbc", limits=(),
                 env=None, start=True):
        self.context, self.netns = context, netns
        self.binary = context.options.binary
        self.limits = list(limits)  # a command put before the binary
        self.env = env
        check(os.access(self.binary, os.X_OK),
              f"{self.binary} is not there: build it first")
        self.data = context.path(name, "data")
        self.log_name = os.path.join(name, "log")
        self.conf = context.path(name, "sbc.conf")
        self.write_config(conf)
        self.process = None
        self.log_seen = 0
        self.killed = False
        context.traces.append(self.trace)
        context.push(self.verdict)
        if start:
            self.start()

    def write_config(self, text):
        with open(self.conf, "w") as out:
            out.write(text)

    def log(self):
        try:
            with open(self.context.path(self.log_name),
                      errors="replace") as lines:
                return lines.read()
        except FileNotFoundError:
            return ""

    def trace(self):
        with open(self.conf) as conf:
            return f"==== config ====\n{conf.read(4000)}\n" \
                f"==== sbc log ====\n{self.log()[-40000:]}"

    def start(self, seconds=10):
        """Start and wait until it says that it is ready."""
        self.log_seen = len(self.log())
        self.killed = False
        env = dict(os.environ, **self.env) if self.env else None
        self.process = runner.spawn(
            self.context, [*self.limits, self.binary, "run", "--config",
                           self.conf, "--data", self.data, "--foreground"],
            self.log_name, netns=self.netns, env=env)
        until(self.is_ready, seconds, "no sbc.ready in the log")

    def is_ready(self):
        new = self.log()[self.log_seen:]
        if self.process.poll() is not None:
            raise Failed(f"sbc ended with code {self.process.returncode}: "
                         + new.strip()[-300:])
        return re.search(r"\binfo sbc\.ready\b", new)

    def verdict(self, kind, *_):
        """When all else went well: it neither crashed nor leaked.

        Runs after the process was told to stop.
        """
        if kind is not None or self.process is None:
            return
        report = re.search(r"^.*(?:ERROR: \w+Sanitizer|runtime error:|"
                           r"WARNING: ThreadSanitizer).*$", self.log(), re.M)
        check(report is None, "sanitizer: " + (report and report.group()
                                               or ""))
        code = self.process.returncode
        check(code == 0 or self.killed, f"sbc ended with code {code}")

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        self.killed = True
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=5):
        """SIGTERM; returns (exit code, seconds it took)."""
        began = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(seconds + 1)
        except subprocess.TimeoutExpired:
            raise Failed(f"sbc still runs {seconds + 1} s after SIGTERM")
        return self.process.returncode, time.monotonic() - began

    def reload(self):
        """SIGHUP; returns the event it logs."""
        before = len(self.log())
        self.process.send_signal(signal.SIGHUP)
        return until(
            lambda: re.search(r"config\.(reloaded|refused)",
                              self.log()[before:]),
            5, "no config.reloaded or config.refused").group(1)

    def ask(self, what):
        done = subprocess.run(
            [self.binary, what, "--json", "--data", self.data],
            capture_output=True, text=True, timeout=20)
        if done.returncode:
            raise Failed(f"sbc {what} --json: exit {done.returncode}: "
                         f"{done.stderr.strip()}")
        return json.loads(done.stdout)

    def status(self):
        return self.ask("status")

    def phones(self):
        return self.ask("phones")["phones"]

    def calls(self):
        return self.ask("calls")["calls"]

    def binding(self, user):
        """The newest binding of @user, or None."""
        found = [p for p in self.phones() if p["phone"] == user]
        return found[-1] if found else None

    def no_calls_left(self, seconds=5):
        until(lambda: not self.calls(), seconds, "a call is left over")

    def only_ending_calls(self, seconds=5):
        """No call lives; one that waits for a dead phone may be listed."""
        until(lambda: all(c["state"] == "ending" for c in self.calls()),
              seconds, "a call is left over")
