"""Matches a pattern in a process of its own, which is ended when patience is.

`re` can't be interrupted and keeps every other thread waiting meanwhile. So whatever might take it long is done
where it can be killed: a pattern with repetitions within repetitions, or very long lines.
"""

import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cidx.api.errors import CidxError, Code
from cidx.search.matching import LENGTH_BYTES, Found
from cidx.search.pattern import Pattern

_START = "import sys; sys.path.append(sys.argv[1]); from cidx.search.matching import serve; serve()"
# Where `cidx` itself is found; nothing else is needed there.
_PLACE = str(Path(__file__).parents[2])
# How long all that one query asks of this process may take.
PATIENCE_S = 10.0
# How often it is asked whether the answer is still wanted.
_STEP_S = 0.1


class Apart:
    """One query's process, started when it is first asked. Close it: nothing of it stays."""

    def __init__(
        self,
        pattern: Pattern,
        literals: Sequence[bytes],
        *,
        check: Callable[[], None],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._pattern = pattern
        self._literals = literals
        self._check = check
        self._left_s = patience_s
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process; 0 before there is one."""
        return self._process.pid if self._process is not None else 0

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            # Closing may want to write what was never read.
            self._process.communicate()

    def lines(self, data: bytes) -> list[Found]:
        """As `matching.Search.lines`; an error once all that was asked together took too long."""
        process = self._process = self._process or self._started()
        _send(process, data)
        size = int.from_bytes(self._read(process, LENGTH_BYTES), "big")
        answer = self._read(process, size).decode()
        return [_numbers(line) for line in answer.splitlines()]

    def _started(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _START, _PLACE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            # Ctrl-C is for us: we end it.
            start_new_session=True,
        )
        pattern = self._pattern
        stays = "yes" if pattern.stays_in_line else ""
        for part in (pattern.source, str(int(pattern.flags)), stays):
            _send(process, part.encode("utf-8", "surrogateescape"))
        _send(process, b"\n".join(self._literals))
        return process

    def _read(self, process: "subprocess.Popen[bytes]", size: int) -> bytes:
        assert process.stdout is not None
        data = b""
        while len(data) < size:
            started = time.monotonic()
            ready, _, _ = select.select((process.stdout,), (), (), min(_STEP_S, self._left_s))
            self._left_s -= time.monotonic() - started
            self._check()
            if ready:
                part = process.stdout.read(size - len(data))
                if not part:
                    raise _broke_off()
                data += part
            elif self._left_s <= 0:
                raise _too_hard(f"after {PATIENCE_S:.0f} s it was still being compared with one of the files")
        return data


def _send(process: "subprocess.Popen[bytes]", data: bytes) -> None:
    assert process.stdin is not None
    rest = memoryview(len(data).to_bytes(LENGTH_BYTES, "big") + data)
    try:
        while rest:
            rest = rest[process.stdin.write(rest) :]
    except BrokenPipeError:
        raise _broke_off() from None


def _numbers(line: str) -> Found:
    number, column, end = map(int, line.split())
    return number, column, end


def _broke_off() -> CidxError:
    return CidxError(
        Code.BAD_QUERY,
        what="looking for the regular expression broke off",
        why="the process that did it has ended",
        next_step="ask again; if it happens again, write the expression without repetitions within repetitions",
    )


def _too_hard(why: str) -> CidxError:
    return CidxError(
        Code.BAD_QUERY,
        what="the regular expression takes too long",
        why=f"{why}; repetitions within repetitions such as (a+)+ can take for ever",
        next_step="write it without them, or search less: --path-filter, --language",
    )
