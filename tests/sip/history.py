# history.py - was it reachable then?  What the box tells of the past
#
# SPDX-License-Identifier: Apache-2.0

import datetime
import json
import time

import process
from runner import check, until
from sipbox import SipBox

PROVED = ("yes", "probably")


def now():
    """This moment as the command line takes it."""
    text = datetime.datetime.now(datetime.timezone.utc).isoformat()
    return text.replace("+00:00", "Z")


def pause():
    """Moments that are told apart lie some milliseconds apart."""
    time.sleep(0.05)
    moment = now()
    time.sleep(0.05)
    return moment


def phones(box, *words):
    return process.command(box, "phones", *words, "--data", box.data)


def history(box, user, *words):
    done = phones(box, "history", user, "--json", *words)
    check(done.returncode in (0, 10, 11),
          f"exit {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)


def events(box, user):
    return [row["event"] for row in history(box, user)["rows"]]


def nat_of(box, user):
    return box.binding(user)["nat"]


def answer_pings(phone):
    def take(message):
        if not (message.is_request and message.method == "OPTIONS"):
            return False
        phone.reply(message, 200, "OK", to_tag="pong")
        return True
    phone.ignore = take


def must_answer(box, user, moment, verdicts, why, code):
    done = phones(box, "history", user, "--at", moment, "--json")
    answer = json.loads(done.stdout)["answer"]
    check(answer["reachable"] in verdicts and why in (None, answer["why"]),
          f"at {moment}: {answer}\n{done.stdout}")
    check(done.returncode == code, f"exit {done.returncode}")
    said = phones(box, "history", user, "--at", moment)
    check(said.returncode == code, f"exit {said.returncode}")
    # More may have been heard between the two questions.
    words = tuple(v.replace("-", " ").capitalize() + ": " for v in verdicts)
    check(said.stdout.startswith(words), f"said {said.stdout}")
    return said.stdout


def each_change_is_a_row_and_moments_are_answered(context):
    box = SipBox(context)
    alice = box.phone("alice")
    there = pause()
    alice.register()  # the same again: no row
    check(events(box, "alice") == ["registered"], f"{events(box, 'alice')}")
    said = must_answer(box, "alice", there, ("yes",), "proved", 0)
    check(f"{alice.local}:{alice.port}" in said, said)
    alice.register(expires=0)
    check(events(box, "alice") == ["registered", "gone"],
          f"{events(box, 'alice')}")
    gone = pause()
    said = must_answer(box, "alice", gone, ("no",), "ended", 10)
    check("unregistered" in said, said)
    alice.register()
    said = must_answer(box, "alice", gone, ("no",), "ended", 10)
    check("back at" in said, said)
    must_answer(box, "alice", now(), PROVED, "uncontradicted", 0)
    said = must_answer(box, "alice", there, ("yes",), "proved", 0)


def moment_before_it_registered_is_no(context):
    box = SipBox(context)
    box.phone("bob")
    moment = pause()
    must_answer(box, "alice", moment, ("no",), "never", 10)
    box.phone("alice")
    must_answer(box, "alice", moment, ("no",), "not-yet", 10)


def moved_phone_has_both_flows_in_its_history(context):
    box = SipBox(context)
    alice = box.phone("alice", register=False)
    alice.register(instance="of-alice")
    moment = pause()
    alice.register(instance="of-alice")
    alice.close()
    again = box.phone("alice", number=7, register=False)
    again.register(instance="of-alice")
    rows = history(box, "alice")["rows"]
    check([row["event"] for row in rows] == ["registered", "moved"],
          f"{rows}")
    check(rows[0]["source"].startswith(alice.local) and
          rows[1]["source"].startswith(again.local), f"{rows}")
    check(rows[1]["proved_at"] >= rows[0]["at"], f"{rows}")
    must_answer(box, "alice", moment, ("yes",), "proved", 0)


def silent_phone_is_lost_and_comes_back(context):
    # 20 times as fast: a ping each half second
    box = SipBox(context, realm={"keepalive": "options",
                                 "keepalive_interval": "10"},
                 env={"SBC_NAT_SPEED": "20"})
    alice = box.phone("alice")
    answer_pings(alice)
    until(lambda: nat_of(box, "alice")["answers"], 10, "no ping answered")
    check(nat_of(box, "alice")["rtt_ms"] > 0, f"{nat_of(box, 'alice')}")
    there = pause()
    until(lambda: must_answer(box, "alice", there, PROVED, None, 0)
          .startswith("Yes"), 10, "never proved")
    alice.ignore = lambda message: True
    until(lambda: nat_of(box, "alice")["lost"], 15, "never lost")
    lost = pause()
    must_answer(box, "alice", lost, ("no",), "lost", 10)
    table = phones(box).stdout
    check("LOST" in table, table)
    answer_pings(alice)
    alice.register()
    until(lambda: not nat_of(box, "alice")["lost"], 10, "never back")
    said = must_answer(box, "alice", lost, ("no",), "lost", 10)
    check("back at" in said, said)
    rows = [row for row in history(box, "alice")["rows"]
            if row["event"] in ("registered", "lost", "back")]
    check([row["event"] for row in rows] == ["registered", "lost", "back"],
          f"{rows}")
    check(rows[1]["unanswered"] >= 3 and rows[1]["rtts_ms"] and
          rows[1]["proved_at"] < rows[1]["at"], f"{rows[1]}")
    must_answer(box, "alice", there, ("yes",), "proved", 0)
    silent = rows[1]["proved_at"][:-4] + "999Z"
    if silent < rows[1]["at"]:
        must_answer(box, "alice", silent, ("probably-not",), "found-lost",
                    10)


def history_survives_kill_9(context):
    box = SipBox(context)
    alice = box.phone("alice")
    there = pause()
    alice.register(expires=0)
    gone = pause()
    box.kill()
    box.start()
    check(events(box, "alice")[:2] == ["registered", "gone"],
          f"{events(box, 'alice')}")
    must_answer(box, "alice", there, ("yes",), "proved", 0)
    must_answer(box, "alice", gone, ("no",), "ended", 10)


def nobody_knows_of_the_time_between_kill_and_start(context):
    box = SipBox(context)
    alice = box.phone("alice")
    box.kill()
    down = pause()
    box.start()
    until(lambda: events(box, "alice") == ["registered", "restored"], 5,
          "no row of the restart")
    must_answer(box, "alice", down, ("unknown",), "restart", 11)
    alice.register()
    must_answer(box, "alice", down, ("unknown",), "restart", 11)
    must_answer(box, "alice", now(), PROVED, "uncontradicted", 0)


def phone_whose_connection_died_with_the_box_is_not_reachable(context):
    box = SipBox(context)
    alice = box.phone("alice", transport="tcp")
    must_answer(box, "alice", now(), PROVED, None, 0)
    box.kill()
    box.start()
    until(lambda: events(box, "alice") == ["registered", "lost"], 5,
          "no row of the restart")
    said = must_answer(box, "alice", now(), ("no",), "lost", 10)
    check("lost since" in said, said)
    alice.close()


def right_after_a_change_the_answer_knows_it(context):
    box = SipBox(context)
    alice = box.phone("alice")
    for turn in range(5):
        alice.register(expires=0)
        check(events(box, "alice")[-1] == "gone", f"turn {turn}")
        alice.register()
        check(events(box, "alice")[-1] == "registered", f"turn {turn}")


def show_tells_all_of_one_phone(context):
    box = SipBox(context)
    alice = box.phone("alice")
    box.phone("bob")
    done = phones(box, "show", "alice", "--json")
    check(done.returncode == 0, f"exit {done.returncode}: {done.stderr}")
    body = json.loads(done.stdout)
    check(body["phone"] == "alice" and len(body["bindings"]) == 1 and
          body["bindings"][0]["phone"] == "alice", done.stdout)
    nat = body["bindings"][0]["nat"]
    wanted = {"behind", "evidence", "alg", "reason", "kind", "mapping",
              "filter", "lifetime_s", "method", "interval_s", "answers",
              "rtt_ms", "lost", "last_heard"}
    check(wanted <= set(nat), f"nat lacks {wanted - set(nat)}")
    check(nat["behind"] is False and nat["lost"] is False, f"{nat}")
    text = phones(box, "show", "alice").stdout
    for word in (f"{alice.local}:{alice.port}", nat["reason"],
                 alice.user_agent, "keepalive", "reachable"):
        check(word in text, f"no {word} in\n{text}")
    text = phones(box, "show", "carol")
    check(text.returncode == 0 and "not registered" in text.stdout,
          text.stdout)


def what_a_phone_wrote_does_not_drive_the_terminal(context):
    box = SipBox(context)
    alice = box.phone("alice")
    csi = "\u009b"  # one byte of ISO 6429: what follows is a command
    alice.register(contact=f"<sip:a{csi}31m@{alice.local}:{alice.port}>")
    for words in ((), ("show", "alice"), ("history", "alice")):
        text = phones(box, *words).stdout
        check(csi not in text, f"{words}: {text!r}")
    check("sip:a?31m@" in phones(box).stdout, phones(box).stdout)


def status_counts_keepalives(context):
    box = SipBox(context)
    box.phone("alice")
    keepalive = box.status()["keepalive"]
    wanted = {"flows", "registered", "subscribed", "dialog", "lost",
              "sent_crlf", "sent_options"}
    check(wanted <= set(keepalive), f"lacks {wanted - set(keepalive)}")


def wrong_words_are_told(context):
    box = SipBox(context)
    box.phone("alice")
    for words, code, part in (
            (("history", "nobody"), 5, "no phone"),
            (("show", "nobody"), 5, "no phone"),
            (("show", "a b"), 2, "no name"),
            (("history", "alice", "--at", "noon"), 2, "14:03"),
            (("history", "alice", "--at", "2999-01-01T00:00:00Z"), 2,
             "future"),
            (("history", "alice", "--from", "now", "--at", "now"), 2,
             "--at"),
            (("history", "alice", "--from", "2026-01-02 10:00", "--to",
              "2026-01-02 09:00"), 2, "after"),
            (("history",), 2, "usage"),
            (("show", "alice", "--at", "now"), 2, "usage"),
            (("frobnicate", "alice"), 2, "usage"),
            (("--at", "now"), 2, "usage")):
        done = phones(box, *words)
        check(done.returncode == code and part in done.stderr,
              f"{words}: exit {done.returncode}, {done.stderr}")
    done = phones(box, "--help")
    check(done.returncode == 0 and "history NAME" in done.stdout,
          f"--help: {done.stdout}{done.stderr}")


def add_to(suite):
    for function in (each_change_is_a_row_and_moments_are_answered,
                     moment_before_it_registered_is_no,
                     moved_phone_has_both_flows_in_its_history,
                     silent_phone_is_lost_and_comes_back,
                     history_survives_kill_9,
                     nobody_knows_of_the_time_between_kill_and_start,
                     phone_whose_connection_died_with_the_box_is_not_reachable,
                     right_after_a_change_the_answer_knows_it,
                     show_tells_all_of_one_phone,
                     what_a_phone_wrote_does_not_drive_the_terminal,
                     status_counts_keepalives,
                     wrong_words_are_told):
        suite.add(function)
