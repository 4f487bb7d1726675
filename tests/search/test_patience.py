"""A pattern that `re` would never be done with ends in an error, and leaves nothing behind."""

import os
import re
import time

import pytest

from cidx.api.errors import CidxError
from cidx.search import pattern
from cidx.search.matching import Search, TooLong
from cidx.search.patience import Apart

EVIL = "a" * 40 + "!\n"


def ignore() -> None:
    """Somebody waits for the answer."""


def test_what_takes_too_long_is_ended() -> None:
    apart = Apart(pattern.parse("(a+)+$"), (), check=ignore, patience_s=0.3)
    with pytest.raises(CidxError, match="takes too long") as raised:
        apart.lines(EVIL.encode())
    assert raised.value.code.exit_code == 2
    assert "compared" in raised.value.why
    pid = apart.pid
    apart.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_who_no_longer_waits_is_let_go() -> None:
    since = time.monotonic()

    def check() -> None:
        if time.monotonic() - since > 0.1:
            raise InterruptedError

    apart = Apart(pattern.parse("(a+)+$"), (), check=check)
    with pytest.raises(InterruptedError):
        apart.lines(EVIL.encode())
    apart.close()


@pytest.mark.parametrize("source", ["(a|b)*c", "(?:x+)+", r"(\w+ )+", "(?i)(a+)+B"])
def test_apart_it_finds_the_same(source: str) -> None:
    data = b"abac\n\xc3\xa9 xx y\nword word \xff\n\n" * 3
    parsed = pattern.parse(source)
    here = Search(re.compile(source, parsed.flags), parsed.stays_in_line, (), False, 10**6).lines(data)
    apart = Apart(parsed, (), check=ignore)
    assert apart.lines(data) == list(here)
    assert apart.lines(b"") == []
    apart.close()


@pytest.mark.parametrize("stays_in_line", [True, False])
@pytest.mark.parametrize("literals", [(), (b"word",)])
def test_a_line_that_would_take_too_long_is_left_to_others(
    literals: tuple[bytes, ...], stays_in_line: bool
) -> None:
    search = Search(re.compile("word"), stays_in_line, literals, False, 10)
    assert list(search.lines(b"a word\n")) == [(1, 3, 7)]
    with pytest.raises(TooLong):
        list(search.lines(b"short\na word in a line\n"))
