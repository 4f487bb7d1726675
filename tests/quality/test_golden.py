"""The rankings of a small made-up repository, as files that are reviewed when they change.

    python -m pytest tests/quality/test_golden.py --rewrite-golden

writes them anew after a change to ranking, tokenizer, chunks or model; the diff then tells what the change did.
"""

from pathlib import Path

import pytest

from tests.kit import Tree

GOLDEN = Path(__file__).parent / "golden"
SHOWN = 4


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    files = {}
    for part in (GOLDEN / "repository.txt").read_text().split("=== ")[1:]:
        path, _, content = part.partition("\n")
        files[path] = content
    tree = Tree(tmp_path_factory.mktemp("golden")).write(files).commit()
    tree.index()
    return tree


@pytest.mark.parametrize("mode", ["hybrid", "fts"])
def test_rankings_are_as_reviewed(harbour: Tree, mode: str, request: pytest.FixtureRequest) -> None:
    found = "\n".join(
        ranking(harbour, query, mode) for query in (GOLDEN / "queries.txt").read_text().splitlines()
    )
    file = GOLDEN / f"{mode}.txt"
    if request.config.getoption("--rewrite-golden", default=False):
        file.write_text(found)
    assert found == file.read_text(), "if this is better, run it with --rewrite-golden and review the diff"


def ranking(tree: Tree, query: str, mode: str) -> str:
    hits = tree.query(query, *(["--fts"] if mode == "fts" else []), "-l", str(SHOWN))["hits"]
    lines = [
        f"    {hit['path']}:{hit['start_line']}-{hit['end_line']} {hit['symbol']}".rstrip() for hit in hits
    ]
    return "\n".join([query, *lines, ""])
