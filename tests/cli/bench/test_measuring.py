"""How it is measured: what is asked, what is started, and what becomes of a daemon that goes away."""

import os
import signal
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

import pytest

from cidx.api.errors import CidxError, Code
from cidx.cli.bench import asking, programs, vitals
from cidx.cli.bench.crowds import Crowds
from cidx.cli.bench.daemon import home_of_links, private_place, started
from cidx.cli.bench.questions import drawn, questions
from tests.kit import Tree


@pytest.fixture
def indexed(tree: Tree) -> Tree:
    tree.write(
        {f"pkg/m{n}.py": f"def needle_{n}(hay):\n    return hay.stack[{n}]\n" for n in range(20)}
    ).commit()
    tree.index()
    return tree


# Questions


def test_questions_are_the_repositorys_own_and_never_the_same(indexed: Tree) -> None:
    with_names = [list(islice(questions(indexed.snapshot(), indexed.root), 300)) for _ in range(2)]
    assert with_names[0] == with_names[1]
    assert len(set(with_names[0])) == 300
    words = {word for text in with_names[0] for word in text.split()}
    assert words <= {"def", "needle", "hay", "return", "stack"} | {f"needle_{n}" for n in range(20)}
    assert sum(text.startswith("needle_") for text in with_names[0]) == 20


@pytest.mark.parametrize(
    ("names", "files"), [(["a"], []), ([], [["word"]]), (["f", "g"], [["f"]]), (["é"], [["é", "日本語"]])]
)
def test_a_little_is_enough_for_any_number(names: list[str], files: list[list[str]]) -> None:
    assert len(set(islice(drawn(names, files), 200))) == 200


def test_nothing_is_asked_of_nothing(tree: Tree) -> None:
    assert list(drawn([], [])) == []
    tree.write({"a.txt": "1 2 3\n"}).commit()
    tree.index()
    assert list(questions(tree.snapshot(), tree.root)) == []


def test_a_file_that_has_gone_is_not_asked_about(indexed: Tree) -> None:
    for number in range(20):
        (indexed.root / f"pkg/m{number}.py").unlink()
    assert next(questions(indexed.snapshot(), indexed.root)).startswith("needle_")


# Processes


def test_what_the_system_tells_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "import sys; held = bytearray(b'x') * 50_000_000; sum(range(3_000_000)); print(); sys.stdin.read()"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    for _ in range(2):
        assert 50_000_000 < vitals.private_bytes(process.pid) < 100_000_000
        assert 0.01 < vitals.cpu_s(process.pid) < 60 or vitals.cpu_s(process.pid) == 0
        # As where there is no /proc, whose whole seconds may be none.
        monkeypatch.setattr(vitals, "Path", lambda path: Path("/nonexistent" + path))
    process.communicate()
    assert vitals.private_bytes(process.pid) == vitals.cpu_s(process.pid) == 0
    monkeypatch.setenv("PATH", "/nonexistent")
    assert vitals.private_bytes(process.pid) == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [("00:00:07", 7), ("1:02.50", 62.5), ("2-03:04:05", 183_845), ("", 0)],
)
def test_times_as_ps_writes_them(text: str, expected: float) -> None:
    assert vitals.seconds(text) == expected


def test_imports_are_those_that_an_answer_made() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-X", "importtime", "-c", "import json"],
        capture_output=True,
        text=True,
        check=True,
    )
    names = programs.imported(done.stderr)
    assert {"json", "json.decoder"} <= set(names)
    assert all(" " not in name for name in names)
    assert subprocess.run([*programs.imports([*names, "no.such.module"])], check=True).returncode == 0


def test_a_program_that_can_not_be_started_is_no_bug() -> None:
    ended = programs.run(["/nonexistent/cidx"], directory=Path("/"), environment={})
    assert ended.code == -1
    assert "No such file" in ended.err


# The daemon


def test_a_private_place_is_nobodys_service(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And its socket's path is short, however long that of the temporary folder is."""
    long = tmp_path / ("long" * 15)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    theirs = {"CIDX_STANDALONE": "1", "NOTIFY_SOCKET": "/run/x", "XDG_RUNTIME_DIR": "/run/x", "KEPT": "1"}
    with private_place(tree.root, theirs, tree.users.home) as place:
        assert place.socket.startswith(str(place.folder))
        assert len(place.socket) <= 103
        assert place.folder.stat().st_mode & 0o777 == 0o700
        assert not {"CIDX_STANDALONE", "NOTIFY_SOCKET"} & set(place.environment)
        assert place.environment["KEPT"] == "1"
        assert place.environment["CIDX_DAEMON_AUTO_INDEX"] == "false"
    assert not place.folder.exists()


def test_a_home_of_links_has_all_but_the_sockets(tmp_path: Path) -> None:
    for name in (".cidx", "Library", ".gitconfig"):
        (tmp_path / "real" / name).mkdir(parents=True)
    made = home_of_links(tmp_path / "made", tmp_path / "real")
    assert {entry.name: entry.readlink() for entry in made.iterdir()} == {
        name: tmp_path / "real" / name for name in ("Library", ".gitconfig")
    }


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_daemon_that_goes_away_has_failed_to_answer(indexed: Tree, how: signal.Signals) -> None:
    """Its clients then answer by themselves, with or without a word about it."""
    environment = indexed.process_environment(CIDX_DAEMON_MAX_RETRIES="0")
    with private_place(indexed.root, environment, indexed.users.home) as place, started(place) as daemon:

        def report(what: str, done: int, of: int) -> None:
            if done == 3:
                daemon.process.send_signal(how)
                daemon.process.wait(20)

        crowd = Crowds(daemon, report).ask(list(islice(drawn(["needle"], []), 6)), clients=1)
    assert crowd.asked == 6
    assert crowd.answered <= 3
    assert len(set(crowd.failures)) >= 1


def test_a_daemon_that_does_not_start_says_why(indexed: Tree) -> None:
    with private_place(indexed.root, indexed.process_environment(), indexed.users.home) as place:
        (place.folder / "cidx").write_text("in the way")
        with pytest.raises(CidxError) as raised, started(place):
            pass
    assert raised.value.code is Code.UNREACHABLE
    assert "cidx daemon serve" in raised.value.next_step
    assert "File exists" in raised.value.why


def test_a_query_that_fails_ends_the_measuring_with_its_error(indexed: Tree) -> None:
    with private_place(indexed.root, indexed.process_environment(), indexed.users.home) as place:
        assert asking.answered(place, "needle", "--standalone") > 0
        with pytest.raises(CidxError, match="measured has failed") as raised:
            asking.answered(place, "needle", "--standalone", "--no-such-option")
        assert "No such option" in raised.value.why
        with pytest.raises(CidxError, match="measured has failed"):
            asking.Wire(place).query("needle")
        assert os.listdir(place.folder) == []
