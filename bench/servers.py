# SPDX-License-Identifier: MIT
"""Latency of servers under load, with and without a patch that comes and goes.

Requests come at a fixed rate, half of what the server can do, and each is
timed from when it was due (load.c): wrk and redis-benchmark ask only as fast
as they are answered, and so hide a server that stands still.
"""
import json
import os
import pathlib
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import table

CONNECTIONS = 32
PERIOD_S = 1.0
SLOT_S = 0.02  # as in load.c


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port):
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def run(*command, **options):
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False,
                          timeout=300, **options)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Server:
    """One that load.c can ask: `request`, answers of one length."""

    connections = CONNECTIONS

    def __init__(self, tools):
        self.tools = tools
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="upatch-bench."))
        self.port = free_port()
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def spawn(self, *command):
        self.process = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        wait_for_port(self.port)

    def target(self):
        return str(self.process.pid)

    def load(self, rate, seconds):
        return json.loads(run(self.tools.build / "bench/load", self.port,
                              self.connections, rate, seconds, self.request))

    def capacity(self):
        """Answers per second when there is always somebody who asks."""
        return self.load(10_000_000 // 20, 2)["per_second"]


class Nginx(Server):
    name = "nginx"
    patch = "wrap_nginx"
    program = "/usr/sbin/nginx"
    request = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n"

    def start(self):
        folder = self.folder
        user = "user root;" if os.geteuid() == 0 else ""
        paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "index.html").write_text("hello\n")
        (folder / "conf").write_text(f"""{user}
worker_processes 1; pid {folder}/pid; daemon off; error_log {folder}/error;
events {{ worker_connections 1024; }}
http {{ access_log off; {paths} keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{self.port}; root {folder}; }} }}
""")
        self.spawn(self.program, "-p", folder, "-c", folder / "conf",
                   "-e", folder / "error")

    def target(self):
        children = run("pgrep", "-P", self.process.pid).split()
        return children[0]

    def capacity(self):
        output = run("wrk", "-t1", f"-c{self.connections}", "-d2",
                     f"http://127.0.0.1:{self.port}/")
        return float(re.search(r"Requests/sec: *([0-9.]+)", output).group(1))


class Redis(Server):
    name = "redis"
    patch = "wrap_redis"
    program = "/usr/bin/redis-server"
    request = "GET bench\r\n"

    def start(self):
        self.spawn(self.program, "--port", self.port, "--save", "",
                   "--bind", "127.0.0.1", "--dir", self.folder)
        run("redis-cli", "-p", self.port, "set", "bench", "hello")

    def capacity(self):
        output = run("redis-benchmark", "-p", self.port, "-t", "get", "-q",
                     "-c", self.connections, "-n", 100_000)
        return float(re.search(r"GET: ([0-9.]+)", output).group(1))


class Threads(Server):
    name = "64 threads"
    patch = "wrap_threads"
    connections = 64
    request = "hello\n"

    @property
    def program(self):
        return self.tools.build / "bench/server"

    def start(self):
        self.process = subprocess.Popen(
            [self.program, str(self.connections)], stdout=subprocess.PIPE,
            text=True)
        self.port = int(self.process.stdout.readline())


class Postgres(Server):
    """A process for each connection; pgbench asks at a fixed rate itself."""

    name = "postgresql"
    patch = "wrap_postgres"
    connections = 8

    @property
    def program(self):
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
        return found[-1] / "postgres" if found else pathlib.Path("/absent")

    def as_user(self):
        """initdb refuses to be root."""
        if os.geteuid() != 0:
            return []
        return ["setpriv", "--reuid=postgres", "--regid=postgres",
                "--init-groups", "env", "HOME=/tmp"]

    def start(self):
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        cluster = self.folder / "cluster"
        run(*self.as_user(), self.program.parent / "initdb", "-D", cluster,
            "-U", "bench", "--no-sync", "-A", "trust", cwd="/tmp")
        self.spawn(*self.as_user(), self.program, "-D", cluster, "-p",
                   self.port, "-k", self.folder, "-c", "fsync=off")
        self.pgbench("-i", "-s", "1", "-q")

    def pgbench(self, *words):
        return run(self.program.parent / "pgbench", "-h", "127.0.0.1", "-p",
                   self.port, "-U", "bench", *words, "postgres",
                   cwd=self.folder)

    def target(self):
        return f"exe:{self.program}"

    def capacity(self):
        output = self.pgbench("-S", "-c", self.connections, "-T", "3", "-n")
        return float(re.search(r"tps = ([0-9.]+)", output).group(1))

    def load(self, rate, seconds):
        for log in self.folder.glob("log.*"):
            log.unlink()
        begin = time.time()
        self.pgbench("-S", "-c", self.connections, "-T", seconds, "-n",
                     "-R", rate, "-l", f"--log-prefix={self.folder}/log")
        return self.read_logs(begin, seconds)

    def read_logs(self, begin, seconds):
        """pgbench counts from when a transaction was due, as load.c does."""
        latencies = []
        slots = [0] * int(seconds / SLOT_S)
        for log in self.folder.glob("log.*"):
            for line in log.read_text().splitlines():
                fields = line.split()
                us = int(fields[2])
                at = int(fields[4]) + int(fields[5]) / 1e6 - us / 1e6
                latencies.append(us)
                slot = int((at - begin) / SLOT_S)
                if 0 <= slot < len(slots):
                    slots[slot] = max(slots[slot], us)
        latencies.sort()

        def quantile(part):
            return latencies[min(int(len(latencies) * part),
                                 len(latencies) - 1)]
        return {"answered": len(latencies), "errors": 0,
                "per_second": len(latencies) / seconds, "p50": quantile(0.5),
                "p99": quantile(0.99), "p999": quantile(0.999),
                "max": latencies[-1], "slots": slots}


SERVERS = (Nginx, Redis, Postgres, Threads)


class Operator(threading.Thread):
    """Applies and reverts, once each in a period, until it is stopped."""

    def __init__(self, tools, server):
        super().__init__()
        self.tools, self.server = tools, server
        self.stopping = threading.Event()
        self.begin = time.monotonic()
        self.moments, self.ends, self.failures = [], [], []

    def operate(self, *words):
        self.moments.append(time.monotonic() - self.begin)
        try:
            run(self.tools.upatchctl, *words)
        except RuntimeError as failure:
            self.failures.append(str(failure))
        self.ends.append(time.monotonic() - self.begin)

    def run(self):
        patch = self.tools.patch(self.server.patch)
        target = self.server.target()
        while not self.stopping.wait(PERIOD_S / 2):
            self.operate("apply", target, patch)
            self.stopping.wait(PERIOD_S / 2)
            self.operate("revert", target, "wrap")

    def stop(self):
        self.stopping.set()
        self.join()


def measure_server(tools, kind, seconds):
    """What clients see without and with patching, one after the other."""
    with kind(tools) as server:
        rate = int(server.capacity() / 2)
        quiet = server.load(rate, seconds)
        operator = Operator(tools, server)
        operator.start()
        patched = server.load(rate, seconds)
        operator.stop()
    return {"rate": rate, "quiet": quiet, "patched": patched,
            "moments": operator.moments, "ends": operator.ends,
            "failures": operator.failures}


def measure(tools, seconds, progress):
    results = {}
    for kind in SERVERS:
        progress(f"{kind.name} under load")
        if isinstance(kind.program, str) and not os.path.exists(kind.program):
            continue
        results[kind.name] = measure_server(tools, kind, seconds)
    return results


COLUMNS = (("p50", "p50 us"), ("p99", "p99 us"), ("p999", "p99.9 us"),
           ("max", "max us"), ("per_second", "per s"), ("errors", "errors"))


def slots_by_operation(result):
    """The slowest answer of each slot: in an operation, and in none.

    Both of the same seconds, so that the machine is the same.  The first
    slots, in which clients connect, are left out.
    """
    busy = {slot for begin, end in zip(result["moments"], result["ends"])
            for slot in range(int(begin / SLOT_S), int(end / SLOT_S) + 1)}
    slots = result["patched"]["slots"]
    known = range(int(min(result["moments"], default=0) / SLOT_S), len(slots))
    return (sorted(slots[slot] for slot in known if slot in busy),
            sorted(slots[slot] for slot in known if slot not in busy))


def print_slots(results):
    parts = (0.5, 0.9, 0.99, 1)
    table.header("slowest answer in 20 ms, us",
                 ["median", "p90", "p99", "max", "slots"])
    for name, result in results.items():
        rows = []
        for slots, title in zip(slots_by_operation(result),
                                ("in an operation", "in none")):
            if not slots:
                continue
            rows.append([slots[min(int(len(slots) * part), len(slots) - 1)]
                         for part in parts])
            table.line(f"{name}, {title}",
                       [table.cell(us, 0) for us in rows[-1]]
                       + [table.cell(len(slots), 0)])
        if len(rows) == 2:
            table.line(f"{name}, ratio",
                       [table.cell(with_one / without if without else None)
                        for with_one, without in zip(*rows)], "as in none")


def print_results(results):
    table.header("servers, half of their capacity",
                 [title for _, title in COLUMNS])
    for name, result in results.items():
        for key, title in (("quiet", "not patched"), ("patched", "patched")):
            table.line(f"{name}, {title}",
                       [table.cell(result[key][column], 0)
                        for column, _ in COLUMNS])
        ratios = [result["patched"][column] / result["quiet"][column]
                  if result["quiet"][column] else None
                  for column, _ in COLUMNS]
        table.line(f"{name}, ratio", [table.cell(ratio) for ratio in ratios],
                   "p99.9 1.1, max 1.5")
        for failure in result["failures"][:3]:
            print(f"  failed: {failure}")
    print_slots(results)
