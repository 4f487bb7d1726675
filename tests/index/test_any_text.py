"""Files of any encoding, line end and size, from the disk to the hit."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cidx.index import reader
from cidx.index.files import Entry
from cidx.repository.settings import IndexSettings
from cidx.store import source
from cidx.text import embedder
from tests.kit import Tree

JAPANESE = "# 設定\n\ndef 読む():\n    # ソケット を 渡す\n    return 表示\n"


@pytest.mark.parametrize("name", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp932", "euc_jp"])
def test_a_file_is_found_by_its_words_and_read_whatever_its_encoding(name: str, tree: Tree) -> None:
    tree.write({"other.py": "x = 1\n" * 50, "a.py": JAPANESE.encode(name)})
    tree.index()
    answer = tree.query("ソケット", "--fts")
    (hit,) = answer["hits"]
    assert (hit["path"], hit["language"], hit["start_line"]) == ("a.py", "python", 1)
    assert hit["text"] == JAPANESE.removesuffix("\n")
    assert not hit.get("stale")
    assert "     4>     # ソケット を 渡す" in tree.run("query", "--fts", "ソケット").out
    assert tree.index()["generation"] == 1


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("# élève façade größer\nx = 1\n", "latin-1"),
        ("# “naïve” élève\nx = 1\n", "cp1252"),
        ("# Привет, мир\n", "cp1251"),
    ],
)
def test_western_and_cyrillic_text_is_readable(text: str, name: str, tree: Tree) -> None:
    tree.write({"a.py": text.encode(name)})
    tree.index()
    word = "élève" if "élève" in text else "привет"
    (hit,) = tree.query(word, "--fts")["hits"]
    assert hit["text"] == text.removesuffix("\n")


def test_a_file_that_was_written_anew_in_utf_8_is_the_same_text(tree: Tree) -> None:
    """What a vector depends on is the text: nothing is embedded again."""
    tree.write({"a.py": JAPANESE.encode("cp932")})
    tree.index()
    tree.write({"a.py": JAPANESE})
    again = tree.index()
    assert (again["changed"], again["embedded"]) == (1, 0)


def test_what_was_changed_since_is_said_in_any_encoding(tree: Tree) -> None:
    tree.write({"a.py": JAPANESE.encode("utf-16")})
    tree.index()
    tree.write({"a.py": JAPANESE.replace("渡す", "渡さない").encode("utf-16")})
    hits = tree.run(
        "query", "--json", "--fts", "ソケット", environment={"CIDX_DAEMON_AUTO_INDEX": "false"}
    ).json["hits"]
    assert [hit["stale"] for hit in hits] == [True]
    assert "渡さない" in hits[0]["text"]


def test_line_ends_of_windows(tree: Tree) -> None:
    lines = ["class Thing:", "    def needle(self):", "        return 1", ""]
    tree.write({"a.py": "\ufeff" + "\r\n".join(lines), "b.py": "\n".join(lines)})
    assert tree.index()["embedded"] == 2
    windows, unix = sorted(tree.query("needle", "--fts")["hits"], key=lambda hit: hit["path"])
    assert (windows["start_line"], windows["end_line"], windows["symbol"]) == (1, 3, unix["symbol"])
    assert windows["text"] == "\r\n".join(lines[:3]) + "\r"
    assert "\r" not in tree.run("query", "--fts", "needle").out


def test_no_byte_of_a_file_steers_a_terminal(tree: Tree) -> None:
    tree.write(
        {"a.txt": b"needle \x1b[31m \x9b31m \xc2\x9b31m \x07 \xe2\x80\xae\n", "b.txt": b"needle \xff\xfe\n"}
    )
    tree.index()
    ran = tree.run("query", "--fts", "needle")
    ran.out.encode("utf-8")
    assert not set("\x1b\x9b\x07") & set(ran.out)


def test_a_file_beyond_the_limit_is_never_opened(tree: Tree) -> None:
    """Two gigabytes that would be read would be seen in time and memory."""
    tree.write({"a.py": "def needle(): ...\n"})
    with (tree.root / "huge.py").open("wb") as stream:
        stream.truncate(2**31 + 1)
    started = time.process_time()
    assert tree.index()["skipped"] == {"too large": 1}
    assert tree.paths("needle", "--fts") == ["a.py"]
    assert time.process_time() - started < 5


def test_a_large_file_that_is_no_text_is_not_read_to_its_end(tmp_path: Path) -> None:
    """With the largest limit that may be set, and memory for a tenth of the file."""
    with (tmp_path / "huge.bin").open("wb") as stream:
        stream.truncate(2**31)
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_DATA, (2**28, 2**28))\n"
        "from tests.index.test_any_text import read\n"
        "from pathlib import Path\n"
        "print(read(Path(sys.argv[1]), 2**31).file.skipped)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "huge.bin")],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "binary\n", done.stderr


def read(file: Path, limit: int) -> reader.Read:
    stat = os.lstat(file)
    entry = Entry(os.fsencode(file.name), stat.st_size, source.stamp(stat))
    made = reader.Reader(
        root=os.fsencode(file.parent),
        settings=IndexSettings(max_file_bytes=limit),
        embedder=embedder.packaged(),
        known_of=lambda keys: frozenset(),
    )
    (found,) = made.prepare([reader.Task(entry)], now_ns=time.time_ns()).reads
    assert found is not None
    return found


def test_a_file_of_one_line_that_nobody_reads_is_skipped(tree: Tree) -> None:
    tree.write({"a.json": b"[" + b'"needle",' * 200_000 + b'""]\n'})
    tree.run("config", "set", "index.max_file_bytes", "5000000")
    assert tree.index()["skipped"] == {"with overlong lines": 1}


def test_a_file_of_many_short_lines_is_cut_in_linear_time(tmp_path: Path) -> None:
    """A million lines within the limit of a megabyte."""
    (tmp_path / "a.py").write_bytes(b"\n" * 1_000_000 + b"def needle(): ...\n")
    started = time.process_time()
    found = read(tmp_path / "a.py", 2**20)
    assert found.pieces[-1].span.end_line == 1_000_001
    assert time.process_time() - started < 20


def test_a_file_that_has_grown_since_is_not_read_to_its_end(tree: Tree) -> None:
    """A log that was small when it was indexed: what a query shows of it stands in its beginning."""
    tree.write({"app.txt": "needle at the start\n"})
    tree.index()
    with (tree.root / "app.txt").open("r+b") as stream:
        stream.seek(2**31)
        stream.write(b"end\n")
    ran = tree.run("query", "--json", "--fts", "needle", environment={"CIDX_DAEMON_AUTO_INDEX": "false"})
    assert [hit["text"] for hit in ran.json["hits"]] == ["needle at the start"]
    assert ran.json["changed_files"] == 1
    assert tree.query("needle", "--fts")["hits"] == []
    with (tree.root / "app.txt").open("ab") as stream:
        stream.write(b"more\n")
    answer = tree.query("needle", "--fts")
    assert (answer["fresh"], answer["generation"]) == (True, 2)


def test_a_binary_that_changes_all_the_time_makes_nothing_stale(tree: Tree) -> None:
    tree.write({"a.py": "def needle(): ...\n", "data.db": b"SQLite\0" + bytes(2000)})
    tree.index()
    tree.write({"data.db": b"SQLite\0" + bytes(3000)})
    off = {"CIDX_DAEMON_AUTO_INDEX": "false"}
    assert tree.run("query", "--json", "--fts", "needle", environment=off).json["fresh"]
    tree.write({"data.db": b"no longer one\n"})
    assert tree.run("query", "--json", "--fts", "needle", environment=off).json["changed_files"] == 1


# The clock


def test_same_size_and_time_with_other_content_is_noticed(tree: Tree) -> None:
    tree.write({"a.py": "def needle(): ...\n"})
    file = tree.root / "a.py"
    os.utime(file, ns=(10**18, 10**18))
    time.sleep(0.03)  # old enough to be trusted
    tree.index()
    file.write_text("def beetle(): ...\n")
    os.utime(file, ns=(10**18, 10**18))
    assert tree.paths("beetle", "--fts") == ["a.py"]


def test_another_file_of_the_same_times_is_noticed(tree: Tree) -> None:
    tree.write({"a.py": "def needle(): ...\n", "b.py": "def beetle(): ...\n"})
    for name in ("a.py", "b.py"):
        os.utime(tree.root / name, ns=(10**18, 10**18))
    tree.index()
    (tree.root / "b.py").rename(tree.root / "a.py")
    assert tree.paths("beetle", "--fts") == ["a.py"]


@pytest.mark.parametrize("ahead_s", [60, 10 * 365 * 86400])
def test_times_in_the_future_are_as_good_as_others(ahead_s: int, tree: Tree) -> None:
    """Nothing is read again for them, and what changes is noticed."""
    tree.write({f"{number}.py": f"def needle{number}(): ...\n" for number in range(3)})
    future_ns = time.time_ns() + ahead_s * 10**9
    for file in tree.root.glob("*.py"):
        os.utime(file, ns=(future_ns, future_ns))
    time.sleep(0.03)
    tree.index()
    with tree.snapshot() as snapshot:
        assert source.YOUNG not in snapshot.catalogue.stamps().values()
    (tree.root / "1.py").write_text("def beetle(): ...\n")
    assert tree.paths("beetle", "--fts") == ["1.py"]


def test_a_server_whose_clock_is_a_little_ahead_is_not_trusted_too_soon(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x")
    now_ns = os.lstat(tmp_path / "a.py").st_ctime_ns
    path = os.fsencode(tmp_path / "a.py")
    assert source.read(path, now_ns=now_ns - 2 * 10**9).stamp == source.YOUNG
    assert source.read(path, now_ns=now_ns + 10**9).stamp != source.YOUNG
    assert source.read(path, now_ns=now_ns - 60 * 10**9).stamp != source.YOUNG


def test_json_of_any_bytes_is_json(tree: Tree) -> None:
    tree.write({f"{name}.txt": b"needle " + bytes(range(1, 256)) for name in ("a", "b")})
    tree.index()
    ran = tree.run("query", "--json", "--fts", "needle")
    assert len(json.loads(ran.out.encode("utf-8"))["hits"]) == 2
