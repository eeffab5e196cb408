# passing.py - what is no call: subscriptions, messages, publications
#
# SPDX-License-Identifier: Apache-2.0

import time

from runner import check, until
from sip import Message, token
from sipbox import SipBox, meanwhile

# NET stands for the scenario's loopback net.
SERVER = """
config trunk 'server'
	option realm 'loop'
	option host 'NET.20.1'
	option port '5060'
config route 'presence'
	list method 'SUBSCRIBE'
	list method 'PUBLISH'
	list to 'server'
config route 'texts'
	option match '0!'
	list method 'MESSAGE'
	list method 'OPTIONS'
	list to 'server'
"""
PIDF = b'<?xml version="1.0"?><presence entity="pres:bob@example.net"/>'


def site(context, **how):
    box = SipBox(context, extra=SERVER, **how)
    server = box.phone("server", 20, register=False, domain=box.address)
    return box, server


def subscriptions(box):
    return box.ask("status")["subscriptions"]


class Watch:
    """A subscription dialog as the subscriber has it."""

    def __init__(self, phone, user, event="presence", headers=()):
        self.phone, self.event, self.extra = phone, event, tuple(headers)
        self.remote = self.target = phone.address_of(user)
        self.call_id, self.tag = token(16), token()
        self.remote_tag, self.cseq = "", 0

    def make(self, expires, proof=()):
        self.cseq += 1
        headers = [("Event", self.event), *self.extra, *proof]
        if expires is not None:
            headers.append(("Expires", str(expires)))
        return self.phone.make(
            "SUBSCRIBE", self.target, to=self.remote, from_tag=self.tag,
            to_tag=self.remote_tag, call_id=self.call_id, cseq=self.cseq,
            headers=headers)

    def send(self, expires=600, seconds=6):
        """SUBSCRIBE, answering one challenge; its final answer."""
        answer = self.phone.transact(self.make(expires), seconds)
        if answer.status == 401 and self.phone.digest.take(answer):
            proof = (("Authorization", self.phone.digest.header(
                "SUBSCRIBE", self.target)),)
            answer = self.phone.transact(self.make(expires, proof), seconds)
        if answer.status // 100 == 2:
            self.remote_tag = answer.to_tag
            self.target = answer.contact_uri
        return answer

    def expect_notify(self, seconds=6, answer=200):
        message = self.phone.expect(
            lambda m: m.method == "NOTIFY" and m.is_request
            and m.call_id == self.call_id, seconds, "a NOTIFY")
        if answer:
            self.phone.reply(message, answer, "OK")
        return message


class Served:
    """The same at the notifier, from the SUBSCRIBE that came."""

    def __init__(self, phone, seconds=6):
        self.phone = phone
        self.first = phone.expect("SUBSCRIBE", seconds)
        self.tag, self.cseq = token(), 0

    def accept(self, expires=600, request=None, code=200, headers=()):
        self.phone.reply(
            request or self.first, code, "OK", to_tag=self.tag,
            headers=[("Expires", str(expires)),
                     ("Contact", self.phone.contact()), *headers])

    def make(self, state, body=PIDF, event=None, tag=None, headers=(),
             kind="application/pidf+xml;charset=utf-8"):
        first = self.first
        self.cseq += 1
        return self.phone.make(
            "NOTIFY", first.contact_uri, to=uri(first.get("from")),
            from_uri=uri(first.get("to")), from_tag=tag or self.tag,
            to_tag=first.from_tag, call_id=first.call_id, cseq=self.cseq,
            headers=[("Event", event or first.get("event")),
                     ("Subscription-State", state),
                     ("Contact", self.phone.contact()),
                     ("Content-Type", kind), *headers], body=body)

    def notify(self, watch, state, seconds=6, answer=200, **how):
        """NOTIFY through the box; (as the subscriber saw it, answer)."""
        result = meanwhile(lambda: self.phone.transact(
            self.make(state, **how), seconds))
        seen = watch.expect_notify(answer=answer)
        return seen, result()

    def expect_renewal(self):
        return self.phone.expect(
            lambda m: m.method == "SUBSCRIBE" and m.is_request
            and m.call_id == self.first.call_id, 6, "SUBSCRIBE in the dialog")


def uri(value):
    return value.split("<")[-1].split(">")[0]


def standing(box, server, user="bob", expires=600, granted=None, **how):
    """alice watches @user at the server."""
    watch = Watch(box.phone("alice"), user, **how)
    answer = meanwhile(lambda: watch.send(expires))
    served = Served(server)
    served.accept(expires if granted is None else granted)
    return watch, served, answer()


def presence_crosses_both_ways(context):
    box, server = site(context)
    watch, served, answer = standing(
        box, server, granted=300,
        headers=[("Accept", "application/pidf+xml, text/xml"),
                 ("X-Internal", "10.1.2.3")])
    first = served.first
    check(answer.status == 200, f"SUBSCRIBE answered {answer}")
    check(answer.get("expires") == "300", f"granted {answer.get('expires')}")
    check(first.uri.startswith(f"sip:bob@{server.local}"), first.uri)
    check(first.get("event") == "presence", "another event")
    check("application/pidf+xml" in first.get("accept")
          and "text/xml" in ",".join(first.all("accept")), "Accept is cut")
    check("sip:alice@" in first.get("from"), first.get("from"))
    check(b"10.1.2.3" not in first.raw, "X-Internal crossed")
    check(watch.phone.local.encode() not in first.raw,
          "the phone's address is seen at the server")
    seen, result = served.notify(watch, "active;expires=290")
    check(result.status == 200, f"NOTIFY answered {result}")
    check(seen.body == PIDF, "another body")
    check(seen.get("content-type") == "application/pidf+xml;charset=utf-8",
          seen.get("content-type"))
    check(seen.get("subscription-state") == "active;expires=290",
          seen.get("subscription-state"))
    check(seen.to_tag == watch.tag and seen.from_tag == watch.remote_tag,
          "not in the phone's dialog")
    check(server.local.encode() not in seen.raw.split(b"\r\n\r\n")[0],
          "the server's address is seen at the phone")
    check(subscriptions(box) == 1, "not counted")
    until(lambda: "sub.start" in box.log(), 3, "not logged")


def renewal_and_its_end(context):
    box, server = site(context)
    watch, served, _ = standing(box, server)
    answer = meanwhile(lambda: watch.send(900))
    renewal = served.expect_renewal()
    check(renewal.get("expires") == "900" and renewal.to_tag == served.tag,
          "not renewed inside the dialog")
    served.accept(800, renewal)
    check(answer().get("expires") == "800", "another expiry")
    answer = meanwhile(lambda: watch.send(0))
    served.accept(0, served.expect_renewal())
    check(answer().status == 200, "not unsubscribed")
    seen, result = served.notify(watch, "terminated;reason=timeout")
    check("terminated" in seen.get("subscription-state"), "no last NOTIFY")
    check(result.status == 200, f"last NOTIFY answered {result}")
    until(lambda: subscriptions(box) == 0, 3, "it stands still")
    until(lambda: "cause=unsubscribed" in box.log(), 3, "no cause")
    check(watch.send(600).status == 481, "it is known yet")


def expiry_ends_it_on_both_sides(context):
    box, server = site(context, realm={"max_expires": "2",
                                       "min_expires": "1"})
    watch, served, answer = standing(box, server, expires=600, granted=600)
    check(answer.get("expires") == "2", "more than the realm allows")
    check(served.first.get("expires") == "2", "asked for more")
    last = watch.expect_notify(40)
    check("terminated;reason=timeout" in last.get("subscription-state"),
          last.get("subscription-state"))
    end = served.expect_renewal()
    check(end.get("expires") == "0", "the server was not told")
    check(subscriptions(box) == 0, "it stands still")


def notifier_ends_it(context):
    box, server = site(context)
    watch, served, _ = standing(box, server)
    seen, result = served.notify(watch,
                                 "terminated;reason=giveup;retry-after=60")
    check("reason=giveup;retry-after=60" in seen.get("subscription-state"),
          seen.get("subscription-state"))
    check(result.status == 200, f"answered {result}")
    until(lambda: subscriptions(box) == 0, 3, "it stands still")
    late = server.transact(served.make("active"))
    check(late.status == 481, f"late NOTIFY answered {late}")


def phone_that_forgot_it_ends_it(context):
    box, server = site(context)
    watch, served, _ = standing(box, server)
    _, result = served.notify(watch, "active", answer=481)
    check(result.status == 481, f"answered {result}")
    until(lambda: subscriptions(box) == 0, 3, "it stands still")


def notify_that_comes_first_is_seen_after_the_answer(context):
    box, server = site(context)
    watch = Watch(box.phone("alice"), "bob")
    answer = meanwhile(lambda: watch.send(600))
    served = Served(server)
    result = meanwhile(lambda: server.transact(served.make("active")))
    time.sleep(0.3)
    served.accept(600)
    check(answer().status == 200, "not answered")
    watch.expect_notify()
    check(result().status == 200, "NOTIFY not answered")
    log = [Message(d) for way, _, d in watch.phone.log if way == "in"]
    order = [m.method for m in log if m.call_id == watch.call_id]
    check(order.index("NOTIFY") > order.index("SUBSCRIBE"), f"{order}")


def forked_notify_has_a_dialog_of_its_own(context):
    box, server = site(context)
    watch, served, _ = standing(box, server, event="dialog")
    seen, _ = served.notify(watch, "active;expires=500")
    fork, result = served.notify(watch, "active;expires=400", tag="other",
                                 body=b"<other/>")
    check(result.status == 200, f"forked NOTIFY answered {result}")
    check(fork.from_tag != seen.from_tag, "in the dialog of the first")
    check(fork.to_tag == watch.tag and fork.body == b"<other/>", "another")
    check(subscriptions(box) == 2, "not counted")
    again, _ = served.notify(watch, "active;expires=300", tag="other")
    check(again.from_tag == fork.from_tag, "a third dialog")
    # renewed in its own dialog, to its own notifier
    first_tag, watch.remote_tag = watch.remote_tag, fork.from_tag
    answer = meanwhile(lambda: watch.send(600))
    renewal = served.expect_renewal()
    check(renewal.to_tag == "other", f"renewed with {renewal.to_tag}")
    served.accept(600, renewal)
    check(answer().status == 200, f"answered {answer()}")
    watch.remote_tag = first_tag
    _, result = served.notify(watch, "active", tag="third", answer=481)
    check(result.status == 481, f"an unwanted fork: {result}")
    check(subscriptions(box) == 2, "the unwanted one is counted")


def fetch_gets_one_notify(context):
    box, server = site(context)
    watch, served, answer = standing(box, server, expires=0)
    check(answer.status == 200 and answer.get("expires") == "0", str(answer))
    _, result = served.notify(watch, "terminated;reason=timeout")
    check(result.status == 200, f"answered {result}")
    until(lambda: subscriptions(box) == 0, 3, "it stands still")


def waiting_messages_asked_for_and_unasked(context):
    box, server = site(context)
    watch, served, _ = standing(
        box, server, user="alice", event="message-summary",
        headers=[("Accept", "application/simple-message-summary")])
    check(served.first.uri.startswith("sip:alice@"), served.first.uri)
    text = b"Messages-Waiting: yes\r\nMessage-Account: sip:vm@example.net\r\n"
    seen, _ = served.notify(watch, "active", body=text)
    check(seen.body == text, "another body")
    bob = box.phone("bob")
    result = meanwhile(lambda: server.request(
        "NOTIFY", f"sip:bob@{box.address}", auth=False, body=text,
        headers=[("Event", "message-summary"),
                 ("Subscription-State", "terminated;reason=timeout"),
                 ("Contact", server.contact()),
                 ("Content-Type", "application/simple-message-summary")]))
    told = bob.expect("NOTIFY")
    bob.reply(told, 200, "OK")
    check(result().status == 200, "unasked NOTIFY not answered")
    check(told.body == text and told.get("event") == "message-summary",
          "another NOTIFY")


def server_subscribes_to_a_phone(context):
    box, server = site(context)
    bob = box.phone("bob")
    watch = Watch(server, "bob", event="dialog")
    answer = meanwhile(lambda: watch.send(600))
    served = Served(bob)
    served.accept(600)
    check(answer().status == 200, "not answered")
    _, result = served.notify(watch, "active")
    check(result.status == 200, f"answered {result}")


def refusals_come_back(context):
    box, server = site(context)
    watch = Watch(box.phone("alice"), "bob", event="strange")
    answer = meanwhile(lambda: watch.send(600))
    served = Served(server)
    server.reply(served.first, 489, "Bad Event", to_tag="x",
                 headers=[("Allow-Events", "presence, dialog")])
    check(answer().status == 489, "not 489")
    check("presence" in answer().get("allow-events"), "no Allow-Events")
    watch = Watch(watch.phone, "bob")
    answer = meanwhile(lambda: watch.send(10))
    served = Served(server)
    server.reply(served.first, 423, "Interval Too Brief", to_tag="x",
                 headers=[("Min-Expires", "60")])
    check(answer().status == 423, "not 423")
    check(answer().get("min-expires") == "60", "no Min-Expires")
    check(subscriptions(box) == 0, "a refused one stands")


def messages_both_ways(context):
    box, server = site(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    second = box.phone("bob", 8)

    def text(phone, to, body, **how):
        return meanwhile(lambda: phone.request(
            "MESSAGE", phone.address_of(to), body=body,
            headers=[("Content-Type", "text/plain;charset=utf-8"),
                     ("P-Asserted-Identity", "<sip:ceo@example.net>")], **how))
    result = text(alice, "bob", b"gr\xc3\xbc\xc3\x9f dich",
                  from_uri=f"sip:mallory@{box.address}")
    for device in (bob, second):
        got = device.expect("MESSAGE")
        device.reply(got, 200, "OK")
        check(got.body == b"gr\xc3\xbc\xc3\x9f dich", "another text")
        check("sip:alice@" in got.get("from"), got.get("from"))
        check(b"ceo@" not in got.raw, "an identity was made up")
        check(got.get("content-type") == "text/plain;charset=utf-8",
              got.get("content-type"))
    check(result().status == 200, "not delivered")
    result = text(alice, "0049", b"out")
    got = server.expect("MESSAGE")
    server.reply(got, 202, "Accepted")
    check(got.uri.startswith("sip:0049@"), got.uri)
    check(result().status == 202, "not accepted")
    result = text(server, "alice", b"in", auth=False)
    alice.reply(alice.expect("MESSAGE"), 200, "OK")
    check(result().status == 200, "not delivered to alice")
    check(text(alice, "carol", b"?")().status == 480, "carol is not there")
    check(text(alice, "9999", b"?")().status == 404, "9999 is nobody")


def publication_with_its_etag(context):
    box, server = site(context)
    alice = box.phone("alice")

    def publish(*headers, body=PIDF):
        return meanwhile(lambda: alice.request(
            "PUBLISH", alice.address_of("alice"), body=body,
            headers=[("Event", "presence"), ("Expires", "600"),
                     ("Content-Type", "application/pidf+xml"), *headers]))
    result = publish()
    got = server.expect("PUBLISH")
    server.reply(got, 200, "OK", headers=[("SIP-ETag", "tag1"),
                                          ("Expires", "500")])
    check(got.body == PIDF and got.get("expires") == "600", "cut")
    check(result().get("sip-etag") == "tag1", "no SIP-ETag")
    check(result().get("expires") == "500", "no Expires")
    result = publish(("SIP-If-Match", "tag0"), body=b"")
    got = server.expect("PUBLISH")
    check(got.get("sip-if-match") == "tag0", "no SIP-If-Match")
    server.reply(got, 412, "Conditional Request Failed")
    check(result().status == 412, f"not 412: {result()}")


def options_to_somebody_else(context):
    box, server = site(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    result = meanwhile(lambda: alice.request(
        "OPTIONS", alice.address_of("bob")))
    got = bob.expect("OPTIONS")
    bob.reply(got, 200, "OK", headers=[("Accept", "application/sdp"),
                                       ("Allow-Events", "dialog")])
    check(result().get("allow-events") == "dialog", "not bob's answer")
    own = alice.request("OPTIONS", alice.address_of("alice"), auth=False)
    check(own.status == 200, f"a ping is answered {own}")
    check("SUBSCRIBE" in own.get("allow"), own.get("allow"))


def hostile_ones_are_refused(context):
    box, server = site(context)
    watch, served, _ = standing(box, server)
    bob = box.phone("bob")
    stranger = box.phone("stranger", 66, register=False, domain=box.address)

    def from_stranger(method, *headers, **how):
        return stranger.request(method, f"sip:bob@{box.address}", auth=False,
                                headers=headers, **how)
    event, state = ("Event", "presence"), ("Subscription-State", "active")
    check(from_stranger("NOTIFY", event, state).status == 481, "NOTIFY")
    for method in ("SUBSCRIBE", "PUBLISH", "MESSAGE"):
        answer = from_stranger(method, event)
        check(answer.status == 401, f"{method} answered {answer}")
    check(from_stranger("SUBSCRIBE").status == 489, "no Event")
    # the dialogs are guessed right, but it does not come from their peers
    forged = served.make("terminated;reason=rejected")
    check(stranger.transact(forged).status in (403, 481), "forged NOTIFY")
    end = watch.make(0).replace(watch.phone.local.encode(),
                                stranger.local.encode())
    check(stranger.transact(end).status == 401, "forged SUBSCRIBE")
    # inside, from the right peer, and broken
    for bad in (";expires=1", "=", "a" * 40):
        answer = server.transact(served.make(bad))
        check(answer.status == 400, f"state {bad!r} answered {answer}")
    watch.phone.nothing("NOTIFY", 0.3)
    bob.nothing(lambda m: m.is_request, 0.1)
    check(subscriptions(box) == 1, "it did not survive that")
    _, result = served.notify(watch, "active")
    check(result.status == 200, f"answered {result}")
    box.options_work()


def nobody_speaks_for_another(context):
    """Whatever a phone writes in From and P-Asserted-Identity, the server sees
    who knows the password; and who knows none reaches no route."""
    box, server = site(context)
    alice = box.phone("alice")
    claims = [("P-Asserted-Identity", "<sip:ceo@example.net>"),
              ("P-Preferred-Identity", "<sip:ceo@example.net>"),
              ("Remote-Party-ID", "<sip:ceo@example.net>"),
              ("Event", "presence")]
    for method in ("MESSAGE", "PUBLISH", "SUBSCRIBE", "OPTIONS"):
        for mine in (f"sip:bob@{box.address}", "sip:ceo@example.net"):
            answer = meanwhile(lambda: alice.request(
                method, alice.address_of("0049"), from_uri=mine,
                headers=claims))
            got = server.expect(method)
            server.reply(got, 403, "Forbidden", to_tag="x")
            check("sip:alice@" in got.get("from"),
                  f"{method} of {got.get('from')}")
            check(b"ceo@" not in got.raw, f"{method}: an identity was made up")
            check(answer().status == 403, f"{method} answered {answer()}")
    wrong = box.phone("alice", 9, register=False, word="wrong")
    stranger = box.phone("stranger", 66, register=False, domain=box.address)
    for who in (wrong, stranger):
        for method in ("MESSAGE", "PUBLISH", "SUBSCRIBE", "OPTIONS", "INFO",
                       "NOTIFY"):
            answer = who.request(method, alice.address_of("0049"),
                                 from_uri=alice.address_of("alice"),
                                 headers=claims)
            check(answer.status in (401, 403, 481),
                  f"{method} of {who.user} answered {answer}")
    server.nothing(lambda m: m.is_request, 0.3)
    alice.nothing(lambda m: m.is_request, 0.1)


def phone_moves_and_its_subscription_follows(context):
    """A renewal from another port counts after digest; NOTIFYs go there."""
    box, server = site(context)
    watch, served, _ = standing(box, server)
    moved = box.phone("alice", 1, register=False, port=6070)
    watch.phone.close()
    watch.phone = moved
    answer = meanwhile(lambda: watch.send(600))
    served.accept(600, served.expect_renewal())
    check(answer().status == 200, f"answered {answer()}")
    until(lambda: "sub.moved" in box.log(), 3, "it did not move")
    _, result = served.notify(watch, "active")
    check(result.status == 200, f"answered {result}")


def killed_box_forgets_and_the_phone_subscribes_anew(context):
    box, server = site(context)
    watch, served, _ = standing(box, server)
    box.kill()
    box.start()
    check(watch.send(600).status == 481, "the box knows it still")
    check(server.transact(served.make("active")).status == 481,
          "the server's dialog is known still")
    again = Watch(watch.phone, "bob")
    answer = meanwhile(lambda: again.send(600))
    served = Served(server)
    served.accept(600)
    check(answer().status == 200, "not subscribed anew")
    served.notify(again, "active")


def box_that_stops_tells_both_sides(context):
    box, server = site(context)
    watch, served, _ = standing(box, server)
    box.stop()
    last = watch.expect_notify()
    check("terminated;reason=probation" in last.get("subscription-state"),
          last.get("subscription-state"))
    check(served.expect_renewal().get("expires") == "0", "server not told")


def add_to(suite):
    for function in (
            presence_crosses_both_ways, renewal_and_its_end,
            expiry_ends_it_on_both_sides, notifier_ends_it,
            phone_that_forgot_it_ends_it,
            notify_that_comes_first_is_seen_after_the_answer,
            forked_notify_has_a_dialog_of_its_own,
            fetch_gets_one_notify, waiting_messages_asked_for_and_unasked,
            server_subscribes_to_a_phone, refusals_come_back,
            messages_both_ways, publication_with_its_etag,
            options_to_somebody_else, hostile_ones_are_refused,
            nobody_speaks_for_another,
            phone_moves_and_its_subscription_follows,
            killed_box_forgets_and_the_phone_subscribes_anew,
            box_that_stops_tells_both_sides):
        suite.add(function)
