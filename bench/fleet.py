#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Wall time: of one operation, of a check, of many processes.

fleet.py BUILD [COUNT...]: the aim stands beside each figure; so does what the
same machine takes for the start of /bin/true, as it may be busy otherwise.
COUNT: how many processes (1000 4000).
"""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from processes import Tools, Victim, timed

SYMBOLS = 200_000
ROUNDS = 15
PER_PROCESS_MS = {1000: 6.0, 4000: 7.5}


def row(what, value, unit, aim):
    verdict = "" if value <= aim else "  above"
    print(f"{what:<52} {value:9.2f} {unit:<3} aim {aim:7.1f}{verdict}",
          flush=True)


def operations(tools):
    """One process with eight threads; `true` between the operations."""
    walls = {"true": [], "first": [], "again": [], "host": []}
    for _ in range(ROUNDS):
        with Victim(tools.build, 8) as victim:
            walls["true"].append(timed("/bin/true")[1])
            first = tools.apply(victim)
            tools.revert(victim)
            again = tools.apply(victim)
        walls["first"].append(first["wall_ms"])
        walls["host"].append(first["host_us"] / 1e3)
        walls["again"].append(again["wall_ms"])
    median = {name: statistics.median(ms) for name, ms in walls.items()}
    print(f"{'the start of /bin/true, median':<52} {median['true']:9.2f} ms")
    row("apply, 8 threads, the first time, median", median["first"], "ms", 8)
    row("  its borrowed thread is away", median["host"], "ms", 1)
    row("apply, 8 threads, again, median", median["again"], "ms", 5)
    return median


def write_program(folder):
    """A program with SYMBOLS functions, and bench/victim's `called`."""
    source = folder / "many.s"
    with open(source, "w", encoding="ascii") as out:
        print("\t.text", file=out)
        for i in range(SYMBOLS):
            name = f"_ZN4some9namespace{i % 97}E{len(str(i)) + 6}method{i}Ev"
            print(f"\t.globl {name}\n\t.type {name},@function\n{name}:\n"
                  f"\tmov ${i},%eax\n\tret\n\t.size {name},.-{name}",
                  file=out)
        print('\t.section .note.GNU-stack,"",@progbits', file=out)
    main = folder / "main.c"
    main.write_text("static volatile int step = 1;\n"
                    "__attribute__((noipa)) int work(int x)\n"
                    "{ return x + step; }\n"
                    "int main(void) { return work(1); }\n", encoding="ascii")
    program = folder / "many"
    subprocess.run(["cc", "-O2", "-g", "-rdynamic", "-o", program, main,
                    source], check=True)
    return program


def checks(tools):
    patch = tools.build / "tests/patches/work.so"
    with tempfile.TemporaryDirectory() as folder:
        program = write_program(pathlib.Path(folder))
        stripped = program.with_name("stripped")
        subprocess.run(["strip", "-o", stripped, program], check=True)
        for path in program, stripped:
            walls = [timed(tools.upatchctl, "check", patch, path)[1]
                     for _ in range(ROUNDS)]
            row(f"check, {SYMBOLS} symbols, {path.name}, median",
                statistics.median(walls), "ms", 300)


def fleet(tools, count):
    victim = tools.build / "tests/victims/idle"
    patch = tools.build / "tests/patches/work.so"
    selector = f"exe:{os.path.realpath(victim)}"
    reader, writer = os.pipe()
    victims = [subprocess.Popen([victim], stdin=reader, stdout=subprocess.PIPE)
               for _ in range(count)]
    try:
        for process in victims:
            process.stdout.readline()
        for name, words in (("first", ["apply", selector, patch]),
                            ("revert", ["revert", selector, "work"]),
                            ("again", ["apply", selector, patch])):
            output, wall_ms = timed(tools.upatchctl, *words, "--json")
            assert all(done["ok"] for done in json.loads(output))
            row(f"{count} processes, {name}", wall_ms / 1e3, "s",
                count * PER_PROCESS_MS.get(count, 6.0) / 1e3)
    finally:
        os.close(writer)
        os.close(reader)
        for process in victims:
            process.stdout.close()
            process.kill()
        for process in victims:
            process.wait()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    tools = Tools(pathlib.Path(sys.argv[1]).resolve())
    begin = time.monotonic()
    operations(tools)
    checks(tools)
    for count in [int(word) for word in sys.argv[2:]] or [1000, 4000]:
        fleet(tools, count)
    print(f"{time.monotonic() - begin:.0f} s in all")


if __name__ == "__main__":
    main()
