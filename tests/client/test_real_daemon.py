"""The installed command and the real daemon, together: the way that people go."""

import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.kit import Installed, install
from tests.kit import Tree

PATIENCE_S = 30
FILES = {"pkg/a.py": "def needle():\n    return 1\n", "pkg/b.md": "# Needle\n\nabout the needle\n"}


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A copy: a daemon leaves when its code changes, and somebody may be working on the checkout.
    return install(tmp_path_factory.mktemp("environment") / "venv", copy=True)


@pytest.fixture
def cidx(command: Path, tree: Tree) -> Iterator[Installed]:
    tree.write(FILES).commit()
    runtime = Path(tempfile.mkdtemp(prefix="cidx-"))
    found = Installed(command, tree, runtime)
    assert found("index").code == 0
    yield found
    shutil.rmtree(runtime)


class Running:
    """A daemon of the installed command; ended by whoever started it."""

    def __init__(self, cidx: Installed, **environment: str) -> None:
        self.process = cidx.start("daemon", "serve", environment=environment)
        assert self.process.stderr is not None
        assert b"serving" in self.process.stderr.readline()

    def __enter__(self) -> "subprocess.Popen[bytes]":
        return self.process

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate(timeout=PATIENCE_S)


def who(cidx: Installed) -> str:
    ended = cidx("query", "--json", "needle")
    assert ended.code == 0, ended
    return str(json.loads(ended.out)["served_by"])


def test_the_daemon_answers_what_a_process_answers(cidx: Installed) -> None:
    with Running(cidx):
        assert who(cidx) == "daemon"
        for line in (
            ["query", "needle"], ["query", "-q", "needle"], ["query", "xyzzyq", "--fts"], ["query", ""],
            ["query", "--help"],
            ["query", "--nonsense"], ["query", "needle", "--language", "md"], ["-C", "pkg", "query", "-q", "needle"],
            ["query", "needle", "-l", "1", "--", "-x"], ["--version"], ["query", "--language", "pyton", "x"],
        ):  # fmt: skip
            there, here = cidx(*line), cidx.here(*line)
            assert (there.code, there.out.decode(), there.err.decode()) == (here.code, here.out, here.err), (
                line
            )
    assert who(cidx) == "process"


def test_a_killed_daemon_is_said_in_one_line_and_the_answer_comes(cidx: Installed) -> None:
    with Running(cidx) as daemon:
        daemon.kill()
        daemon.wait()
        ended = cidx("query", "-q", "needle", environment={"CIDX_DAEMON_RETRY_DELAYS_MS": "10,10"})
    assert ended.code == 0
    assert b"pkg/a.py:1-2" in ended.out
    (line,) = ended.err.decode().splitlines()
    assert line.startswith("cidx: ")
    assert "answered without it. next:" in line


def test_an_upgrade_in_place_is_noticed_and_the_answer_comes(command: Path, cidx: Installed) -> None:
    with Running(cidx) as daemon:
        assert who(cidx) == "daemon"
        (module,) = command.parent.parent.glob("lib/python*/site-packages/cidx/log.py")
        module.write_text(module.read_text() + "\n")
        deadline = time.monotonic() + PATIENCE_S
        while who(cidx) == "daemon":
            assert time.monotonic() < deadline
        assert daemon.wait(PATIENCE_S) == 0


def test_an_idle_daemon_leaves_and_the_next_query_answers(cidx: Installed) -> None:
    with Running(cidx, CIDX_DAEMON_EVICTION_CHECK_INTERVAL_SECONDS="0.1") as daemon:
        assert who(cidx) == "daemon"
        assert cidx("config", "set", "daemon.ttl_minutes", "0.01").code == 0
        assert daemon.wait(PATIENCE_S) == 0
        assert who(cidx) == "process"


def test_an_edit_is_answered_before_and_after_it_is_indexed(cidx: Installed) -> None:
    with Running(cidx):
        assert who(cidx) == "daemon"
        cidx.tree.write({"late.py": "def arrived_later(): ...\n"})
        assert cidx("index").code == 0
        assert cidx("query", "-q", "arrived_later").out.startswith(b"late.py:1-1\n")


def test_ctrl_c_on_the_client_leaves_the_daemon_alone(cidx: Installed) -> None:
    with Running(cidx) as daemon:
        asking = cidx.start("query", "needle")
        asking.send_signal(signal.SIGINT)
        asking.communicate(timeout=PATIENCE_S)
        assert who(cidx) == "daemon"
        assert daemon.poll() is None
