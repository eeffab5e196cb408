# edge_of_servers.py - phones of three other servers behind NATs: a registrar,
# one for calls and one for presence and texts, each a Kamailio
#
#   bob 192.168.1.50 -- NAT -- [box] 10.9.0.10 -- .81 registrar
#                                             |-- .82 calls ---- .92 dave
#                                             '-- .83 presence - .93 mailbox
#
# SPDX-License-Identifier: Apache-2.0

import contextlib
import os
import sqlite3
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(HERE), "sip"))

import baresip
import netns
import quiet
from edge import Kamailio, registrar_words
from lab import Pace, Site
from passing import Watch
from quiet import Quiet, granted, ring, two_way_call
from runner import check, until
from sbcproc import password
from sip import Message
from sipbox import meanwhile
from topology import SBC4, add_address

BOX = "10.9.0.10"
REGISTRAR, CALLS, PRESENCE = "10.9.0.81", "10.9.0.82", "10.9.0.83"
DAVE, MAILBOX = "10.9.0.92", "10.9.0.93"
SCHEMAS = "/usr/share/kamailio/db_sqlite"
TRUNK = """
config trunk '{}'
	option realm 'core'
	option host '{}'
	option trust 'source'
"""
EXTRA = f"""
config realm 'core'
	list address '{BOX}'
	option media_ports '21000-21199'
	option port_rest '0'
	option media_timeout '3600'
""" + TRUNK.format("registrar", REGISTRAR) + TRUNK.format("calls", CALLS) \
    + TRUNK.format("presence", PRESENCE) + """
config route 'presence'
	list method 'SUBSCRIBE'
	list method 'PUBLISH'
	list method 'MESSAGE'
	list to 'presence'
config route 'calls'
	list method 'INVITE'
	list to 'calls'
"""


PIDF = "application/pidf+xml"
SUMMARY = "application/simple-message-summary"
WAITING = b"""Messages-Waiting: yes\r
Message-Account: sip:alice@example.net\r
Voice-Message: %d/0\r
"""
STATUS = b"""<?xml version="1.0"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:dave@example.net">
<tuple id="t1"><status><basic>%s</basic></status></tuple></presence>
"""


class EdgeSite(Site):
    """A box with a second network, where the servers are."""

    def wire(self):
        self.core = self.namespace("core")
        self.core.ip("link", "add", "br0", "type", "bridge")
        self.core.ip("link", "set", "br0", "up")
        netns.plug(self.core, "box", self.sbc, "eth1")
        add_address(self.sbc, "eth1", BOX)

    def server(self, name, address):
        space = self.host(name, address, behind=self.core)
        space.address = address
        return space


class Patient(Quiet):
    """Waits as long as a phone does; renews its registration in time."""

    due = 0.0

    def transact(self, data, seconds=30):
        return super().transact(data, seconds)

    def renew(self):
        self.due = time.monotonic() + granted(self.register()) / 2

    def renew_in_time(self):
        if time.monotonic() > self.due:
            self.renew()


class World:
    """The box, its three servers, dave behind one and a mailbox behind
    another; @registrar: words of its Kamailio."""

    def __init__(self, context, registrar=None, **realm):
        self.context, self.pace = context, Pace(context)
        self.site = EdgeSite(
            context, {"registrar": "registrar", "nat_expires": "0",
                      "media_timeout": "3600", **realm},
            self.pace, extra=EXTRA)
        self.home = self.site.server("registrar", REGISTRAR)
        self.registrar = Kamailio(
            context, REGISTRAR,
            registrar_words(asked=CALLS, **(registrar or {})),
            name="registrar", netns=self.home.name)

    def beside(self, name, address, user, service, cfg="beside", **words):
        """The server @name at @address; returns @user, who is behind it."""
        words = {"BOX": BOX, "REGISTRAR": REGISTRAR, "SERVICE": service,
                 **words}
        Kamailio(self.context, address, words,
                 os.path.join(HERE, f"kamailio-{cfg}.cfg"), name,
                 self.site.server(name, address).name)
        return Patient(user, self.site.server(user, service), self.context,
                       server=address)

    def dave(self):
        return self.beside("calls", CALLS, "dave", DAVE)

    def mailbox(self):
        """Behind the presence server, which has a database of its own."""
        name = self.context.path("presence", "db")
        with contextlib.closing(sqlite3.connect(name)) as db:
            for schema in ("standard", "presence"):
                with open(f"{SCHEMAS}/{schema}-create.sql") as text:
                    db.executescript(text.read())
        return self.beside("presence", PRESENCE, "mailbox", MAILBOX,
                           "presence", DB=name)

    def phone(self, user, timeout=30):
        """@user, registered, behind a NAT of its own."""
        phone = Patient(user, self.site.behind_nat(
            "port_restricted", timeout_s=self.pace.s(timeout)), self.context)
        phone.register()
        return phone

    def upstream(self, user):
        row = self.site.box.binding(user)
        return row["upstream"]["state"] if row else None

    def alarms(self):
        return [alarm["name"] for alarm in self.site.box.status()["alarms"]]


class Published:
    """What @phone has published of @user, at its server."""

    def __init__(self, phone, user, event, kind, auth=False):
        self.phone, self.user, self.event, self.kind = phone, user, event, kind
        self.auth, self.etag = auth, None

    def tell(self, body):
        answer = self.phone.request(
            "PUBLISH", self.phone.address_of(self.user), auth=self.auth,
            body=body, headers=[
                ("Event", self.event), ("Expires", "3600"),
                ("Content-Type", self.kind),
                *([("SIP-If-Match", self.etag)] if self.etag else [])])
        check(answer.status == 200, f"PUBLISH answered {answer}")
        self.etag = answer.get("sip-etag")


def watched(phone, user):
    """@phone watches @user, of whom nothing is known yet."""
    watch = Watch(phone, user, headers=[("Accept", PIDF)])
    answer = watch.send(3600)
    check(answer.status // 100 == 2, f"SUBSCRIBE answered {answer}")
    seen = watch.expect_notify()
    check("active" in seen.get("subscription-state"), f"{seen}")
    return watch


def call(caller, callee):
    """(caller's side, callee's side) of a call; no password is asked for."""
    out = caller.invite(callee.user, sdp=quiet.rtp_sdp(caller), auth=False)
    into = callee.incoming()
    into.reply(200, "OK", sdp=quiet.rtp_sdp(callee))
    out.answered()
    into.expect_ack()
    return out, into


def text(sender, receiver, body):
    result = meanwhile(lambda: sender.request(
        "MESSAGE", sender.address_of(receiver.user), auth=False, body=body,
        headers=[("Content-Type", "text/plain")]))
    got = receiver.expect("MESSAGE")
    receiver.reply(got, 200, "OK")
    check(got.body == body, "another text")
    check(result().status == 200, f"MESSAGE answered {result()}")


def one_ping_for_what_three_servers_do(context):
    """Registered at one, in a call of the second, subscribed at the third:
    one ping an interval; and all three reach the phone long after."""
    world = World(context, keepalive="crlf", keepalive_interval="10")
    dave, mailbox = world.dave(), world.mailbox()
    bob = world.phone("bob")
    check(world.upstream("bob") == "held", "not at the registrar")
    watch = watched(bob, "dave")
    out, into = call(dave, bob)
    until(lambda: f"source={CALLS}:5060" in world.site.box.log(), 3,
          "not called by the server of calls")
    began = time.monotonic()
    world.pace.sleep(65)
    n = len(bob.pings(began))
    check(5 <= n <= 8, f"{n} pings in 6.5 intervals")
    check(not bob.asked, "OPTIONS where CRLF was written")
    world.pace.sleep(90)  # three times what the NAT keeps
    text(mailbox, bob, b"are you there?")
    world.pace.sleep(90)
    Published(mailbox, "dave", "presence", PIDF).tell(STATUS % b"open")
    seen = watch.expect_notify()
    check(b"<basic>open</basic>" in seen.body, f"{seen}")
    world.pace.sleep(90)
    out.bye()
    into.expect_bye()
    ring(dave, bob, 5, auth=False)
    ring(bob, dave, 5)


def keepalive_of_no_configuration(context):
    """No keepalive option is written; another server owns the phone."""
    world = World(context)
    dave = world.dave()
    bob = world.phone("bob")
    world.pace.sleep(75)
    ring(dave, bob, 5, auth=False)
    check(bob.pings(), "the call came before the NAT forgot")


def registrar_refuses_and_shortens(context):
    """Its 403 makes no entry; the phone is kept for what it granted."""
    world = World(context, {"max_expires": 8}, keepalive_interval="10",
                  min_expires="1")
    carol = Quiet("carol", world.site.behind_nat("port_restricted"), context)
    carol.register(must=403)
    bob = world.phone("bob")
    check(world.site.box.binding("bob")["expires_s"] <= 8,
          "bound for longer than was granted")
    until(bob.pings, 8, "no ping while it stands")
    until(lambda: not world.site.box.binding("bob"), 20, "bob is still bound")
    began = time.monotonic()
    world.pace.sleep(40)
    check(not bob.pings(began), "pings go on after the granted time")
    check(not carol.pings() and not world.site.box.binding("carol"),
          "who was refused is kept")


def baresip_is_told_by_its_server(context):
    """alice hears of waiting messages; carol, who only subscribes, of what bob
    publishes: now and much later."""
    world = World(context)
    mail = Published(world.mailbox(), "alice", "message-summary", SUMMARY)

    def phone(user, hz, apps, account="", contacts=""):
        space = world.site.behind_nat("port_restricted",
                                      timeout_s=world.pace.s(30))
        return baresip.Baresip(context, user, space.name, account, hz,
                               apps=apps, contacts=contacts)

    def account(user, **how):
        return baresip.account(user, password(user), SBC4, **how)
    bob = phone("bob", 500, ("contact", "presence"),
                account("bob") + ";pubint=600")
    carol = phone("carol", 900, ("contact", "presence"),
                  account("carol", expires=0),
                  f'"Bob" <sip:bob@{SBC4}>;presence=p2p\n')
    alice = phone("alice", 700, ("mwi",))
    # Not before: its mwi loops for ever when it is registered before the
    # first turn of its timers.
    alice.command("uanew", account("alice") + ";mwi=yes")
    until(lambda: world.upstream("alice") == world.upstream("bob") == "held",
          20, "not registered")
    until(lambda: world.site.box.status()["subscriptions"] == 2, 20,
          "not subscribed")
    check(world.site.box.binding("carol") is None, "carol has registered")
    for messages, command, name in ((2, "presence_online", "Online"),
                                    (3, "presence_offline", "Offline")):
        if messages == 3:
            world.pace.sleep(120)
        mark = alice.mark()
        mail.tell(WAITING % messages)
        event = alice.await_event("MWI_NOTIFY", 5, mark)
        check(f"{messages}/0" in event["param"], f"{event}")
        bob.command(command)
        until(lambda: name in carol.command("contacts")["data"], 5,
              f"bob is not {name}")


class Silence:
    """Stands at the dead registrar's address: hears all, says nothing."""

    def __init__(self, world):
        self.heard = {}  # when each REGISTER came first
        self.sock = world.home.socket()
        self.sock.bind((REGISTRAR, 5060))
        self.sock.settimeout(0.2)
        self.running = True
        self.thread = threading.Thread(target=self.loop, daemon=True)
        self.thread.start()

    def loop(self):
        while self.running:
            with contextlib.suppress(TimeoutError):
                message = Message(self.sock.recv(65535))
                self.heard.setdefault((message.call_id, message.cseq),
                                      time.monotonic())

    def tries(self, since):
        return sum(when >= since for when in self.heard.values())

    def close(self):
        self.running = False
        self.thread.join()
        self.sock.close()


def talk(caller, callee, context):
    out, into, media = two_way_call(caller, callee, context, 1.0)
    out.bye()
    into.expect_bye()
    for stream in media:
        stream.close()


def registrar_is_dead_for_a_while(context):
    """Phones renew and call each other; it is asked now and then only, and
    told of them all when it is back."""
    world = World(context)
    dave = world.dave()
    alice, bob = phones = world.phone("alice"), world.phone("bob")
    world.registrar.stop()
    silence = Silence(world)
    for phone in phones:
        phone.renew()
    until(lambda: "registrar-unreachable" in world.alarms(), 20, "no alarm")
    check(silence.heard, "the registrar was not asked")
    time.sleep(0.5)  # what was under way
    began = time.monotonic()
    rounds = 0
    while rounds < 3 or time.monotonic() - began < (
            300 if world.pace.is_real else 10):
        rounds += 1
        for phone in phones:
            phone.renew()
        talk(*phones[::1 if rounds % 2 else -1], context)
        world.pace.sleep(20 if world.pace.is_real else 5)
    tries = silence.tries(began)
    check(tries <= (6 if world.pace.is_real else 2),
          f"{tries} tries, {2 * rounds} renewals")
    silence.close()
    world.registrar.start()

    def all_held():
        for phone in phones:
            phone.renew_in_time()
        return all(world.upstream(p.user) == "held" for p in phones)
    until(all_held, 1000 if world.pace.is_real else 120, "not refilled",
          step=0.5)
    until(lambda: "registrar-unreachable" not in world.alarms(), 5,
          "the alarm stays")
    ring(dave, bob, 5, auth=False)
    ring(dave, alice, 5, auth=False)


def add_to(suite):
    suite.add(keepalive_of_no_configuration,
              "phone_of_another_registrar_is_reached_with_nothing_written",
              limit=120, needs=("kamailio",))
    suite.add(one_ping_for_what_three_servers_do, fast=False, limit=150,
              needs=("kamailio",))
    suite.add(registrar_refuses_and_shortens,
              "refused_and_shortened_by_another_registrar", fast=False,
              limit=120, needs=("kamailio",))
    suite.add(baresip_is_told_by_its_server,
              "baresip_hears_of_messages_and_presence", fast=False,
              limit=150, needs=("kamailio",))
    suite.add(registrar_is_dead_for_a_while,
              "phones_go_on_while_their_registrar_is_dead", fast=False,
              limit=240, needs=("kamailio",))
