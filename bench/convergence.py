# SPDX-License-Identifier: MIT
"""How soon threads move that are nearly always inside the function."""
import json
import os
import subprocess
import threading
import time

import table

BUSY_THREADS = 64
CALL_MS = 1000


class Waiter:
    """bench/waiter; keeps when its calls returned."""

    def __init__(self, tools, threads, what):
        self.process = subprocess.Popen(
            [tools.build / "bench/waiter", str(threads), str(what)],
            stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.returns_ns = []
        self.is_ready = threading.Event()
        threading.Thread(target=self.read, daemon=True).start()

    def __enter__(self):
        self.is_ready.wait()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def read(self):
        for text in self.process.stdout:
            if text == "ready\n":
                self.is_ready.set()
            else:
                self.returns_ns.append(int(text))


def operate(tools, *words):
    """The answer, processor seconds of upatchctl, and when it ended."""
    command = [str(word) for word in (tools.upatchctl, *words, "--json")]
    begin = time.monotonic_ns()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    end = time.monotonic_ns()
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)}: {output}")
    return (json.loads(output), usage.ru_utime + usage.ru_stime,
            (end - begin) / 1e9, end)


def measure_busy(samples, tools):
    with Waiter(tools, BUSY_THREADS, "busy") as waiter:
        for word, operand in (("apply", tools.patch("one")),
                              ("revert", "one")):
            answer, *_ = operate(tools, word, waiter.pid, operand)
            samples.add("busy total ms", word, answer["total_us"] / 1000)


def measure_slow_call(samples, tools):
    with Waiter(tools, 1, CALL_MS) as waiter:
        operate(tools, "apply", waiter.pid, tools.patch("one"))
        operate(tools, "revert", waiter.pid, "one")
        while not waiter.returns_ns:
            time.sleep(0.01)
        time.sleep(0.1)
        _, cpu_s, wall_s, end = operate(tools, "apply", waiter.pid,
                                        tools.patch("one"))
        after = [end - moment for moment in list(waiter.returns_ns)
                 if moment < end]
        samples.add("slow call", "ms after return", min(after) / 1e6)
        samples.add("slow call", "processor %", 100 * cpu_s / wall_s)


def measure(samples, tools, progress):
    progress("threads that are always inside")
    measure_busy(samples, tools)
    measure_slow_call(samples, tools)


def print_all(samples):
    table.header(f"{BUSY_THREADS} threads, 99.9 % inside",
                 ["apply", "revert"])
    table.medians(samples, "all have moved, library, ms", "busy total ms",
                  ["apply", "revert"], "100")
    columns = ["ms after return", "processor %"]
    table.header("a call that returns once a second", ["ms", "% of a CPU"])
    table.medians(samples, "upatchctl ends, and has used", "slow call",
                  columns, "10 ms, 5 %")
