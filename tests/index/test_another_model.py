"""An index that another model made is embedded anew, never mixed; until then it answers from full text."""

from pathlib import Path

import numpy as np

from cidx.index import indexer
from cidx.repository.settings import IndexSettings
from cidx.text import embedder
from tests.kit import Tree, content


def indexed_by_another_model(place: Path) -> Tree:
    """Of other dimensions, too."""
    table = np.random.default_rng(1).integers(-127, 128, size=(512, 64), dtype=np.int8)
    embedder.dump(place / "model", version="another", terms=(), table=table)
    tree = Tree(place)
    tree.write(
        {"a.py": "def parse_date(text):\n    return text\n", "b.py": "def draw():\n    return 1\n"}
    ).commit()
    job = indexer.Job(settings=IndexSettings(), embedder=embedder.load(place / "model"))
    indexer.run(tree.repository, job)
    return tree


def test_hybrid_answers_from_full_text_and_semantic_says_what_to_do(tmp_path: Path) -> None:
    tree = indexed_by_another_model(tmp_path)
    (hit,) = tree.query("parse date")["hits"]
    assert (hit["path"], hit["matched_by"]) == ("a.py", ["fts"])
    refused = tree.run("query", "--semantic", "parse date")
    assert refused.code == 3
    assert "another" in refused.err


def test_the_next_index_embeds_everything_anew(tmp_path: Path) -> None:
    tree = indexed_by_another_model(tmp_path)
    assert tree.index()["embedded"] == 2
    with tree.snapshot() as snapshot:
        assert snapshot.model == embedder.packaged().version
        updated = content(snapshot)
    assert "semantic" in tree.query("parse date")["hits"][0]["matched_by"]
    tree.index("--clear")
    with tree.snapshot() as snapshot:
        assert content(snapshot) == updated
