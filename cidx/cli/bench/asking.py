"""Asks a question as a user does, with a process from start to end, and over the wire as that process does."""

import json
import time

from cidx.api.errors import CidxError, Code
from cidx.cli.bench import programs
from cidx.cli.bench.daemon import Place
from cidx.client import address, replies, wire

_PATIENCE_S = 120.0
_FELL_BACK = "answered without it"


def answered(place: Place, text: str, *flags: str) -> float:
    """Seconds of a `cidx query` that has to be answered."""
    ended, why = query(place, text, *flags)
    if why:
        raise failed(why)
    return ended.took_s


def query(place: Place, text: str, *flags: str) -> tuple[programs.Ended, str]:
    """A `cidx query` from start to end, and why it was no answer. Finding nothing is one."""
    command = [*programs.client(), "query", *flags, "--", text]
    ended = programs.run(command, directory=place.root, environment=place.environment)
    said = (ended.err.strip().splitlines() or [""])[0]
    if ended.code not in (0, 1):
        return ended, said or f"cidx query ended with {ended.code}"
    return ended, said if _FELL_BACK in ended.err else ""


def failed(why: str) -> CidxError:
    return CidxError(
        Code.UNREACHABLE, what="a query that was measured has failed", why=why, next_step="cidx doctor"
    )


class Wire:
    """Asks as the client does once it runs."""

    def __init__(self, place: Place) -> None:
        self._path = place.socket
        self._repository = address.repository_id(str(place.root))
        self._root = address.encode(str(place.root))
        self._environment = tuple(
            (address.encode(name), address.encode(value))
            for name, value in place.environment.items()
            if name.startswith("CIDX_")
        )

    def query(self, text: str) -> float:
        """Seconds from connecting to having the answer."""
        began = time.perf_counter()
        self._run("query", "--", text)
        return time.perf_counter() - began

    def changed_files(self, text: str) -> int:
        """As an answer says: how many files differ from the index."""
        return int(json.loads(self._run("query", "--json", "--", text))["changed_files"])

    def pings(self, count: int) -> list[float]:
        """Seconds of each, on one connection."""
        connection = wire.ask(self._path, "ping", (), patience_s=_PATIENCE_S)
        try:
            replied = replies.Replies(connection)
            replied.reference(0)
            replied.value(1)
            replied.value(2)
            took = []
            for number in range(3, count + 3):
                began = time.perf_counter()
                connection.send(wire.call(number, wire.ROOT, "ping", ()))
                replied.value(number)
                took.append(time.perf_counter() - began)
            return took
        except (OSError, replies.Closed, replies.Unreadable, replies.Raised) as error:
            raise failed(str(error)) from None
        finally:
            connection.close()

    def _run(self, *argv: str) -> bytes:
        words = tuple(map(address.encode, argv))
        command = (words, self._root, (80, False, False), self._environment, b"", "bench")
        try:
            connection = wire.ask(self._path, "run", command, patience_s=_PATIENCE_S)
        except OSError as error:
            raise failed(f"the daemon can't be reached: {error.strerror or error}") from None
        try:
            answer = replies.usual(replies.Replies(connection), self._repository)
        finally:
            connection.close()
        if answer is None or answer[0] not in (0, 1):
            raise failed(answer[2].decode("utf-8", "replace") if answer else "the daemon broke off")
        return answer[1]
