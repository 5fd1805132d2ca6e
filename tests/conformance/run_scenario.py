#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plays a scenario on a victim and compares the log with its transcript.

A scenario is a text file.  Lines that begin with '#' are comments.
  victim NAME ARGS...      start it; $VICTIMS stands for their directory
  > COMMAND                send a command to the victim ...
  < LINE                   ... and this is its next line
  <~ PATTERN               ... or one that this regular expression matches
  apply PATCH OPTIONS = STATUS     run upatchctl; so do revert NAME, wait,
                                   reverse and force
  fork                     let the victim fork
  child, parent            whom the steps that follow are about
  status                   the indented lines that follow are all patches
                           that `status` lists, and the transition if one runs
  log                      the indented lines that follow are all events since
                           the last `log`; one that begins with '?' may be
                           missing
usage: run_scenario.py UPATCHCTL VICTIMS PATCHES SCENARIO
"""
import json
import os
import re
import select
import subprocess
import sys

LINE_LIMIT_S = 30
COMMAND_LIMIT_S = 90


class Failure(Exception):
    """What differs from the scenario; the message is all there is to say."""


class Victim:
    """A program that says "ready" and answers commands with lines."""

    def __init__(self, directory, words):
        self.process = subprocess.Popen(
            [os.path.join(directory, words[0])] + words[1:],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=dict(os.environ, TARGET_VERBOSE="1"))
        self.pending = b""
        self.expect("ready")

    @property
    def target(self):
        return str(self.process.pid)

    def send(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def read_line(self):
        while b"\n" not in self.pending:
            ready, _, _ = select.select([self.process.stdout], [], [],
                                        LINE_LIMIT_S)
            data = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            if not data:
                raise Failure("the victim says nothing more")
            self.pending += data
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode()

    def expect(self, expected):
        line = self.read_line()
        if line != expected:
            raise Failure(f"the victim says '{line}', expected '{expected}'")

    def expect_like(self, pattern):
        line = self.read_line()
        if not re.fullmatch(pattern, line):
            raise Failure(f"the victim says '{line}', expected '{pattern}'")

    def stop(self):
        self.process.stdin.close()
        status = self.process.wait(LINE_LIMIT_S)
        if status != 0:
            raise Failure(f"the victim ended with status {status}")


def event_line(entry):
    """One event in the words of the scenarios."""
    words = [entry["event"], entry["patch"]]
    words += [entry[key] for key in ("direction", "callback") if key in entry]
    if "object" in entry:
        words.append(entry["object"] or "main")
    words += [str(entry[key]) for key in ("phase", "ret") if key in entry]
    return " ".join(words)


class Player:
    """Walks through the steps of one scenario."""

    def __init__(self, upatchctl, victims, patches):
        self.upatchctl = upatchctl
        self.victims = victims
        self.patches = patches
        self.victim = None
        # whom it is about: process id, and how many events were compared
        self.target = None
        self.child = None
        self.seen = {}

    def run_upatchctl(self, words):
        return subprocess.run([self.upatchctl] + words, text=True,
                              capture_output=True, timeout=COMMAND_LIMIT_S,
                              check=False)

    def start(self, words):
        words = [word.replace("$VICTIMS", self.victims) for word in words]
        self.victim = Victim(self.victims, words)
        self.target = self.victim.target
        self.seen[self.target] = 0

    def fork(self):
        self.victim.send("fork")
        answer = self.victim.read_line()
        if not re.fullmatch(r"forked \d+", answer):
            raise Failure(f"the victim says '{answer}' and does not fork")
        self.child = answer.split()[1]
        # It has the log of its parent.
        self.seen[self.child] = self.seen[self.target]

    def operate(self, command, words):
        *words, _, status = words
        operands = [self.target]
        if command == "apply":
            operands.append(os.path.join(self.patches, words.pop(0) + ".so"))
        elif command == "revert":
            operands.append(words.pop(0))
        done = self.run_upatchctl([command] + words + operands)
        if done.returncode != int(status):
            raise Failure(f"upatchctl {command}: exit status "
                          f"{done.returncode}, expected {status}: "
                          f"{done.stderr.strip()}")

    def compare_log(self, expected):
        done = self.run_upatchctl(["log", "--json", self.target])
        if done.returncode != 0:
            raise Failure("upatchctl log: " + done.stderr.strip())
        events = [event_line(json.loads(line))
                  for line in done.stdout.splitlines()]
        new, self.seen[self.target] = (events[self.seen[self.target]:],
                                       len(events))
        wanted = [line.lstrip("?") for line in expected
                  if not line.startswith("?") or line[1:] in new]
        if new != wanted:
            raise Failure("the log reads\n  " + "\n  ".join(new) +
                          "\nexpected\n  " + "\n  ".join(wanted))

    def compare_status(self, expected):
        done = self.run_upatchctl(["status", "--json", self.target])
        if done.returncode != 0:
            raise Failure("upatchctl status: " + done.stderr.strip())
        status = json.loads(done.stdout)
        found = []
        for patch in status["patches"]:
            words = [patch["name"], patch["state"]]
            words += ["forced"] if patch["forced"] else []
            found.append(" ".join(words))
        if status["transition"]:
            found.append("transition " + status["transition"]["patch"])
        if found != expected:
            raise Failure("the status reads\n  " + "\n  ".join(found) +
                          "\nexpected\n  " + "\n  ".join(expected))

    def play(self, steps):
        for number, text, block in steps:
            word, *rest = text.split()
            try:
                if word == "victim":
                    self.start(rest)
                elif word == ">":
                    self.victim.send(" ".join(rest))
                elif word == "<":
                    self.victim.expect(" ".join(rest))
                elif word == "<~":
                    self.victim.expect_like(" ".join(rest))
                elif word == "log":
                    self.compare_log(block)
                elif word == "status":
                    self.compare_status(block)
                elif word == "fork":
                    self.fork()
                elif word == "child":
                    self.target = self.child
                elif word == "parent":
                    self.target = self.victim.target
                else:
                    self.operate(word, rest)
            except Failure as failure:
                raise Failure(f"line {number}: {text}: {failure}") from None
        self.victim.stop()


def read_steps(path):
    """(line number, step, indented lines below it) for each step."""
    steps = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            text = line.rstrip("\n")
            if not text.strip() or text.startswith("#"):
                continue
            if text[0].isspace():
                steps[-1][2].append(text.strip())
            else:
                steps.append((number, text, []))
    return steps


def main():
    upatchctl, victims, patches, scenario = sys.argv[1:]
    player = Player(os.environ.get("UPATCHCTL", upatchctl), victims, patches)
    try:
        player.play(read_steps(scenario))
    except Failure as failure:
        print(f"{scenario}: {failure}", file=sys.stderr)
        return 1
    finally:
        if player.victim is not None:
            player.victim.process.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
