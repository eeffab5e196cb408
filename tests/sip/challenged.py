# challenged.py - a registrar behind the box that challenges its phones itself
#
# SPDX-License-Identifier: Apache-2.0

from runner import check
from sip import Digest
from sipbox import SipBox, meanwhile

# NET stands for the scenario's loopback net.
TRUNKS = """
config realm 'core'
	list address 'NET.0.2'
	option media_ports '21000-21199'
	option port_rest '0'
config trunk 'pbx'
	option realm 'core'
	option host 'NET.20.1'
	option port '5060'
config trunk 'other'
	option realm 'loop'
	option host 'NET.21.1'
	option port '5060'
config route 'out'
	option match '9!'
	list method 'INVITE'
	list method 'MESSAGE'
	list method 'SUBSCRIBE'
	list to 'other'
config route 'rest'
	option match '0!'
	list method 'INVITE'
	list method 'MESSAGE'
	list method 'SUBSCRIBE'
	list to 'pbx'
"""
WORDS = {"realm": "pbx.example", "nonce": "4711", "algorithm": "MD5"}


def site(context):
    box = SipBox(context, extra=TRUNKS, realm={"registrar": "pbx"})
    pbx = box.phone("pbx", 20, register=False, domain=box.address)
    other = box.phone("other", 21, register=False, domain=box.address)
    return box, box.phone("alice", register=False), pbx, other


def ask(server, request, code=401):
    name = "WWW" if code == 401 else "Proxy"
    value = ", ".join(f'{k}="{v}"' if k != "algorithm" else f"{k}={v}"
                      for k, v in WORDS.items())
    server.reply(request, code, "Who", to_tag="no",
                 headers=[(f"{name}-Authenticate", f"Digest {value}")])


def is_proved(phone, request, name="authorization"):
    proof = Digest(phone.digest.user, phone.digest.password)
    proof.challenge = dict(WORDS)
    expected = proof.header(request.method, request.uri)
    check(expected.split("response=")[1] in request.get(name),
          f"{request}: {name} is {request.get(name)!r}")
    check(f'username="{phone.user}"' in request.get(name), "another user")
    check(phone.digest.password.encode() not in request.raw, "the password!")


def call_is_proved_for_the_phone(context):
    box, alice, pbx, _ = site(context)
    out = alice.invite("0100", rtp=box.media(alice))
    into = pbx.incoming()
    check(not into.invite.get("authorization"), "alice's own proof crossed")
    cseq = into.invite.cseq[0]
    ask(pbx, into.invite, 407)
    into.expect_ack()
    into.expect_request("INVITE")
    check(into.invite.cseq[0] == cseq + 1, "not counted on")
    is_proved(alice, into.invite, "proxy-authorization")
    into.reply(180, "Ringing")
    out.expect(180)
    into.reply(200, "OK", rtp=box.media(pbx))
    out.answered()
    check(into.expect_ack().get("proxy-authorization"), "an ACK without")
    answer = meanwhile(out.bye)
    ask(pbx, into.expect_request("BYE"))
    again = into.expect_request("BYE")
    is_proved(alice, again)
    pbx.reply(again, 200, "OK")
    check(answer().status == 200, "BYE is not answered 200")
    box.no_calls_left()
    check(alice.digest.password not in box.log(), "the password is logged")


def wrong_password_is_a_refusal(context):
    box, alice, pbx, _ = site(context)
    out = alice.invite("0100", rtp=box.media(alice))
    into = pbx.incoming()
    for _ in range(2):
        ask(pbx, into.invite)
        into.expect_ack()
        if not into.invite.get("authorization"):
            into.expect_request("INVITE")
    out.expect(403)
    box.no_calls_left()


def requests_without_a_call_are_proved(context):
    _, alice, pbx, _ = site(context)
    for method, headers in (("MESSAGE", (("Content-Type", "text/plain"),)),
                            ("SUBSCRIBE", (("Event", "presence"),
                                           ("Expires", "600")))):
        result = meanwhile(lambda: alice.request(
            method, alice.address_of("0100"), headers=headers))
        ask(pbx, pbx.expect(method))
        got = pbx.expect(method)
        is_proved(alice, got)
        pbx.reply(got, 200, "OK", to_tag="yes",
                  headers=[("Contact", pbx.contact()), ("Expires", "600")])
        check(result().status == 200, f"{method} answered {result()}")


def nobody_else_is_told(context):
    """Another trunk; and the registrar, for a call of another trunk."""
    box, alice, pbx, other = site(context)
    out = alice.invite("9100", rtp=box.media(alice))
    into = other.incoming()
    ask(other, into.invite)
    out.expect(403)
    out = other.invite("0100", rtp=box.media(other), auth=False)
    into = pbx.incoming()
    ask(pbx, into.invite)
    out.expect(403)
    box.no_calls_left()


def add_to(suite):
    for scenario in (call_is_proved_for_the_phone,
                     wrong_password_is_a_refusal,
                     requests_without_a_call_are_proved,
                     nobody_else_is_told):
        suite.add(scenario)
