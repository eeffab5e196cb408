# runner.py - runs scenarios in child processes and prints one line for each
#
# A scenario is a function named after the behaviour it shows.  It runs in a
# process group of its own with a time limit, gets a Context and fails by any
# exception.  Whatever it left running is killed with its group.
#
# SPDX-License-Identifier: Apache-2.0

import argparse
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback


REAL_TIMES = 10  # what a scenario with true times may take longer


class Failed(Exception):
    """A behaviour was not as expected; the text says what was seen."""


def check(truth, words):
    if not truth:
        raise Failed(words)


def until(probe, seconds, words, step=0.05):
    """Poll @probe until it returns something true, which is returned."""
    end = time.monotonic() + seconds
    while True:
        seen = probe()
        if seen:
            return seen
        if time.monotonic() > end:
            raise Failed(f"{words} (waited {seconds} s)")
        time.sleep(step)


class Context(contextlib.ExitStack):
    """What a scenario owns: a directory, an id, and what to undo."""

    def __init__(self, name, ident, directory, options):
        super().__init__()
        self.name = name
        self.id = ident
        self.dir = directory
        self.options = options
        self.traces = []  # callables that print what a failure needs

    def path(self, *names):
        path = os.path.join(self.dir, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path


class Scenario:
    def __init__(self, function, name, fast, limit, needs, alone):
        self.function = function
        self.name = name
        self.fast = fast
        self.limit = limit
        self.needs = needs
        self.alone = alone


class Suite:
    """The scenarios of one runner, in the order they were written."""

    def __init__(self):
        self.scenarios = []

    def add(self, function, name=None, fast=True, limit=60, needs=(),
            alone=False):
        """alone: runs without neighbours, because it loads the machine."""
        name = name or function.__name__
        self.scenarios.append(
            Scenario(function, name, fast, limit, needs, alone))

    def scenario(self, **how):
        def register(function):
            self.add(function, **how)
            return function
        return register

    def main(self, title, needs=(), jobs=1):
        parser = argparse.ArgumentParser(description=title)
        parser.add_argument("--fast", action="store_true",
                            help="only the short selection")
        parser.add_argument("-k", metavar="NAME", action="append",
                            help="only scenarios whose name matches")
        parser.add_argument("-j", metavar="N", type=int, default=jobs,
                            help="this many at a time (default %(default)s)")
        parser.add_argument("-l", action="store_true", help="list names")
        parser.add_argument("-v", action="store_true",
                            help="print the traces of what failed")
        parser.add_argument("--binary", default=find_binary(),
                            help="the sbc to test (default %(default)s)")
        parser.add_argument("--real", action="store_true",
                            help="true times: NATs that forget after 30 s")
        parser.add_argument("--keep", metavar="DIR",
                            help="keep logs and recordings of all in DIR")
        options = parser.parse_args()
        options.binary = os.path.abspath(options.binary)
        chosen = [s for s in self.scenarios if wanted(s, options)]
        if options.l:
            print("\n".join(s.name for s in chosen))
            return 0
        if not chosen:
            print("no scenario of that name")
            return 2
        return Run(chosen, options, needs).go()


def wanted(scenario, options):
    if options.fast and not scenario.fast:
        return False
    return not options.k or any(re.search(k, scenario.name)
                                for k in options.k)


def root_dir():
    here = os.path.dirname(os.path.abspath(__file__))
    return os.path.dirname(os.path.dirname(here))


def find_binary():
    return os.environ.get("SBC", os.path.join(root_dir(), "build", "sbc"))


class Run:
    def __init__(self, scenarios, options, needs):
        self.waiting = list(scenarios)
        self.options = options
        self.needs = needs
        self.running = {}  # pid: (scenario, started, directory)
        self.passed = self.failed = 0
        self.serial = 0
        self.base = options.keep or tempfile.mkdtemp(prefix="sbc-test-")
        os.makedirs(self.base, exist_ok=True)

    def go(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            while self.waiting or self.running:
                while self.may_start():
                    self.start(self.waiting.pop(0))
                self.reap()
        except (KeyboardInterrupt, SystemExit):
            for pid in list(self.running):
                self.kill_group(pid)
            if not self.options.keep:
                shutil.rmtree(self.base, ignore_errors=True)
            print("interrupted", flush=True)
            return 143
        if self.failed == 0 and not self.options.keep:
            shutil.rmtree(self.base, ignore_errors=True)
        elif self.failed:
            print(f"logs of what failed: {self.base}")
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0

    def may_start(self):
        if not self.waiting:
            return False
        if not self.running:
            return True
        if len(self.running) >= self.options.j or self.waiting[0].alone:
            return False
        return not any(s.alone for s, _, _ in self.running.values())

    def start(self, scenario):
        self.serial += 1
        directory = os.path.join(self.base, scenario.name)
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            os._exit(self.child(scenario, directory))
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        self.running[pid] = (scenario, time.monotonic(), directory)

    def child(self, scenario, directory):
        """In the child: run it, write why it failed to 'failure'."""
        try:
            for program in (*self.needs, *scenario.needs):
                check(shutil.which(program) or os.access(program, os.X_OK),
                      f"program {program} is missing")
            # It is an octet of addresses; few run at a time.
            ident = (self.serial - 1) % 250 + 1
            context = Context(scenario.name, ident, directory, self.options)
            with context:
                try:
                    scenario.function(context)
                except BaseException:
                    self.write_traces(context)
                    raise
            return 0
        except BaseException as error:
            words = str(error) if isinstance(error, Failed) \
                else f"{type(error).__name__}: {error}"
            with open(os.path.join(directory, "failure"), "w") as out:
                out.write(words + "\n")
            with open(os.path.join(directory, "traceback"), "w") as out:
                traceback.print_exc(file=out)
            return 1

    @staticmethod
    def write_traces(context):
        with open(context.path("traces"), "w") as out:
            for trace in context.traces:
                with contextlib.suppress(Exception):
                    out.write(trace() + "\n")

    def reap(self):
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in self.running:
            scenario, started, directory = self.running.pop(pid)
            self.kill_group(pid)
            self.report(scenario, started, directory,
                        None if status == 0 else "died without words")
            return
        for pid, (scenario, started, directory) in list(self.running.items()):
            limit = scenario.limit
            if self.options.real:
                limit *= REAL_TIMES
            if time.monotonic() - started > limit:
                self.kill_group(pid)
                os.waitpid(pid, 0)
                del self.running[pid]
                self.report(scenario, started, directory,
                            f"not done after {limit} s")
        time.sleep(0.02)

    @staticmethod
    def kill_group(pid):
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)

    def report(self, scenario, started, directory, failure):
        seconds = time.monotonic() - started
        if failure is None:
            self.passed += 1
            print(f"ok    {scenario.name} ({seconds:.1f} s)", flush=True)
            if not self.options.keep:
                shutil.rmtree(directory, ignore_errors=True)
            return
        self.failed += 1
        with contextlib.suppress(OSError):
            with open(os.path.join(directory, "failure")) as words:
                failure = words.read().strip()
        print(f"FAIL  {scenario.name} ({seconds:.1f} s): {failure}",
              flush=True)
        if self.options.v:
            for name in ("traceback", "traces"):
                with contextlib.suppress(OSError):
                    with open(os.path.join(directory, name)) as text:
                        print(text.read())


def spawn(context, argv, log, netns=None, grace=6, **popen):
    """Start a program that dies with the scenario; output goes to @log.

    grace: seconds between SIGTERM and SIGKILL, 0 for SIGKILL at once.
    """
    if netns:
        argv = ["nsenter", f"--net=/run/netns/{netns}", *argv]
    out = open(context.path(log), "ab")
    process = subprocess.Popen(argv, stdout=out, stderr=out,
                               stdin=subprocess.DEVNULL, **popen)
    out.close()
    context.callback(stop, process, grace)
    return process


def stop(process, seconds=6):
    """SIGTERM, then SIGKILL; returns the exit code."""
    if process.poll() is None:
        if seconds:
            process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode
