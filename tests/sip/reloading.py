# reloading.py - SIGHUP while phones are registered and calls are up
#
# SPDX-License-Identifier: Apache-2.0

from runner import check
from sipbox import SipBox, Talk


def change(box, old, new, must="reloaded"):
    check(old in box.text, f"no {old} in the config")
    box.text = box.text.replace(old, new)
    box.write_config(box.text)
    check(box.reload() == must, f"the new file was not {must}")


def listeners(box):
    return {(row["realm"], row["transport"], row["port"]): row["up"]
            for row in box.status()["listeners"]}


def renamed_realm_keeps_calls_and_bindings(context):
    box = SipBox(context)
    talk = Talk(box)
    talk.speak()
    change(box, "config realm 'loop'", "config realm 'office'")
    check(all(name == "office" for name, _, _ in listeners(box)),
          f"listeners {listeners(box)}")
    talk.heard()
    talk.end()
    again = Talk(box, talk.alice, talk.bob)  # nobody has registered again
    again.end()


def removed_phone_keeps_its_call_but_no_binding(context):
    box = SipBox(context)
    talk = Talk(box)
    start = box.text.index("config phone 'bob'")
    end = box.text.index("config phone 'carol'")
    change(box, box.text[start:end], "")
    check(not box.binding("bob"), "bob is still bound")
    talk.end()
    out = talk.alice.invite("bob")
    out.expect(404)


def changed_port_is_served_and_the_old_one_is_not(context):
    box = SipBox(context, realm={"listen": ["udp:5060"]})
    talk = Talk(box)
    change(box, "udp:5060", "udp:5070")
    up = listeners(box)
    check(up[("loop", "udp", 5070)] and not up[("loop", "udp", 5060)],
          f"listeners {up}")
    talk.end()  # the dialogs live on where they were made
    late = box.phone("alice", number=7, register=False)
    box.server = (box.address, 5070)
    box.phone("carol")
    try:
        late.register()
    except Exception as error:
        check("no" in str(error) or "answer" in str(error), str(error))
    else:
        check(False, "the old port still registers phones")


def taken_port_refuses_the_whole_file(context):
    import socket
    box = SipBox(context)
    talk = Talk(box)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
        thief.bind((box.address, 5071))
        change(box, "config realm 'loop'\n",
               "config realm 'renamed'\n\tlist listen 'udp:5060'\n"
               "\tlist listen 'udp:5071'\n", must="refused")
    check(("loop", "udp", 5060) in listeners(box), f"{listeners(box)}")
    talk.end()
    again = Talk(box, talk.alice, talk.bob)
    again.end()


def add_to(suite):
    for function in (
            renamed_realm_keeps_calls_and_bindings,
            removed_phone_keeps_its_call_but_no_binding,
            changed_port_is_served_and_the_old_one_is_not,
            taken_port_refuses_the_whole_file):
        suite.add(function)
