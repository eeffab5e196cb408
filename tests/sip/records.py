# records.py - call records: what they say, how they are exported, and that a
# crash closes what was open
#
# SPDX-License-Identifier: Apache-2.0

import csv
import io
import json

import process
from runner import check, until
from sipbox import SipBox, Talk


def cdrs(box, *words):
    done = process.command(box, "cdrs", *words, "--data", box.data)
    check(done.returncode == 0, f"exit {done.returncode}: {done.stderr}")
    return done.stdout


def records(box, *words):
    return json.loads(cdrs(box, "--json", *words))["cdrs"]


def call_is_recorded_with_its_media_and_who_hung_up(context):
    talk = Talk(SipBox(context))
    talk.speak()
    talk.end()
    rows = records(talk.box)
    check(len(rows) == 1, f"{rows}")
    row = rows[0]
    check(row["cause"] == "bye" and row["ended_by"] == "a" and
          row["status"] == 200 and row["q850"] == 16, f"{row}")
    check(row["a"]["peer"] == "alice" and row["b"]["peer"] == "bob",
          f"{row}")
    check(row["started_at"] <= row["ringing_at"] <= row["answered_at"] <=
          row["ended_at"], f"{row}")
    check([m["side"] for m in row["media"]] == ["a", "b"], f"{row}")
    for media in row["media"]:
        check(media["codec"] == "PCMU" and media["in"]["packets"] >= 15 and
              media["out"]["packets"] >= 15, f"{media}")


def busy_callee_and_wrong_number_are_recorded(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    out = alice.invite("bob", rtp=box.media(alice))
    bob.incoming().reply(486, "Busy Here")
    out.expect(486)
    out = alice.invite("nobody", rtp=box.media(alice))
    out.expect(404)
    wrong, busy = records(box)
    check(busy["status"] == 486 and busy["q850"] == 17 and
          busy["attempts"][0]["peer"] == "bob", f"{busy}")
    check(wrong["status"] == 404 and wrong["to"]["received"] == "nobody" and
          wrong["ended_by"] == "sbc", f"{wrong}")
    check(records(box, "--who", "nobody") == [wrong], "--who")


def killed_box_closes_its_calls_at_the_next_start(context):
    talk = Talk(SipBox(context))
    until(lambda: records(talk.box), 5, "the open call is not recorded")
    check(records(talk.box)[0]["ended_at"] is None, "it is not open")
    talk.box.kill()
    talk.box.start()
    row = records(talk.box)[0]
    check(row["cause"] == "sbc restart" and row["ended_at"] and
          row["answered_at"], f"{row}")


def export_has_every_record_on_a_line(context):
    box = SipBox(context)
    alice = box.phone("alice")
    for n in range(3):
        out = alice.invite(f"no-{n}", rtp=box.media(alice))
        out.expect(404)
    lines = cdrs(box, "--jsonl").splitlines()
    check([json.loads(line)["to"]["received"] for line in lines] ==
          ["no-2", "no-1", "no-0"], f"{lines}")
    rows = list(csv.DictReader(io.StringIO(cdrs(box, "--csv"))))
    check([row["to_received"] for row in rows] == ["no-2", "no-1", "no-0"] and
          rows[0]["status"] == "404" and rows[0]["a_peer"] == "alice",
          f"{rows}")
    check(len(cdrs(box, "--jsonl", "--limit", "2").splitlines()) == 2,
          "--limit")
    said = cdrs(box)
    check("no-1" in said and "404" in said, said)


def no_records_are_kept_where_none_are_wanted(context):
    box = SipBox(context, cdr_days="0")
    alice = box.phone("alice")
    out = alice.invite("nobody", rtp=box.media(alice))
    out.expect(404)
    check(records(box) == [], "there are some")


def add_to(suite):
    for scenario in (call_is_recorded_with_its_media_and_who_hung_up,
                     busy_callee_and_wrong_number_are_recorded,
                     killed_box_closes_its_calls_at_the_next_start,
                     export_has_every_record_on_a_line,
                     no_records_are_kept_where_none_are_wanted):
        suite.add(scenario)
