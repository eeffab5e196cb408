# process.py - the command line, exit codes, the log and what JSON tells
#
# SPDX-License-Identifier: Apache-2.0

import os
import re
import signal
import subprocess

from runner import check
from sipbox import SipBox, Talk


def command(box, *words):
    return subprocess.run([box.binary, *words], capture_output=True,
                          text=True, timeout=10)


def bad_config_is_told_with_file_line_and_nearest_name(context):
    box = SipBox(context, start=False)
    bad = context.path("bad.conf")
    with open(bad, "w") as out:
        out.write("config sbc 'global'\n\toption schema '1'\n"
                  "\toption max_cals '5'\n"
                  "config realm 'r'\n\toption laatch 'open'\n"
                  "config phone 'p'\n\toption password 'x'\n"
                  "\toption password 'y'\n")
    done = command(box, "check-config", bad)
    words = done.stdout
    check(done.returncode == 78, f"exit {done.returncode}")
    for line, word in ((3, "max_calls"), (5, "latch"), (8, "password")):
        check(re.search(rf"^{re.escape(bad)}:{line}: .*{word}", words, re.M),
              f"line {line} is not told with {word}:\n{words}")
    good = command(box, "check-config", box.conf)
    check(good.returncode == 0, f"a good one: {good.stdout}{good.stderr}")


def client_without_a_running_box_exits_3(context):
    box = SipBox(context, start=False)
    os.makedirs(box.data, exist_ok=True)
    for what in ("status", "calls", "phones"):
        done = command(box, what, "--json", "--data", box.data)
        check(done.returncode == 3, f"{what}: exit {done.returncode}")
    check(command(box, "frobnicate").returncode == 2, "usage")
    version = command(box, "--version")
    check(version.returncode == 0 and re.search(r"\d+\.\d+\.\d+",
                                                version.stdout), "version")


def json_has_what_the_contract_says(context):
    box = SipBox(context)
    talk = Talk(box)
    talk.speak()
    status = box.status()
    wanted = {"version", "pid", "uptime_s", "ready", "calls", "bindings",
              "listeners", "store", "alarms"}
    check(wanted <= set(status), f"status lacks {wanted - set(status)}")
    check(status["pid"] == box.pid and status["ready"] is True and
          status["calls"] == 1 and status["bindings"] == 2, f"{status}")
    listeners = {(entry["transport"], entry["address"], entry["port"])
                 for entry in status["listeners"] if entry["up"]}
    check(listeners == {("udp", box.address, 5060),
                        ("tcp", box.address, 5060)}, f"{listeners}")
    row = box.binding("alice")
    wanted = {"aor", "phone", "realm", "contact", "source", "local",
              "transport", "instance", "reg_id", "expires_s", "user_agent",
              "registered_at", "last_seen", "nat"}
    check(wanted <= set(row), f"phones lacks {wanted - set(row)}")
    call = box.calls()[0]
    wanted = {"id", "state", "from", "to", "started_at", "answered_at",
              "legs"}
    check(wanted <= set(call), f"calls lacks {wanted - set(call)}")
    check([leg["side"] for leg in call["legs"]] == ["a", "b"], "sides")
    for leg, phone in zip(call["legs"], (talk.alice, talk.bob)):
        wanted = {"side", "realm", "peer", "transport", "flow", "call_id",
                  "state", "media"}
        check(wanted <= set(leg), f"leg lacks {wanted - set(leg)}")
        media = leg["media"][0]
        wanted = {"type", "codec", "local", "remote", "latched", "in", "out",
                  "dropped"}
        check(wanted <= set(media), f"media lacks {wanted - set(media)}")
        check(media["latched"] is True, "not latched")
        check(phone.local in media["remote"], f"remote {media['remote']}")
        check({"packets", "bytes", "lost"} <= set(media["in"]), "in")
        check({"packets", "bytes"} <= set(media["out"]), "out")
        check({"stranger", "malformed", "payload_type"} <=
              set(media["dropped"]), "dropped")
    check(call["legs"][0]["call_id"] == talk.out.call_id and
          call["legs"][1]["call_id"] == talk.into.call_id, "call_id")
    talk.end()


def log_has_the_contracts_events_and_no_secret(context):
    box = SipBox(context)
    talk = Talk(box)
    talk.end()
    talk.alice.register(expires=0)
    box.stop()
    log = box.log()
    stamp = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warn|info|debug)"
    for line in log.splitlines():
        check(re.match(stamp + r" [a-z]+\.[a-z_]+( |$)", line),
              f"not of the contract's form: {line}")
    for event in ("sbc.ready", "reg.new", "call.start", "call.up",
                  "call.end", "reg.gone", "sbc.stopping"):
        check(f" {event}" in log, f"no {event}")
    check(re.search(r"call\.end .*cause=", log), "call.end has no cause")
    check("s3cret" not in log, "a password is in the log")
    check(not re.search(r"response=|nonce=", log), "a digest is in the log")


def data_directory_is_private(context):
    box = SipBox(context)
    mode = os.stat(box.data).st_mode & 0o777
    check(mode == 0o700, f"mode {mode:o}")
    for name in ("sbc.db", "ctl", "lock"):
        check(os.path.exists(os.path.join(box.data, name)), f"no {name}")


def secret_file_that_others_can_read_is_refused(context):
    box = SipBox(context, start=False)
    secrets = os.path.join(os.path.dirname(box.conf), "secrets")
    with open(secrets, "w") as out:
        out.write("of-alice=s3cret-alice\n")
    box.write_config(box.text.replace("'s3cret-alice'", "'@secret:of-alice'"))
    os.chmod(secrets, 0o644)
    done = command(box, "check-config", box.conf)
    check(done.returncode == 78, f"0644: exit {done.returncode}")
    os.chmod(secrets, 0o600)
    box.start()
    box.phone("alice")


def crash_leaves_the_last_message_behind(context):
    box = SipBox(context)
    alice = box.phone("alice")
    alice.request("OPTIONS", f"sip:the-last-words@{box.address}", auth=False)
    box.killed = True
    box.process.send_signal(signal.SIGABRT)
    box.process.wait(10)
    check(box.process.returncode == -signal.SIGABRT, "did not die of it")
    with open(os.path.join(box.data, "crash.txt"), "rb") as report:
        report = report.read()
    check(report.startswith(b"signal 6\n"), report[:40])
    check(b"OPTIONS sip:the-last-words@" in report, "no last message")


def reload_takes_and_drops_phones(context):
    box = SipBox(context)
    box.phone("bob")
    box.write_config(box.text.replace("phone 'bob'", "phone 'dave'"))
    check(box.reload() == "reloaded", "refused")
    check(box.phone("dave", 9, register=False,
                    word="s3cret-bob").register(), "dave")
    check(not box.binding("bob"), "bob is still bound")
    box.phone("alice")
    box.write_config(box.text + "\nconfig realm 'x'\n\toption y '1'\n")
    check(box.reload() == "refused", "a bad file is taken")
    check(box.binding("alice"), "a refused reload lost a binding")
    box.options_work()


def add_to(suite):
    for function in (bad_config_is_told_with_file_line_and_nearest_name,
                     client_without_a_running_box_exits_3,
                     json_has_what_the_contract_says,
                     log_has_the_contracts_events_and_no_secret,
                     data_directory_is_private,
                     secret_file_that_others_can_read_is_refused,
                     crash_leaves_the_last_message_behind,
                     reload_takes_and_drops_phones):
        suite.add(function)
