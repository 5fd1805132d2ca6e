# SPDX-License-Identifier: MIT
"""The processes that are measured, and those that measure them."""
import json
import os
import subprocess
import time


class Victim:
    """bench/victim: threads that call a function and sleep in between."""

    def __init__(self, build, threads, state="sleeping", depth=0):
        self.process = subprocess.Popen(
            [build / "bench/victim", str(threads), state, str(depth)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            bufsize=1)
        self.pid = self.process.pid
        self.ask("calibrate")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        answer = self.process.stdout.readline().strip()
        if not answer:
            raise RuntimeError(f"the victim died of '{command}'")
        return answer

    def pause_of(self, operation):
        """The result of operation(), and the longest pause meanwhile in ms."""
        self.ask("begin")
        result = operation()
        return result, int(self.ask("end")) / 1e6

    def memory(self):
        """What it occupies: KiB of RSS and of private pages, maps, fds."""
        proc = f"/proc/{self.pid}"
        kib = {}
        with open(f"{proc}/smaps_rollup", encoding="ascii") as lines:
            for line in lines:
                words = line.split()
                kib[words[0]] = words[1]
        with open(f"{proc}/maps", encoding="utf-8") as lines:
            maps = sum(1 for _ in lines)
        return {
            "rss_kib": int(kib["Rss:"]),
            "private_kib": int(kib["Private_Dirty:"]),
            "maps": maps,
            "fds": len(os.listdir(f"{proc}/fd")),
        }


def timed(*command):
    """Runs a command; its output and how long it took in ms."""
    words = [str(word) for word in command]
    begin = time.monotonic_ns()
    done = subprocess.run(words, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=120)
    wall_ms = (time.monotonic_ns() - begin) / 1e6
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout, wall_ms


class Tools:
    """The commands of one build that act on a victim."""

    def __init__(self, build):
        self.build = build
        self.upatchctl = build / "tools/upatchctl/upatchctl"

    def patch(self, name):
        return self.build / f"bench/{name}.so"

    def operate(self, *words):
        """upatchctl with --json; its answer, with wall_ms added."""
        output, wall_ms = timed(self.upatchctl, *words, "--json")
        return dict(json.loads(output), wall_ms=wall_ms)

    def apply(self, victim, name="one"):
        return self.operate("apply", victim.pid, self.patch(name))

    def revert(self, victim, name="one"):
        return self.operate("revert", victim.pid, name)

    def stop_all(self, victim):
        output, wall_ms = timed(self.build / "bench/stop_all", victim.pid)
        return dict(json.loads(output), wall_ms=wall_ms)

    def gdb_dlopen(self, victim):
        call = f'call (void *)dlopen("{self.patch("one")}", 2)'
        output, wall_ms = timed("gdb", "-nx", "-batch", "-p", victim.pid,
                                "-ex", call)
        if "(void *) 0x" not in output or "(void *) 0x0\n" in output:
            raise RuntimeError(f"gdb cannot call dlopen: {output.strip()}")
        return {"wall_ms": wall_ms}
