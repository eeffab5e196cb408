# makes.py - phones shaped as those of many makers register through a NAT and
# are called (tests/data/nat/make-*.sip)
#
# SPDX-License-Identifier: Apache-2.0

import glob
import os
import re

import runner
from lab import Site
from quiet import Quiet, ring
from reachable import lan_phone
from runner import check
from sip import token
from topology import SBC4

# In the files: the phone, its router, the box, and the phone's number.
INNER, OUTER, BOX, USER = ("192.168.1.50", "203.0.113.7", "192.0.2.10", "204")


def shapes():
    """REGISTERs over UDP by name."""
    pattern = os.path.join(runner.root_dir(), "tests", "data", "nat",
                           "make-*.sip")
    found = {}
    for path in sorted(glob.glob(pattern)):
        with open(path, newline="") as text:
            text = text.read()
        if text.startswith("REGISTER") and "SIP/2.0/UDP" in text:
            found[os.path.basename(path)[5:-4]] = text
    return found


class Shaped(Quiet):
    """Its REGISTERs are those of the file, with its own names in them."""

    def __init__(self, shape, *how, **more):
        self.shape = shape
        super().__init__(*how, **more)

    def make(self, method, uri, **how):
        if method != "REGISTER" or not self.shape:
            return super().make(method, uri, **how)
        text = self.shape.replace(BOX, SBC4).replace(OUTER, self.space.wan)
        # Its own port instead of the file's, where the file gives one.
        text = re.sub(re.escape(INNER) + r":\d+",
                      f"{self.local}:{self.port}", text)
        text = text.replace(INNER, self.local)
        text = re.sub(rf"\b{USER}@", f"{self.user}@", text)
        text = re.sub(r"branch=[^;\r\n]*", "branch=z9hG4bK" + token(), text)
        text = re.sub(r"(?m)^(Call-ID|i):[ ]*([^@\r\n]*)",
                      lambda m: f"{m[1]}: {how['call_id']}", text)
        text = re.sub(r"CSeq:[ ]*\d+", f"CSeq: {how['cseq']}", text)
        extra = "".join(f"{name}: {value}\r\n"
                        for name, value in how.get("headers", ())
                        if name == "Authorization")
        head, mark, body = text.partition("\r\n\r\n")
        return f"{head}\r\n{extra}".encode().rstrip() + \
            f"{mark}{body}".encode()


def phones_of_many_makers_are_registered_and_called(context):
    site = Site(context)
    alice = lan_phone(site, context)
    space = site.behind_nat("symmetric")
    found = shapes()
    check(len(found) >= 8, f"only {len(found)} shapes: {sorted(found)}")
    for number, (name, shape) in enumerate(found.items()):
        phone = Shaped(shape, "bob", space, context, port=6000 + 2 * number)
        phone.register()
        nat = site.box.binding("bob")["nat"]
        check(nat["alg"] == "none", f"{name}: {nat}")
        ring(alice, phone, 4)
        phone.shape = None
        phone.register(contact="*", expires=0)


def add_to(suite):
    suite.add(phones_of_many_makers_are_registered_and_called, fast=False)
