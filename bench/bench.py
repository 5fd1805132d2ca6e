#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures what a patch costs a process; one table, all of one run.

usage: bench.py BUILD [-n RUNS] [-c CYCLES] [-t SECONDS] [SECTION...]
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

import convergence
import fleet
import plots
import servers
import surroundings
from processes import Tools, Victim, timed
from table import cell, header, line, medians, ratios

THREADS = [1, 8, 64, 256, 1000]
FUNCTIONS = ["one", "many10", "many100", "many1000"]
# function of the victim: the patch that replaces it
CALLED = {"caller": "caller", "library_caller": "library_caller",
          "work": "one", "leaf": "leaf"}
# the same behind a jump of five bytes
BARE_JUMPS = {"caller_jump": "caller", "library_jump": "library_caller"}
PLAIN_AIM = "behind a jump + 1 cycle"
NOTHING_S = 0.01
# memory is looked at after so many, and at the end
MEMORY_CYCLES = [100, 1000, 10000]


class Samples:
    """Every figure of a run by name and column, as often as it was taken."""

    def __init__(self):
        self.values = {}

    def add(self, name, column, value):
        self.values.setdefault(name, {}).setdefault(column, []).append(value)

    def median(self, name, column):
        values = self.values.get(name, {}).get(column)
        return statistics.median(values) if values else None

    def add_operation(self, name, column, result, pause_ms):
        self.add(f"{name} wall ms", column, result["wall_ms"])
        self.add(f"{name} pause ms", column, pause_ms)
        for key in ("total_us", "barrier_us", "host_us", "seize_us"):
            if key in result:
                self.add(f"{name} {key[:-3]} ms", column, result[key] / 1000)


def measure_threads(samples, tools, threads):
    """One process from its first patch to its second revert."""
    with Victim(tools.build, threads) as victim:
        steps = [
            ("nothing", lambda: time.sleep(NOTHING_S)),
            ("bare stop", lambda: tools.stop_all(victim)),
            ("first apply", lambda: tools.apply(victim)),
            ("first revert", lambda: tools.revert(victim)),
            ("apply", lambda: tools.apply(victim)),
            ("revert", lambda: tools.revert(victim)),
        ]
        for name, step in steps:
            result, pause_ms = victim.pause_of(step)
            if result is None:
                samples.add(f"{name} pause ms", threads, pause_ms)
            else:
                samples.add_operation(name, threads, result, pause_ms)


def measure_gdb(samples, tools, threads):
    with Victim(tools.build, threads) as victim:
        result, pause_ms = victim.pause_of(lambda: tools.gdb_dlopen(victim))
        samples.add_operation("gdb", threads, result, pause_ms)


def measure_functions(samples, tools, name):
    """Patches of many functions, in a process of 8 threads."""
    with Victim(tools.build, 8) as victim:
        tools.apply(victim)
        tools.revert(victim)
        result, pause_ms = victim.pause_of(lambda: tools.apply(victim, name))
        samples.add_operation("functions apply", name, result, pause_ms)
        result, pause_ms = victim.pause_of(lambda: tools.revert(victim, name))
        samples.add_operation("functions revert", name, result, pause_ms)


def is_shielded(tools, victim, patch):
    answer, _ = timed(tools.upatchctl, "check", tools.patch(patch),
                      victim.pid, "--json")
    return json.loads(answer)["funcs"][0]["shielded"]


def measure_calls(samples, tools):
    """What one call costs; the loop around it is the same before and after."""
    with Victim(tools.build, 0) as victim:
        victim.ask(f"load {tools.build / 'bench/library.so'}")
        for loop in ("cycle", *BARE_JUMPS):
            samples.add("call ns", loop, float(victim.ask(loop)))
        for function, patch in CALLED.items():
            samples.add("shielded", function,
                        is_shielded(tools, victim, patch))
            samples.add("call ns", f"{function} before",
                        float(victim.ask(function)))
            tools.apply(victim, patch)
            samples.add("call ns", f"{function} patched",
                        float(victim.ask(function)))
            tools.revert(victim, patch)
            samples.add("call ns", f"{function} reverted",
                        float(victim.ask(function)))


def measure_memory(samples, tools, cycles):
    """What is left in a process that was patched, once and often."""
    with Victim(tools.build, 8) as victim:
        before = victim.memory()
        for cycle in range(1, cycles + 1):
            tools.apply(victim)
            if cycle == 1:
                note_memory(samples, "applied", before, victim.memory())
            tools.revert(victim)
            if cycle == 1:
                note_memory(samples, "reverted", before, victim.memory())
            if cycle in MEMORY_CYCLES:
                note_memory(samples, str(cycle), before, victim.memory())
        note_memory(samples, "cycles", before, victim.memory())
        tools.apply(victim)
        note_memory(samples, "again", before, victim.memory())
    for name in FUNCTIONS:
        with Victim(tools.build, 8) as victim:
            before = victim.memory()
            tools.apply(victim, name)
            note_memory(samples, name, before, victim.memory())


def note_memory(samples, column, before, after):
    for key, value in after.items():
        samples.add(f"memory {key}", column, value - before[key])


# --- The table --------------------------------------------------------------

def print_threads(samples):
    header("threads", THREADS)
    for title, name, aim in (
            ("first apply, command, ms", "first apply wall ms", "10"),
            ("first apply, library", "first apply total ms", "8 at 8"),
            ("apply, command", "apply wall ms", "10"),
            ("apply, library", "apply total ms", "5 at 8"),
            ("revert, command", "revert wall ms", ""),
            ("revert, library", "revert total ms", ""),
            ("gdb dlopen, command", "gdb wall ms", ""),
            ("pause, nothing done, ms", "nothing pause ms", ""),
            ("pause, bare stop", "bare stop pause ms", ""),
            ("pause, first apply", "first apply pause ms", "1 at 64"),
            ("pause, apply", "apply pause ms", "1 at 64"),
            ("pause, revert", "revert pause ms", "1 at 64"),
            ("pause, gdb dlopen", "gdb pause ms", ""),
            ("barrier, bare stop, ms", "bare stop barrier ms", ""),
            ("barrier, apply", "apply barrier ms", "1 at 64"),
            ("barrier, revert", "revert barrier ms", "1 at 64"),
            ("host borrowed, first apply, ms", "first apply host ms", "1"),
            ("host borrowed, apply", "apply host ms", "1")):
        medians(samples, title, name, THREADS, aim)
    for step in ("apply", "revert"):
        ratios(samples, f"pause, {step} / bare stop", f"{step} pause ms",
               "bare stop pause ms", THREADS, "1.5")
    ratios(samples, "barrier, apply / bare stop", "apply barrier ms",
           "bare stop barrier ms", THREADS, "1.5")


def print_functions(samples):
    header("functions in the patch, 8 threads", [1, 10, 100, 1000])
    for title, name, aim in (
            ("apply, library, ms", "functions apply total ms", "5 at 1"),
            ("revert, library", "functions revert total ms", ""),
            ("barrier, apply", "functions apply barrier ms", "as for 1"),
            ("barrier, revert", "functions revert barrier ms", "as for 1"),
            ("pause, apply", "functions apply pause ms", "as for 1"),
            ("pause, revert", "functions revert pause ms", "as for 1")):
        medians(samples, title, name, FUNCTIONS, aim)


def print_calls(samples):
    states = ["before", "patched", "reverted"]
    header("call, ns", states + ["added"])
    for function in CALLED:
        values = [samples.median("call ns", f"{function} {state}")
                  for state in states]
        shielded = samples.values["shielded"][function][-1]
        line(f"{function}(), {'shielded' if shielded else 'plain gate'}",
             [cell(value) for value in values] + [cell(values[1] - values[0])],
             PLAIN_AIM if function == "library_caller" else "")
    for jump, function in BARE_JUMPS.items():
        behind = samples.median("call ns", jump)
        before = samples.median("call ns", f"{function} before")
        line(f"{function}() behind a bare 5-byte jump",
             [cell(None), cell(behind), cell(None), cell(behind - before)])
    line("a cycle", [cell(samples.median("call ns", "cycle"))])


def print_memory(samples, cycles):
    marks = [mark for mark in MEMORY_CYCLES if mark < cycles]
    columns = (["applied", "reverted"] + [str(mark) for mark in marks] +
               ["cycles", "again"])
    header("left in the target", ["applied", "reverted"] +
           [f"{mark}x" for mark in marks + [cycles]] + ["applied"])
    for title, key, aim in (("RSS, KiB", "rss_kib", ""),
                            ("private dirty, KiB", "private_kib", "128"),
                            ("maps", "maps", "no growth"),
                            ("descriptors", "fds", "0")):
        medians(samples, title, f"memory {key}", columns, aim, digits=0)
    print_memory_of_functions(samples)


def print_memory_of_functions(samples):
    counts = [1, 10, 100, 1000]
    kib = [samples.median("memory private_kib", name) for name in FUNCTIONS]
    header("functions in the patch", counts)
    line("private dirty, KiB", [cell(value, 0) for value in kib])
    line("for each but the first, bytes",
         [cell(None)] + [cell((value - kib[0]) * 1024 / (count - 1), 0)
                         for value, count in zip(kib[1:], counts[1:])],
         "64 + gate")


# --- The run ----------------------------------------------------------------

def first_match(path, key):
    with open(path, encoding="utf-8") as lines:
        for text in lines:
            if text.startswith(key):
                return text.split(":", 1)[1].strip()
    return "unknown"


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.split("\n")[0].strip() or "unknown"


def describe_machine(tools):
    root = pathlib.Path(__file__).parent
    return {
        "upatch": output_of(str(tools.upatchctl), "--version"),
        "commit": output_of("git", "-C", str(root), "describe", "--always",
                            "--dirty", "--exclude=*"),
        "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "processor": first_match("/proc/cpuinfo", "model name"),
        "processors": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "gdb": output_of("gdb", "--version"),
        "load": os.getloadavg()[0],
    }


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def measure_base(samples, tools, runs):
    for run in range(runs):
        for threads in THREADS:
            progress(f"run {run + 1} of {runs}, {threads} threads")
            measure_threads(samples, tools, threads)
            if run < 3:
                measure_gdb(samples, tools, threads)
        for name in FUNCTIONS:
            measure_functions(samples, tools, name)
        if run < 3:
            measure_calls(samples, tools)


SECTIONS = ("base", "surroundings", "convergence", "memory", "fleet",
            "servers")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-n", "--runs", type=int, default=10)
    parser.add_argument("-c", "--cycles", type=int, default=1000)
    parser.add_argument("-t", "--seconds", type=int, default=30,
                        help="under load, for each server")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("sections", nargs="*", metavar="SECTION",
                        help=" ".join(SECTIONS) + " (all)")
    return parser.parse_intermixed_args()


def measure(samples, tools, args, sections):
    """Everything but the servers, whose results are returned."""
    under_load = {}
    if "base" in sections:
        measure_base(samples, tools, args.runs)
    for run in range(args.runs):
        if "surroundings" in sections:
            surroundings.measure(samples, tools, run == 0, progress)
        if "convergence" in sections:
            convergence.measure(samples, tools, progress)
    if "memory" in sections:
        progress(f"{args.cycles} times apply and revert")
        measure_memory(samples, tools, args.cycles)
    if "fleet" in sections:
        fleet.measure(samples, tools, progress)
    if "servers" in sections:
        under_load = servers.measure(tools, args.seconds, progress)
    progress("")
    return under_load


def print_sections(samples, under_load, args, sections):
    if "base" in sections:
        print_threads(samples)
        print_functions(samples)
        print_calls(samples)
    if "surroundings" in sections:
        surroundings.print_all(samples)
    if "convergence" in sections:
        convergence.print_all(samples)
    if "memory" in sections:
        print_memory(samples, args.cycles)
    if "fleet" in sections:
        fleet.print_all(samples)
    if "servers" in sections:
        servers.print_results(under_load)


def main():
    args = parse_arguments()
    sections = args.sections or SECTIONS
    tools = Tools(args.build.resolve())
    machine = describe_machine(tools)
    samples = Samples()
    under_load = measure(samples, tools, args, sections)
    for key, value in machine.items():
        print(f"{key}: {value}")
    print(f"medians of {args.runs} runs (gdb and calls: "
          f"{min(args.runs, 3)}); aims are no limits")
    print_sections(samples, under_load, args, sections)
    with open(tools.build / "bench.json", "w", encoding="utf-8") as file:
        json.dump({"machine": machine, "runs": args.runs,
                   "cycles": args.cycles, "samples": samples.values,
                   "servers": under_load}, file, indent=1)
    for path in plots.draw(tools.build / "plots", samples, under_load,
                           THREADS, FUNCTIONS, surroundings.MEMORY_GIB):
        print(path)


if __name__ == "__main__":
    main()
