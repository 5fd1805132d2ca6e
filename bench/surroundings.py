# SPDX-License-Identifier: MIT
"""What a pause must not depend on: state of the threads, memory, libraries,
stack depth; beside the bare stop of the same process."""
import pathlib
import shutil
import tempfile
import time

import table
from processes import Victim

THREADS = [1, 8, 64, 256, 1000]
STATES = {"blocked": THREADS, "runnable": THREADS}
# That many that compute take a minute: in the first run only.
ONCE = ("runnable", 1000)
MEMORY_GIB = [0, 1, 8]
LIBRARIES = [0, 500]
DEPTHS = [0, 1000]


def measure_pauses(samples, tools, name, column, victim):
    """Of the second apply and revert: the runtime is there.

    The longer it lasts, the longer the longest pause that comes by itself:
    at the end nothing is done for as long as the revert took.
    """
    tools.apply(victim)
    tools.revert(victim)
    for step, operation in (("bare stop", tools.stop_all),
                            ("apply", tools.apply),
                            ("revert", tools.revert)):
        result, pause_ms = victim.pause_of(lambda: operation(victim))
        samples.add_operation(f"{name} {step}", column, result, pause_ms)
    _, pause_ms = victim.pause_of(lambda: time.sleep(result["wall_ms"] / 1e3))
    samples.add(f"{name} nothing pause ms", column, pause_ms)


def available_gib():
    with open("/proc/meminfo", encoding="ascii") as lines:
        for text in lines:
            if text.startswith("MemAvailable:"):
                return int(text.split()[1]) >> 20
    return 0


def load_libraries(victim, tools, count):
    """Copies of one library under other names, so that each is another."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="upatch-bench."))
    for number in range(count):
        path = folder / f"library{number}.so"
        shutil.copyfile(tools.build / "bench/library.so", path)
        answer = victim.ask(f"load {path}")
        if answer != "ok":
            raise RuntimeError(answer)
    shutil.rmtree(folder)


def measure(samples, tools, is_first, progress):
    for state, counts in STATES.items():
        for threads in counts:
            if (state, threads) == ONCE and not is_first:
                continue
            progress(f"{threads} threads, {state}")
            with Victim(tools.build, threads, state) as victim:
                measure_pauses(samples, tools, state, threads, victim)
    for gib in MEMORY_GIB:
        if gib + 2 > available_gib():
            continue
        progress(f"{gib} GiB")
        with Victim(tools.build, 8) as victim:
            if gib:
                victim.ask(f"occupy {gib}")
            measure_pauses(samples, tools, "memory", gib, victim)
    for count in LIBRARIES:
        progress(f"{count} libraries")
        with Victim(tools.build, 8) as victim:
            load_libraries(victim, tools, count)
            measure_pauses(samples, tools, "libraries", count, victim)
    for depth in DEPTHS:
        progress(f"{depth} frames")
        with Victim(tools.build, 8, "sleeping", depth) as victim:
            measure_pauses(samples, tools, "depth", depth, victim)


def print_pauses(samples, title, name, columns):
    table.header(title, columns)
    for title, step in (("bare stop", "bare stop"), ("apply", "apply"),
                        ("revert", "revert"),
                        ("nothing as long", "nothing")):
        table.medians(samples, f"pause, {title}, ms",
                      f"{name} {step} pause ms", columns)
    for step in ("apply", "revert"):
        table.ratios(samples, f"pause, {step} / bare stop",
                     f"{name} {step} pause ms", f"{name} bare stop pause ms",
                     columns, "1.5")
    table.medians(samples, "revert, library, ms", f"{name} revert total ms",
                  columns)


def print_all(samples):
    for state, counts in STATES.items():
        print_pauses(samples, f"threads, {state}", state, counts)
    print_pauses(samples, "resident GiB, 8 threads", "memory", MEMORY_GIB)
    print_pauses(samples, "libraries, 8 threads", "libraries", LIBRARIES)
    print_pauses(samples, "frames of each stack, 8 threads", "depth", DEPTHS)
