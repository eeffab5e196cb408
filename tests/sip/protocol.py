# protocol.py - answers that RFC 3261 asks for, and the silence we choose
#
# SPDX-License-Identifier: Apache-2.0

import os
import subprocess
import sys
import time

import netns
from runner import check
from sip import Message, token
from sipbox import SipBox


def asked(box, method, **how):
    """The answer to one request of a stranger."""
    stranger = box.phone("stranger", 30, register=False)
    try:
        return stranger.request(method, f"sip:{box.address}", auth=False,
                                **how)
    finally:
        stranger.close()


def options_is_answered_200(context):
    box = SipBox(context)
    answer = asked(box, "OPTIONS")
    check(answer.status == 200, f"answered {answer}")
    for method in ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"):
        check(method in answer.get("allow"), f"Allow: {answer.get('allow')}")
    check("application/sdp" in answer.get("accept"), "no Accept")


def options_to_a_user_is_answered(context):
    box = SipBox(context)
    alice = box.phone("alice")
    answer = alice.request("OPTIONS", f"sip:bob@{box.address}")
    check(answer.status in (200, 404, 480), f"answered {answer}")


def max_forwards_zero_gives_483(context):
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    out = alice.invite("bob", rtp=box.media(alice), max_forwards=0)
    answer = alice.expect(lambda m: out.answers_invite(m) and m.status > 100)
    check(answer.status == 483, f"answered {answer}")
    bob.nothing("INVITE", 0.3)


def unknown_method_gives_501(context):
    check(asked(SipBox(context), "FROBNICATE").status == 501, "not 501")


def requests_of_no_dialog_get_481(context):
    box = SipBox(context)
    for method in ("UPDATE", "PRACK", "BYE", "INFO"):
        answer = asked(box, method)
        check(answer.status == 481, f"{method} answered {answer}")


def other_sip_version_gives_505(context):
    box = SipBox(context)
    stranger = box.phone("stranger", 30, register=False)
    data = stranger.make("OPTIONS", f"sip:{box.address}")
    answer = stranger.transact(
        data.replace(b" SIP/2.0\r\n", b" SIP/7.0\r\n", 1))
    check(answer.status == 505, f"answered {answer}")


def unknown_extension_gives_420(context):
    box = SipBox(context)
    for method in ("OPTIONS", "INVITE", "REGISTER"):
        answer = asked(box, method, headers=(("Require", "warp-drive"),))
        check(answer.status == 420, f"{method} answered {answer}")
        check(answer.get("unsupported") == "warp-drive",
              f"Unsupported: {answer.get('unsupported')}")


def unknown_scheme_gives_416(context):
    box = SipBox(context)
    alice = box.phone("alice")
    answer = alice.request("OPTIONS", "nobody:knows")
    check(answer.status == 416, f"answered {answer}")


def malformed_requests_get_400(context):
    box = SipBox(context)
    for missing in ("To", "From", "CSeq", "Call-ID"):
        answerless = box.phone("stranger", 30, register=False)
        data = answerless.make("OPTIONS", f"sip:{box.address}")
        lines = [line for line in data.split(b"\r\n")
                 if not line.startswith(missing.encode() + b":")]
        answerless.send(b"\r\n".join(lines))
        # Silence is allowed where the answer cannot be built.
        time.sleep(0.3)
        answers = [Message(d) for way, _, d in answerless.log if way == "in"]
        check(all(a.status == 400 for a in answers),
              f"without {missing}: {[str(a) for a in answers]}")
        answerless.close()
    box.options_work()


def answers_to_strangers_are_small(context):
    """No amplifier: at most 2.5 times the request."""
    box = SipBox(context)
    for method in ("OPTIONS", "REGISTER", "INVITE", "SUBSCRIBE", "FOO"):
        stranger = box.phone("s", 30, register=False)
        stranger.user_agent = "x"
        answer = stranger.request(method, f"sip:{box.address}", auth=False)
        sent = len(stranger.log[0][2])
        check(len(answer.raw) <= 2.5 * sent,
              f"{method}: {sent} bytes answered by {len(answer.raw)}")
        stranger.close()


def silent_realm_answers_only_known_peers(context):
    box = SipBox(context, realm={"strangers": "silent"})
    stranger = box.phone("stranger", 30, register=False)
    stranger.send(stranger.make("OPTIONS", f"sip:{box.address}"))
    stranger.nothing(lambda m: True, 1)
    alice = box.phone("alice")
    answer = alice.request("OPTIONS", f"sip:{box.address}")
    check(answer.status == 200, f"a known phone got {answer}")


def scanners_hear_nothing(context):
    box = SipBox(context)
    scanner = box.phone("x", 30, register=False,
                        user_agent="friendly-scanner")
    scanner.send(scanner.make("OPTIONS", f"sip:{box.address}"))
    scanner.nothing(lambda m: True, 1)


def tcp_ping_gets_its_pong(context):
    """RFC 5626 4.4.1: CRLF CRLF is answered by CRLF."""
    box = SipBox(context)
    with netns.open_socket(None, kind=1) as sock:
        sock.settimeout(3)
        sock.connect(box.server)
        sock.sendall(b"\r\n\r\n")
        check(sock.recv(16) == b"\r\n", "no pong")


def messages_in_pieces_and_two_at_once_over_tcp(context):
    box = SipBox(context)
    phone = box.phone("stranger", 30, register=False, transport="tcp", port=0)
    first = phone.make("OPTIONS", f"sip:{box.address}")
    for at in range(0, len(first), 7):
        phone.transport.send(first[at:at + 7])
        time.sleep(0.001)
    check(phone.expect(200).status == 200, "in pieces")
    two = [phone.make("OPTIONS", f"sip:{box.address}") for _ in "12"]
    phone.send(b"".join(two))
    phone.expect(200)
    phone.expect(200)


def same_request_by_two_ways_rings_once(context):
    """RFC 3261 8.2.2.2: same Call-ID, CSeq, From tag, new branch: 482."""
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    out = alice.invite("bob", rtp=box.media(alice))
    into = bob.incoming()
    into.reply(180, "Ringing")
    out.expect(180)
    copy = out.last_invite.raw.replace(out.branch.encode(),
                                       b"z9hG4bKother" + token(6).encode())
    alice.send(copy)
    answer = alice.expect(lambda m: out.answers_invite(m)
                          and m.status not in (100, 180))
    check(answer.status in (482, 401), f"answered {answer}")
    bob.nothing("INVITE", 0.3)


def foreign_body_in_invite_is_refused(context):
    box = SipBox(context)
    alice = box.phone("alice")
    out = alice.invite("bob", sdp="hello", headers=(
        ("Content-Type", "text/plain"),))
    answer = alice.expect(lambda m: out.answers_invite(m) and m.status > 100)
    check(answer.status in (415, 488, 480), f"answered {answer}")


def rfc4475_messages_get_their_answers(context):
    here = os.path.dirname(os.path.abspath(__file__))
    done = subprocess.run(
        [sys.executable, os.path.join(here, "torture.py")],
        env=dict(os.environ, SBC=context.options.binary),
        capture_output=True, text=True)
    words = done.stdout + done.stderr
    with open(context.path("torture"), "w") as out:
        out.write(words)
    context.traces.append(lambda: words)
    bad = [line for line in words.splitlines() if "FAIL" in line.upper()]
    check(done.returncode == 0, "; ".join(bad[:3]) or words[-300:])


def second_instance_on_the_same_data_exits_6(context):
    box = SipBox(context)
    done = subprocess.run([box.binary, "run", "--config", box.conf, "--data",
                           box.data, "--foreground"], capture_output=True,
                          timeout=10)
    check(done.returncode == 6, f"exit {done.returncode}")


def port_in_use_exits_69_and_bad_config_78(context):
    box = SipBox(context)

    def run(conf):
        return subprocess.run(
            [box.binary, "run", "--config", conf, "--data",
             context.path("other", "data"), "--foreground"],
            capture_output=True, timeout=10).returncode
    check(run(box.conf) == 69, "port in use")
    bad = context.path("bad.conf")
    with open(bad, "w") as out:
        out.write("config realm 'x'\n\toption nonsense '1'\n")
    check(run(bad) == 78, "bad config")


def add_to(suite):
    for function in (
            options_is_answered_200, options_to_a_user_is_answered,
            max_forwards_zero_gives_483, unknown_method_gives_501,
            requests_of_no_dialog_get_481,
            other_sip_version_gives_505, unknown_extension_gives_420,
            unknown_scheme_gives_416, malformed_requests_get_400,
            answers_to_strangers_are_small,
            silent_realm_answers_only_known_peers, scanners_hear_nothing,
            tcp_ping_gets_its_pong,
            messages_in_pieces_and_two_at_once_over_tcp,
            same_request_by_two_ways_rings_once,
            foreign_body_in_invite_is_refused,
            second_instance_on_the_same_data_exits_6,
            port_in_use_exits_69_and_bad_config_78,
            rfc4475_messages_get_their_answers):
        suite.add(function, limit=150)
