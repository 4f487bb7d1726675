"""What a hit shows of a file that has changed since it was indexed."""

from pathlib import Path

import pytest

from cidx.search.files import Placed, Texts, place
from cidx.store import source
from cidx.store.records import ChunkRow, Span
from tests.kit import Tree

BEHIND = {"CIDX_DAEMON_AUTO_INDEX": "false"}
SOURCE = (
    "import os\n\n\ndef needle():\n    return os.name\n\n\ndef other():\n    return 2\n" + "# end\n" * 200
)


@pytest.fixture
def indexed(tree: Tree) -> Tree:
    tree.write({"a.py": SOURCE, "b.py": "def elsewhere(): ...\n"}).index()
    return tree


def hits(tree: Tree, *argv: str) -> list[tuple[str, bool]]:
    """The first line of each hit in a.py, as it is there now, and whether the hit is marked as stale."""
    answer = tree.run("query", "--json", *argv, environment=BEHIND).json
    for hit in answer["hits"]:
        lines = (tree.root / hit["path"]).read_text().split("\n")
        assert hit["text"] == "\n".join(lines[hit["start_line"] - 1 : hit["end_line"]])
    assert not answer["fresh"]
    return [(hit["path"], hit.get("stale", False)) for hit in answer["hits"]]


@pytest.mark.parametrize("flags", [(), ("--fts",), ("--semantic",), ("--fuzzy",)])
def test_lines_that_have_moved_are_shown_where_they_are(indexed: Tree, flags: tuple[str, ...]) -> None:
    indexed.write({"a.py": "# new\n" * 50 + SOURCE})
    assert hits(indexed, *flags, "needle")[0] == ("a.py", False)
    answer = indexed.run("query", "--json", *flags, "needle", environment=BEHIND).json
    assert answer["hits"][0]["start_line"] == 51


def test_lines_that_have_changed_are_marked(indexed: Tree) -> None:
    indexed.write({"a.py": SOURCE.replace("os.name", "os.sep")})
    assert hits(indexed, "needle")[0] == ("a.py", True)


def test_a_file_that_is_gone_or_has_become_too_short_is_not_shown(indexed: Tree) -> None:
    (indexed.root / "a.py").unlink()
    assert ("a.py", False) not in hits(indexed, "needle")
    indexed.write({"a.py": ""})
    assert [path for path, _ in hits(indexed, "--fts", "needle")] == []


def chunk(lines: list[bytes], first: int, last: int) -> ChunkRow:
    span = Span(first, last)
    key = source.content_key("", source.span_bytes(lines, span))
    return ChunkRow(1, 1, b"a.py", "python", span, 1, key)


def test_the_nearest_place_counts() -> None:
    lines = [b"%d\n" % number for number in range(100)]
    row = chunk(lines, 50, 52)
    same = b"".join(lines[49:52])
    text = same + b"x\n" * 60 + same + b"x\n" * 200
    placed = place(row, text)
    assert placed is not None
    assert placed[0].span == Span(64, 66)


def test_far_away_is_not_looked(tmp_path: Path) -> None:
    lines = [b"%d\n" % number for number in range(3000)]
    row = chunk(lines, 1, 2)
    placed = place(row, b"x\n" * 2000 + b"".join(lines[:2]))
    assert placed is not None
    assert placed[0].span == row.span


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_hits_show_their_lines_in_any_encoding(tree: Tree, encoding: str, end: str) -> None:
    text = end.join([*(f"# größe {n}" for n in range(300)), "def needle():", "    return 'größe'", ""])
    tree.write({"a.py": text.encode(encoding)}).index()
    [hit] = [hit for hit in tree.query("--fts", "needle")["hits"] if "needle" in hit["text"]]
    lines = text.split("\n")[hit["start_line"] - 1 : hit["end_line"]]
    assert hit["text"] == "\n".join(lines).removesuffix("\n")
    assert not hit.get("stale")


def test_of_a_file_that_is_as_it_was_only_the_lines_of_a_hit_are_read(tree: Tree) -> None:
    """Of one that is not all are, whatever stands where they stood: they may have other numbers now."""
    file = tree.write({"a.py": SOURCE}).root / "a.py"
    lines = source.lines_of(SOURCE.encode())
    start, size = len(b"".join(lines[:3])), len(b"".join(lines[3:5]))
    row = chunk(lines, 4, 5)._replace(stamp=source.stamp(file.stat()), start_byte=start, size_bytes=size)
    as_it_was = Placed(row, b"".join(lines[3:5]), stale=False)
    assert Texts(tree.root, limit=1).place(row) == as_it_was
    assert Texts(tree.root, limit=10**6).place(row._replace(stamp=source.YOUNG)) == as_it_was._replace(
        chunk=row._replace(stamp=source.YOUNG)
    )
    tree.write({"a.py": SOURCE.replace("import os\n", "import\nos\n")})
    moved = Texts(tree.root, limit=10**6).place(row)
    assert moved is not None
    assert (moved.content, moved.stale, moved.chunk.span) == (as_it_was.content, False, Span(5, 6))


@pytest.mark.parametrize(
    "text", [b"", b"a", b"a\n", b"\n\nb", b"line\n" * 3000, b"%s\n\nend" % (b"x" * 9000)]
)
def test_lines_are_cut_where_they_end(text: bytes) -> None:
    lines = source.lines_of(text)
    for first, last in ((1, 1), (1, 3), (2, 2), (3, 3), (1500, 1600), (2999, 3001)):
        if len(lines) >= first:
            found = place(chunk(lines, first, last), text)
            assert found is not None
            assert (found.content, found.stale) == (b"".join(lines[first - 1 : last]), False)
