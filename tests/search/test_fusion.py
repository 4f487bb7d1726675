"""Fusing scores of two kinds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cidx.search import fusion

scores = st.dictionaries(st.integers(1, 20), st.floats(0, 1))
shares = st.floats(0, 1)


def test_both_kinds_beat_one() -> None:
    found = fusion.relevance({1: 0.8, 2: 0.8}, {1: 5.0, 3: 5.0}, ceiling=10.0)
    assert found[1] > found[2]
    assert found[1] > found[3]


def test_a_share_of_one_or_zero_is_a_single_mode() -> None:
    semantic, fts = {1: 0.5}, {1: 5.0, 2: 20.0}
    assert fusion.relevance(semantic, fts, ceiling=10.0, share=1.0) == {1: 0.5, 2: 0.0}
    assert fusion.relevance({}, fts, ceiling=10.0, share=0.0) == {1: pytest.approx(0.5), 2: 2.0}


@given(scores, scores, shares, st.integers(1, 20))
def test_leaving_a_candidate_out_changes_no_other(
    semantic: dict[int, float], fts: dict[int, float], share: float, left_out: int
) -> None:
    whole = fusion.relevance(semantic, fts, ceiling=2.0, share=share)
    whole.pop(left_out, None)
    without = [{chunk: s for chunk, s in kind.items() if chunk != left_out} for kind in (semantic, fts)]
    assert fusion.relevance(*without, ceiling=2.0, share=share) == whole


@given(scores, scores, shares)
def test_what_both_kinds_put_first_is_first_in_any_mixture(
    semantic: dict[int, float], fts: dict[int, float], share: float
) -> None:
    semantic[0], fts[0] = 1.5, 1.5
    found = fusion.relevance(semantic, fts, ceiling=2.0, share=share)
    assert found[0] == max(found.values())
