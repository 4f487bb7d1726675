"""Answers that are remembered, and when they no longer are."""

from cidx.daemon.answers import Answers


def test_an_answer_of_another_state_is_forgotten() -> None:
    answers = Answers()
    answers.keep("then", "q", "old", size_bytes=3)
    assert answers.get("then", "q") == "old"
    assert answers.get("now", "q") is None
    answers.keep("now", "other", "new", size_bytes=5)
    assert answers.get("then", "q") is None
    assert (len(answers), answers.size_bytes) == (1, 5)


def test_the_least_recently_wanted_goes_first() -> None:
    answers = Answers()
    for number in range(256):
        answers.keep("s", number, number, size_bytes=1)
    assert answers.get("s", 0) == 0
    answers.keep("s", 256, 256, size_bytes=1)
    assert answers.get("s", 1) is None
    assert answers.get("s", 0) == 0
    assert (len(answers), answers.size_bytes) == (256, 256)


def test_the_bytes_are_bounded_and_counted_once() -> None:
    answers = Answers()
    answers.keep("s", "a", "first", size_bytes=10_000_000)
    answers.keep("s", "a", "again", size_bytes=9_000_000)
    assert answers.size_bytes == 9_000_000
    answers.keep("s", "b", "second", size_bytes=9_000_000)
    assert answers.get("s", "a") is None
    assert answers.size_bytes == 9_000_000
    answers.keep("s", "c", "beyond all bounds", size_bytes=17_000_000)
    assert (len(answers), answers.size_bytes) == (0, 0)
