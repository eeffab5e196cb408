# tone.py - makes test tones and measures what was heard
#
# SPDX-License-Identifier: Apache-2.0

import array
import math
import struct
import wave

RATE = 8000
WINDOW_S = 0.5
CALLER_HZ, CALLEE_HZ, THIRD_HZ = 440, 880, 660


def write_wav(path, hz, seconds):
    """A mono 8 kHz tone file, what a phone plays as its microphone."""
    second = array.array("h", (int(8000 * math.sin(2 * math.pi * hz * i /
                                                   RATE))
                               for i in range(RATE)))
    with wave.open(path, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(second.tobytes() * seconds)


def read_wav(path):
    """(rate, samples); copes with a file whose header was never closed."""
    with open(path, "rb") as recorded:
        data = recorded.read()
    at = 12
    rate, channels = RATE, 1
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"fmt ":
            channels, rate = struct.unpack_from("<HI", data, at + 10)
        if name == b"data":
            body = data[at + 8:]
            if 0 < size < len(body):
                body = body[:size]
            samples = array.array("h")
            samples.frombytes(body[:len(body) & ~1])
            return rate, samples[::channels]
        at += 8 + size + (size & 1)
    return rate, array.array("h")


def goertzel(samples, rate, hz):
    """Share of the window's energy that lies at @hz, 0 to 1."""
    coefficient = 2 * math.cos(2 * math.pi * hz / rate)
    one = two = 0.0
    energy = 0.0
    for sample in samples:
        one, two = sample + coefficient * one - two, one
        energy += sample * sample
    if energy == 0:
        return 0.0
    power = one * one + two * two - coefficient * one * two
    return 2 * power / (len(samples) * energy)


class Heard:
    """Seconds of each tone, and of sound that is none, in a recording."""

    def __init__(self, rate, samples, tones=(CALLER_HZ, CALLEE_HZ, THIRD_HZ)):
        self.tones = {hz: 0.0 for hz in tones}
        self.silence = self.other = 0.0
        step = int(rate * WINDOW_S)
        for at in range(0, len(samples) - step + 1, step):
            self.judge(samples[at:at + step], rate)

    def judge(self, window, rate):
        loudest = max(max(window), -min(window))
        if loudest < 200:
            self.silence += WINDOW_S
            return
        shares = {hz: goertzel(window, rate, hz) for hz in self.tones}
        best = max(shares, key=shares.get)
        # Half of a window may be silence at the edges of a call; any
        # clean tone still holds most of the energy there is.
        if shares[best] >= 0.6:
            self.tones[best] += WINDOW_S
        else:
            self.other += WINDOW_S

    def __str__(self):
        words = [f"{hz} Hz {s:.1f} s" for hz, s in self.tones.items() if s]
        return ", ".join(words + [f"silence {self.silence:.1f} s",
                                  f"other sound {self.other:.1f} s"])

    def problem(self, hz, call_s):
        """None, or words when it is not the right tone for long enough."""
        if self.tones[hz] < 0.7 * call_s:
            return (f"{hz} Hz for less than 70 % of {call_s:.1f} s: "
                    f"heard {self}")
        wrong = sum(s for tone, s in self.tones.items() if tone != hz)
        if wrong > 0:
            return f"wrong tone: heard {self}"
        return None


def heard_in(path):
    return Heard(*read_wav(path))
