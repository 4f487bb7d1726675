"""The packaged model, and what any model file has to be."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cidx.text import embedder


def test_vectors_are_unit_or_zero() -> None:
    model = embedder.packaged()
    vectors = model.embed([Counter(["read", "file"]), {}, {"x": 1000}])
    assert vectors.shape == (3, model.dimensions)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0, 0.0, 1.0], abs=1e-5)


def test_shared_terms_bring_texts_together() -> None:
    texts = ("parse http date", "parse date", "draw circle", "parseDate")
    a, b, c, d = embedder.packaged().embed([Counter(text.split()) for text in texts])
    assert a @ b > 0.7
    assert d @ b > 0.7
    assert abs(a @ c) < 0.3


def test_the_same_terms_give_the_same_vector_alone_and_in_a_batch() -> None:
    model = embedder.packaged()
    batch = model.embed([{"a": 1, "b": 2}, {"c": 1}, {"a": 1, "b": 2}] * 50)
    assert np.array_equal(batch[0], batch[2])
    assert np.array_equal(batch[0], model.embed([{"a": 1, "b": 2}])[0])
    assert np.array_equal(batch[1], model.embed([{"c": 1}])[0])


def test_any_term_has_a_row() -> None:
    assert embedder.packaged().embed([dict.fromkeys(["\ud800", "\0", "日本語"], 1)]).any()


def test_a_model_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    table = np.arange(-8, 8, dtype=np.int8).reshape(4, 4)
    embedder.dump(tmp_path / "model", version="v7", table=table)
    model = embedder.load(tmp_path / "model")
    assert (model.version, model.dimensions) == ("v7", 4)
    row = embedder.zlib.crc32(b"x") % 4  # type: ignore[attr-defined]
    assert model.embed([{"x": 1}])[0] == pytest.approx(table[row] / np.linalg.norm(table[row].astype(float)))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"something else entirely")
    with pytest.raises(ValueError, match="not a model"):
        embedder.load(tmp_path / "model")
