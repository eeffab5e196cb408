# life_of_the_box.py - crash, reload, stop, and phones that come and go
#
# SPDX-License-Identifier: Apache-2.0

import json
import os
import re
import subprocess
import time

import baresip
import rtp
import runner
import sbcproc
import tone
import topology
from lab import TALK_S, Site, call, hang_up, talk
from phone import Phone
from runner import Failed, check, until
from sbcproc import password
from topology import SBC4


def registered_at(site):
    return {p["phone"]: (p["registered_at"], p["contact"], p["source"])
            for p in site.box.phones()}


def two_phones(context, **options):
    site = Site(context, **options)
    alice = site.baresip("alice", site.behind_nat("port_restricted"),
                         tone.CALLER_HZ)
    bob = site.baresip("bob", site.behind_nat("symmetric"), tone.CALLEE_HZ)
    return site, alice, bob


def killed_box_reaches_its_phones_again_without_their_help(context):
    site, alice, bob = two_phones(context)
    before = registered_at(site)
    marks = alice.mark(), bob.mark()
    site.box.kill()
    site.box.start()
    check(registered_at(site) == before,
          f"bindings changed: {before} became {registered_at(site)}")
    talk(alice, bob, "bob", hang_up_by=alice)
    talk(bob, alice, "alice", hang_up_by=alice)
    check(registered_at(site) == before, "a phone registered again")
    for phone, mark in zip((alice, bob), marks):
        check(not phone.seen("REGISTERING", mark),
              f"{phone.name} registered again")


def killed_during_a_call_the_box_takes_new_calls(context):
    site, alice, bob = two_phones(context)
    call(alice, bob, "bob")
    time.sleep(1)
    site.box.kill()
    site.box.start()
    check(not site.box.calls(), "a call came back from the dead")
    mark = bob.mark()
    alice.hangup()  # its BYE is answered 481
    bob.hangup()
    bob.await_event("CALL_CLOSED", 5, mark)
    talk(alice, bob, "bob", hang_up_by=bob)


def keepalive_holds_a_30_s_nat_open(context):
    site, alice, bob = two_phones(context)
    time.sleep(40)
    talk(alice, bob, "bob", hang_up_by=alice)


def keepalive_goes_on_after_a_kill(context):
    site, alice, bob = two_phones(context)
    before = registered_at(site)
    time.sleep(20)
    site.box.kill()
    site.box.start()
    time.sleep(40)
    talk(alice, bob, "bob", hang_up_by=alice)
    check(registered_at(site) == before, "a phone registered again")


def phone_that_unregisters_is_not_called(context):
    site, alice, bob = two_phones(context)
    bob.process.terminate()  # it takes its binding along
    bob.process.wait(10)
    until(lambda: not site.box.binding("bob"), 5, "bob is still bound")
    mark = alice.mark()
    alice.dial(f"sip:bob@{SBC4}")
    closed = alice.await_event("CALL_CLOSED", 5, mark)
    check(closed["param"].startswith("480"),
          f"not 480 but {closed['param']}")


def phone_that_never_registered_gives_480(context):
    site = Site(context)
    alice = site.baresip("alice", site.behind_nat("symmetric"),
                         tone.CALLER_HZ)
    mark = alice.mark()
    alice.dial(f"sip:bob@{SBC4}")
    closed = alice.await_event("CALL_CLOSED", 5, mark)
    check(closed["param"].startswith("480"),
          f"not 480 but {closed['param']}")


def callee_rejects_and_caller_gives_up(context):
    """486 reaches the caller; a CANCEL reaches the callee."""
    site = Site(context)
    alice = site.baresip("alice", site.behind_nat("port_restricted"),
                         tone.CALLER_HZ)
    bob = site.baresip("bob", site.behind_nat("symmetric"), tone.CALLEE_HZ,
                       auto=False)
    marks = alice.mark(), bob.mark()
    alice.dial(f"sip:bob@{SBC4}")
    bob.await_event("CALL_INCOMING", 5, marks[1])
    bob.hangup()
    closed = alice.await_event("CALL_CLOSED", 5, marks[0])
    check(closed["param"].startswith("486"),
          f"not 486 but {closed['param']}")
    marks = alice.mark(), bob.mark()
    alice.dial(f"sip:bob@{SBC4}")
    bob.await_event("CALL_INCOMING", 5, marks[1])
    alice.await_event("CALL_RINGING", 5, marks[0])
    alice.hangup()
    bob.await_event("CALL_CLOSED", 5, marks[1])
    site.box.no_calls_left()


def reload_keeps_the_call(context):
    site, alice, bob = two_phones(context)
    call(alice, bob, "bob")
    began = time.monotonic()
    time.sleep(TALK_S / 2)
    more = "\nconfig phone 'dave'\n\toption password 'd4ve-secret'\n"
    site.box.write_config(site.config + more)
    check(site.box.reload() == "reloaded", "good config refused")
    time.sleep(TALK_S / 2)
    site.box.write_config("config nonsense 'x'\n")
    check(site.box.reload() == "refused", "bad config taken")
    time.sleep(TALK_S / 2)
    check(len(site.box.calls()) == 1, "the call is gone")
    length = time.monotonic() - began
    hang_up(bob, alice)
    time.sleep(0.3)
    for phone, other in ((alice, bob), (bob, alice)):
        phone.must_have_heard(other, length)
    dave = Phone("dave", "d4ve-secret", (SBC4, 5060), local="203.0.113.90",
                 netns=site.host("dave", "203.0.113.90").name,
                 context=context)
    dave.register()


def stopping_says_goodbye_to_every_call(context):
    site, alice, bob = two_phones(context)
    call(alice, bob, "bob")
    time.sleep(1)
    marks = alice.mark(), bob.mark()
    code, seconds = site.box.stop()
    check(code == 0, f"exit code {code}")
    check(seconds <= 5, f"took {seconds:.1f} s")
    for phone, mark in zip((alice, bob), marks):
        phone.await_event("CALL_CLOSED", 2, mark)
    site.box.start()
    talk(alice, bob, "bob", hang_up_by=alice)


def audio_moves_when_a_phone_changes_its_address(context):
    """A phone gets a new address in a call, authenticates and re-INVITEs."""
    site = Site(context)
    space = site.host("roam", "203.0.113.70", "203.0.113.71")
    space.address = "203.0.113.70"
    far = site.host("far", "203.0.113.80")
    far.address = "203.0.113.80"
    alice = site.scripted("alice", space)
    bob = site.scripted("bob", far)
    speech = rtp.Rtp("203.0.113.70", space.name, context, b"A" * 160)
    answer = rtp.Rtp("203.0.113.80", far.name, context, b"B" * 160)
    out = alice.invite("bob", rtp=speech)
    into = bob.incoming()
    into.reply(200, "OK", rtp=answer)
    out.answered()
    into.expect_ack()
    answer.stream(into.media())
    speech.stream(out.media())
    until(lambda: speech.count(payload=b"B" * 160) > 10, 3, "no audio")
    speech.hush()

    moved = Phone("alice", password("alice"), (SBC4, 5060),
                  local="203.0.113.71", port=5060, netns=space.name,
                  context=context)
    again = rtp.Rtp("203.0.113.71", space.name, context, b"C" * 160)
    out.phone = moved
    out.reinvite(again.sdp())
    challenge = moved.expect(lambda m: not m.is_request and m.status > 100)
    check(challenge.status == 401,
          f"a new address was not challenged but answered {challenge}")
    moved.digest.take(challenge)
    proof = ("Authorization", moved.digest.header("INVITE", out.target))
    out.reinvite(again.sdp(), headers=(proof,))
    with_answer(into, answer)
    out.answered()
    again.stream(out.media())
    until(lambda: again.count(payload=b"B" * 160) > 10, 3,
          "no audio at the new address")
    until(lambda: answer.count(payload=b"C" * 160) > 10, 3,
          "no audio from the new address")
    check(out.bye().status == 200, "BYE from the new address refused")
    into.expect_bye()


def what_make_run_prints_is_enough_for_two_phones(context):
    """tools/run-example prints baresip accounts; they call each other."""
    lab = topology.Lab(context)
    out = context.path("example")
    script = os.path.join(runner.root_dir(), "tools", "run-example")
    process = runner.spawn(
        context, [script, context.options.binary, context.path("run", "")],
        "example", netns=lab.sbc.name)

    def printed():
        check(process.poll() is None, "run-example ended")
        with open(out) as text:
            text = text.read()
        lines = re.findall(r"^\s+baresip\s+(<sip:(\S+?)@.*)$", text, re.M)
        return lines if "sbc.ready" in text else None
    lines = until(printed, 10, "it does not become ready")
    check(len(lines) == 2, f"{len(lines)} accounts are printed")
    phones = []
    for (account, user), hz in zip(lines, (440, 880)):
        phone = baresip.Baresip(context, user, lab.behind_nat(
            "port_restricted").name, account, hz)
        phone.uri_host = SBC4
        phones.append(phone)
    until(lambda: len(ask_example(context)) == 2, 10, "not registered",
          step=0.2)
    one, two = phones
    call(one, two, lines[1][1], accept=True)
    began = time.monotonic()
    time.sleep(TALK_S)
    length = time.monotonic() - began
    hang_up(two, one)
    time.sleep(0.3)
    for phone, other in ((one, two), (two, one)):
        phone.must_have_heard(other, length)


def ask_example(context):
    done = subprocess.run(
        [context.options.binary, "phones", "--json", "--data",
         context.path("run", "data")], capture_output=True, text=True)
    return json.loads(done.stdout)["phones"] if done.returncode == 0 else []


def address_that_comes_later_is_served(context):
    """A realm on all addresses follows the interfaces (netlink)."""
    lab = topology.Lab(context)
    conf = sbcproc.config({"all": {"media_ports": "20000-20099"}},
                          ("alice", "bob"))
    box = sbcproc.Sbc(context, conf, lab.sbc.name)
    space = lab.host("guest", "203.0.113.90")
    later = "203.0.113.12"

    def listed():
        return [entry["up"] for entry in box.status()["listeners"]
                if entry["address"] == later]
    check(not listed(), "listens where there is no address yet")

    def bind(user, port):
        phone = Phone(user, password(user), (later, 5060),
                      local="203.0.113.90", port=port, netns=space.name,
                      context=context)
        phone.register()
        return phone
    topology.add_address(lab.sbc, "eth0", later)
    until(lambda: any(listed()), 5, "no listener on the new address")
    alice = bind("alice", 5060)
    lab.sbc.ip("addr", "del", later + "/24", "dev", "eth0")
    until(lambda: not any(listed()), 5, "still up without its address")
    topology.add_address(lab.sbc, "eth0", later)
    until(lambda: any(listed()), 5, "not up again")
    bind("bob", 5062)
    alice.register()


def with_answer(into, media):
    """Answer a re-INVITE if the box passes it on; it may answer itself."""
    try:
        into.expect_request("INVITE", 2)
    except Failed:
        return
    into.reply(200, "OK", rtp=media)
    into.expect_ack()


def add_to(suite):
    suite.add(killed_box_reaches_its_phones_again_without_their_help)
    for function in (killed_during_a_call_the_box_takes_new_calls,
                     keepalive_holds_a_30_s_nat_open,
                     keepalive_goes_on_after_a_kill,
                     phone_that_unregisters_is_not_called,
                     phone_that_never_registered_gives_480,
                     callee_rejects_and_caller_gives_up,
                     reload_keeps_the_call,
                     stopping_says_goodbye_to_every_call,
                     audio_moves_when_a_phone_changes_its_address,
                     address_that_comes_later_is_served,
                     what_make_run_prints_is_enough_for_two_phones):
        suite.add(function, fast=False, limit=120)
