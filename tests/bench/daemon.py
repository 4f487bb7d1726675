"""The bars of the daemon: a real one in the foreground, beside a bare RPyC echo and a bare interpreter, in one run.

    python tests/bench/daemon.py [--tree PATH] [--quick] [--plot FILE.svg]

PATH is a repository, by default this checkout; it is copied, with its index if it has one, and not changed. Exits
with 1 when a bar is missed. The clients are processes with threads that write the wire themselves: with few cores,
what they cost is part of the queries per second. A daemon leaves when its code changes on disk, so don't edit
`cidx/` meanwhile.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))

import rpyc
from rpyc.utils.factory import unix_connect
from rpyc.utils.server import ThreadedServer

from cidx.api.versions import PROTOCOL
from cidx.client import address, wire
from cidx.client.replies import Replies, usual
from cidx.repository.repository import FOLDER
from tests.bench.chart import Panel, svg
from tests.daemon.kit import Daemon, serving
from tests.kit import Tree

PING_BAR, READY_BAR_S, FIRST_BAR = 1.5, 0.150, 2.0
MEMORY_BAR_BYTES, CPU_BAR, WAKEUPS_BAR = 5_000_000, 0.001, 1.0
CROWD_BAR = 10
CROWDS = (1, 2, 5, 10, 20, 50, 100)
PATIENCE_S = 60.0
# A question that is none.
PING = ""
# How often somebody asks who reads the answers, a person or an agent, and so long that a p99 is more than a moment.
PACE_S, PACED_S = 1.0, 100
# More processes than this only take turns with the daemon.
CLIENT_PROCESSES = 4
NOT_SOURCE = shutil.ignore_patterns(".venv", "venv", "node_modules", "__pycache__", ".*_cache")


@dataclass
class Table:
    """What was measured, printed as it comes."""

    missed: list[str] = field(default_factory=list)
    # By how they ask: how many clients, and questions a second or milliseconds.
    rates: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    p99s_ms: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, what: str, value: str, bar: str = "", *, met: bool = True) -> None:
        print(f"{what:<58}{value:>24}{bar:>12}  {('met' if met else 'missed') if bar else ''}".rstrip())
        sys.stdout.flush()
        if not met:
            self.missed.append(what)

    def note(self, how: str, clients: int, rate: float, p99_s: float) -> None:
        self.rates.setdefault(how, []).append((clients, rate))
        self.p99s_ms.setdefault(how, []).append((clients, p99_s * 1000))

    def plot(self) -> str:
        """Clients that ask again as soon as they are answered."""
        panels = [Panel("questions answered a second", self.rates), Panel("p99, ms", self.p99s_ms)]
        return svg(f"One daemon, {os.cpu_count()} cores for it and its clients", panels, axis="clients")


@dataclass(frozen=True)
class Target:
    """Where the clients ask: picklable, for they are processes."""

    path: str
    root: str
    repository: str

    def command(self, text: str, request: str) -> tuple[object, ...]:
        argv = (b"query", b"--json", b"--", text.encode())
        return (argv, os.fsencode(self.root), (80, False, False), (), b"", request)


@dataclass(frozen=True)
class Crowd:
    """What a number of clients came to."""

    took_s: list[float]
    errors: list[str]
    wall_s: float

    @property
    def rate(self) -> float:
        return len(self.took_s) / self.wall_s


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tree", type=Path, default=CHECKOUT, help="a repository; is not changed")
    parser.add_argument("--quick", action="store_true", help="fewer of everything, and 10 s of idleness")
    parser.add_argument("--plot", type=Path, help="for a picture of how many are answered")
    parser.add_argument("--echo", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.echo:
        echo(options.echo)
    table = Table()
    with workplace(options.tree) as tree:
        texts = questions(tree.root)
        with serving(tree) as daemon, explained(daemon):
            measure(table, tree, daemon, texts, quick=options.quick)
        measure_starts(table, tree, next(texts), runs=3 if options.quick else 9)
    if options.plot:
        options.plot.write_text(table.plot())
    print(f"missed: {', '.join(table.missed)}" if table.missed else "every bar is met")
    return 1 if table.missed else 0


# What is measured


def measure(table: Table, tree: Tree, daemon: Daemon, texts: Iterator[str], *, quick: bool) -> None:
    target = Target(daemon.path, str(tree.root), address.repository_id(str(tree.root)))
    ask(target, [next(texts)])
    cache = json.loads(daemon.ask("get_status"))["cache"]
    print(f"{cache['vectors']} vectors, {os.cpu_count()} cores")
    measure_ping(table, daemon, rounds=4 if quick else 20)
    measure_crowds(table, target, texts, quick=quick)
    measure_a_hundred(table, daemon, target, texts)
    measure_a_hundred_who_read(table, target, texts, seconds=20 if quick else PACED_S)
    measure_uncached(table, target, texts, count=100 if quick else 500)
    measure_growth(table, daemon, target, texts, quick=quick)
    ask(target, [next(texts)])
    measure_idleness(table, daemon.process.pid, seconds=10 if quick else 60)


@contextmanager
def explained(daemon: Daemon) -> Iterator[None]:
    """A daemon that has ended says why, whatever failed because of it."""
    try:
        yield
    finally:
        code = daemon.process.poll()
        if code is not None:
            print(f"the daemon ended with {code}: {daemon.log()}")


def measure_ping(table: Table, daemon: Daemon, *, rounds: int) -> None:
    """The same stock client on both sides, in turns."""
    with echo_server() as path, daemon.connect() as connection:
        bare = unix_connect(path)
        pings = {"bare": bare.root.ping, "cidx": connection.root.ping}
        found: dict[str, list[float]] = {name: [] for name in pings}
        for round_ in range(-1, rounds):
            for name in random.sample(sorted(pings), 2):
                ping = pings[name]
                for _ in range(500):
                    began = time.perf_counter()
                    ping()
                    if round_ >= 0:
                        found[name].append(time.perf_counter() - began)
        bare.close()
    (bare_p50, bare_p99), (p50, p99) = (percentiles(took_s) for took_s in found.values())
    table.add("ping p50, beside a bare rpyc echo", f"{beside(p50, bare_p50, 'us')}")
    ratio = p99 / bare_p99
    table.add("ping p99", beside(p99, bare_p99, "us"), f"{PING_BAR}x", met=ratio <= PING_BAR)


def measure_crowds(table: Table, target: Target, texts: Iterator[str], *, quick: bool) -> None:
    """Questions that were asked before, as in a busy editor; uncached ones are measured apart."""
    asked = [next(texts) for _ in range(50)]
    ask(target, asked)
    alone: dict[bool, float] = {}
    for clients in CROWDS:
        for keeps in (False, True):
            each = 100 if clients == 100 else max(25, (500 if quick else 1000) // clients)
            crowd = crowded(target, asked, clients=clients, each=each, keeps=keeps)
            how = "open connections" if keeps else "a connection per call"
            _, p99 = percentiles(crowd.took_s)
            table.note(how, clients, crowd.rate, p99)
            alone.setdefault(keeps, p99)
            value = f"{crowd.rate:.0f}/s, p99 {p99 * 1000:.1f} ms"
            table.add(f"queries, {clients} clients, {how}", value)
            if clients == 100:
                for error in sorted(set(crowd.errors))[:3]:
                    print(f"    {error}")
                table.add(f"  errors of {clients * each}", str(len(crowd.errors)), "0", met=not crowd.errors)
                table.add("  p99 beside one client", f"{beside(p99, alone[keeps], 'ms')}")


def measure_a_hundred(table: Table, daemon: Daemon, target: Target, texts: Iterator[str]) -> None:
    """A hundred clients at once, with pings and with questions: how much longer each waits, and what they take."""
    pid = daemon.process.pid
    asked = [next(texts) for _ in range(50)]
    ask(target, asked)
    before = settled(pid)
    for what, said in (("pings", [PING]), ("questions asked before", asked)):
        alone = crowded(target, said, clients=1, each=300, keeps=True)
        with Peak(pid) as peak:
            crowd = crowded(target, said, clients=100, each=100, keeps=True)
        table.add(f"100 clients x 100 {what}, errors", str(len(crowd.errors)), "0", met=not crowd.errors)
        (p50, p99), (_, alone_p99) = percentiles(crowd.took_s), percentiles(alone.took_s)
        table.add(
            "  p99 beside one client",
            beside(p99, alone_p99, "ms"),
            f"{CROWD_BAR}x",
            met=p99 <= CROWD_BAR * alone_p99,
        )
        table.add("  p50, and how many a second", f"{p50 * 1000:.1f} ms, {crowd.rate:.0f}/s")
        met = peak.descriptors < 50 + 100 and peak.threads <= 100 + 10
        table.add(
            "  descriptors, threads at most", f"{peak.descriptors}, {peak.threads}", "149, 110", met=met
        )
    after = settled(pid)
    met = all(now <= then for now, then in zip(after, before, strict=True))
    table.add("descriptors, threads before and after", f"{before}, {after}", "the same", met=met)


def measure_a_hundred_who_read(table: Table, target: Target, texts: Iterator[str], *, seconds: int) -> None:
    """A hundred open connections, each with a question a second, beside one with as many; asked before, and new ones.

    Whoever asks again as soon as he is answered waits for the 99 others whatever the daemon does: it can't be in more
    than one answer at a time for each core.
    """
    asked = [next(texts) for _ in range(50)]
    new = [next(texts) for _ in range(100 * seconds)]
    ask(target, asked)
    for what, said in (("asked before", asked), ("never asked before", new)):
        alone = crowded(target, said, clients=1, each=seconds, keeps=True, pace_s=PACE_S)
        crowd = crowded(target, said, clients=100, each=max(10, seconds // 3), keeps=True, pace_s=PACE_S)
        (p50, p99), (alone_p50, alone_p99) = percentiles(crowd.took_s), percentiles(alone.took_s)
        errors = len(crowd.errors)
        table.add(f"100 clients, a question a second each, {what}, errors", str(errors), "0", met=not errors)
        met = p99 <= CROWD_BAR * alone_p99
        table.add("  p99 beside one client", beside(p99, alone_p99, "ms"), f"{CROWD_BAR}x", met=met)
        table.add("  p50", beside(p50, alone_p50, "ms"))


class Peak:
    """The most descriptors and threads that a process had meanwhile."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.descriptors = self.threads = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stopped.wait(0.02):
            self.descriptors = max(self.descriptors, len(os.listdir(f"/proc/{self._pid}/fd")))
            self.threads = max(self.threads, len(tasks(self._pid)))


def measure_uncached(table: Table, target: Target, texts: Iterator[str], *, count: int) -> None:
    p50, p99 = percentiles(ask(target, [next(texts) for _ in range(count)]))
    table.add("hybrid query never asked before, p50, p99", f"{p50 * 1000:.1f}, {p99 * 1000:.1f} ms")


def measure_growth(
    table: Table, daemon: Daemon, target: Target, texts: Iterator[str], *, quick: bool
) -> None:
    pid = daemon.process.pid
    # The remembered answers are bounded by their number: they have to be full first.
    ask(target, [next(texts) for _ in range(300)])
    before = private_bytes(pid)
    ask(target, [next(texts) for _ in range(1000)])
    grown = private_bytes(pid) - before
    table.add(
        f"private memory after 1,000 queries more (of {before / 1e6:.0f} MB)",
        f"{grown / 1e6:+.1f} MB",
        "5 MB",
        met=grown <= MEMORY_BAR_BYTES,
    )
    count = 2_000 if quick else 10_000
    before_connections = settled(pid)
    for number in range(count):
        connection = wire.ask(target.path, "ping", ())
        if number % 10:
            assert Replies(connection).reference(0) == wire.ROOT
        # Every tenth goes without waiting for an answer.
        connection.close()
    descriptors, threads = (now - then for now, then in zip(settled(pid), before_connections, strict=True))
    table.add(
        f"descriptors, threads after {count:,} connections",
        f"{descriptors:+d}, {threads:+d}",
        "+0, +0",
        met=descriptors <= 0 and threads <= 0,
    )


def measure_idleness(table: Table, pid: int, *, seconds: float) -> None:
    time.sleep(3)
    began, cpu_s, switches = time.monotonic(), used_s(pid), sum(voluntary_switches(pid).values())
    time.sleep(seconds)
    wall_s = time.monotonic() - began
    share = (used_s(pid) - cpu_s) / wall_s
    wakeups = (sum(voluntary_switches(pid).values()) - switches) / wall_s
    table.add(f"idle and warm for {seconds:.0f} s, CPU", f"{share:.3%}", "0.1%", met=share <= CPU_BAR)
    table.add("  wake-ups", f"{wakeups:.2f}/s", "1/s", met=wakeups <= WAKEUPS_BAR)


def measure_starts(table: Table, tree: Tree, text: str, *, runs: int) -> None:
    """The daemon as a supervisor starts it, with the question already waiting in the socket."""
    imported = activated(tree, text, PYTHONPROFILEIMPORTTIME="1").said
    names = [line.rpartition("|")[2].strip() for line in imported.splitlines() if "import time:" in line]
    bare_s, starts = [], []
    for run in range(-1, runs):
        bare = bare_imports(tree, names)
        start = activated(tree, text)
        if run >= 0:
            bare_s.append(bare)
            starts.append(start)
    ready_cpu = statistics.median(start.ready_cpu_s for start in starts)
    table.add(
        "daemon ready (accepting), CPU",
        f"{ready_cpu * 1000:.0f} ms",
        "150 ms",
        met=ready_cpu <= READY_BAR_S,
    )
    hello, answer, bare = (
        statistics.median(values)
        for values in ([s.hello_s for s in starts], [s.answer_s for s in starts], bare_s)
    )
    table.add(
        f"first query after idle exit, beside {len(names)} bare imports",
        beside(answer, bare, "ms"),
        f"{FIRST_BAR:.0f}x",
        met=answer / bare <= FIRST_BAR,
    )
    table.add(
        "  of which until hello, then the query", f"{hello * 1000:.0f}, {(answer - hello) * 1000:.0f} ms"
    )


# Clients


def ask(target: Target, texts: list[str]) -> list[float]:
    """Seconds of each question on one open connection."""
    client = Client(target)
    return [client.ask(text) for text in texts]


class Client:
    """A connection that stays."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection = wire.Connection(target.path, patience_s=PATIENCE_S)
        self._replies = Replies(self._connection)
        self._number = 1
        self._connection.send(wire.get_root(0) + wire.call(1, wire.ROOT, "hello", (wire.hello(),)))
        assert self._replies.reference(0) == wire.ROOT
        self._replies.value(1)

    def ask(self, text: str) -> float:
        began = time.perf_counter()
        self._number += 1
        if text == PING:
            self._connection.send(wire.call(self._number, wire.ROOT, "ping", ()))
            self._replies.value(self._number)
            return time.perf_counter() - began
        command = self._target.command(text, f"{id(self)}-{self._number}")
        self._connection.send(wire.call(self._number, wire.ROOT, "run", command))
        checked(self._replies.answer(self._number))
        return time.perf_counter() - began


def ask_once(target: Target, text: str) -> float:
    began = time.perf_counter()
    request = f"{os.getpid()}-{threading.get_ident()}"
    connection = wire.ask(target.path, "run", target.command(text, request), patience_s=PATIENCE_S)
    try:
        replies = Replies(connection)
        reply = usual(replies, target.repository)
        if reply is None:
            # Read again, this time to the fault.
            raise ValueError(f"{replies.reference(0)}, {replies.value(1)}, {replies.answer(2)[0]}")
    finally:
        connection.close()
    checked(reply)
    return time.perf_counter() - began


def checked(reply: tuple[int, bytes, bytes]) -> None:
    code, out, err = reply
    # 1 is an answer too: nothing was found.
    if code not in (0, 1) or not out.startswith(b"{"):
        raise ValueError(f"exit code {code}: {err[:200]!r}")


def crowded(
    target: Target, texts: list[str], *, clients: int, each: int, keeps: bool, pace_s: float = 0.0
) -> Crowd:
    """Every client asks so often; without a pace, as fast as it is answered."""
    processes = min(clients, CLIENT_PROCESSES)
    shares = [clients // processes + (index < clients % processes) for index in range(processes)]
    spawn = multiprocessing.get_context("spawn")
    began = time.monotonic() + 1.5
    with concurrent.futures.ProcessPoolExecutor(processes, mp_context=spawn) as pool:
        parts = [
            pool.submit(share_of_crowd, target, texts, share, each, keeps, began, pace_s) for share in shares
        ]
        done = [part.result(timeout=300) for part in parts]
    took_s = [second for part in done for second in part[0]]
    errors = [error for part in done for error in part[1]]
    return Crowd(took_s, errors, max(part[2] for part in done) - began)


def share_of_crowd(
    target: Target, texts: list[str], clients: int, each: int, keeps: bool, begin: float, pace_s: float
) -> tuple[list[float], list[str], float]:
    took_s: list[float] = []
    errors: list[str] = []

    def one() -> None:
        try:
            question = Client(target).ask if keeps else lambda text: ask_once(target, text)
            due = begin + random.random() * pace_s
            for _ in range(each):
                time.sleep(max(0.0, due - time.monotonic()))
                took_s.append(question(random.choice(texts)))
                due += pace_s
        except Exception as error:  # whatever it is, it is counted
            errors.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=one) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took_s, errors, time.monotonic()


@contextmanager
def echo_server() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cidx-echo-") as place:
        path = f"{place}/echo"
        server = subprocess.Popen([sys.executable, __file__, "--echo", path], stdout=subprocess.PIPE)
        assert server.stdout is not None
        try:
            server.stdout.readline()
            yield path
        finally:
            server.kill()
            server.communicate()


def echo(path: str) -> None:
    class Echo(rpyc.Service):  # type: ignore[misc]
        def exposed_ping(self) -> str:
            return "pong"

    server = ThreadedServer(Echo, socket_path=path)
    server._listen()
    print("ready", flush=True)
    server.start()


# Starts


@dataclass(frozen=True)
class Start:
    hello_s: float
    ready_cpu_s: float
    answer_s: float
    said: str


def activated(tree: Tree, text: str, **environment: str) -> Start:
    """Start a daemon on a socket in which a question waits, as systemd does; it has left afterwards."""
    with tempfile.TemporaryDirectory(prefix="cidx-") as runtime, tempfile.TemporaryFile("w+") as said:
        found = {"XDG_RUNTIME_DIR": runtime}
        path = address.socket_path(str(tree.root), environment=found, home=str(tree.users.home))
        Path(path).parent.mkdir(mode=0o700, exist_ok=True)
        target = Target(path, str(tree.root), address.repository_id(str(tree.root)))
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(16)
            # The number of the process, which systemd puts there, is known to a shell that becomes it.
            pass_on = f'exec 3<&{listener.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
            began = time.perf_counter()
            process = subprocess.Popen(
                ["sh", "-c", pass_on, "sh", sys.executable, "-m", "cidx", "daemon", "serve"],
                cwd=tree.root,
                env=tree.process_environment(PYTHONPATH=str(CHECKOUT), **found, **environment),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=[listener.fileno()],
            )
        try:
            connection = wire.ask(path, "run", target.command(text, "first"), patience_s=PATIENCE_S)
            replies = Replies(connection)
            replies.reference(0)
            match replies.value(1):
                case (protocol, _, pid, _, "ready", *_) if protocol == PROTOCOL and pid == process.pid:
                    hello_s = time.perf_counter() - began
                case other:
                    raise SystemExit(f"the daemon greeted with {other}")
            checked(replies.answer(2))
            answer_s = time.perf_counter() - began
            connection.close()
        finally:
            process.terminate()
            process.wait(timeout=20)
        said.seek(0)
        log = said.read()
        ready = re.search(r"daemon ready .*cpu_ms=([\d.]+)", log)
        assert ready, log
        return Start(hello_s, float(ready[1]) / 1000, answer_s, log)


def bare_imports(tree: Tree, names: list[str]) -> float:
    """Seconds of an interpreter that imports the modules the daemon has when it has answered."""
    program = """
for name in NAMES:
    try: __import__(name)
    except Exception: pass
"""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", f"NAMES = {names!r}{program}"],
        cwd=tree.root,
        env=tree.process_environment(PYTHONPATH=str(CHECKOUT)),
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


# What the system tells of a process


def private_bytes(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(found) * 1024 for found in re.findall(r"^Private_\w+:\s+(\d+) kB", text, re.MULTILINE))


def used_s(pid: int) -> float:
    """CPU of the threads there are, to the nanosecond; /proc/PID/stat counts in hundredths of a second."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks(pid)) / 1e9


def voluntary_switches(pid: int) -> dict[str, int]:
    found = {}
    for task in tasks(pid):
        status = (task / "status").read_text()
        found[task.name] = int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return found


def tasks(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def settled(pid: int) -> tuple[int, int]:
    """Descriptors and threads, once they no longer fall."""
    lowest = (sys.maxsize, sys.maxsize)
    unchanged = 0
    while unchanged < 20:
        now = (len(os.listdir(f"/proc/{pid}/fd")), len(tasks(pid)))
        unchanged = unchanged + 1 if now >= lowest else 0
        lowest = min(lowest, now)
        time.sleep(0.1)
    return lowest


# The rest


@contextmanager
def workplace(source: Path) -> Iterator[Tree]:
    """A copy of a repository, indexed, with a home of its own."""
    with tempfile.TemporaryDirectory(prefix="cidx-bench-") as place:
        tree = Tree(Path(place) / "tree", git=False)
        tree.root.rmdir()
        shutil.copytree(source, tree.root, symlinks=True, ignore=NOT_SOURCE)
        if not (tree.root / ".git").exists():
            tree.git("init", "-q")
        had_index = (tree.root / FOLDER).is_dir()
        began = time.perf_counter()
        ran = tree.process("index")
        if ran.code:
            raise SystemExit(ran.err)
        print(f"indexed in {time.perf_counter() - began:.1f} s{', what was changed' if had_index else ''}")
        yield tree


def questions(root: Path) -> Iterator[str]:
    """Texts of words that the tree has, none of them twice."""
    chosen = random.Random(7)
    files = sorted(root.rglob("*.py"))[:2000]
    text = b" ".join(file.read_bytes() for file in chosen.sample(files, min(len(files), 100)))
    words = sorted({word.decode() for word in re.findall(rb"[A-Za-z_]{4,20}", text)})
    seen = set()
    while True:
        question = " ".join(chosen.sample(words, chosen.randint(2, 5)))
        if question not in seen:
            seen.add(question)
            yield question


def percentiles(took_s: list[float]) -> tuple[float, float]:
    """p50 and p99."""
    if len(took_s) < 2:
        raise SystemExit("nothing was answered")
    cuts = statistics.quantiles(took_s, n=100)
    return cuts[49], cuts[98]


def beside(value_s: float, base_s: float, unit: str) -> str:
    factor = {"us": 1e6, "ms": 1e3}[unit]
    return f"{value_s * factor:.0f} / {base_s * factor:.0f} {unit} = {value_s / base_s:.2f}x"


if __name__ == "__main__":
    sys.exit(main())
