"""Sockets that a supervisor hands over: real descriptors, a real notify socket, launchd's call from a real library."""

import contextlib
import errno
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from rpyc.utils.factory import unix_connect

from cidx.api.errors import CidxError, Code
from cidx.client import wire
from cidx.client.replies import Replies, usual
from cidx.daemon import activation
from cidx.daemon.notify import Notifier
from tests.kit import Tree

PATIENCE_S = 20
CHECKOUT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(60)

# What systemd does between fork and exec: the descriptors from 3 on, and whom they are for.
BECOME_DAEMON = """
import os, sys
moved, pid = [int(number) for number in sys.argv[1].split(",") if number], sys.argv[2]
kept = [os.dup2(number, 100 + index) for index, number in enumerate(moved)]
for index, number in enumerate(kept):
    os.dup2(number, 3 + index)
os.closerange(3 + len(kept), 200)
os.environ |= {"LISTEN_PID": pid or str(os.getpid()), "LISTEN_FDS": str(len(kept))}
os.execv(sys.executable, [sys.executable, "-m", "cidx", "daemon", "serve"])
"""


@pytest.fixture
def indexed(tree: Tree) -> Tree:
    tree.write({"a.py": "def needle():\n    return 1\n"}).commit()
    tree.index()
    return tree


@pytest.fixture
def runtime() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="cidx-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def listener(runtime: Path) -> Iterator[socket.socket]:
    """The socket of a supervisor, blocking as systemd's is."""
    with socket.socket(socket.AF_UNIX) as found:
        found.bind(str(runtime / "own.sock"))
        found.listen(16)
        yield found


@contextlib.contextmanager
def activated(
    tree: Tree,
    *descriptors: int,
    pid: str = "",
    environment: Mapping[str, str] | None = None,
) -> Iterator["subprocess.Popen[str]"]:
    """A daemon that is handed descriptors, which are meant for `pid` or else for itself."""
    process = subprocess.Popen(
        [sys.executable, "-c", BECOME_DAEMON, ",".join(map(str, descriptors)), pid],
        cwd=tree.root,
        env=tree.process_environment(PYTHONPATH=str(CHECKOUT), **(environment or {})),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=descriptors,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ping(path: str) -> tuple[str, int]:
    """What the daemon says, and its pid."""
    connection = unix_connect(path)
    try:
        return (connection.root.ping(), connection.root.hello(())[2])
    finally:
        connection.close()


# systemd's descriptors


@pytest.mark.parametrize("blocking", [True, False])
def test_a_socket_that_is_handed_over_is_served(
    indexed: Tree, listener: socket.socket, *, blocking: bool
) -> None:
    """Whatever its blocking flag: ten that come and go at once do not hold the accepting thread."""
    listener.setblocking(blocking)
    path = listener.getsockname()
    with activated(indexed, listener.fileno()) as process:
        for _ in range(10):
            with socket.socket(socket.AF_UNIX) as hasty:
                hasty.connect(path)
        assert ping(path) == ("pong", process.pid)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def test_the_supervisors_socket_outlives_the_daemon(indexed: Tree, listener: socket.socket) -> None:
    """Closed, never shut down: who connects in between is answered by the next one."""
    path = listener.getsockname()
    pids = set()
    for _ in range(2):
        with activated(indexed, listener.fileno()) as process:
            pids.add(ping(path)[1])
            process.terminate()
            assert process.wait(PATIENCE_S) == 0
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        assert Path(path).exists()
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.connect(path)
        assert select.select([listener], [], [], 0)[0], "it waits in the supervisor's queue"
        with activated(indexed, listener.fileno()) as process:
            pids.add(ping(path)[1])
            # Nothing was said on it: it is dropped by the daemon, not by the end of the socket.
            waiting.settimeout(PATIENCE_S)
            assert waiting.recv(1) == b""
            assert process.poll() is None
    assert len(pids) == 3


def test_an_idle_daemon_leaves_the_supervisors_socket(indexed: Tree, listener: socket.socket) -> None:
    path = listener.getsockname()
    brief = {"CIDX_DAEMON_TTL_MINUTES": "0.01", "CIDX_DAEMON_EVICTION_CHECK_INTERVAL_SECONDS": "0.1"}
    for _ in range(2):
        # Who waits already when it starts is in time.
        with (
            contextlib.closing(unix_connect(path)) as early,
            activated(indexed, listener.fileno(), environment=brief) as process,
        ):
            assert early.root.ping() == "pong"
            assert process.wait(PATIENCE_S) == 0


def test_descriptors_for_another_process_are_left_alone(
    indexed: Tree, listener: socket.socket, runtime: Path
) -> None:
    own = {"XDG_RUNTIME_DIR": str(runtime)}
    with activated(indexed, listener.fileno(), pid="1", environment=own) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert f"on {runtime}/cidx/" in said, said + process.stderr.read()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(listener.getsockname())
            assert select.select([listener], [], [], 0.2)[0], "nobody else accepts"


def check_refused(tree: Tree, *descriptors: int, why: str) -> None:
    with activated(tree, *descriptors) as process:
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (4, "")
    assert why in err
    assert "Traceback" not in err
    assert "next: cidx doctor" in err


def test_a_file_is_no_socket(indexed: Tree, tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        check_refused(indexed, file.fileno(), why="descriptor 3 is no socket")


def test_a_socket_that_does_not_listen_is_refused(indexed: Tree) -> None:
    one, other = socket.socketpair()
    with one, other:
        check_refused(indexed, one.fileno(), why="no listening Unix socket")


def test_a_socket_of_the_network_is_refused(indexed: Tree) -> None:
    with socket.create_server(("127.0.0.1", 0)) as public:
        check_refused(indexed, public.fileno(), why="no listening Unix socket")


def test_two_sockets_are_refused(indexed: Tree, listener: socket.socket) -> None:
    second = os.dup(listener.fileno())
    try:
        check_refused(indexed, listener.fileno(), second, why="2 sockets were handed over instead of one")
    finally:
        os.close(second)


def test_a_descriptor_that_is_not_open_is_refused() -> None:
    with pytest.raises(CidxError, match="can't be used"):
        activation.inherited({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "5000"})
    found = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "many", "LISTEN_FDNAMES": "x", "HOME": "/"}
    assert activation._from_systemd(found) == []
    assert found == {"HOME": "/"}, "no child may believe that they are its own"


# systemd's notify protocol


def messages(inbox: socket.socket, *, until: str) -> list[str]:
    inbox.settimeout(PATIENCE_S)
    found: list[str] = []
    while until not in found:
        found += inbox.recv(4096).decode().split("\n")
    return found


def next_status(inbox: socket.socket) -> str:
    inbox.settimeout(PATIENCE_S)
    while True:
        for line in inbox.recv(4096).decode().split("\n"):
            if line.startswith("STATUS="):
                return line


def test_the_watchdog_hears_of_it_twice_within_its_limit() -> None:
    assert Notifier({"WATCHDOG_USEC": "600000"}).watchdog_s == 0.3
    assert Notifier({"WATCHDOG_USEC": "600000", "WATCHDOG_PID": "1"}).watchdog_s is None
    assert Notifier({}).watchdog_s is None


@pytest.mark.parametrize("abstract", [False, True])
def test_the_supervisor_hears_ready_alive_and_stopping(
    indexed: Tree, listener: socket.socket, runtime: Path, *, abstract: bool
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(f"\0cidx-test-{os.getpid()}" if abstract else str(runtime / "notify"))
        address = os.fsdecode(inbox.getsockname())
        watched = {"NOTIFY_SOCKET": address.replace("\0", "@", 1), "WATCHDOG_USEC": "600000"}
        with activated(indexed, listener.fileno(), environment=watched) as process:
            assert messages(inbox, until="READY=1") == ["READY=1"]
            # Nobody asks anything, and still it is heard of; without a watchdog it would sleep for a minute.
            for _ in range(4):
                messages(inbox, until="WATCHDOG=1")
            process.send_signal(signal.SIGTERM)
            messages(inbox, until="STOPPING=1")
            assert process.wait(PATIENCE_S) == 0


def test_the_status_line_tells_how_it_goes_once_things_calm_down(
    indexed: Tree, listener: socket.socket, runtime: Path
) -> None:
    path = listener.getsockname()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(str(runtime / "notify"))
        heard = {"NOTIFY_SOCKET": str(runtime / "notify")}
        with activated(indexed, listener.fileno(), environment=heard):
            messages(inbox, until="READY=1")
            said = next_status(inbox)
            assert said.startswith(
                "STATUS=queries: 0, errors: 0; index not open; answers kept: 0; leaves at "
            )
            began = time.monotonic()
            for _ in range(5):
                with contextlib.closing(unix_connect(path)) as connection:
                    json.loads(connection.root.query(str(indexed.root), "needle"))
            lines = [said]
            while not lines[-1].startswith("STATUS=queries: 5,"):
                lines.append(next_status(inbox))
            # Two seconds after somebody came, for all who came meanwhile.
            assert len(lines) <= 2 + (time.monotonic() - began) / 2
            assert re.match(
                r"STATUS=queries: 5, errors: 0; generation 1, \d+ files, \d+ chunks open; answers kept: 1; leaves at "
                r"\d\d:\d\d:\d\d if nobody asks$",
                lines[-1],
            )


@pytest.mark.skipif(sys.platform != "linux", reason="threads are seen in /proc")
def test_who_is_in_is_answered_before_it_leaves(indexed: Tree, listener: socket.socket) -> None:
    """Told to stop before it has even imported what answers."""
    argv = (b"query", b"-q", b"needle")
    command = (argv, os.fsencode(indexed.root), (80, False, False), (), b"", "test")
    asked = wire.ask(listener.getsockname(), "run", command, patience_s=PATIENCE_S)
    with contextlib.closing(asked), activated(indexed, listener.fileno()) as process:
        until = time.monotonic() + PATIENCE_S
        # The loop, what imports, and who serves this client.
        while len(os.listdir(f"/proc/{process.pid}/task")) < 3:
            assert time.monotonic() < until
        process.terminate()
        assert usual(Replies(asked), indexed.repository.id) == (0, b"a.py:1-2\n", b"")
        assert process.wait(PATIENCE_S) == 0


def test_a_supervisor_that_does_not_listen_is_no_trouble(
    indexed: Tree, listener: socket.socket, runtime: Path
) -> None:
    path = listener.getsockname()
    for address in (str(runtime / "nobody"), "@cidx-nobody", "x" * 500, "/"):
        deaf = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}
        with activated(indexed, listener.fileno(), environment=deaf) as process:
            assert ping(path) == ("pong", process.pid)
            process.terminate()
            _, err = process.communicate(timeout=PATIENCE_S)
            assert (process.returncode, "Traceback" in err) == (0, False)


# launchd

LAUNCHD = f"""
#include <stdlib.h>
#include <string.h>
int launch_activate_socket(const char *name, int **fds, size_t *count) {{
    if (!strcmp(name, "missing")) return {errno.ENOENT};
    if (!strcmp(name, "unmanaged")) return {errno.ESRCH};
    if (!strcmp(name, "twice")) return {errno.EALREADY};
    *count = strcmp(name, "two") ? 1 : 2;
    *fds = malloc(*count * sizeof(int));
    (*fds)[0] = 40;
    if (*count == 2) (*fds)[1] = 41;
    return 0;
}}
"""


@pytest.fixture(scope="session")
def launchd(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A library with launchd's call and its error codes."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("launchd")
    (folder / "launchd.c").write_text(LAUNCHD)
    library = folder / "launchd.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, folder / "launchd.c"], check=True)
    return str(library)


def test_launchd_hands_over_what_it_holds(launchd: str) -> None:
    assert activation.launchd_descriptors("Listener", launchd) == [40]
    assert activation.launchd_descriptors("two", launchd) == [40, 41]


@pytest.mark.parametrize("name", ["missing", "unmanaged"])
def test_a_process_that_launchd_did_not_start_has_nothing(launchd: str, name: str) -> None:
    assert activation.launchd_descriptors(name, launchd) == []


def test_launchd_hands_over_only_once(launchd: str) -> None:
    with pytest.raises(CidxError) as raised:
        activation.launchd_descriptors("twice", launchd)
    assert os.strerror(errno.EALREADY) in raised.value.why


def test_a_file_in_the_place_of_the_runtime_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "cidx").write_text("in the way")
    with pytest.raises(CidxError) as caught:
        activation.bind(tmp_path / "cidx" / "one.sock")
    assert caught.value.code is Code.UNREACHABLE
    assert caught.value.what == f"the socket {tmp_path / 'cidx' / 'one.sock'} can't be made"
    assert caught.value.why == "File exists"
