"""What each command does, prints and leaves behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cidx.cli.session import Terminal
from tests.kit import Tree

CODE = {"pkg/a.py": "def needle():\n    return 1\n", "pkg/b.md": "# Needle\n\nabout the needle\n"}


@pytest.fixture
def indexed(tree: Tree) -> Tree:
    tree.write(CODE).commit()
    tree.index()
    return tree


def test_init_writes_the_defaults_once(tree: Tree) -> None:
    ran = tree.run("init", "--ttl-minutes", "3")
    assert ran.code == 0
    file = tree.root / ".code-indexer" / "config.json"
    assert json.loads(file.read_text())["daemon"]["ttl_minutes"] == 3
    assert (tree.root / ".code-indexer" / ".gitignore").read_text() == "*\n"
    assert "already initialised" in tree.run("init").out
    assert json.loads(file.read_text())["daemon"]["ttl_minutes"] == 3
    tree.run("init", "--force")
    assert json.loads(file.read_text())["daemon"]["ttl_minutes"] == 10
    assert tree.git("status", "--porcelain") == ""


def test_init_makes_a_plain_folder_a_repository(plain_tree: Tree) -> None:
    plain_tree.write(CODE)
    assert plain_tree.run("query", "x").code == 3
    assert plain_tree.run("init").code == 0
    plain_tree.index()
    assert "pkg/a.py" in plain_tree.paths("needle")


def test_init_refuses_the_home_folder(plain_tree: Tree) -> None:
    ran = plain_tree.run("init", directory=plain_tree.users.home)
    assert ran.code == 2
    assert "home folder" in ran.err


def test_init_force_heals_a_broken_configuration(tree: Tree) -> None:
    tree.run("init")
    (tree.root / ".code-indexer" / "config.json").write_text("{ oops")
    assert tree.run("index").code == 2
    assert tree.run("init", "--force").code == 0
    assert tree.run("index").code == 0


def test_index_tells_what_it_did(tree: Tree) -> None:
    tree.write(CODE | {"data.bin": b"\0\1"}).commit()
    first = tree.index()
    assert (first["generation"], first["files"], first["added"], first["rebuilt"]) == (1, 2, 2, True)
    assert first["skipped"] == {"binary": 1}
    again = tree.run("index")
    assert again.out.startswith("up to date: generation 1 in ")
    tree.write({"pkg/a.py": "def other(): ...\n", "new.go": "package main\n"})
    (tree.root / "pkg/b.md").unlink()
    changed = tree.index()
    assert [changed[name] for name in ("added", "changed", "removed", "generation")] == [1, 1, 1, 2]


def test_a_moved_file_is_not_embedded_again(indexed: Tree) -> None:
    (indexed.root / "pkg/a.py").rename(indexed.root / "moved.py")
    assert indexed.index()["embedded"] == 0
    assert indexed.paths("needle", "--language", "python") == ["moved.py"]


def test_clear_keeps_vectors(indexed: Tree) -> None:
    summary = indexed.index("--clear")
    assert (summary["embedded"], summary["rebuilt"], summary["generation"]) == (0, True, 2)


def test_settings_decide_what_is_indexed(tree: Tree) -> None:
    tree.write(CODE | {"big.txt": "needle\n" * 1000}).commit()
    assert tree.index()["files"] == 3
    tree.run("config", "set", "index.max_file_bytes", "1000")
    assert tree.index()["skipped"] == {"too large": 1}
    tree.run("config", "set", "index.languages", "python")
    assert tree.index()["skipped"] == {"other language": 1, "too large": 1}
    tree.run("config", "set", "index.exclude", "pkg/")
    assert tree.index()["files"] == 0


def test_a_query_brings_small_changes_in(indexed: Tree) -> None:
    indexed.write({"late.py": "def arrived_later(): ...\n"})
    answer = indexed.query("arrived_later")
    assert answer["fresh"]
    assert answer["generation"] == 2
    assert answer["hits"][0]["path"] == "late.py"


def test_a_query_answers_from_the_old_generation_when_it_may_not_index(indexed: Tree) -> None:
    indexed.write({"late.py": "def arrived_later(): ...\n"})
    indexed.run("config", "set", "daemon.auto_index", "false")
    answer = indexed.query("needle")
    assert (answer["fresh"], answer["changed_files"], answer["generation"]) == (False, 1, 1)


def test_the_fields_of_an_answer(indexed: Tree) -> None:
    answer = indexed.query("needle")
    assert list(answer) == [
        "query", "mode", "repository", "generation", "fresh", "changed_files", "served_by", "took_ms", "hits",
    ]  # fmt: skip
    assert list(answer["hits"][0]) == [
        "path", "start_line", "end_line", "language", "symbol", "score", "matched_by", "scores", "text",
    ]  # fmt: skip
    assert answer["repository"] == str(indexed.root)


def test_quiet_is_one_place_a_line(indexed: Tree) -> None:
    assert indexed.run("query", "-q", "needle", "return").out.splitlines()[0] == "pkg/a.py:1-2"
    from_below = indexed.run("query", "-q", "needle", directory=indexed.root / "pkg").out.splitlines()
    assert sorted(from_below) == ["a.py:1-2", "b.md:1-3"]


def test_text_shows_the_lines_and_colour_only_in_a_terminal(indexed: Tree) -> None:
    plain = indexed.run("query", "needle")
    assert "pkg/a.py:1-2  needle" in plain.out
    assert "     1> def needle():" in plain.out
    assert "     2      return 1" in plain.out
    assert "\x1b" not in plain.out
    painted = indexed.run("query", "needle", terminal=Terminal(out_is_terminal=True, colour=True, columns=80))
    assert "\x1b[1mpkg/a.py:1-2" in painted.out


def test_a_snippet_shows_the_lines_that_fit(tree: Tree) -> None:
    tree.write({"long.txt": "filler\n" * 20 + "the needle line\n" + "filler\n" * 9}).commit()
    tree.index()
    out = tree.run("query", "needle", "--snippet-lines", "1").out
    assert "    21> the needle line" in out
    assert "filler" not in out
    assert len(tree.run("query", "needle", "--snippet-lines", "0").out.splitlines()) == 1


def test_control_characters_do_not_reach_the_terminal(tree: Tree) -> None:
    tree.write({"evil.txt": "needle \x1b[2J\x07 cleared\n"}).commit()
    tree.index()
    assert "\x1b" not in tree.run("query", "needle").out
    assert tree.query("needle")["hits"][0]["text"] == "needle \x1b[2J\x07 cleared"


def test_names_that_are_not_utf8_come_out_as_they_are(tree: Tree) -> None:
    name = b"caf\xe9 \n.py"
    (Path(bytes(tree.root).decode()) / name.decode("utf-8", "surrogateescape")).write_text("needle = 1\n")
    tree.index()
    ran = tree.run("query", "--json", "needle")
    assert "\\udce9" in ran.out
    assert ran.json["hits"][0]["path"].encode("utf-8", "surrogateescape") == name
    assert tree.run("query", "-q", "needle").out == "caf\udce9 \\n.py:1-1\n"


def test_status_tells_index_and_freshness(indexed: Tree) -> None:
    status = indexed.run("status", "--json").json
    assert status["repository"] == str(indexed.root)
    assert {name: status["index"][name] for name in ("generation", "files", "fresh", "changed_files")} == {
        "generation": 1, "files": 2, "fresh": True, "changed_files": 0,
    }  # fmt: skip
    assert status["index"]["bytes"] > 0
    assert status["service"]["supervisor"] == "none"
    assert status["service"]["socket"].endswith(".sock")
    assert status["daemon"] is None
    indexed.write({"pkg/a.py": "changed = 1\n"})
    (indexed.root / "pkg/b.md").touch()
    assert indexed.run("status", "--json").json["index"]["changed_files"] == 1
    assert "1 file has changed" in indexed.run("status").out


def test_status_without_an_index(tree: Tree) -> None:
    ran = tree.run("status", "--json")
    assert (ran.code, ran.json["index"]) == (0, None)
    assert "cidx index" in tree.run("status").out


def test_clean_removes_the_index_and_keeps_the_configuration(indexed: Tree) -> None:
    indexed.run("config", "set", "daemon.ttl_minutes", "7")
    assert indexed.run("clean").code == 0
    assert indexed.run("query", "needle").code == 3
    assert indexed.run("config", "get", "daemon.ttl_minutes").out == "7\n"
    assert "nothing to remove" in indexed.run("clean").out
    indexed.run("clean", "--all")
    assert not (indexed.root / ".code-indexer").exists()
    assert "nothing to remove" in indexed.run("clean").out
    indexed.index()
    assert indexed.paths("needle")


def test_config_names_where_a_value_comes_from(tree: Tree) -> None:
    tree.run("config", "set", "daemon.ttl_minutes", "4")
    shown = tree.run("config", "show", "--json", environment={"CIDX_DAEMON_MAX_RETRIES": "9"}).json
    assert shown["daemon.ttl_minutes"] == {
        "value": 4.0,
        "source": str(tree.root / ".code-indexer/config.json"),
    }
    assert shown["daemon.max_retries"] == {"value": 9, "source": "$CIDX_DAEMON_MAX_RETRIES"}
    assert shown["daemon.auto_index"] == {"value": True, "source": "default"}
    assert tree.run("config").out == tree.run("config", "show").out


def test_config_set_refuses_what_is_not_allowed(tree: Tree) -> None:
    ran = tree.run("config", "set", "daemon.ttl_minutes", "never")
    assert (ran.code, ran.out) == (2, "")
    assert "[bad-config]" in ran.err
    assert not (tree.root / ".code-indexer" / "config.json").exists()


def test_a_typing_mistake_in_the_configuration_is_named(tree: Tree) -> None:
    tree.run("init")
    (tree.root / ".code-indexer/config.json").write_text('{"daemon": {"ttl_minuts": 5}}')
    assert "daemon.ttl_minuts" in tree.run("config").err
    assert "daemon.ttl_minuts" in tree.run("doctor").out


def test_doctor_finds_nothing_wrong_with_a_good_index(indexed: Tree) -> None:
    ran = indexed.run("doctor", "--json")
    assert ran.code == 0
    assert {finding["check"] for finding in ran.json} >= {
        "python",
        "git",
        "model",
        "repository",
        "settings",
        "index",
    }
    assert not [finding for finding in ran.json if finding["verdict"] == "problem"]


def test_doctor_finds_a_flipped_bit_in_the_vectors(indexed: Tree) -> None:
    (file,) = (indexed.root / ".code-indexer/index").glob("base-*/vectors")
    data = bytearray(file.read_bytes())
    data[100] ^= 1
    file.write_bytes(data)
    ran = indexed.run("doctor")
    assert ran.code == 1
    assert "vectors is not as it was written" in ran.out
    assert "next: cidx index\n" in ran.out
    assert "vectors is not as it was written" in indexed.index()["why_rebuilt"]
    assert indexed.run("doctor").code == 0


def test_doctor_names_what_can_not_be_opened(indexed: Tree) -> None:
    (file,) = (indexed.root / ".code-indexer/index").glob("base-*/catalogue.sqlite")
    file.write_bytes(b"noise" * 1000)
    ran = indexed.run("doctor")
    assert ran.code == 1
    assert indexed.run("query", "needle").code == 5
    assert indexed.index()["rebuilt"]
    assert indexed.run("doctor").code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full: Linux only")
def test_output_that_can_not_be_written_is_no_success(indexed: Tree) -> None:
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "cidx", "query", "needle"],
            cwd=indexed.root,
            env=indexed.process_environment(PYTHONPATH=str(Path(__file__).parents[2])),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.returncode == 5
    assert "can't be written: No space left on device [io-error]" in ran.stderr
