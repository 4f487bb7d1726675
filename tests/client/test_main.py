"""The whole client in processes of its own, against a stock rpyc server that is told how to fail."""

import fcntl
import hashlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cidx.api.errors import Code
from cidx.api.versions import PROTOCOL, VERSION
from cidx.client import main
from tests.client.kit import Ended, Installed
from tests.daemon.kit import serving
from tests.kit import Tree

# What the scripted server answers, where it matters: no text that anybody would render.
ANSWER = {"code": 1, "out": "out \xff\x00\n", "err": "err \xfe\n"}
ANSWERED = Ended(1, b"out \xff\x00\n", b"err \xfe\n")


def check_fallback(cidx: Installed, ended: Ended, why: str, next_step: str = "cidx doctor") -> None:
    """The command has run in this process, and one line says why."""
    expected = cidx.here("query", "anything")
    assert (ended.code, ended.out.decode()) == (expected.code, expected.out)
    line, _, rest = ended.err.decode().partition("\n")
    assert re.fullmatch(rf"cidx: {why}; answered without it\. next: {next_step}", line)
    assert rest == expected.err


# Delegation


def test_an_answer_is_passed_on_to_the_byte(cidx: Installed) -> None:
    with cidx.server(**ANSWER) as script:
        assert cidx("query", "anything") == ANSWERED
        assert script.happened == ["connection", "hello", "run"]


def test_the_call_carries_what_the_command_depends_on(cidx: Installed) -> None:
    folder = cidx.tree.root / "inner"
    folder.mkdir()
    environment = {"CIDX_DAEMON_TTL_MINUTES": "3", "NO_COLOR": "1", "SECRET": "no", "PYTHONPATH": "no"}
    with cidx.server() as script:
        cidx("query", "-l", "3", "two words", cwd=folder, environment=environment)
        [[_, [protocol, version, pid]]] = script.entries("hello")
        [[_, argv, cwd, terminal, shipped, stdin, request]] = script.entries("run")
    assert (protocol, version) == (PROTOCOL, VERSION)
    assert pid > 1
    assert (argv, cwd) == (["query", "-l", "3", "two words"], str(folder))
    assert terminal == [80, False, False]
    names = dict(shipped)
    assert names["CIDX_DAEMON_TTL_MINUTES"] == "3"
    allowed = {"NO_COLOR", "TERM"}
    assert {name for name in names if not name.startswith("CIDX_")} <= allowed
    assert stdin == ""
    assert re.fullmatch("[0-9a-f]{16}", request)


def test_arguments_and_folders_need_not_be_utf8(cidx: Installed) -> None:
    folder = os.fsencode(cidx.tree.root) + b"/not \xff utf-8"
    os.mkdir(folder)
    with cidx.server() as script:
        assert cidx("query", b"\xfe\xff", cwd=folder).code == 0
        [[_, argv, cwd, *_]] = script.entries("run")
    assert argv == ["query", "\xfe\xff"]
    assert cwd.encode("latin-1") == folder


def test_another_repository_is_asked_at_its_own_socket(
    cidx: Installed, make_tree: Callable[[str], Tree]
) -> None:
    other = make_tree("other").root
    with cidx.server(root=other, **ANSWER) as script:
        assert cidx("query", "-C", str(other), "anything") == ANSWERED
        assert cidx("-C", os.path.relpath(other, cidx.tree.root), "query", "anything") == ANSWERED
        [[_, argv, cwd, *_], _] = script.entries("run")
    assert (argv, cwd) == (["query", "-C", str(other), "anything"], str(cidx.tree.root))


@pytest.mark.parametrize(
    ("argv", "environment"),
    [
        (["query", "anything", "--standalone"], {}),
        (["--standalone", "query", "anything"], {}),
        (["query", "anything"], {"CIDX_STANDALONE": "1"}),
        (["query", "anything", "--no-such-option"], {}),
        (["query"], {"_CIDX_COMPLETE": "bash_complete", "COMP_WORDS": "cidx que", "COMP_CWORD": "1"}),
        (["config"], {}),
        (["--version"], {}),
        ([], {}),
    ],
)
def test_what_is_not_for_a_daemon_does_not_reach_one(
    cidx: Installed, argv: list[str], environment: dict[str, str]
) -> None:
    with cidx.server() as script:
        ended = cidx(*argv, environment=environment)
        assert script.happened == []
    assert ended.out or ended.err
    assert b"without it" not in ended.err


def test_without_a_socket_the_client_is_silent(cidx: Installed) -> None:
    expected = cidx.here("query", "anything")
    ended = cidx("query", "anything")
    assert (ended.code, ended.out.decode(), ended.err.decode()) == (expected.code, expected.out, expected.err)


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["query", "--help"],
        ["nonsense"],
        ["query", "--limit", "many", "x"],
        ["config"],
        ["index", "--json", "--nonsense"],
        ["completion", "bash"],
        ["doctor", "--json"],
    ],
)
def test_what_runs_here_runs_as_with_a_full_interpreter(cidx: Installed, argv: list[str]) -> None:
    expected = cidx.here(*argv)
    ended = cidx(*argv)
    assert (ended.code, ended.out.decode(), ended.err.decode()) == (expected.code, expected.out, expected.err)


def test_the_taken_over_interpreter_is_like_a_full_one(cidx: Installed) -> None:
    """The same places to import from, in the same order, and the same prefix: `site` has run as ever."""
    code = "import sys; print(sys.path, sys.prefix, sys.exec_prefix, sys.flags.isolated, sys.flags.safe_path)"
    python = cidx.command.parent / "python"
    takes_over = (
        f"import sys; sys.path.append('{cidx.command.parent}/../lib/python%d.%d/site-packages' %"
        " sys.version_info[:2]); import cidx.client.main as m; heavy = type(sys)('cidx.__main__');"
        f" heavy.main = lambda: exec('{code}'); sys.modules['cidx.__main__'] = heavy; m._run_here()"
    )
    full = subprocess.run([python, "-I", "-c", code], capture_output=True, check=True)
    light = subprocess.run([python, "-I", "-S", "-c", takes_over], capture_output=True, check=True)
    assert light.stdout == full.stdout


# Output


@pytest.mark.parametrize("non_blocking", [False, True])
def test_fifty_megabytes_arrive_whole(cidx: Installed, non_blocking: bool) -> None:
    reader, writer = os.pipe()
    if non_blocking:
        os.set_blocking(writer, False)
    digest, size = hashlib.sha256(), 0
    with cidx.server(out="0123456789abcdef", repeat=50 * 2**16), open(reader, "rb") as stream:
        process = cidx.start("query", "anything", stdout=writer)
        os.close(writer)
        while part := stream.read(2**20):
            digest.update(part)
            size += len(part)
        assert process.communicate(timeout=60)[1] == b""
    assert (process.returncode, size) == (0, 50 * 2**20)
    assert digest.digest() == hashlib.sha256(b"0123456789abcdef" * 50 * 2**16).digest()


def test_a_terminal_is_described_and_written_to(cidx: Installed) -> None:
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, b"\x18\x00\x70\x00" + b"\x00" * 4)
    with cidx.server(code=0, out="shown\n") as script, open(controller, "rb", buffering=0) as screen:
        process = cidx.start("query", "anything", stdout=terminal, stderr=subprocess.DEVNULL)
        process.wait(60)
        assert screen.read(100) == b"shown\r\n"
        [[_, _, _, described, *_]] = script.entries("run")
    os.close(terminal)
    assert described == [0x70, True, False]


def test_a_closed_pipe_is_a_quiet_success(cidx: Installed) -> None:
    with cidx.server(code=1, out="x", repeat=10**6):
        process = cidx.start("query", "anything")
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0
        process.stderr.close()


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_an_answer_that_can_not_be_written_is_an_error(cidx: Installed) -> None:
    with cidx.server(out="x"), open("/dev/full", "wb") as full:
        ended = cidx("query", "anything", stdout=full)
    assert ended.code == Code.IO.exit_code
    assert ended.err == b"cidx: the answer can't be written: No space left on device [io-error]\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_stream_that_is_closed_does_not_become_the_socket(cidx: Installed, closed: str) -> None:
    with cidx.server(**ANSWER) as script:
        done = subprocess.run(
            ["sh", "-c", f'"$1" query anything {closed}', "sh", cidx.command],
            cwd=cidx.tree.root,
            env=cidx.environment(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert script.happened == []
    assert done.returncode == cidx.here("query", "anything").code


# Interruption

# What is interrupted would go on for a minute.
SOONER_S = 20


def test_interrupting_cancels_in_the_daemon(cidx: Installed) -> None:
    with cidx.server() as script:
        process = cidx.start("query", "wait")
        script.wait_for("run")
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=SOONER_S) == (b"", b"")
        [[*_, request]] = script.entries("run")
        assert script.entries("cancel") == [["cancel", request]]
    assert process.returncode == Code.INTERRUPTED.exit_code


def test_interrupting_ends_soon_though_the_daemon_is_stuck(cidx: Installed) -> None:
    with cidx.server(connections=["serve", "silence"]) as script:
        process = cidx.start("query", "wait")
        script.wait_for("run")
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=SOONER_S) == (b"", b"")
    assert process.returncode == Code.INTERRUPTED.exit_code


def test_interrupting_ends_the_wait_between_two_attempts(cidx: Installed) -> None:
    with cidx.server(connections=["close"] * 9) as script:
        process = cidx.start("query", "x", environment={"CIDX_DAEMON_RETRY_DELAYS_MS": "60000"})
        script.wait_for("connection")
        time.sleep(0.3)  # it shall be asleep by then; if it is not yet, the test still holds
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=SOONER_S) == (b"", b"")
    assert process.returncode == Code.INTERRUPTED.exit_code


# Faults


def configure(cidx: Installed, **daemon: Any) -> None:
    folder = cidx.tree.root / ".code-indexer"
    folder.mkdir(mode=0o700)
    (folder / "config.json").write_text(json.dumps({"daemon": daemon}))


def test_a_dead_socket_is_tried_as_configured(cidx: Installed) -> None:
    configure(cidx, max_retries=3, retry_delays_ms=[100, 200])
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(cidx.socket()))
    started = time.monotonic()
    ended = cidx("query", "anything")
    assert time.monotonic() - started > 0.5
    check_fallback(cidx, ended, "the daemon does not accept connections")


@pytest.mark.parametrize("how", ["close", "read and close"])
def test_connections_that_break_before_hello_are_tried_as_configured(cidx: Installed, how: str) -> None:
    configure(cidx, max_retries=3, retry_delays_ms=[10])
    with cidx.server(connections=[how] * 3, **ANSWER) as script:
        assert cidx("query", "anything") == ANSWERED
        assert script.happened == ["connection"] * 4 + ["hello", "run"]
    with cidx.server(connections=[how] * 9) as script:
        ended = cidx("query", "anything")
        assert script.happened == ["connection"] * 4
    check_fallback(cidx, ended, "the daemon ends every connection at once")


def test_the_environment_comes_before_the_file(cidx: Installed) -> None:
    configure(cidx, max_retries=9, retry_delays_ms=[10])
    with cidx.server(connections=["close"] * 9) as script:
        cidx("query", "anything", environment={"CIDX_DAEMON_MAX_RETRIES": "1"})
        assert script.happened == ["connection"] * 2


def test_an_answer_that_was_lost_is_asked_for_once_more(cidx: Installed) -> None:
    with cidx.server(lose=1, **ANSWER) as script:
        assert cidx("query", "lose") == ANSWERED
        assert script.happened == ["connection", "hello", "run"] * 2


def test_an_answer_that_is_lost_twice_is_given_here(cidx: Installed) -> None:
    with cidx.server(lose=9) as script:
        ended = cidx("query", "lose")
        assert script.happened == ["connection", "hello", "run"] * 2
    expected = cidx.here("query", "lose")
    assert (ended.code, ended.out.decode()) == (expected.code, expected.out)
    assert ended.err.startswith(b"cidx: the daemon broke off twice while answering; answered without it.")


def test_another_protocol_is_left_alone(cidx: Installed) -> None:
    with cidx.server(protocol=PROTOCOL + 1, states=["ready"]):
        ended = cidx("query", "anything")
    why = f"the daemon speaks protocol {PROTOCOL + 1}, this cidx {PROTOCOL}"
    check_fallback(cidx, ended, why, "cidx service repair")


def test_a_daemon_that_refuses_is_left_alone(cidx: Installed) -> None:
    with cidx.server(states=["refused"]):
        check_fallback(cidx, cidx("query", "anything"), "the daemon is not ready: refused", "cidx doctor")


def test_a_daemon_of_another_repository_is_not_believed(cidx: Installed) -> None:
    with cidx.server(repository="0123456789abcdef"):
        check_fallback(
            cidx,
            cidx("query", "anything"),
            "the daemon belongs to another repository",
            "cidx doctor",
        )


def test_a_daemon_that_does_not_say_hello_is_not_waited_for(cidx: Installed) -> None:
    with cidx.server(connections=["silence"]):
        ended = cidx("query", "anything")
    check_fallback(cidx, ended, r"the daemon did not answer within (5|12) s")


def test_a_daemon_that_leaves_is_followed_by_its_successor(cidx: Installed) -> None:
    """Once it has closed the connection; whatever it said to the call itself is not looked at."""
    with cidx.server(states=["leaving"], lose=1, **ANSWER) as script:
        assert cidx("query", "lose") == ANSWERED
        assert script.happened == ["connection", "hello", "run"] * 2


def test_a_daemon_that_leaves_slowly_is_not_waited_for(cidx: Installed) -> None:
    with cidx.server(states=["leaving"], **ANSWER) as script:
        assert cidx("query", "anything") == ANSWERED
        assert len(script.entries("hello")) == 2


def test_two_daemons_that_leave_are_enough(cidx: Installed) -> None:
    with cidx.server(states=["leaving"] * 9, lose=9) as script:
        ended = cidx("query", "lose")
        assert len(script.entries("hello")) == 2
    assert ended.err.startswith(b"cidx: the daemon is leaving, and so is its successor; answered without it.")


def test_a_daemon_without_a_successor_is_missed(cidx: Installed) -> None:
    with cidx.server(states=["leaving"]) as script:
        process = cidx.start("query", "anything")
        script.wait_for("hello")
        cidx.socket().unlink()
        script.process.kill()
        _, err = process.communicate(timeout=60)
    assert err.startswith(b"cidx: the daemon went away; answered without it.")


def test_a_busy_daemon_is_left_alone(cidx: Installed) -> None:
    with cidx.server(connections=["busy"]):
        ended = cidx("query", "anything")
    check_fallback(cidx, ended, "the daemon is busy: all 512 connections are taken", "cidx status")


def test_something_else_at_the_socket_is_left_alone(cidx: Installed) -> None:
    with cidx.server(connections=["garbage"]):
        check_fallback(cidx, cidx("query", "anything"), "what listens there answers with something else.*")


@pytest.mark.parametrize("words", ["list", "words"])
def test_an_answer_of_another_shape_is_not_believed(cidx: Installed, words: str) -> None:
    """A list would come as a reference."""
    with cidx.server():
        ended = cidx("query", words)
    expected = cidx.here("query", words)
    assert (ended.code, ended.out.decode()) == (expected.code, expected.out)
    assert ended.err.startswith(b"cidx: what listens there answers with something else than cidx's protocol;")


def test_a_failure_in_the_daemon_is_an_answer(cidx: Installed) -> None:
    """Neither tried again nor covered up, in one line that can't play with the terminal."""
    with cidx.server() as script:
        ended = cidx("query", "raise")
        assert len(script.entries("run")) == 1
    assert (ended.code, ended.out) == (Code.BUG.exit_code, b"")
    said = "cidx: the daemon failed at this command: ZeroDivisionError: one two  [31mthree [bug]"
    assert ended.err.decode() == f"{said}; next: cidx doctor\n"


def test_a_root_of_another_name_is_asked_in_a_second_step(cidx: Installed) -> None:
    with cidx.server(same_root=False, **ANSWER) as script:
        assert cidx("query", "anything") == ANSWERED
        assert script.happened == ["connection", "hello", "run"]
        assert cidx("query", "raise").code == Code.BUG.exit_code


def test_interrupting_reaches_a_root_of_another_name(cidx: Installed) -> None:
    with cidx.server(same_root=False) as script:
        process = cidx.start("query", "wait")
        script.wait_for("run")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert len(script.entries("cancel")) == 1
    assert process.returncode == Code.INTERRUPTED.exit_code


def test_a_file_in_place_of_the_socket_is_named(cidx: Installed) -> None:
    cidx.socket().write_text("")
    ended = cidx("query", "anything")
    check_fallback(cidx, ended, f"{re.escape(str(cidx.socket()))} is not a socket")


def test_a_socket_of_another_kind_is_named(cidx: Installed) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(cidx.socket()))
        check_fallback(cidx, cidx("query", "anything"), "the daemon can't be reached: .*")


def test_a_runtime_folder_beyond_the_length_of_an_address_has_no_daemon(
    cidx: Installed, tmp_path: Path
) -> None:
    runtime = tmp_path / ("x" * 120)
    runtime.mkdir()
    ended = cidx("query", "anything", environment={"XDG_RUNTIME_DIR": str(runtime)})
    assert b"without it" not in ended.err
    assert ended.code == cidx.here("query", "anything").code


# Lightness


def test_an_answered_query_imports_nothing_but_its_client(cidx: Installed) -> None:
    """The bench bounds what it costs; this names who is to blame."""
    allowed = {
        "cidx", "cidx.api", "cidx.api.versions",
        "cidx.client", "cidx.client.address", "cidx.client.commandline", "cidx.client.main",
        "cidx.client.replies", "cidx.client.wire",
        "_socket", "_sha256", "_sha2",
    }  # fmt: skip
    python = [cidx.command.parent / "python", "-I", "-S", "-X", "importtime", "-c"]
    light = re.search(r"light='(.*?)'\n\n", cidx.command.read_text(), re.DOTALL)
    assert light is not None
    nothing = subprocess.run([*python, "pass"], capture_output=True, text=True, check=True)
    with cidx.server(**ANSWER):
        done = subprocess.run(
            [*python, light[1], cidx.command.parents[1], "query", "anything"],
            cwd=cidx.tree.root,
            env=cidx.environment(),
            capture_output=True,
            timeout=60,
            check=False,
        )
    assert done.stdout == ANSWERED.out
    imported = imported_modules(done.stderr.decode("latin-1"))
    assert "cidx.client.main" in imported
    assert imported - imported_modules(nothing.stderr) <= allowed


def imported_modules(said: str) -> set[str]:
    return set(re.findall(r"^import time: .*\| +(\S+)$", said, re.MULTILINE))


def test_exit_codes_are_those_of_the_errors() -> None:
    assert Code.IO.exit_code == main.IO_ERROR
    assert Code.BUG.exit_code == main.BUG
    assert Code.INTERRUPTED.exit_code == main.INTERRUPTED


# Many at once


def test_many_clients_at_once_are_all_answered(cidx: Installed) -> None:
    with cidx.server(**ANSWER):
        ended: list[Ended] = []
        threads = [threading.Thread(target=lambda: ended.append(cidx("query", "x"))) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ended == [ANSWERED] * 20


def test_real_daemon(cidx: Installed) -> None:
    """Client and daemon understand each other: the same bytes, whoever answers."""
    cidx.tree.write({"a.py": "def parse_header(line):\n    return line\n"}).commit().index()
    alone = cidx("query", "parse header", "--standalone")
    with serving(cidx.tree) as daemon:
        environment = {"XDG_RUNTIME_DIR": str(Path(daemon.path).parents[1])}
        assert cidx("query", "parse header", environment=environment) == alone
        ended = cidx("query", "parse header", "--json", environment=environment)
    assert alone.code == 0
    assert json.loads(ended.out)["served_by"] == "daemon"
