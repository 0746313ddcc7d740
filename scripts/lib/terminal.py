# SPDX-License-Identifier: Apache-2.0
"""Runs a program in a terminal of its own, and types answers to its prompts.

Reads a JSON object from stdin: `argv`, `columns`, and `typed`, a list of pairs: a prompt to wait for, and what to type
once the terminal does not show what is typed; "@word" types the word of a seed whose number was asked for, as it is on
the screen; after "@SIG" it has the name of a signal, as in "text@SIGTERM", which the program in the foreground gets when
it could read the text. After an empty prompt it is typed until the program ends. With a third element, `true`, it is typed although
the terminal shows it. `limit` is how many seconds the program may take. Prints a JSON object: `code` (negative for a
signal, and "hangs" for a program that took longer and was killed), `screen`, `echoes`, whether the terminal shows what is
typed after the program has ended, and `awaited`, the prompt that did not come.
"""

import contextlib
import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time


def echoes(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def word(screen):
    """Returns what to type at the end of the screen, `Word 7: `, or None if it does not end so yet."""
    text = screen.decode(errors="replace")
    asked = re.search(r"[Ww]ord (\d+)(: |\. Try again: )$", text)
    return asked and re.search(rf" {asked[1]}\. ([a-z]+)", text)[1].encode() + b"\r"


def begin():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    # A program that was started in the background ignores Ctrl-C, and one of nohup a hangup, and so do those that it starts.
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_DFL)


def kill_all(session):
    """Kills the programs of a session, also those that have a process group of their own."""
    for name in os.listdir("/proc"):
        if name.isdecimal():
            with contextlib.suppress(OSError):
                if os.getsid(int(name)) == session:
                    os.kill(int(name), signal.SIGKILL)


def main():
    asked = json.load(sys.stdin)
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, asked["columns"], 0, 0))
    child = subprocess.Popen(
        asked["argv"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=begin,
    )
    typed = list(asked["typed"])
    screen, seen = b"", 0
    end, hangs = time.monotonic() + asked["limit"], False
    # This process keeps the terminal open, so it reads until the program has ended and nothing is left to read.
    while True:
        ended = child.poll() is not None
        if select.select([master], [], [], 0 if ended else 0.02)[0]:
            screen += os.read(master, 65536)
        elif ended:
            break
        if not ended and not hangs and time.monotonic() > end:
            hangs = True
            kill_all(child.pid)
        if ended or not typed:
            continue
        if not typed[0][0]:
            os.write(master, typed[0][1].encode())
        elif (len(typed[0]) > 2 or not echoes(slave)) and (at := screen.find(typed[0][0].encode(), seen)) >= 0:
            text, _, name = typed[0][1].partition("@SIG")
            answer = word(screen) if text == "@word" else text.encode()
            if answer is not None:
                seen = at + len(typed[0][0].encode())
                os.write(master, answer)
                if name:
                    # To ask whether there is a line waits until the terminal has what was typed.
                    select.select([slave], [], [], 0)
                    os.killpg(os.tcgetpgrp(master), getattr(signal, f"SIG{name}"))
                typed.pop(0)
    code = "hangs" if hangs else child.returncode
    awaited = typed[0][0] if typed else None
    outcome = {"code": code, "screen": screen.decode(errors="replace"), "echoes": echoes(slave), "awaited": awaited}
    json.dump(outcome, sys.stdout)


main()
