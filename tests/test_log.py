"""Records where supervisors keep them: one line each, whatever is in them."""

import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cidx import log
from cidx.api.errors import CidxError

# A process whose stderr is what JOURNAL_STREAM names, as systemd arranges it; WITHOUT hides the extra.
RECORD = """
import json, logging, os, sys
if os.environ.get("WITHOUT"):
    sys.modules["systemd"] = None
from cidx import log
found = os.fstat(2)
environment = json.loads(os.environ["SUPERVISED"])
if "JOURNAL_STREAM" in environment:
    environment["JOURNAL_STREAM"] = environment["JOURNAL_STREAM"].format(found.st_dev, found.st_ino)
handler = log.supervised(environment, repository="/r")
print(type(handler).__name__)
if handler is not None:
    log.get().addHandler(handler)
    log.get().setLevel(logging.INFO)
    log.get().info("request answered", extra=log.fields(op="query", took_ms=1.25))
    try:
        raise ValueError("two\\nlines")
    except ValueError:
        log.get().exception("request failed", extra=log.fields(op="query"))
"""


def recorded(environment: dict[str, str], *, without: str = "") -> tuple[str, list[str]]:
    """The kind of handler, and what came out on stderr."""
    checkout = str(Path(log.__file__).parents[1])
    ran = subprocess.run(
        [sys.executable, "-c", RECORD],
        env=os.environ | {"SUPERVISED": json.dumps(environment), "WITHOUT": without, "PYTHONPATH": checkout},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip(), ran.stderr.splitlines()


def test_without_the_extra_the_journal_reads_priorities_from_the_stream() -> None:
    kind, lines = recorded({"JOURNAL_STREAM": "{}:{}"}, without="yes")
    assert kind == "StreamHandler"
    answered, failed = lines
    assert answered == "<6>request answered op=query took_ms=1.2"
    assert failed.startswith("<3>request failed op=query\\nTraceback (most recent call last):\\n")
    assert failed.endswith("ValueError: two\\nlines")


def test_a_journal_that_belongs_to_somebody_else_is_not_written_to() -> None:
    """The variable outlives its stream: `cidx daemon serve` typed in a terminal of a graphical session has it too."""
    assert recorded({"JOURNAL_STREAM": "1:2"}) == ("NoneType", [])
    assert recorded({}) == ("NoneType", [])


def test_the_file_of_launchd_gets_times() -> None:
    kind, lines = recorded({"XPC_SERVICE_NAME": "dev.cidx.0123456789abcdef"})
    assert kind == "StreamHandler"
    day, time, level, rest = lines[0].split(" ", 3)
    assert (day[4], time[2], level) == ("-", ":", "info")
    assert rest == "request answered op=query took_ms=1.2"
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        ("two words", "'two words'"),
        ("", "''"),
        ("a\x1b[1m", r"'a\x1b[1m'"),
        (2.25, "2.2"),
    ],
)
def test_a_field_is_one_word_and_moves_no_cursor(value: object, shown: str) -> None:
    record = logging.LogRecord("cidx", logging.INFO, "", 1, "phrase", (), None)
    record.__dict__ |= log.fields(field=value)
    assert log.Formatter().format(record) == f"phrase field={shown}"


def test_the_level_is_one_that_there_is() -> None:
    assert log.level({}) == logging.INFO
    assert log.level({"CIDX_LOG": "warning"}) == logging.WARNING
    with pytest.raises(CidxError) as caught:
        log.level({"CIDX_LOG": "loud"})
    assert "loud" in caught.value.what
    assert "debug, info, warning, error" in caught.value.why


def test_a_storm_of_one_phrase_leaves_a_few_records_and_their_number() -> None:
    bounded = log.Bounded()

    def passes(phrase: str, level: int) -> logging.LogRecord | None:
        record = logging.LogRecord("cidx", level, __file__, 1, phrase, (), None)
        return record if bounded.filter(record) else None

    errors = [record for _ in range(5000) if (record := passes("request failed", logging.ERROR))]
    assert 20 <= len(errors) <= 22
    assert passes("something else", logging.ERROR) is not None
    others = [record for _ in range(5000) if (record := passes("request answered", logging.INFO))]
    assert 500 <= len(others) <= 600
    time.sleep(1.05)
    again = passes("request failed", logging.ERROR)
    assert again is not None
    assert log.Formatter().format(again) == f"request failed left_out={5000 - len(errors)}"
