# diceua.py - user agents that do anything that RFC 3261, 3262, 3311 and 3515
# allow, at any moment, by dice, over a lossy line
#
# One thread serves them all, event by event, so that thousands of calls can be
# under way.  Each agent keeps to the transaction layer (retransmits, answers
# what is repeated, ACKs); what it does above that is thrown.
#
# SPDX-License-Identifier: Apache-2.0

import heapq
import select
import socket
import time

from sip import Digest, Message, build, make_sdp, token, uri_in

T1, T2, TIMEOUT = 0.5, 4.0, 32.0
TRUTHS = {"INVITE": (200, 200, 200, 200, 488, 486), "BYE": (200,),
          "UPDATE": (200, 200, 200, 488), "INFO": (200,), "NOTIFY": (200,),
          "OPTIONS": (200,), "PRACK": (200,), "REFER": (603,)}


class Line:
    """All sockets and all timers."""

    def __init__(self):
        self.due, self.count, self.agents = [], 0, {}

    def after(self, seconds, what):
        self.count += 1
        heapq.heappush(self.due, (time.monotonic() + seconds, self.count,
                                  what))

    def add(self, agent):
        self.agents[agent.sock] = agent

    def run(self, is_done, seconds):
        """Until @is_done(); False when that lasts longer than @seconds."""
        end = time.monotonic() + seconds
        while not is_done():
            now = time.monotonic()
            if now >= end:
                return False
            while self.due and self.due[0][0] <= now:
                heapq.heappop(self.due)[2]()
            wait = min(end, self.due[0][0] if self.due else end) - now
            ready, _, _ = select.select(list(self.agents), [], [],
                                        min(max(wait, 0), 0.2))
            for sock in ready:
                self.agents[sock].read()
        return True


class Request:
    """A client transaction."""

    def __init__(self, dialog, method, data, branch, on_final):
        self.dialog, self.method, self.data = dialog, method, data
        self.branch, self.on_final = branch, on_final
        self.final, self.heard, self.over = 0, False, False
        self.began, self.wait = time.monotonic(), T1
        self.ack = None
        self.again()

    def again(self):
        if self.over or (self.method == "INVITE" and self.heard):
            return
        if time.monotonic() - self.began > TIMEOUT:
            self.over = True
            self.on_final(408, None)
            return
        self.dialog.agent.send(self.data)
        self.dialog.agent.line.after(self.wait, self.again)
        self.wait = min(2 * self.wait,
                        60 if self.method == "INVITE" else T2)

    def take(self, message):
        self.heard = True
        if message.status < 200:
            self.dialog.progress(self, message)
            return
        if self.method == "INVITE":
            self.send_ack(message)
        if self.over:
            return
        self.over, self.final = True, message.status
        self.on_final(message.status, message)

    def send_ack(self, message):
        if self.ack is None or message.status >= 300:
            self.ack = self.dialog.make_ack(self, message)
        self.dialog.agent.send(self.ack)


class Repeater:
    """A response sent again until something stops it."""

    def __init__(self, agent, data, on_give_up=None):
        self.agent, self.data, self.on_give_up = agent, data, on_give_up
        self.stopped, self.wait, self.began = False, T1, time.monotonic()
        self.again()

    def again(self):
        if self.stopped:
            return
        if time.monotonic() - self.began > TIMEOUT:
            self.stopped = True
            if self.on_give_up:
                self.on_give_up()
            return
        self.agent.send(self.data)
        self.agent.line.after(self.wait, self.again)
        self.wait = min(2 * self.wait, T2)


class Dialog:
    """One call of one agent."""

    def __init__(self, agent, dice, remote, invite=None):
        self.agent, self.dice = agent, dice
        self.is_caller = invite is None
        self.call_id = invite.call_id if invite else token(16)
        self.tag, self.remote_tag = token(), ""
        self.local = f"sip:{agent.user}@{agent.domain}"
        self.remote = remote
        self.target = remote
        self.cseq, self.version = dice.randint(1, 1000), 1
        self.requests, self.answers, self.repeaters = {}, {}, {}
        self.state = "new"  # early, up, over
        self.invite, self.rseq, self.pending = None, 0, None
        self.born = time.monotonic()
        if invite:
            self.remote_tag = invite.from_tag
            self.target = invite.contact_uri

    # ---- writing ----------------------------------------------------------
    def sdp(self):
        if self.dice.random() < 0.3:
            self.version += 1
        return make_sdp(self.agent.host, 4000 + 2 * (hash(self.tag) % 5000),
                        version=self.version,
                        direction=self.dice.choice(
                            ("sendrecv", "sendrecv", "sendonly", "inactive")))

    def headers(self, method, branch, cseq, remote_tag):
        to = f"<{self.remote}>" + (f";tag={remote_tag}" if remote_tag else "")
        return [("Via", f"SIP/2.0/UDP {self.agent.host}:{self.agent.port}"
                        f";rport;branch={branch}"), ("Max-Forwards", "70"),
                ("From", f"<{self.local}>;tag={self.tag}"), ("To", to),
                ("Call-ID", self.call_id), ("CSeq", f"{cseq} {method}"),
                ("Contact", self.agent.contact),
                ("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE, PRACK, INFO, "
                          "REFER, NOTIFY, OPTIONS")]

    def ask(self, method, body="", extra=(), on_final=None, remote_tag=None):
        self.cseq += 1
        branch = "z9hG4bK" + token(12)
        lines = self.headers(method, branch, self.cseq,
                             self.remote_tag if remote_tag is None
                             else remote_tag) + list(extra)
        if body:
            lines.append(("Content-Type", "application/sdp"))
        data = build(f"{method} {self.target} SIP/2.0", lines, body)
        request = Request(self, method, data, branch,
                          on_final or (lambda status, message: None))
        request.cseq = self.cseq
        self.requests[branch] = request
        return request

    def make_ack(self, request, message):
        branch = request.branch if message.status >= 300 \
            else "z9hG4bK" + token(12)
        uri = self.target if message.status >= 300 else \
            message.contact_uri or self.target
        lines = self.headers("ACK", branch, request.cseq, message.to_tag)
        body = ""
        if message.status < 300 and b"\r\n\r\nv=0" not in request.data:
            body = self.sdp()
            lines.append(("Content-Type", "application/sdp"))
        if message.status >= 300:
            uri = request.data.split(b" ")[1].decode()
        return build(f"ACK {uri} SIP/2.0", lines, body)

    def reply(self, message, status, body="", extra=(), repeat=None):
        to = message.get("to")
        if not message.to_tag and status > 100:
            to += f";tag={self.tag}"
        lines = [("Via", v) for v in message.all("via")]
        lines += [("From", message.get("from")), ("To", to),
                  ("Call-ID", message.call_id), ("CSeq", message.get("cseq")),
                  ("Contact", self.agent.contact), *extra]
        if body:
            lines.append(("Content-Type", "application/sdp"))
        data = build(f"SIP/2.0 {status} x", lines, body)
        self.answers[message.branch, message.method] = data
        if repeat is None:
            self.agent.send(data)
        else:
            self.repeaters[repeat] = Repeater(
                self.agent, data, lambda: self.give_up(repeat))

    def give_up(self, what):
        """Nobody ACKs or PRACKs."""
        if what[0] == "INVITE" and self.state != "over":
            self.bye()

    def stop(self, what):
        if what in self.repeaters:
            self.repeaters.pop(what).stopped = True

    # ---- the caller's beginning -------------------------------------------
    def call(self, proof=None):
        extra = [("Supported", "100rel, timer")] \
            if self.dice.random() < 0.7 else []
        if proof:
            extra.append(("Authorization", proof))
        self.invite = self.ask(
            "INVITE", self.sdp() if self.dice.random() < 0.8 else "", extra,
            self.invite_ended, remote_tag="")

    def invite_ended(self, status, message):
        if status == 401 and self.agent.digest.take(message):
            self.call(self.agent.digest.header("INVITE", self.target))
        elif status < 300:
            self.remote_tag = message.to_tag
            self.target = message.contact_uri or self.target
            self.up()
        else:
            self.state = "over"

    def progress(self, request, message):
        if request is not self.invite or self.state not in ("new", "early"):
            return
        if self.state == "new":
            self.state = "early"
            if self.dice.random() < 0.15:
                self.soon(self.cancel)
        if "100rel" not in message.get("require") or not message.to_tag:
            return
        self.remote_tag = message.to_tag
        self.target = message.contact_uri or self.target
        key = int(message.get("rseq") or 0)
        if key <= self.rseq or self.dice.random() < 0.03:
            return
        self.rseq = key
        body = self.sdp() if message.body and \
            b"\r\n\r\nv=0" not in request.data else ""
        self.ask("PRACK", body,
                 [("RAck", f"{key} {request.cseq} INVITE")])
        if self.dice.random() < 0.2:
            self.soon(self.update)

    def cancel(self):
        request = self.invite
        if self.state not in ("new", "early") or request.over:
            return
        lines = [(n, v) for n, v in self.headers(
            "CANCEL", request.branch, request.cseq, "")
            if n not in ("Contact", "Allow")]
        cancel = build(f"CANCEL {self.remote} SIP/2.0", lines)
        self.requests[request.branch + "/cancel"] = Request(
            self, "CANCEL", cancel, request.branch,
            lambda status, message: None)

    # ---- while it is up ----------------------------------------------------
    def soon(self, what, most=0.25):
        self.agent.line.after(self.dice.random() * most, what)

    def up(self):
        if self.state == "over":
            return
        self.state = "up"
        for _ in range(self.dice.randint(0, 4)):
            self.soon(self.dice.choice((
                self.reinvite, self.reinvite, self.update, self.info,
                self.refer, self.options)), 0.4)
        # The other one may have been transferred away, and be gone for good.
        self.soon(self.bye, self.dice.choice((0.8, 0.8, 4)))

    def reinvite(self):
        if self.state == "up" and not self.pending:
            self.pending = self.ask(
                "INVITE", self.sdp() if self.dice.random() < 0.8 else "", (),
                self.reinvited)

    def reinvited(self, status, message):
        self.pending = None
        if status in (408, 481):
            self.bye()
        elif status in (491, 500) and self.dice.random() < 0.5:
            self.soon(self.reinvite, 0.3)

    def update(self):
        if self.state in ("up", "early") and not self.pending:
            self.ask("UPDATE", self.sdp() if self.dice.random() < 0.6 else "")

    def info(self):
        if self.state == "up":
            self.ask("INFO")

    def options(self):
        if self.state == "up":
            self.ask("OPTIONS")

    def refer(self):
        if self.state == "up" and self.dice.random() < 0.5:
            whom = self.dice.choice(("carol", "carol", "nobody"))
            self.ask("REFER", extra=[(
                "Refer-To", f"<sip:{whom}@{self.agent.domain}>")])

    def bye(self):
        if self.state in ("up", "early") and self.remote_tag:
            self.state = "over"
            self.ask("BYE")

    # ---- what comes in -----------------------------------------------------
    def take_request(self, message):
        known = self.answers.get((message.branch, message.method))
        if message.method == "ACK":
            self.stop(("INVITE", message.cseq[0]))
            if self.state == "answered":
                self.up()
            return
        if known is not None:
            self.agent.send(known)
            return
        self.answers[message.branch, message.method] = b""
        if message.method == "INVITE" and not message.to_tag:
            self.called(message)
        elif message.method == "CANCEL":
            self.cancelled(message)
        elif message.method == "PRACK":
            self.stop(("183", int(message.get("rack").split(" ")[0])))
            self.reply(message, 200, self.sdp() if message.body else "")
        else:
            self.in_dialog(message)

    def in_dialog(self, message):
        method = message.method
        if method == "BYE":
            self.state = "over"
        status = self.dice.choice(TRUTHS.get(method, (501,)))
        if method in ("INVITE", "UPDATE") and self.pending:
            status = 491
        if method == "INVITE" and self.state == "over":
            status = 481
        wait = self.dice.random() * 0.1 \
            if method in ("INVITE", "UPDATE") else 0
        self.agent.line.after(wait, lambda: self.answer(message, status))

    def answer(self, message, status):
        if message.method != "INVITE":
            self.reply(message, status, self.sdp() if status == 200 and
                       message.method == "UPDATE" and message.body else "")
        else:
            self.reply(message, status, self.sdp() if status == 200 else "",
                       repeat=("INVITE", message.cseq[0]))

    def called(self, message):
        """As callee: ring in some way, then say yes or no."""
        self.invite = message
        self.state = "early"
        rel = "100rel" in message.get("supported")
        if self.dice.random() < 0.5:
            self.reply(message, 180)
        if rel and message.body and self.dice.random() < 0.6:
            self.rseq = self.dice.randint(1, 1000)
            self.reply(message, 183, self.sdp(),
                       [("Require", "100rel"), ("RSeq", str(self.rseq))],
                       ("183", self.rseq))
        self.soon(self.decide)

    def decide(self):
        if self.state != "early":
            return
        for what in [w for w in self.repeaters if w[0] == "183"]:
            if self.dice.random() < 0.7:  # patient ones wait for the PRACK
                self.soon(self.decide)
                return
            self.stop(what)
        status = self.dice.choice((200, 200, 200, 200, 486, 603, 480))
        self.state = "answered" if status == 200 else "over"
        self.reply(self.invite, status, self.sdp() if status == 200 else "",
                   repeat=("INVITE", self.invite.cseq[0]))

    def cancelled(self, message):
        self.reply(message, 200)
        if self.state == "early":
            self.state = "over"
            for what in list(self.repeaters):
                self.stop(what)
            self.reply(self.invite, 487, repeat=("INVITE",
                                                 self.invite.cseq[0]))

    def take_response(self, message):
        branch = message.branch
        if message.cseq[1] == "CANCEL":
            branch += "/cancel"
        request = self.requests.get(branch)
        if request and request.method == message.cseq[1]:
            request.take(message)

    def unanswered(self):
        """Requests that should have been answered by now."""
        return [f"{r.method} {r.cseq if hasattr(r, 'cseq') else ''}"
                for r in self.requests.values() if not r.final and
                (not r.over or time.monotonic() - r.began > TIMEOUT)]


class Agent:
    def __init__(self, line, user, password, host, port, server, domain, dice,
                 loss=0.0):
        self.line, self.user, self.host, self.port = line, user, host, port
        self.server, self.domain, self.dice = server, domain, dice
        self.loss = loss
        self.contact = f"<sip:{user}@{host}:{port}>"
        self.digest = Digest(user, password)
        self.dialogs = {}
        self.done = 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind((host, port))
        self.sock.setblocking(False)
        line.add(self)

    def close(self):
        del self.line.agents[self.sock]
        self.sock.close()

    def send(self, data):
        if data and self.dice.random() >= self.loss:
            self.sock.sendto(data, self.server)

    def read(self):
        for _ in range(50):
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                return
            if data.strip() and self.dice.random() >= self.loss:
                self.take(Message(data))

    def take(self, message):
        dialog = self.dialogs.get(message.call_id)
        if message.is_request:
            if not dialog and message.method == "INVITE":
                dialog = Dialog(self, self.dice, f"sip:x@{self.domain}",
                                message)
                dialog.remote = uri_in(message.get("from"))
                dialog.local = uri_in(message.get("to"))
                self.dialogs[message.call_id] = dialog
            if dialog:
                dialog.take_request(message)
            elif message.method == "OPTIONS":
                self.pong(message)
        elif dialog:
            dialog.take_response(message)

    def pong(self, message):
        lines = [("Via", v) for v in message.all("via")]
        lines += [("From", message.get("from")),
                  ("To", message.get("to") + ";tag=pong"),
                  ("Call-ID", message.call_id), ("CSeq", message.get("cseq"))]
        self.send(build("SIP/2.0 200 OK", lines))

    def call(self, user):
        dialog = Dialog(self, self.dice, f"sip:{user}@{self.domain}")
        self.dialogs[dialog.call_id] = dialog
        dialog.call()
        return dialog

    def forget(self):
        """Drop calls that have been over for a long time; what was never
        answered in them."""
        bad = []
        for key, d in list(self.dialogs.items()):
            if time.monotonic() - d.born > 2 * TIMEOUT + 10:
                bad += [f"{self.user} {d.call_id}: {u}"
                        for u in d.unanswered()]
                del self.dialogs[key]
        return bad
