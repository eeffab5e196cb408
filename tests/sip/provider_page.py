# provider_page.py - "Connect a provider" in docs/OPERATIONS.md, word by word
#
# The page's blocks are what is run: its secrets, its configuration, its
# commands.  What they say is compared with what the page says, but for
# numbers; its provider is Kamailio, its phones are scripted.
#
# SPDX-License-Identifier: Apache-2.0

import os
import re
import shlex
import subprocess

from dnsserver import NameServer
from edge import Kamailio
from providers import talk
from runner import check, until
from sipbox import SipBox

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(HERE, "..", "..", "docs", "OPERATIONS.md")
TITLE = "## Connect a provider\n"
PASSWORD = "8Kq-tulip-27"  # of the page's letter
PHONE_WORD = "Xw3-cello-51"
HOST = "sip.provider.example"


def blocks(kind):
    """The page's fenced blocks of that kind, in their order."""
    with open(PAGE) as text:
        page = text.read().partition(TITLE)[2]
    page = page.partition("\n## ")[0]
    found = re.findall(rf"^```{kind}\n(.*?)^```", page, re.M | re.S)
    check(found, f"no block of {kind} in the page")
    return found


def commands():
    """(words, what is said) of each `$ command` of the page."""
    said = []
    for block in blocks("console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                said.append((shlex.split(line[2:]), []))
            else:
                said[-1][1].append(line)
    return said


def plain(line):
    """A line without what differs from run to run."""
    line = re.sub(r"^\d{4}-\d\d-\d\dT\S+ ", "", line)
    line = re.sub(r"(\d+\.){3}\d+(:\d+)?", "ADDRESS", line)
    line = re.sub(r"answer (OPTIONS|REGISTER)", "answer REQUEST", line)
    line = re.sub(r"\bcall=\S+", "call=ID", line)
    line = re.sub(r"\d+(:\d+)*", "N", line)
    return re.sub(r"\s+", " ", line).strip()


class Newcomer(SipBox):
    """The box, set up as the page says, and mostly the provider."""

    def __init__(self, context, password=PASSWORD, known=True,
                 provider=True, silent=False):
        net = f"127.{context.id}"
        self.dns = NameServer(context, f"{net}.0.53")
        if known:
            self.dns.host(HOST, f"{net}.20.1")
        if provider:
            self.kamailio = Kamailio(
                context, f"{net}.20.1",
                {"NET": f"{net}.30.1", "PASSWORD": PASSWORD,
                 "ALGORITHM": "MD5"},
                cfg="kamailio-provider.cfg", name="provider")
        super().__init__(context, phones=("101",), start=False,
                         nameserver=[self.dns.where])
        secrets = "".join(blocks("secrets"))
        check(PASSWORD in secrets, "another password in the page")
        with open(os.path.join(os.path.dirname(self.conf), "secrets"),
                  "w", opener=private) as out:
            out.write(secrets.replace(PASSWORD, password))
        self.write_config(self.text.replace("'loop'", "'internet'").replace(
            "config sbc 'global'\n",
            "config sbc 'global'\n" + "".join(blocks("global")), 1)
            + "\n".join(blocks("conf")))
        if silent:
            deaf = self.phone("provider", 20, register=False)
            deaf.ignore = lambda message: True
        self.start()
        self.abroad = self.phone("abroad", 30, register=False,
                                 domain=f"{net}.20.1")
        self.abroad.server = (f"{net}.20.1", 5060)
        self.abroad.transport.server = self.abroad.server

    def run(self, words):
        """A command of the page; (lines, exit code)."""
        check(words[0] == "sbc", f"no command of ours: {words}")
        words = [self.binary if w == "sbc" else
                 self.conf if w == "/etc/sbc/sbc.conf" else
                 self.message if w == "invite.txt" else w for w in words]
        env = dict(os.environ, SBC_SOCKET=os.path.join(self.data, "ctl"))
        if words[1] in ("route", "header"):
            words += ["--config", self.conf]
        done = subprocess.run(words, capture_output=True, text=True, env=env,
                              timeout=20)
        return (done.stdout + done.stderr).splitlines(), done.returncode

    @property
    def message(self):
        path = self.context.path("invite.txt")
        with open(path, "w") as out:
            out.write("".join(blocks("sip")))
        return path

    def calls_nobody(self):
        """The provider calls what no route takes."""
        self.kamailio.stop()
        gateway = self.phone("abroad", 20, register=False)
        gateway.invite("nobody", sdp="", auth=False).expect(404)
        gateway.close()

    def says(self, words, said):
        """The command says what the page says, soon."""
        def is_said():
            seen, code = self.run(words)
            seen = [plain(line) for line in seen if line.strip()]
            return None if code else seen
        wanted = [plain(line) for line in said if line.strip()]
        until(lambda: is_said() == wanted, 10,
              f"{shlex.join(words)} does not say:\n" + "\n".join(said)
              + "\nbut:\n" + "\n".join(self.run(words)[0]), step=0.3)

    def logs(self, lines):
        """The log says what the page says it does."""
        for wanted in map(plain, lines.splitlines()):
            until(lambda: wanted in map(plain, self.log().splitlines()), 12,
                  f"the log does not say: {wanted}\n{self.log()}", step=0.2)


def private(path, flags):
    return os.open(path, flags, 0o600)


def connect_a_provider_word_by_word(context):
    """Each command of the page, in its order; the calls where it says so."""
    box = Newcomer(context)
    first = box.phone("100", 1, word=PHONE_WORD)
    has_called = False
    for words, said in commands():
        if words[1] == "cdrs" and not has_called:
            has_called = True
            made = len(box.abroad.log)
            talk(box, first, "0891234567", box.abroad)
            asked = "".join(data.decode() for way, _, data in
                            box.abroad.log[made:] if way == "in")
            check("INVITE sip:0049891234567@" in asked and
                  f"From: <sip:0049301234567@{HOST}>" in asked,
                  f"not the numbers of the page:\n{asked}")
            talk(box, box.abroad, "u4930", first, auth=False)
        elif words[1] == "cdrs":
            box.calls_nobody()
        box.says(words, said)
    check(has_called, "the page has no call records")


def provider_page_tells_what_a_wrong_password_does(context):
    Newcomer(context, password="guessed").logs(blocks("log")[0])


def provider_page_tells_of_a_name_that_is_not_known(context):
    Newcomer(context, known=False, provider=False).logs(blocks("log")[1])


def provider_page_tells_of_a_closed_port(context):
    Newcomer(context, provider=False).logs(blocks("log")[2])


def provider_page_tells_of_a_silent_provider(context):
    box = Newcomer(context, provider=False, silent=True)
    box.logs(blocks("log")[3])
    check(len(blocks("log")) == 4, "more in the page than is tried")


def add_to(suite):
    suite.add(connect_a_provider_word_by_word, needs=("kamailio",))
    suite.add(provider_page_tells_what_a_wrong_password_does,
              needs=("kamailio",))
    for function in (provider_page_tells_of_a_name_that_is_not_known,
                     provider_page_tells_of_a_closed_port,
                     provider_page_tells_of_a_silent_provider):
        suite.add(function)
