# two_boxes.py - a phone moves from one box to another in the middle of a call,
# and the first box may be dead by then; one key is all that the boxes share
#
#   bob -- NAT --.-- 203.0.113.10 [box 1] 10.9.0.10 --.-- .81 registrar, dave
#                '-- 203.0.113.11 [box 2] 10.9.0.11 --'
#
# SPDX-License-Identifier: Apache-2.0

import re
import time

import netns
import rtp
import sbcproc
from edge import Kamailio, registrar_words
from edge_of_servers import EdgeSite, REGISTRAR, TRUNK
from lab import Pace, Site, realm, talk
from quiet import Quiet, hear_each_other, rtp_sdp
from runner import check, until
from sip import Message
from sipbox import meanwhile
from topology import SBC4, add_address

BOXES = (SBC4, "203.0.113.11")
INSIDE = ("10.9.0.10", "10.9.0.11")
KEY = "a key that both boxes have"
CORE = """
config realm 'core'
	list address '{}'
	option media_ports '21000-21199'
	option port_rest '0'
	option media_timeout '3600'
""" + TRUNK.format("registrar", REGISTRAR) + """
config route 'out'
	list to 'registrar'
"""


def box_config(number, **options):
    realms = realm(registrar="registrar", nat_expires="0",
                   media_timeout="3600", domain="example.net",
                   keepalive="crlf", keepalive_interval="10")
    realms["inet"]["address"] = [BOXES[number]]
    return sbcproc.config(realms, ("alice", "bob"),
                          CORE.format(INSIDE[number]),
                          **{"ring_timeout": "20", "flow_key": KEY,
                             "log_level": "debug", **options})


class TwoSites(EdgeSite):
    """Two boxes in front of one registrar, with a far end beside it."""

    def __init__(self, context, keys=(KEY, KEY)):
        self.pace = Pace(context)
        super().__init__(context, pace=self.pace, extra="")
        env = {"SBC_NAT_SPEED": str(self.pace.speed)}
        self.box.stop()
        self.box.write_config(box_config(0, flow_key=keys[0]))
        self.box.start()
        other = self.host("sbc2", BOXES[1])
        netns.plug(self.core, "box2", other, "eth1")
        add_address(other, "eth1", INSIDE[1])
        self.boxes = (self.box, sbcproc.Sbc(
            context, box_config(1, flow_key=keys[1]), other.name,
            name="sbc2", env=env))
        home = self.server("registrar", REGISTRAR)
        Kamailio(context, REGISTRAR, registrar_words(),
                 name="registrar", netns=home.name)
        self.dave = Quiet("dave", home, context, server=REGISTRAR, port=5070)
        self.dave.register()
        self.bob = Roaming("bob", self.behind_nat(
            "port_restricted", timeout_s=self.pace.s(30)), context,
            domain="example.net")
        self.bob.register()

    def move(self):
        """Bob comes to the second box."""
        self.bob.use(BOXES[1])
        self.bob.register()
        check(self.boxes[1].binding("bob"), "not bound at box 2")

    def call(self):
        """Dave calls bob; (dave's side, bob's side)."""
        out = self.dave.invite("bob", sdp=rtp_sdp(self.dave), auth=False)
        into = self.bob.incoming()
        into.reply(200, "OK", sdp=rtp_sdp(self.bob))
        out.answered()
        into.expect_ack()
        return out, into

    def talk(self, context):
        """The same with audio both ways, and that."""
        speech = rtp.Rtp(self.dave.local, self.dave.netns, context,
                         b"A" * 160)
        answer = rtp.Rtp(self.bob.local, self.bob.netns, context, b"B" * 160)
        out = self.dave.invite("bob", rtp=speech, auth=False)
        into = self.bob.incoming()
        into.reply(200, "OK", rtp=answer)
        out.answered()
        into.expect_ack()
        speech.stream(out.media())
        answer.stream(into.media())
        hear_each_other(speech, answer)
        return out, into, (speech, answer)

    def call_out(self):
        """Bob calls dave; (bob's side, dave's side)."""
        out = self.bob.invite("dave", sdp=rtp_sdp(self.bob))
        into = self.dave.incoming()
        into.reply(200, "OK", sdp=rtp_sdp(self.dave))
        out.answered()
        into.expect_ack()
        return out, into

    def log_has(self, number, words):
        return words in self.boxes[number].log()


class Roaming(Quiet):
    """Knows from which box each of its pings came."""

    def __init__(self, *words, **how):
        self.from_box = []
        super().__init__(*words, **how)
        receive = self.transport.receive

        def noted():
            data, source = receive()
            if data is not None and source and (
                    not data.strip() or data.startswith(b"OPTIONS")):
                self.from_box.append((time.monotonic(), source[0]))
            return data, source
        self.transport.receive = noted

    def use(self, box):
        self.server = self.transport.server = (box, 5060)

    def pingers(self, since):
        return [source for when, source in self.from_box if when >= since]


def token_of(call):
    """The sealed user part of the Contact that @call was given."""
    return re.match(r"sip:([^@]+)@", call.target).group(1)


def request_while(sender, receiver, method, **how):
    result = meanwhile(lambda: sender.request(
        method, b"Signal=5\r\n",
        [("Content-Type", "application/dtmf-relay")], **how))
    message = receiver.phone.expect(method)
    receiver.phone.reply(message, 200, "OK")
    return result()


def bye_while(sender, receiver, **how):
    result = meanwhile(lambda: sender.request("BYE", **how))
    got = receiver.expect_bye(10)
    check(result().status == 200, f"BYE answered {result()}")
    return got


def far_end_reaches_a_phone_that_moved(context):
    """INFO and BYE of the far end, by either box; one box pings."""
    site = TwoSites(context)
    out, into, media = site.talk(context)
    check(len(out.target) < 400 and len(token_of(out)) > 100,
          f"Contact {out.target}")
    site.move()
    until(lambda: not site.boxes[0].binding("bob"), 3,
          "box 1 still has the phone")
    check(site.log_has(0, "leg.handed_over"), "the dialog stayed")
    site.pace.sleep(12)  # one interval
    began = time.monotonic()
    site.pace.sleep(60)
    seen = site.bob.pingers(began)
    hear_each_other(*media)
    check(len(seen) >= 5 and set(seen) == {BOXES[1]}, f"pings of {seen}")
    for number in (0, 1):  # dave's request comes to this box
        if number:
            site.dave.transport.server = (INSIDE[1], 5060)
        answer = request_while(out, into, "INFO")
        check(answer.status == 200, f"INFO by box {number + 1}: {answer}")
    site.dave.transport.server = (REGISTRAR, 5060)
    bye_while(out, into)
    site.boxes[0].no_calls_left()


def phone_that_moved_goes_on_with_its_call(context):
    """A re-INVITE and a BYE of the phone by its new box."""
    site = TwoSites(context)
    for make in (site.call, site.call_out):
        site.bob.use(BOXES[0])
        site.bob.register()
        sides = make()
        bob, dave = sides[::-1] if make == site.call else sides
        site.move()
        bob.reinvite(rtp_sdp(site.bob))
        asked = site.dave.expect("INVITE", 10)
        dave.invite = asked
        dave.reply(200, "OK", sdp=rtp_sdp(site.dave))
        bob.answered()
        dave.expect_ack()
        bye_while(bob, dave)
        for box in site.boxes:
            box.no_calls_left()


def call_is_moved_back(context):
    """The phone returns to the first box: all is there as before."""
    site = TwoSites(context)
    out, into = site.call()
    site.move()
    until(lambda: not site.boxes[0].binding("bob"), 3, "box 1 keeps bob")
    site.bob.use(BOXES[0])
    site.bob.register()
    until(lambda: not site.boxes[1].binding("bob"), 3, "box 2 keeps bob")
    began = time.monotonic()
    check(request_while(out, into, "INFO").status == 200, "INFO refused")
    bye_while(out, into)
    site.pace.sleep(25)
    check(set(site.bob.pingers(began)) == {BOXES[0]}, "not one box pings")


def dead_box_is_replaced(context):
    """Box 1 is killed: BYE of either side by box 2 ends the call."""
    site = TwoSites(context)
    for make, first in ((site.call, "dave"), (site.call, "bob"),
                        (site.call_out, "dave"), (site.call_out, "bob")):
        if not site.box.alive():
            time.sleep(2)  # its registrations count in seconds
            site.box.start()
        site.bob.use(BOXES[0])
        site.bob.register()
        site.dave.transport.server = (REGISTRAR, 5060)
        sides = make()
        bob, dave = sides[::-1] if make == site.call else sides
        site.box.kill()
        site.move()
        site.dave.transport.server = (INSIDE[1], 5060)
        got = bye_while(*((bob, dave) if first == "bob" else (dave, bob)))
        other = dave if first == "bob" else bob
        check(got.call_id == other.call_id and got.to_tag == other.local_tag
              and got.from_tag == other.remote_tag, "another dialog")
        check(got.cseq[0] > 0, f"CSeq {got.cseq}")
        site.boxes[1].no_calls_left()


def dead_box_is_replaced_with_media(context):
    """A re-INVITE by box 2 takes the whole call over."""
    site = TwoSites(context)
    out, into = site.call()
    site.box.kill()
    site.move()
    site.dave.transport.server = (INSIDE[1], 5060)
    out.reinvite(rtp_sdp(site.dave))
    into.invite = site.bob.expect("INVITE", 10)
    check(f"c=IN IP4 {BOXES[1]}" in into.invite.sdp, "media elsewhere")
    into.reply(200, "OK", sdp=rtp_sdp(site.bob))
    out.answered()
    into.expect_ack()
    check(out.media()[0] == INSIDE[1], f"media at {out.media()}")
    bye_while(out, into)
    site.boxes[1].no_calls_left()


def refused(phone, data):
    return phone.transact(data).status


def forged_and_used_tokens_are_refused(context):
    """Changed, of another dialog, of another sender, used up, of another
    key."""
    site = TwoSites(context)
    out, into = site.call()
    other, other_into = site.call()
    site.box.kill()
    site.move()
    dave = site.dave
    dave.transport.server = (INSIDE[1], 5060)
    good, token = out.target, token_of(out)
    middle = len(token) // 2
    swap = "A" if token[middle] != "A" else "B"
    forged = (good.replace(token, token[:middle] + swap + token[middle + 1:]),
              good.replace(token, token[:-4]), good.replace(token, "bob"),
              other.target)
    for target in forged:
        out.target = target
        check(refused(dave, out.make("BYE")) == 481, f"{target} was taken")
    out.target = good
    stranger = Quiet("eve", site.server("eve", "10.9.0.66"), context,
                     server=INSIDE[1])
    stolen = out.make("BYE")
    check(stranger.transact(stolen.replace(
        Message(stolen).get("via").encode(),
        stranger.via().encode())).status == 481, "a stranger's BYE")
    site.bob.nothing("BYE", 1)
    bye_while(out, into)
    check(refused(dave, out.make("BYE")) == 481, "used twice")
    site.bob.nothing("BYE", 1)
    bye_while(other, other_into)


def boxes_of_different_keys_know_nothing(context):
    site = TwoSites(context, keys=(KEY, "another key of the box"))
    out, _ = site.call()
    site.box.kill()
    site.move()
    site.dave.transport.server = (INSIDE[1], 5060)
    check(refused(site.dave, out.make("BYE")) == 481, "BYE was taken")
    site.bob.nothing("BYE", 1)


def real_phones_bear_tokens(context):
    """Contacts with a token for a user, in calls both ways."""
    site = Site(context, flow_key=KEY)
    alice = site.baresip("alice", site.behind_nat("port_restricted"), 440)
    bob = site.baresip("bob", site.behind_nat("symmetric"), 880)
    talk(alice, bob, "bob", hang_up_by=alice)
    talk(bob, alice, "alice", hang_up_by=alice)


def add_to(suite):
    needs = {"needs": ("kamailio",), "fast": False}
    suite.add(far_end_reaches_a_phone_that_moved,
              "call_goes_on_when_its_phone_moves_to_another_box",
              limit=120, **needs)
    suite.add(phone_that_moved_goes_on_with_its_call, limit=90, **needs)
    suite.add(call_is_moved_back, "call_moves_back_to_its_first_box",
              limit=90, **needs)
    suite.add(dead_box_is_replaced, "dead_box_is_replaced_in_a_call",
              limit=120, **needs)
    suite.add(dead_box_is_replaced_with_media, limit=90, **needs)
    suite.add(forged_and_used_tokens_are_refused, limit=90, **needs)
    suite.add(real_phones_bear_tokens, fast=False, limit=90)
    suite.add(boxes_of_different_keys_know_nothing, limit=90, **needs)
