# phone.py - a scripted phone: registers, calls, answers, sees every message
#
# A thread reads the socket, answers retransmissions, ACKs failures and files
# everything else in an inbox, from which a scenario takes what it expects.
# Works on loopback and, given a namespace, behind the lab's routers.
#
# SPDX-License-Identifier: Apache-2.0

import contextlib
import socket
import threading
import time

import netns as spaces
from runner import Failed
from sip import (Digest, Message, build, make_sdp, media_of, token, uri_in)

FINAL_S = 6  # how long an answer may take


class Transport:
    """A UDP socket or a TCP connection that yields whole messages."""

    def __init__(self, kind, netns, local, port, server):
        family = socket.AF_INET6 if ":" in local else socket.AF_INET
        self.kind = kind
        self.server = server
        self.pending = b""
        self.pongs = 0
        self.on_blank = None  # called for CRLF CRLF between messages
        stream = kind == "tcp"
        self.sock = spaces.open_socket(
            netns, family, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
        if stream:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
        self.sock.bind((local, port))
        if stream:
            self.sock.settimeout(5)
            self.sock.connect(server)
        self.sock.settimeout(0.2)
        self.port = self.sock.getsockname()[1]

    def send(self, data, to=None):
        if self.kind == "tcp":
            self.sock.sendall(data)
        else:
            self.sock.sendto(data, to or self.server)

    def receive(self):
        """(bytes, source), (None, None) when nothing came, b"" at the end."""
        try:
            if self.kind != "tcp":
                return self.sock.recvfrom(65535)
            message = self.cut()
            if message is None:
                data = self.sock.recv(65535)
                if not data:
                    return b"", self.server
                self.pending += data
                message = self.cut()
            return message, self.server
        except (socket.timeout, BlockingIOError):
            return None, None
        except ConnectionRefusedError:
            return None, None

    def cut(self):
        rest = self.pending.lstrip(b"\r\n")
        empty = len(self.pending) - len(rest)
        if empty >= 4 and self.on_blank:
            self.on_blank()
        self.pongs += empty == 2  # RFC 5626: the answer to our CRLF CRLF
        self.pending = rest
        head, mark, rest = self.pending.partition(b"\r\n\r\n")
        if not mark:
            return None
        size = int(Message(head + mark).get("content-length", "0"))
        if len(rest) < size:
            return None
        self.pending = rest[size:]
        return head + mark + rest[:size]


class Phone:
    """One user agent on one socket."""

    def __init__(self, user, password, server, *, local="127.0.0.1", port=0,
                 transport="udp", netns=None, domain=None, context=None,
                 user_agent="scripted-phone/1.0"):
        self.user, self.local, self.server = user, local, server
        self.kind, self.user_agent = transport, user_agent
        self.domain = domain or bracket(server[0])
        self.digest = Digest(user, password)
        self.transport = Transport(transport, netns, local, port, server)
        self.netns = netns
        self.port = self.transport.port
        self.closed_by_peer = False
        self.log = []       # (direction, seconds, bytes)
        self.inbox = []
        self.answers = {}   # (branch, method, cseq): bytes last answered
        self.sent_acks = {}  # (call_id, cseq): ACK to send again
        self.invites = {}   # (call_id, cseq): INVITE bytes that we sent
        self.repeats = 0    # retransmitted requests seen
        self.blank = []     # when an empty datagram or CRLF CRLF came
        self.transport.on_blank = \
            lambda: self.blank.append(time.monotonic())
        self.wake = threading.Condition()
        self.running = True
        self.ignore = None  # callable: messages to be deaf for
        self.register_call_id = token(16)
        self.register_cseq = 0
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()
        if context:
            context.callback(self.close)
            context.traces.append(self.trace)

    # ---- plumbing -------------------------------------------------------
    def close(self):
        self.running = False
        self.thread.join(2)
        self.transport.sock.close()

    def trace(self):
        lines = [f"==== phone {self.user} {self.local}:{self.port} ===="]
        for way, when, data in self.log:
            lines.append(f"-- {way} {when:.3f}")
            lines.append(data.decode("utf-8", "replace"))
        return "\n".join(lines)

    @property
    def keepalives(self):
        return len(self.blank)

    def received_bytes(self):
        return b"\n".join(data for way, _, data in self.log if way == "in")

    def send(self, data, to=None):
        self.log.append(("out", time.monotonic(), data))
        self.transport.send(data, to)

    def loop(self):
        while self.running:
            try:
                data, source = self.transport.receive()
            except OSError:
                data, source = b"", None
            if data == b"" and self.kind == "tcp":
                self.closed_by_peer = True
                return
            if data and not data.strip():
                self.blank.append(time.monotonic())
            if not data or not data.strip():
                continue
            self.log.append(("in", time.monotonic(), data))
            with contextlib.suppress(ValueError, IndexError):
                self.take(Message(data, source))

    def take(self, message):
        if self.ignore and self.ignore(message):
            return
        number, method = message.cseq
        if message.is_request:
            key = (message.branch, message.method, number)
            if message.method != "ACK" and key in self.answers:
                self.repeats += 1
                if self.answers[key]:
                    self.transport.send(self.answers[key], message.source)
                return
            if message.method != "ACK":
                self.answers[key] = b""
        elif method == "INVITE":
            known = self.sent_acks.get((message.call_id, number))
            if message.status >= 300:
                repeated = known is not None
                self.ack_failure(message)
                if repeated:
                    return
            elif message.status >= 200 and known:
                self.transport.send(known)
                return
        with self.wake:
            self.inbox.append(message)
            self.wake.notify_all()

    def ack_failure(self, response):
        """ACK of a non-2xx answer, RFC 3261 17.1.1.3."""
        key = (response.call_id, response.cseq[0])
        invite = self.invites.get(key)
        if invite is None:
            return
        request = Message(invite)
        headers = [("Via", request.get("via")), ("Max-Forwards", "70")]
        headers += [("Route", r) for r in request.all("route")]
        headers += [("From", request.get("from")), ("To", response.get("to")),
                    ("Call-ID", request.call_id), ("CSeq", f"{key[1]} ACK")]
        ack = build(f"ACK {request.uri} SIP/2.0", headers)
        self.sent_acks[key] = ack
        self.send(ack)

    def expect(self, wanted, seconds=FINAL_S, words=None):
        """Take the first message that fits: method, status or callable."""
        fits = matcher(wanted)
        end = time.monotonic() + seconds
        with self.wake:
            while True:
                for message in self.inbox:
                    if fits(message):
                        self.inbox.remove(message)
                        return message
                left = end - time.monotonic()
                if left <= 0:
                    break
                self.wake.wait(left)
            had = ", ".join(str(m) for m in self.inbox) or "nothing"
        raise Failed(f"{self.user}: expected {words or wanted} within "
                     f"{seconds} s, had {had}")

    def nothing(self, wanted, seconds):
        """Fail when a fitting message arrives within @seconds."""
        try:
            message = self.expect(wanted, seconds)
        except Failed:
            return
        raise Failed(f"{self.user}: unexpected {message}")

    # ---- requests -------------------------------------------------------
    def via(self, branch=None):
        where = f"{bracket(self.local)}:{self.port}"
        return (f"SIP/2.0/{self.kind.upper()} {where};rport"
                f";branch={branch or 'z9hG4bK' + token()}")

    def contact(self):
        kind = ";transport=tcp" if self.kind == "tcp" else ""
        return f"<sip:{self.user}@{bracket(self.local)}:{self.port}{kind}>"

    def address_of(self, user):
        return f"sip:{user}@{self.domain}"

    def make(self, method, uri, *, to=None, from_uri=None, from_tag=None,
             to_tag="", call_id=None, cseq=1, branch=None, headers=(),
             body=b"", max_forwards=70, contact=None):
        """Bytes of a request; headers given replace those of that name."""
        to = f"<{to or uri}>" + (f";tag={to_tag}" if to_tag else "")
        mine = from_uri or self.address_of(self.user)
        all_headers = [
            ("Via", self.via(branch)), ("Max-Forwards", str(max_forwards)),
            ("From", f"<{mine}>;tag={from_tag or token()}"), ("To", to),
            ("Call-ID", call_id or token(16)), ("CSeq", f"{cseq} {method}"),
            ("User-Agent", self.user_agent)]
        if method in ("INVITE", "REGISTER", "UPDATE", "SUBSCRIBE"):
            all_headers.append(("Contact", contact or self.contact()))
        given = {name.lower() for name, _ in headers}
        all_headers = [h for h in all_headers if h[0].lower() not in given]
        all_headers += [h for h in headers if h[1] is not None]
        if body and "content-type" not in given:
            all_headers.append(("Content-Type", "application/sdp"))
        return build(f"{method} {uri} SIP/2.0", all_headers, body)

    def transact(self, data, seconds=FINAL_S):
        """Send a non-INVITE request with retransmission; final answer."""
        request = Message(data)
        fits = answer_to(request)
        end = time.monotonic() + seconds
        wait = 0.5
        self.send(data)
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise Failed(f"{self.user}: no answer to {request}")
            with contextlib.suppress(Failed):
                return self.expect(fits, min(wait, left))
            wait = min(2 * wait, 4)
            if self.kind == "udp":
                self.transport.send(data)

    def request(self, method, uri, auth=True, **how):
        """Out-of-dialog request, answering one challenge."""
        how.setdefault("call_id", token(16))
        how.setdefault("from_tag", token())
        headers = tuple(how.pop("headers", ()))
        cseq = how.pop("cseq", 1)
        answer = self.transact(self.make(method, uri, cseq=cseq,
                                         headers=headers, **how))
        if answer.status == 401 and auth and self.digest.take(answer):
            proof = ("Authorization", self.digest.header(method, uri))
            answer = self.transact(self.make(
                method, uri, cseq=cseq + 1, headers=(*headers, proof), **how))
        return answer

    def register(self, expires=3600, contact=None, headers=(), auth=True,
                 must=200, cseq=None, call_id=None, instance=None):
        """REGISTER; @expires None leaves the header out."""
        uri = f"sip:{self.domain}"
        where = contact or self.contact()
        if instance:
            where += f';+sip.instance="<urn:uuid:{instance}>";reg-id=1'
        if contact == "*":
            where = "*"
        extra = list(headers)
        if expires is not None:
            extra.append(("Expires", str(expires)))
        number = cseq or self.register_cseq + 1
        answer = self.request(
            "REGISTER", uri, auth=auth, to=self.address_of(self.user),
            call_id=call_id or self.register_call_id, cseq=number,
            contact=where, headers=tuple(extra))
        if call_id is None and cseq is None:
            self.register_cseq = answer.cseq[0]
        if must and answer.status != must:
            raise Failed(f"REGISTER of {self.user}: {answer}, not {must}")
        return answer

    # ---- calls ----------------------------------------------------------
    def invite(self, user, sdp=None, rtp=None, auth=True, headers=(),
               uri=None, **how):
        """Send an INVITE and answer its challenge; the Call rings now."""
        call = Call(self, uri or self.address_of(user))
        if rtp is not None:
            sdp = rtp.sdp()
        call.start(sdp if sdp is not None else "", auth, headers, **how)
        return call

    def incoming(self, seconds=FINAL_S):
        """The next INVITE that is not inside a dialog, as a Call."""
        message = self.expect(
            lambda m: m.method == "INVITE" and m.is_request and not m.to_tag,
            seconds, "an INVITE")
        return Call(self, uri_in(message.get("from")), invite=message)

    def reply(self, request, code, reason="-", headers=(), body=b"",
              to_tag=None):
        """Answer any request; keeps the bytes for its retransmissions."""
        to = request.get("to")
        if to_tag and not request.to_tag:
            to += f";tag={to_tag}"
        all_headers = [("Via", v) for v in request.all("via")]
        all_headers += [("Record-Route", r)
                        for r in request.all("record-route")]
        all_headers += [("From", request.get("from")), ("To", to),
                        ("Call-ID", request.call_id),
                        ("CSeq", request.get("cseq")),
                        ("User-Agent", self.user_agent), *headers]
        if body:
            all_headers.append(("Content-Type", "application/sdp"))
        data = build(f"SIP/2.0 {code} {reason}", all_headers, body)
        key = (request.branch, request.method, request.cseq[0])
        self.answers[key] = data
        self.send(data, request.source)
        return data


class Call:
    """One INVITE dialog, as caller or as callee."""

    def __init__(self, phone, remote, invite=None):
        self.phone = phone
        self.invite = invite          # the request we got, when callee
        self.is_caller = invite is None
        self.remote_uri = remote
        self.call_id = invite.call_id if invite else token(16)
        self.local_tag = token()
        self.remote_tag = invite.from_tag if invite else ""
        self.local_uri = uri_in(invite.get("to")) if invite \
            else phone.address_of(phone.user)
        self.cseq = 0
        self.target = invite.contact_uri if invite else remote
        self.routes = invite.all("record-route") if invite else []
        self.branch = ""
        self.sdp = ""                 # what we last offered or answered
        self.remote_sdp = invite.sdp if invite else ""
        self.last_invite = None       # Message of our newest INVITE

    # ---- as caller ------------------------------------------------------
    def start(self, sdp, auth=True, headers=(), **how):
        self.sdp = sdp
        self.send_invite(headers, **how)
        if not auth:
            return
        answer = self.phone.expect(
            lambda m: self.answers_invite(m) and
            (m.status == 401 or m.status > 100), words="an answer to INVITE")
        if answer.status == 401 and self.phone.digest.take(answer):
            proof = ("Authorization", self.phone.digest.header(
                "INVITE", self.target))
            self.send_invite((*headers, proof), **how)
        else:
            with self.phone.wake:
                self.phone.inbox.insert(0, answer)

    def send_invite(self, headers=(), **how):
        self.cseq += 1
        self.branch = "z9hG4bK" + token()
        data = self.phone.make(
            "INVITE", self.target, to=self.remote_uri,
            from_uri=self.local_uri, from_tag=self.local_tag,
            to_tag=self.remote_tag, call_id=self.call_id, cseq=self.cseq,
            branch=self.branch, headers=(*self.route_headers(), *headers),
            body=self.sdp, **how)
        self.phone.invites[self.call_id, self.cseq] = data
        self.last_invite = Message(data)
        self.phone.send(data)

    def route_headers(self):
        return [("Route", route) for route in self.routes]

    def answers_invite(self, message):
        return (not message.is_request and message.call_id == self.call_id
                and message.cseq == (self.cseq, "INVITE"))

    def expect(self, code, seconds=FINAL_S):
        """Skip provisional answers until @code; another final fails."""
        while True:
            message = self.phone.expect(
                lambda m: self.answers_invite(m), seconds,
                f"{code} to INVITE")
            if message.status == code:
                break
            if message.status >= 200:
                raise Failed(f"{self.phone.user}: INVITE answered {message}, "
                             f"not {code}")
        self.learn(message)
        return message

    def learn(self, message):
        if message.to_tag:
            self.remote_tag = message.to_tag
        if message.contact_uri and message.status < 300:
            self.target = message.contact_uri
        if message.status == 200:
            self.routes = message.all("record-route")[::-1]
        if message.body:
            self.remote_sdp = message.sdp

    def ack(self, sdp=""):
        data = self.phone.make(
            "ACK", self.target, to=self.remote_uri, from_uri=self.local_uri,
            from_tag=self.local_tag, to_tag=self.remote_tag,
            call_id=self.call_id, cseq=self.cseq,
            headers=self.route_headers(), body=sdp)
        self.phone.sent_acks[self.call_id, self.cseq] = data
        self.phone.send(data)

    def answered(self, seconds=FINAL_S, sdp=""):
        """Wait for the 200 and ACK it."""
        message = self.expect(200, seconds)
        self.ack(sdp)
        return message

    def cancel(self):
        """Send CANCEL, return its own answer."""
        invite = self.last_invite
        headers = [("Via", invite.get("via")), ("Max-Forwards", "70"),
                   ("From", invite.get("from")), ("To", invite.get("to")),
                   ("Call-ID", self.call_id),
                   ("CSeq", f"{self.cseq} CANCEL")]
        data = build(f"CANCEL {invite.uri} SIP/2.0", headers)
        return self.phone.transact(data)

    # ---- as callee ------------------------------------------------------
    def reply(self, code, reason="-", sdp=None, rtp=None, headers=()):
        if rtp is not None:
            sdp = rtp.sdp()
        extra = list(headers)
        if 100 < code < 300:
            extra.append(("Contact", self.phone.contact()))
        if sdp:
            self.sdp = sdp
        self.phone.reply(self.invite, code, reason, extra, sdp or b"",
                         self.local_tag)

    def expect_ack(self, seconds=FINAL_S):
        message = self.expect_request("ACK", seconds)
        if message.body:
            self.remote_sdp = message.sdp
        return message

    def answer(self, sdp=None, rtp=None):
        """180, 200 and the ACK that must follow."""
        self.reply(180, "Ringing")
        self.reply(200, "OK", sdp, rtp)
        return self.expect_ack()

    # ---- both -----------------------------------------------------------
    def expect_request(self, method, seconds=FINAL_S):
        message = self.phone.expect(
            lambda m: m.is_request and m.method == method
            and m.call_id == self.call_id, seconds, f"{method} in the dialog")
        if method == "INVITE":
            self.invite = message
            self.remote_sdp = message.sdp
        return message

    def make(self, method, body=b"", headers=(), cseq=None):
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        return self.phone.make(
            method, self.target, to=self.remote_uri, from_uri=self.local_uri,
            from_tag=self.local_tag, to_tag=self.remote_tag,
            call_id=self.call_id, cseq=cseq,
            headers=(*self.route_headers(), *headers), body=body)

    def request(self, method, body=b"", headers=(), seconds=FINAL_S):
        """An in-dialog request other than INVITE; its final answer."""
        answer = self.phone.transact(self.make(method, body, headers),
                                     seconds)
        if answer.status == 401 and self.phone.digest.take(answer):
            proof = ("Authorization",
                     self.phone.digest.header(method, self.target))
            answer = self.phone.transact(
                self.make(method, body, (*headers, proof)), seconds)
        return answer

    def bye(self):
        return self.request("BYE")

    def expect_bye(self, seconds=FINAL_S):
        message = self.expect_request("BYE", seconds)
        self.phone.reply(message, 200, "OK")
        return message

    def reinvite(self, sdp, headers=()):
        """Send a re-INVITE; take its answers with expect()."""
        self.sdp = sdp
        self.send_invite(headers)

    def media(self):
        """Where the box wants our RTP: (address, port)."""
        return media_of(self.remote_sdp)[:2]


def bracket(host):
    return f"[{host}]" if ":" in host else host


def answer_to(request):
    """Final answers to @request."""
    def fits(message):
        return (not message.is_request and message.status >= 200
                and message.call_id == request.call_id
                and message.cseq == request.cseq
                and message.branch == request.branch)
    return fits


def matcher(wanted):
    if callable(wanted):
        return wanted
    if isinstance(wanted, int):
        return lambda m: m.status == wanted
    return lambda m: m.is_request and m.method == wanted
