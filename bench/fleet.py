# SPDX-License-Identifier: MIT
"""Wall time of a check of many symbols, and of one command for many processes."""
import json
import pathlib
import subprocess
import tempfile

import table
from processes import timed

SYMBOLS = 200_000
COUNTS = [1000, 4000]
STEPS = ["first apply", "revert", "apply"]
CHECK_ROUNDS = 5


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


def measure_checks(samples, tools):
    with tempfile.TemporaryDirectory() as folder:
        program = write_program(pathlib.Path(folder))
        stripped = program.with_name("stripped")
        subprocess.run(["strip", "-o", stripped, program], check=True)
        for path, column in ((program, "symbols"), (stripped, "stripped")):
            for _ in range(CHECK_ROUNDS):
                _, wall_ms = timed(tools.upatchctl, "check",
                                   tools.patch("one"), path)
                samples.add("check ms", column, wall_ms)


def measure_processes(samples, tools, count):
    program = (tools.build / "bench/waiter").resolve()
    selector = f"exe:{program}"
    processes = [subprocess.Popen([program, "0", "1"], stdout=subprocess.PIPE)
                 for _ in range(count)]
    try:
        for process in processes:
            process.stdout.readline()
        for step, words in zip(STEPS, (
                ("apply", selector, tools.patch("one")),
                ("revert", selector, "one"),
                ("apply", selector, tools.patch("one")))):
            output, wall_ms = timed(tools.upatchctl, *words, "--json")
            if not all(done["ok"] for done in json.loads(output)):
                raise RuntimeError(f"{words[0]} {selector}: {output}")
            samples.add(f"{count} processes s", step, wall_ms / 1000)
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.stdout.close()
            process.wait()


def measure(samples, tools, progress):
    progress(f"check of {SYMBOLS} symbols")
    measure_checks(samples, tools)
    for count in COUNTS:
        progress(f"{count} processes")
        measure_processes(samples, tools, count)


def print_all(samples):
    columns = ["symbols", "stripped"]
    table.header(f"check, {SYMBOLS} symbols", columns)
    table.medians(samples, "command, ms", "check ms", columns, "300", 0)
    table.header("one command for many", STEPS)
    for count, aim in zip(COUNTS, ("6", "30")):
        table.medians(samples, f"{count} processes, s", f"{count} processes s",
                      STEPS, aim)
