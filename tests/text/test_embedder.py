"""The packaged model, and what any model file has to be."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cidx.text import embedder
from cidx.text.model import version
from cidx.text.tokenizer import words


def test_vectors_are_unit_or_zero() -> None:
    model = embedder.packaged()
    vectors = model.embed([Counter(["read", "file"]), {}, {"x": 1000}])
    assert vectors.shape == (3, model.dimensions)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0, 0.0, 1.0], abs=1e-5)


def test_no_documents_give_no_vectors() -> None:
    model = embedder.packaged()
    assert model.embed([]).shape == (0, model.dimensions)


def test_shared_terms_bring_texts_together() -> None:
    texts = ("parse http date", "parse date", "draw circle", "parseDate")
    a, b, c, d = embedder.packaged().embed([Counter(text.split()) for text in texts])
    assert a @ b > 0.7
    assert d @ b > 0.7
    assert a @ c < 0.4


def test_texts_of_one_meaning_are_near_without_a_common_word() -> None:
    texts = (
        "delete a folder",
        "def rmtree(path): os.unlink(directory)",
        "def mean(values): return sum(values)",
    )
    query, near, far = embedder.packaged().embed([Counter(words(text)) for text in texts])
    assert query @ near > query @ far + 0.1


def test_an_unknown_name_is_near_itself_alone() -> None:
    a, b, c = embedder.packaged().embed([{"qzxvwkj": 1}, {"qzxvwkj": 1, "QZXVWKJ": 2}, {"wvbnqqk": 1}])
    assert a @ b == pytest.approx(1.0, abs=1e-6)
    assert a @ c < 0.9


def test_a_document_has_the_same_vector_alone_and_in_any_company() -> None:
    model = embedder.packaged()
    chance = np.random.default_rng(5)
    known = [
        f"{a}{b}" for a in ("get", "file", "parse_", "x", "HTTP") for b in ("Name", "tree", "2", "_all", "é")
    ]
    documents = [
        {word: int(chance.integers(1, 50)) for word in chance.choice(known, size=size, replace=False)}
        for size in chance.integers(0, len(known), size=200)
    ]
    together = model.embed(documents)
    backwards = model.embed(documents[::-1])[::-1]
    assert np.array_equal(together, backwards)
    assert np.array_equal(together, np.concatenate([model.embed([document]) for document in documents]))


def test_a_document_of_any_size_keeps_its_vector_and_leaves_others_theirs() -> None:
    model = embedder.packaged()
    huge = {f"word{number}": 10**9 for number in range(3000)}
    alone = model.embed([huge])[0]
    assert np.linalg.norm(alone) == pytest.approx(1.0, abs=1e-5)
    together = model.embed([{"a": 1, "b": 2}, huge])
    assert np.array_equal(together[1], alone)
    assert np.array_equal(together[0], model.embed([{"a": 1, "b": 2}])[0])


def test_any_term_has_a_row() -> None:
    assert embedder.packaged().embed([dict.fromkeys(["\ud800", "\0", "日本語"], 1)]).any()


def test_an_unknown_identifier_means_what_its_parts_mean() -> None:
    whole, parts = embedder.packaged().embed(
        [{"readNextLine_of": 1}, dict.fromkeys(["read", "next", "line", "of"], 1)]
    )
    assert np.array_equal(whole, parts)


def test_an_identifier_that_the_model_knows_has_a_row_beside_its_parts(tmp_path: Path) -> None:
    table = np.array([[3, 0, 0], [0, 4, 0], [0, 0, 12], [1, 1, 1]], dtype=np.int8)
    embedder.dump(tmp_path / "model", version="v7", terms=("read", "line", "readline"), table=table)
    (vector,) = embedder.load(tmp_path / "model").embed([{"readLine": 1}])
    assert vector == pytest.approx(np.array([3, 4, 12]) / 13)


def test_a_model_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    table = np.arange(-8, 8, dtype=np.int8).reshape(4, 4)
    embedder.dump(tmp_path / "model", version="v7", terms=("one", "two", "three"), table=table)
    model = embedder.load(tmp_path / "model")
    assert (model.version, model.dimensions) == ("v7", 4)
    for row, term in enumerate(("one", "two", "three", "any other")):
        expected = table[row] / np.linalg.norm(table[row].astype(float))
        assert model.embed([dict.fromkeys(words(term)[:1], 1)])[0] == pytest.approx(expected)


def test_a_model_needs_rows_for_terms_that_it_does_not_know(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rows for the others"):
        embedder.dump(
            tmp_path / "model", version="v7", terms=("a", "b"), table=np.ones((2, 4), dtype=np.int8)
        )


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"something else entirely")
    with pytest.raises(ValueError, match="not a model"):
        embedder.load(tmp_path / "model")


def test_the_version_is_known_without_the_model() -> None:
    assert version() == embedder.packaged().version
