"""Vectors on disk."""

from pathlib import Path

import numpy as np
import pytest

from cidx.api.errors import Damaged
from cidx.store.vectors import Vectors, VectorWriter, nearest_signs, signs_of

DIMENSIONS = 16


def unit(count: int, seed: int = 1) -> np.ndarray:
    raw = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def written(file: Path, vectors: np.ndarray, *, count: int = 0, dimensions: int = DIMENSIONS) -> VectorWriter:
    writer = VectorWriter(file, dimensions=dimensions, count=count)
    writer.append(vectors)
    writer.sync()
    writer.close()
    return writer


def test_scores_are_cosines(tmp_path: Path) -> None:
    vectors = unit(20_000)
    written(tmp_path / "v", vectors)
    scores = Vectors(tmp_path / "v", 20_000).scores(vectors[7])
    assert scores == pytest.approx(vectors @ vectors[7], abs=0.02)
    assert int(np.argmax(scores)) == 7


def test_chosen_rows_score_as_in_the_whole(tmp_path: Path) -> None:
    vectors = unit(50)
    written(tmp_path / "v", vectors)
    found = Vectors(tmp_path / "v", 50)
    rows = np.array([3, 40, 3], dtype=np.intp)
    assert np.array_equal(found.scores(vectors[0], rows), found.scores(vectors[0])[rows])


def clustered(count: int, seed: int = 1, dimensions: int = 64) -> np.ndarray:
    """Unit vectors in clusters of about ten, as chunks of related code are."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(max(1, count // 10), dimensions))
    raw = centres[random.integers(len(centres), size=count)] + 0.8 * random.normal(size=(count, dimensions))
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


def test_the_best_are_among_the_candidates(tmp_path: Path) -> None:
    """Of many rows a few are scored, and the best are among them, of all rows as of some."""
    vectors = clustered(20_000)
    written(tmp_path / "v", vectors, dimensions=64)
    found = Vectors(tmp_path / "v", 20_000)
    even = np.arange(0, 20_000, 2, dtype=np.intp)
    missed = 0
    for query in clustered(50, seed=1) + 0.05:
        probe = found.probe(query / np.linalg.norm(query))
        for rows, width in ((None, 20), (even, 10)):
            near = found.candidates(probe, width=width, rows=rows)
            if rows is None:
                assert near is not None
                assert len(near) < 8_000
            scores = found.scores(probe, rows)
            best = np.argsort(-scores, kind="stable")[:10]
            missed += 10 - int(np.isin(best if rows is None else rows[best], near).sum())
    assert missed <= 10


def test_few_rows_are_all_scored(tmp_path: Path) -> None:
    written(tmp_path / "v", unit(1000))
    found = Vectors(tmp_path / "v", 1000)
    some = np.arange(5, dtype=np.intp)
    assert found.candidates(found.probe(unit(1)[0]), width=10) is None
    assert found.candidates(found.probe(unit(1)[0]), width=10, rows=some) is some


@pytest.mark.parametrize("dimensions", [8, 16, 64, 100, 256])
def test_signs_are_compared_bit_by_bit(dimensions: int) -> None:
    random = np.random.default_rng(1)
    vectors = random.normal(size=(200, dimensions)).astype(np.float32)
    differ = ((vectors > 0) != (vectors[0] > 0)).sum(axis=1)
    near = nearest_signs(signs_of(vectors).T, signs_of(vectors)[0], 20)
    assert set(near) == set(np.flatnonzero(differ <= np.sort(differ)[19]))


def test_a_zero_vector_scores_zero(tmp_path: Path) -> None:
    written(tmp_path / "v", np.zeros((1, DIMENSIONS), dtype=np.float32))
    assert Vectors(tmp_path / "v", 1).scores(unit(1)[0]) == [0.0]


def test_no_rows(tmp_path: Path) -> None:
    written(tmp_path / "v", unit(0))
    assert len(Vectors(tmp_path / "v", 0).scores(unit(1)[0])) == 0


def test_appending_goes_on_behind_the_counted_rows(tmp_path: Path) -> None:
    first, lost, second = unit(3), unit(5, seed=2), unit(2, seed=3)
    written(tmp_path / "v", first)
    written(tmp_path / "v", lost, count=3)
    written(tmp_path / "v", second, count=3)
    found = Vectors(tmp_path / "v", 5)
    assert int(np.argmax(found.scores(second[1]))) == 4
    with pytest.raises(Damaged, match="vectors"):
        Vectors(tmp_path / "v", 6)


def test_rows_go_to_another_file_unchanged(tmp_path: Path) -> None:
    written(tmp_path / "a", unit(4))
    source = Vectors(tmp_path / "a", 4)
    writer = VectorWriter(tmp_path / "b", dimensions=DIMENSIONS, count=0)
    assert writer.append_raw(source.raw(np.array([2, 0], dtype=np.intp))) == range(2)
    writer.close()
    query = unit(1)[0]
    assert list(Vectors(tmp_path / "b", 2).scores(query)) == list(source.scores(query)[[2, 0]])


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    written(tmp_path / "v", unit(10))
    assert Vectors(tmp_path / "v", 10).damaged_rows() == []
    data = bytearray((tmp_path / "v").read_bytes())
    data[64 + 6 * (DIMENSIONS + 8) + 3] ^= 1
    (tmp_path / "v").write_bytes(data)
    assert Vectors(tmp_path / "v", 10).damaged_rows() == [6]


@pytest.mark.parametrize("damage", ["missing", "empty", "foreign"])
def test_what_is_no_file_of_vectors_is_refused(tmp_path: Path, damage: str) -> None:
    if damage != "missing":
        (tmp_path / "v").write_bytes(b"" if damage == "empty" else b"x" * 1000)
    with pytest.raises(Damaged):
        Vectors(tmp_path / "v", 1)
