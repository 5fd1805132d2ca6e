# SPDX-License-Identifier: MIT
"""The long versions of the tests, and a table: what, how often, failures.

usage: torture.py BUILD SCALE [NAME...]
SCALE 1 takes hours, 0.1 minutes.  What the tests say is in BUILD/torture.log.
"""
import argparse
import collections
import os
import pathlib
import re
import subprocess
import sys
import time


def count(number, least=1):
    return lambda scale: str(max(least, int(number * scale)))


def every(scale):
    """Of so many places one: all of them at scale 1."""
    return str(max(1, round(1 / scale)))


Entry = collections.namedtuple("Entry", "name program settings")

LIVE = "tests/live/"
ENTRIES = (
    Entry("apply and revert", LIVE + "test_apply_revert",
          {"UPATCH_CYCLES": count(1000)}),
    Entry("amid malloc, dlopen, threads", LIVE + "test_churn",
          {"UPATCH_CYCLES": count(1000)}),
    Entry("random operations", "stress",
          {"UPATCH_STRESS_SECONDS": count(600)}),
    Entry("the operator is killed", LIVE + "test_kill",
          {"UPATCH_KILL_EVERY": every}),
    Entry("the operator is interrupted", LIVE + "test_interrupt",
          {"UPATCH_CYCLES": count(1000)}),
    Entry("the target ends or closes all", LIVE + "test_death",
          {"UPATCH_KILL_EVERY": every}),
    Entry("calls that wait", LIVE + "test_interrupted",
          {"UPATCH_INTERRUPTIONS": count(100)}),
    Entry("signal storms", LIVE + "test_signals",
          {"UPATCH_SIGNAL_SECONDS": count(600)}),
    Entry("faults inside", LIVE + "test_faults",
          {"UPATCH_FAULTS": lambda scale: "all" if scale >= 1 else ""}),
    Entry("several operators", LIVE + "test_operators",
          {"UPATCH_CYCLES": count(1000)}),
    Entry("memory, again and again", LIVE + "test_memory",
          {"UPATCH_CYCLES": count(10000, 100)}),
    Entry("libraries, forks, threads", LIVE + "test_consistency", {}),
    Entry("surroundings", LIVE + "test_surroundings", {}),
    Entry("toolchains", LIVE + "test_toolchains", {}),
    Entry("programs of others", LIVE + "test_programs", {}),
)
FUZZ_SECONDS = 600


def program_of(build, entry):
    if entry.program == "stress":
        return [sys.executable, str(build.parent / "tests/live/stress.py"),
                str(build / "tools/upatchctl/upatchctl"),
                str(build / "tests/victims"), str(build / "tests/patches")]
    return [str(build / entry.program), "--jobs", "1", "--verbose=1"]


def read_tried(path):
    """What the tests say that they tried, summed up."""
    sums = collections.Counter()
    if path.exists():
        for text in path.read_text(encoding="ascii").splitlines():
            number, what = text.split(" ", 1)
            sums[what] += int(number)
        path.unlink()
    return ", ".join(f"{number} {what}" for what, number in sums.items())


def synthesis(output):
    """Criterion's last line: tests, and how many of them failed."""
    found = re.search(r"Tested: (\d+) \| Passing: (\d+)", output)
    if not found:
        return None
    tested, passing = map(int, found.groups())
    return tested, tested - passing


def run_entry(build, entry, scale, log):
    tried = build / "torture.tried"
    tried.unlink(missing_ok=True)
    settings = {key: value(scale) for key, value in entry.settings.items()}
    environment = dict(os.environ, UPATCH_TRIED=str(tried), **settings)
    for key in [key for key, value in settings.items() if not value]:
        del environment[key]
    begin = time.monotonic()
    done = subprocess.run(program_of(build, entry), env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    seconds = time.monotonic() - begin
    print(f"== {entry.name} {settings}\n{done.stdout}", file=log, flush=True)
    tests, failed = synthesis(done.stdout) or (1, int(done.returncode != 0))
    if done.returncode and not failed:
        failed = 1
    what = read_tried(tried)
    return what or f"{tests} tests", failed, seconds


def run_fuzz(build, scale, log):
    seconds = max(5, int(FUZZ_SECONDS * scale))
    begin = time.monotonic()
    done = subprocess.run([build.parent / "scripts/fuzz", str(seconds)],
                          text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    print(f"== fuzz\n{done.stdout}", file=log, flush=True)
    inputs = sum(int(number) for number in
                 re.findall(r": (\d+) inputs", done.stdout))
    return (f"{inputs} inputs", int(done.returncode != 0),
            time.monotonic() - begin)


def put_row(name, tried, failed, seconds):
    print(f"{name:<30} {failed:>8} {seconds:>8.0f} s  {tried}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("scale", type=float)
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="rows that contain it (all)")
    args = parser.parse_args()
    build = args.build.resolve()
    failures = 0
    print(f"{'what':<30} {'failures':>8} {'time':>10}  how often")
    with open(build / "torture.log", "w", encoding="utf-8") as log:
        rows = [(entry.name, lambda entry=entry:
                 run_entry(build, entry, args.scale, log))
                for entry in ENTRIES]
        rows.append(("fuzz", lambda: run_fuzz(build, args.scale, log)))
        for name, run in rows:
            if args.names and not any(part in name for part in args.names):
                continue
            tried, failed, seconds = run()
            put_row(name, tried, failed, seconds)
            failures += failed
    print(f"{failures} failures")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
