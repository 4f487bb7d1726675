"""The measure itself."""

import math

import pytest

from tests.quality.metric import Target, ndcg

A, B, C = Target("a.py", 1, 9), Target("b.py", 1, 9), Target("c.py", 1, 9)


@pytest.mark.parametrize(
    ("targets", "hits", "expected"),
    [
        ([A], [A, B], 1.0),
        ([A], [B, A], 1 / math.log2(3)),
        ([A], [B, C], 0.0),
        ([A, B], [B, A], 1.0),
        ([A, B], [A, C], 1 / (1 + 1 / math.log2(3))),
        ([Target("a.py")], [B, A, A], 1 / math.log2(3)),
        ([Target("a.py", 10, 20)], [A], 0.0),
        ([Target("a.py", 9, 20)], [A], 1.0),
        ([A], [B] * 10 + [A], 0.0),
    ],
)
def test_ndcg(targets: list[Target], hits: list[Target], expected: float) -> None:
    assert ndcg(targets, hits) == pytest.approx(expected)
