"""Sources made to hold up a parser: the index gets all their lines, all other files, and soon."""

from pathlib import Path

import pytest

from cidx.index.grammars import Laborious, read
from tests.kit import Tree

ROOT = Path(__file__).parents[2]
LINES = 4000


@pytest.mark.parametrize(("language", "line"), [("java", "%w("), ("rust", "%w("), ("python", "/*")])
def test_who_can_not_be_killed_does_not_parse_them(language: str, line: str) -> None:
    with pytest.raises(Laborious):
        read(f"{line}\n".encode() * LINES, language, patient=False)


def test_code_is_parsed_wherever_it_is_read() -> None:
    sources = [*ROOT.glob("cidx/**/*.py"), *ROOT.glob("tests/**/*.py")]
    assert len(sources) > 100
    for file in sources:
        data = file.read_bytes()
        assert read(data, "python", patient=False) == read(data, "python")


def test_a_small_index_with_such_a_file(tree: Tree) -> None:
    """Once: the next runs know the file, whatever else changes."""
    tree.write({"a.java": "%w(\n" * LINES, "b.py": "def first(): ...\n"}).commit()
    first = tree.index()
    assert first["files"] == 2
    with tree.snapshot() as snapshot:
        spans = sorted(
            (c.span.start_line, c.span.end_line)
            for c in snapshot.catalogue.all_chunks()
            if c.path == b"a.java"
        )
    assert [start for start, _ in spans] == [1, *(end + 1 for _, end in spans[:-1])]
    assert spans[-1][1] == LINES
    tree.write({"b.py": "def second(): ...\n"})
    later = tree.index()
    assert (later["added"], later["changed"], later["generation"]) == (0, 1, first["generation"] + 1)
    assert tree.paths("second", "--fts") == ["b.py"]
