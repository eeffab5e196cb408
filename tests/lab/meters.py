# meters.py - proves that the tone meter can tell right from wrong
#
# SPDX-License-Identifier: Apache-2.0

import array
import math
import random

import tone
from runner import check

RIGHT, WRONG = tone.CALLER_HZ, tone.CALLEE_HZ


def wave(hz, seconds, level=8000):
    return array.array("h", (int(level * math.sin(2 * math.pi * hz * i /
                                                  tone.RATE))
                             for i in range(int(seconds * tone.RATE))))


def verdict(*parts):
    samples = array.array("h")
    for part in parts:
        samples.extend(part)
    return tone.Heard(tone.RATE, samples).problem(RIGHT, 5.0)


def tone_meter_tells_right_from_wrong(context):
    silence = array.array("h", bytes(2 * tone.RATE))
    noise = array.array("h", (random.randrange(-8000, 8000)
                              for _ in range(5 * tone.RATE)))
    check(verdict(wave(RIGHT, 5)) is None, "a clean tone is refused")
    check(verdict(wave(RIGHT, 4), silence) is None, "1 s of silence of 5")
    check(verdict(wave(RIGHT, 3), silence, silence), "3 s of 5 are enough")
    check(verdict(wave(RIGHT, 4.5), wave(WRONG, 0.5)),
          "half a second of the wrong tone is not heard")
    check(verdict(wave(WRONG, 5)), "the wrong tone passes")
    check(verdict(noise), "noise passes")
    check(verdict(silence), "silence passes")


def add_to(suite):
    suite.add(tone_meter_tells_right_from_wrong)
