#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Operations at random on a program that does everything at once.

After each of them the program's threads have seen no mix of versions, and the
status is what follows from the log.
usage: stress.py UPATCHCTL VICTIMS PATCHES
UPATCH_STRESS_SECONDS says how long, UPATCH_STRESS_SEED repeats a run.
"""
import json
import os
import random
import select
import subprocess
import sys
import time

PATCHES = ("stress_2", "stress_3", "stress_library", "stress_replace",
           "stress_replace_all")
REPLACING = {"stress_replace", "stress_replace_all"}
DONE, BUSY, TIMED_OUT = 0, 6, 7
SHORT = ["--timeout", "0.05"]


class Failure(Exception):
    """What is wrong; the message is all there is to say."""


class Victim:
    """The program; it answers each line with a line."""

    def __init__(self, directory):
        self.process = subprocess.Popen(
            [os.path.join(directory, "stress"),
             os.path.join(directory, "libtarget_a.so")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pending = b""
        self.read_line()

    def read_line(self):
        while b"\n" not in self.pending:
            ready, _, _ = select.select([self.process.stdout], [], [], 30)
            text = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            if not text:
                raise Failure("the program says nothing more "
                              f"(status {self.process.poll()})")
            self.pending += text
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode()

    def report(self):
        self.process.stdin.write(b"report\n")
        self.process.stdin.flush()
        words = self.read_line().split()[1:]
        return {name: int(value)
                for name, value in (word.split("=") for word in words)}

    def stop(self):
        self.process.stdin.close()
        status = self.process.wait(30)
        if status != 0:
            raise Failure(f"the program ended with status {status}")


class Replay:
    """What the log says: the patches, the transition, callbacks in pairs."""

    def __init__(self):
        self.states = {}
        self.moving = None
        self.next_seq = 1
        # (patch, object): "pre_patch" or "post_patch", whose partner is owed
        self.owed = {}

    def forget(self, patch):
        self.states.pop(patch, None)
        for key in [key for key in self.owed if key[0] == patch]:
            del self.owed[key]

    def call(self, patch, entry):
        key = patch, entry["object"]
        before = {"pre_patch": None, "post_patch": "pre_patch",
                  "pre_unpatch": "post_patch", "post_unpatch": "pre_patch"}
        name = entry["callback"]
        if self.owed.get(key) != before[name]:
            raise Failure(f"event {entry['seq']}: {name} of {key} after "
                          f"{self.owed.get(key)}")
        self.owed[key] = {"pre_patch": "pre_patch", "post_patch": "post_patch",
                          "pre_unpatch": "pre_patch",
                          "post_unpatch": None}[name]

    def complete(self, patch, patching):
        self.moving = None
        if not patching:
            self.states[patch] = "leaving"
        elif patch in REPLACING and self.states[patch] == "patching" \
                and not self.was_enabled:
            for other in [name for name in self.states if name != patch]:
                self.forget(other)

    def take(self, entry):
        event, patch = entry["event"], entry["patch"]
        patching = entry.get("direction") == "patching"
        if event == "enable":
            if patch in self.states:
                raise Failure(f"{patch} is enabled twice")
            self.states[patch] = "init"
            self.was_enabled = False
        elif event == "init":
            if self.moving:
                raise Failure(f"{patch} begins, {self.moving} is not done")
            self.moving = patch
            if not patching:
                self.was_enabled = True
        elif event == "start":
            self.states[patch] = "patching" if patching else "unpatching"
        elif event in ("complete", "cancel"):
            self.complete(patch, patching)
        elif event == "done" and patching:
            self.states[patch] = "enabled"
        elif event == "done":
            owed = [key for key in self.owed
                    if key[0] == patch and self.owed[key]]
            if owed:
                raise Failure(f"{owed} got no post_unpatch")
            self.forget(patch)
        elif event == "callback":
            self.call(patch, entry)

    def take_all(self, entries, status):
        new = [entry for entry in entries if entry["seq"] >= self.next_seq]
        if new and new[0]["seq"] > self.next_seq:
            raise Failure(f"events {self.next_seq} to {new[0]['seq']} are lost")
        for entry in new:
            self.take(entry)
        if new:
            self.next_seq = new[-1]["seq"] + 1
        listed = {patch["name"]: patch["state"] for patch in status["patches"]}
        moving = status["transition"] and status["transition"]["patch"]
        if listed != self.states or moving != self.moving:
            raise Failure(f"the status says {listed}, {moving}; the log says "
                          f"{self.states}, {self.moving}")


class Driver:
    """Chooses, does and checks one step after the other."""

    def __init__(self, upatchctl, patches, victim, chooser):
        self.upatchctl = upatchctl
        self.patches = patches
        self.victim = victim
        self.chooser = chooser
        self.replay = Replay()
        self.steps = []
        self.counts = {}
        self.done = {}

    def run(self, words):
        return subprocess.run([self.upatchctl] + words, text=True,
                              capture_output=True, timeout=90, check=False)

    def operate(self, words, *expected):
        target = str(self.victim.process.pid)
        self.steps.append(" ".join(words))
        command, *operands = words
        options = [word for word in operands if not word.startswith("stress")]
        names = [word for word in operands if word.startswith("stress")]
        if command == "apply":
            names = [os.path.join(self.patches, names[0] + ".so")]
        done = self.run([command] + options + [target] + names)
        self.steps[-1] += f" = {done.returncode}"
        key = command, done.returncode
        self.done[key] = self.done.get(key, 0) + 1
        if done.returncode not in expected:
            raise Failure(f"{done.stderr.strip()}")

    def choose(self):
        states, name = self.replay.states, self.chooser.choice(PATCHES)
        if self.replay.moving:
            choice = self.chooser.random()
            if choice < 0.4:
                self.operate(["reverse"] + SHORT, DONE, TIMED_OUT)
            elif choice < 0.6:
                self.operate(["apply", name], BUSY)
            else:
                self.operate(["wait"], DONE)
            return
        options = self.chooser.choice([[], SHORT, SHORT + ["--on-timeout",
                                                           "leave"]])
        if name in states:
            self.operate(["revert"] + options + [name], DONE, TIMED_OUT)
        else:
            self.operate(["apply"] + options + [name], DONE, TIMED_OUT, BUSY)

    def json_of(self, command):
        done = self.run([command, "--json", str(self.victim.process.pid)])
        if done.returncode != 0:
            raise Failure(f"{command}: {done.stderr.strip()}")
        return done.stdout

    def check(self):
        status = json.loads(self.json_of("status"))
        entries = [json.loads(line)
                   for line in self.json_of("log").splitlines()]
        self.replay.take_all(entries, status)
        report = self.victim.report()
        for name, value in report.items():
            self.counts[name] = self.counts.get(name, 0) + value
        if report["mixes"]:
            raise Failure(f"{report['mixes']} calls saw a mix")

    def step(self):
        self.choose()
        self.check()

    def finish(self):
        self.operate(["wait"], DONE)
        self.check()
        for name in list(self.replay.states):
            self.operate(["revert", name], DONE)
            self.check()
        self.victim.stop()


def main():
    upatchctl, victims, patches = sys.argv[1:]
    upatchctl = os.environ.get("UPATCHCTL", upatchctl)
    seconds = float(os.environ.get("UPATCH_STRESS_SECONDS", "8"))
    seed = int(os.environ.get("UPATCH_STRESS_SEED", random.randrange(10 ** 9)))
    print(f"seed {seed}", flush=True)
    victim = Victim(victims)
    driver = Driver(upatchctl, patches, victim, random.Random(seed))
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            driver.step()
        driver.finish()
    except Failure as failure:
        print("\n".join(driver.steps[-20:]), file=sys.stderr)
        print(f"seed {seed}, step {len(driver.steps)}: {failure} "
              f"(status of the program: {victim.process.poll()})",
              file=sys.stderr)
        return 1
    finally:
        victim.process.kill()
    if "UPATCH_TRIED" in os.environ:
        with open(os.environ["UPATCH_TRIED"], "a", encoding="ascii") as file:
            print(len(driver.steps), "random steps", file=file)
    print(f"{len(driver.steps)} steps: {driver.done}; {driver.counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
