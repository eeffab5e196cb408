# sipp_runs.py - many calls at once by sipp, in every common shape
#
# SPDX-License-Identifier: Apache-2.0

import functools
import os
import socket
import subprocess

import runner
import sbcproc
from runner import Failed, check, until
from sipbox import SipBox

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sipp")


def sipp(context, box, scenario, number, count, rate=20, user=None,
         service="bob", seconds=40, trace=True):
    """Start sipp at 127.N.@number.1; await_sipp() tells how it went.

    -nr: loopback loses nothing, and sipp fails a call when its own
    retransmission is answered twice.
    """
    argv = ["sipp", "-sf", os.path.join(HERE, scenario + ".xml"),
            "-i", f"{box.net}.{number}.1", "-p", "5060",
            "-mi", f"{box.net}.{number}.1", "-m", str(count),
            "-r", str(rate), "-s", service, "-nostdin", "-nr", "-trace_err",
            "-error_file", context.path(f"{scenario}.errors"),
            "-timeout", str(seconds), "-timeout_error", "-recv_timeout", "15000"]
    if trace:
        argv += ["-trace_msg", "-message_file",
                 context.path(f"{scenario}.msgs")]
    if user:
        inputs = context.path(f"{scenario}.csv")
        word = sbcproc.password(user)
        with open(inputs, "w") as out:
            out.write("SEQUENTIAL\n"
                      f"{user};[authentication username={user} "
                      f"password={word}];\n")
        argv += ["-inf", inputs]
    argv.append(f"{box.address}:5060")
    process = runner.spawn(context, argv, f"{scenario}.out",
                           env=dict(os.environ, TERM="xterm"))
    process.scenario = scenario
    return process


def await_bound(box, number):
    """Until sipp has its socket, the box's INVITE would bounce."""
    def taken():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            try:
                sock.bind((f"{box.net}.{number}.1", 5060))
            except OSError:
                return True
        return False
    until(taken, 10, "sipp does not start")


def await_sipp(context, process, seconds=45):
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"sipp {process.scenario} does not end")
    if process.returncode:
        words = ""
        path = context.path(f"{process.scenario}.errors")
        if os.path.exists(path):
            with open(path, errors="replace") as errors:
                words = errors.read(600)
        raise Failed(f"sipp {process.scenario} exit {process.returncode}: "
                     f"{words}")


def run_pair(context, caller, callee, count, rate, **options):
    box = SipBox(context, **options)
    bob = box.phone("bob")  # its address is sipp's afterwards
    bob.close()
    far = sipp(context, box, callee, 2, count, seconds=60)
    await_bound(box, 2)
    near = sipp(context, box, caller, 1, count, rate, user="alice",
                seconds=60)
    await_sipp(context, near, 65)
    await_sipp(context, far)
    box.no_calls_left(8)


def many_registrations(context):
    box = SipBox(context)
    runs = [sipp(context, box, "register", 1, 200, 100, user="alice")]
    for run in runs:
        await_sipp(context, run)
    check(box.binding("alice"), "not bound")


PAIRS = (("caller", "callee", 100, 20), ("caller_waits", "callee_hangs_up",
                                         40, 20),
         ("caller_late_offer", "callee", 20, 10),
         ("caller", "callee_early", 20, 10),
         ("caller_cancels", "callee_rings", 20, 10),
         ("caller_refused", "callee_busy", 40, 20))

# Reliable provisional answers (RFC 3262): each side with and without.
RELIABLE = (("caller_100rel", "callee_100rel"),
            ("caller_100rel", "callee_early"),
            ("caller", "callee_100rel"),
            ("caller_requires_100rel", "callee_slow"),
            ("caller_answers_in_prack", "callee_offers_early"),
            ("caller_pracks_badly", "callee_100rel"),
            ("caller_100rel_cancels", "callee_100rel_rings"),
            ("caller_100rel_bye", "callee_100rel_rings"))


def add_to(suite):
    suite.add(many_registrations, "sipp_registers", needs=("sipp",),
              alone=True)
    for caller, callee, count, rate in PAIRS:
        suite.add(functools.partial(run_pair, caller=caller, callee=callee,
                                    count=count, rate=rate),
                  f"sipp_{caller}_and_{callee}", needs=("sipp",), limit=100,
                  alone=True)
    for caller, callee in RELIABLE:
        suite.add(functools.partial(run_pair, caller=caller, callee=callee,
                                    count=20, rate=10),
                  f"sipp_reliable_{caller}_and_{callee}", needs=("sipp",),
                  limit=100, alone=True)
    suite.add(functools.partial(run_pair, caller="caller_requires_100rel",
                                callee="callee_must_100rel", count=20, rate=10,
                                realm={"rel100": "require"}),
              "sipp_reliable_where_it_is_required", needs=("sipp",), limit=100,
              alone=True)
    # 64 T1 go by.
    suite.add(functools.partial(run_pair, caller="caller_no_prack",
                                callee="callee_100rel_rings", count=10,
                                rate=10, ring_timeout="60"),
              "sipp_reliable_without_prack", needs=("sipp",), limit=100,
              alone=True)
