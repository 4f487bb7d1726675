"""Fusing scores of two kinds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cidx.search import fusion

scores = st.dictionaries(st.integers(1, 20), st.floats(0, 1))


def by_chunk(found: list[fusion.Scored]) -> dict[int, float]:
    return {scored.chunk: scored.score for scored in found}


def test_both_kinds_beat_one() -> None:
    found = by_chunk(fusion.fuse({1: 0.8, 2: 0.8}, {1: 5.0, 3: 5.0}, ceiling=10.0))
    assert found[1] > found[2]
    assert found[1] > found[3]


def test_raw_scores_are_kept() -> None:
    (found,) = fusion.fuse({1: 0.5}, {1: 7.0}, ceiling=10.0)
    assert found.scores == {"semantic": 0.5, "fts": 7.0}


@given(scores, scores, st.floats(0.1, 10))
def test_scores_lie_between_0_and_1(
    semantic: dict[int, float], fts: dict[int, float], ceiling: float
) -> None:
    assert all(0 <= scored.score <= 1 for scored in fusion.fuse(semantic, fts, ceiling=ceiling))


@given(scores, scores, st.integers(1, 20))
def test_leaving_a_candidate_out_changes_no_other(
    semantic: dict[int, float], fts: dict[int, float], left_out: int
) -> None:
    whole = by_chunk(fusion.fuse(semantic, fts, ceiling=2.0))
    whole.pop(left_out, None)
    without = [{chunk: s for chunk, s in kind.items() if chunk != left_out} for kind in (semantic, fts)]
    assert by_chunk(fusion.fuse(*without, ceiling=2.0)) == whole


def test_a_single_kind_is_scaled_by_its_ceiling() -> None:
    assert by_chunk(fusion.single("fts", {1: 5.0, 2: 20.0}, ceiling=10.0)) == {1: pytest.approx(0.5), 2: 1.0}
