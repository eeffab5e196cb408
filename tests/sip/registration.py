# registration.py - what the registrar promises to phones
#
# SPDX-License-Identifier: Apache-2.0

import re
import time

from runner import check, until
from sip import parameter, token
from sipbox import SipBox


def contacts(answer):
    return [c for value in answer.all("contact")
            for c in re.findall(r"<[^>]*>[^,]*", value)]


def expires_of(answer, uri):
    for contact in contacts(answer):
        if uri in contact:
            return int(parameter(contact, "expires"))
    return None


def must_be(answer, status):
    check(answer.status == status, f"answered {answer}, not {status}")
    return answer


def register_is_challenged_then_accepted(context):
    box = SipBox(context, realm={"domain": "example.test"})
    alice = box.phone("alice", register=False, domain="example.test")
    challenge = alice.register(auth=False, must=401)
    value = challenge.get("www-authenticate")
    for part in ('realm="example.test"', 'qop="auth"', "nonce="):
        check(part in value, f"no {part} in {value}")
    check("algorithm=MD5" in value or "algorithm" not in value,
          f"not MD5 by default: {value}")
    answer = alice.register()
    check(len(contacts(answer)) == 1, "the 200 lists no binding")
    check(answer.get("date"), "the 200 has no Date")
    row = box.binding("alice")
    check(row and row["source"] == f"{alice.local}:{alice.port}",
          f"listed as {row}")
    check(row["user_agent"] == alice.user_agent, "User-Agent not kept")
    check(row["transport"] == "udp", f"transport {row['transport']}")


def refresh_keeps_one_binding(context):
    box = SipBox(context)
    alice = box.phone("alice")
    first = box.binding("alice")
    answer = alice.register(expires=600)
    check(len(contacts(answer)) == 1, "two bindings after a refresh")
    row = box.binding("alice")
    check(row["registered_at"] == first["registered_at"],
          "a refresh changed registered_at")
    check(row["expires_s"] <= 600, f"expires_s {row['expires_s']}")


def expires_zero_removes_only_its_contact(context):
    box = SipBox(context)
    alice = box.phone("alice")
    other = box.phone("alice", 4)
    answer = alice.register(expires=0)
    check(len(contacts(answer)) == 1, f"left: {contacts(answer)}")
    rows = [p for p in box.phones() if p["phone"] == "alice"]
    check(len(rows) == 1 and other.local in rows[0]["source"],
          f"left: {rows}")


def contact_star_removes_every_binding(context):
    box = SipBox(context)
    alice = box.phone("alice")
    box.phone("alice", 4)
    answer = alice.register(contact="*", expires=0)
    check(not contacts(answer), f"left: {contacts(answer)}")
    check(not box.phones(), "a binding is still listed")


def contact_star_with_expires_is_refused(context):
    box = SipBox(context)
    alice = box.phone("alice")
    alice.register(contact="*", expires=3600, must=400)
    alice.register(contact="*", expires=None, must=400)
    check(box.binding("alice"), "the binding is gone")


def too_short_expires_gets_423(context):
    box = SipBox(context)
    alice = box.phone("alice", register=False)
    answer = alice.register(expires=30, must=423)
    check(answer.get("min-expires") == "60",
          f"Min-Expires: {answer.get('min-expires')}")
    alice.register(expires=60)


def long_and_absent_expires_become_max_expires(context):
    box = SipBox(context, realm={"max_expires": "1200"})
    alice = box.phone("alice", register=False)
    for asked in (99999, None, 4294967295):
        granted = expires_of(alice.register(expires=asked), alice.local)
        check(granted == 1200, f"Expires {asked} became {granted}")


def contact_parameter_beats_expires_header(context):
    box = SipBox(context)
    alice = box.phone("alice", register=False)
    answer = alice.register(contact=alice.contact() + ";expires=300",
                            expires=1800)
    check(expires_of(answer, alice.local) in (299, 300),
          f"granted {contacts(answer)}")


def old_cseq_of_the_same_call_id_gets_500(context):
    box = SipBox(context)
    alice = box.phone("alice", register=False)
    alice.register(call_id="one-call-id", cseq=100)
    alice.register(call_id="one-call-id", cseq=50, must=500)
    check(box.binding("alice"), "the binding is gone")


def unknown_user_gets_the_answers_of_a_known_one(context):
    box = SipBox(context)
    known = box.phone("alice", 4, register=False, word="wrong")
    unknown = box.phone("mallory", 5, register=False, word="wrong")

    def names(answer):
        return (answer.status, answer.reason,
                [name for name, _ in answer.headers],
                re.sub(r'"[^"]*"', '""', answer.get("www-authenticate")))
    first = [names(p.register(auth=False, must=401))
             for p in (known, unknown)]
    check(first[0] == first[1], f"challenges differ: {first}")
    second = [names(p.register(must=None)) for p in (known, unknown)]
    check(second[0] == second[1], f"refusals differ: {second}")
    check(second[0][0] in (401, 403), f"wrong password got {second[0][0]}")


def another_users_address_gets_403(context):
    box = SipBox(context)
    alice = box.phone("alice", register=False)
    answer = alice.request(
        "REGISTER", f"sip:{box.address}", to=f"sip:bob@{box.address}",
        headers=(("Expires", "600"),))
    must_be(answer, 403)
    check(not box.phones(), "it was bound")


def foreign_domain_gets_404(context):
    box = SipBox(context, realm={"domain": "example.test"})
    alice = box.phone("alice", register=False)
    answer = alice.request(
        "REGISTER", "sip:elsewhere.test", to="sip:alice@elsewhere.test",
        headers=(("Expires", "600"),))
    must_be(answer, 404)


def a_200_lists_all_bindings_with_what_remains(context):
    box = SipBox(context)
    one = box.phone("alice", register=False)
    two = box.phone("alice", 4, register=False)
    one.register(expires=600)
    time.sleep(1.5)
    answer = two.register(expires=300)
    left = expires_of(answer, one.local)
    check(left is not None and 595 <= left <= 599, f"remains {left} of 600")
    check(expires_of(answer, two.local) in (299, 300), "not its own")


def the_oldest_contact_gives_way(context):
    box = SipBox(context, phones={"alice": {"max_contacts": "2"}})
    first = box.phone("alice", 4)
    time.sleep(0.05)
    box.phone("alice", 5)
    time.sleep(0.05)
    box.phone("alice", 6)
    sources = [p["source"] for p in box.phones()]
    check(len(sources) == 2 and not any(first.local + ":" in s
                                        for s in sources), f"{sources}")


def ten_long_contacts_are_all_listed(context):
    box = SipBox(context)
    alice = box.phone("alice", register=False)
    for n in range(10):
        uri = f"sip:alice@{alice.local};n={n};x={'x' * 960}"
        answer = alice.register(contact=f"<{uri}>")
    check(len(contacts(answer)) == 10, f"{len(contacts(answer))} listed")


def contact_that_cannot_be_rung_is_refused(context):
    box = SipBox(context)
    alice = box.phone("alice", register=False)
    for uri in ("sips:alice@phone.test", "tel:+4930123", "http://a.test"):
        alice.register(contact=f"<{uri}>", must=416)
    alice.register(contact=f"<sip:alice@{'h' * 1100}.test>", must=400)
    check(not box.binding("alice"), "bound all the same")


def same_private_contact_of_two_homes_is_two_bindings(context):
    box = SipBox(context)
    for number in (4, 5):
        phone = box.phone("alice", number, register=False)
        phone.register(contact="<sip:alice@192.168.1.50:5060>")
    rows = box.phones()
    check(len(rows) == 2, f"{len(rows)} bindings")
    check({r["contact"].strip("<>") for r in rows} ==
          {"sip:alice@192.168.1.50:5060"}, "Contact not kept verbatim")


def instance_id_replaces_its_old_contact(context):
    box = SipBox(context)
    ident = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    box.phone("alice", 4, register=False).register(instance=ident)
    again = box.phone("alice", 5, register=False)
    again.register(instance=ident)
    rows = box.phones()
    check(len(rows) == 1 and again.local in rows[0]["source"],
          f"bindings: {rows}")
    check(ident in rows[0]["instance"] and rows[0]["reg_id"] == 1,
          f"instance {rows[0]['instance']} reg_id {rows[0]['reg_id']}")


def used_credentials_are_not_taken_again(context):
    """Replay with the same nonce and nc in another request."""
    box = SipBox(context)
    alice = box.phone("alice")
    proof = [value for way, _, data in alice.log if way == "out"
             for value in re.findall(rb"Authorization: (.*)\r\n", data)][-1]
    thief = box.phone("alice", 6, register=False)
    answer = thief.register(auth=False, must=401, headers=(
        ("Authorization", proof.decode()),))
    check(answer.status == 401, "replayed credentials were taken")
    check(len(box.phones()) == 1, "the thief is bound")


def retransmitted_register_gets_the_same_answer(context):
    box = SipBox(context)
    alice = box.phone("alice")
    last = [data for way, _, data in alice.log if way == "out"][-1]
    for _ in range(2):
        alice.send(last)
        must_be(alice.expect(lambda m: m.method == "REGISTER"), 200)
    check(len(box.phones()) == 1, "a retransmission made a binding")


def restarted_phone_rings_once(context):
    """The same phone with a new Call-ID is two bindings but one flow."""
    box = SipBox(context)
    alice, bob = box.phone("alice"), box.phone("bob")
    bob.register(call_id="after-the-restart", cseq=1)
    alice.invite("bob", rtp=box.media(alice))
    bob.incoming().reply(180, "Ringing")
    bob.nothing("INVITE", 0.7)


def sha256_realm_is_served(context):
    box = SipBox(context, realm={"digest": "sha256"})
    alice = box.phone("alice", register=False)
    challenge = alice.register(auth=False, must=401)
    check("SHA-256" in challenge.get("www-authenticate"), "no SHA-256")
    alice.register()


def both_digests_offer_sha256_first(context):
    box = SipBox(context, realm={"digest": "both"})
    alice = box.phone("alice", register=False)
    offers = alice.register(auth=False, must=401).all("www-authenticate")
    check(len(offers) == 2 and "SHA-256" in offers[0]
          and "MD5" in offers[1], f"offered {offers}")
    alice.register()
    bob = box.phone("bob", register=False)
    bob.digest.HASH = {"md5": bob.digest.HASH["md5"]}
    bob.register()


def path_is_kept(context):
    box = SipBox(context)
    alice = box.phone("alice", register=False)
    path = "<sip:edge.example.test;lr>"
    answer = alice.register(headers=(("Supported", "path"), ("Path", path)))
    check(answer.get("path") == path, f"Path: {answer.get('path')}")


def client_without_rport_gets_its_challenge(context):
    """The answer goes to the source even when Via lies (RFC 3581)."""
    box = SipBox(context)
    alice = box.phone("alice", register=False)
    alice.via = lambda branch=None: (
        f"SIP/2.0/UDP 192.168.1.50:5060;branch=z9hG4bK{token()}")
    alice.register()


def keepalive_comes_to_a_quiet_phone(context):
    box = SipBox(context, realm={"keepalive_interval": "10"})
    alice = box.phone("alice")
    until(lambda: alice.keepalives >= 1, 15, "no keepalive came")


def tcp_phone_registers_and_is_listed(context):
    box = SipBox(context)
    alice = box.phone("alice", transport="tcp", port=0)
    row = box.binding("alice")
    check(row["transport"] == "tcp" and
          row["source"] == f"{alice.local}:{alice.port}", f"{row}")


def add_to(suite):
    for function in (
            register_is_challenged_then_accepted, refresh_keeps_one_binding,
            expires_zero_removes_only_its_contact,
            contact_star_removes_every_binding,
            contact_star_with_expires_is_refused,
            too_short_expires_gets_423,
            long_and_absent_expires_become_max_expires,
            contact_parameter_beats_expires_header,
            old_cseq_of_the_same_call_id_gets_500,
            unknown_user_gets_the_answers_of_a_known_one,
            another_users_address_gets_403, foreign_domain_gets_404,
            a_200_lists_all_bindings_with_what_remains,
            the_oldest_contact_gives_way,
            ten_long_contacts_are_all_listed,
            contact_that_cannot_be_rung_is_refused,
            same_private_contact_of_two_homes_is_two_bindings,
            instance_id_replaces_its_old_contact,
            used_credentials_are_not_taken_again,
            retransmitted_register_gets_the_same_answer,
            restarted_phone_rings_once, sha256_realm_is_served,
            both_digests_offer_sha256_first,
            path_is_kept, client_without_rport_gets_its_challenge,
            keepalive_comes_to_a_quiet_phone,
            tcp_phone_registers_and_is_listed):
        suite.add(function)
