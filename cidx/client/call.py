"""What may happen to a question on its way: a daemon that refuses, breaks off, is late, leaves, speaks otherwise.

Imported only when the answer did not come as usual. It ends with the answer, with the daemon's failure (`Failed`, an
answer too), or with `Unanswered`, which says why the command has to be run in this process after all. Nothing here
starts, stops or repairs a daemon.
"""

import posix
import time
from _stat import S_ISSOCK

from cidx.api.versions import PROTOCOL
from cidx.client import address, replies, wire
from cidx.client.replies import Replies

# A status with all its counters takes a few kB.
_LARGEST_VALUE = 1_048_576
# Whoever presses Ctrl-C wants the prompt back.
CANCEL_S = 0.5


class Unanswered(Exception):
    """No daemon answered. `why` is empty where that is no fault."""

    def __init__(self, why: str = "", next_step: str = "cidx doctor") -> None:
        super().__init__(why)
        self.why = why
        self.next_step = next_step


class Failed(Exception):
    """The daemon tried and failed."""


class _Broken(Exception):
    """The connection broke before anybody was there: maybe somebody is about to be."""


class _Lost(Exception):
    """The connection broke when the command was running."""


class _Leaving(Exception):
    """The daemon is about to make room for its successor."""


def run(
    path: str, root: str, command: tuple[object, ...], *, first: Replies | OSError, home: str
) -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr of a command that only reads. `first` is what came of asking the first time."""
    repository = address.repository_id(root)
    replied: Replies | OSError | None = first
    waits: list[float] | None = None
    lost = left = False
    while True:
        try:
            return _attempt(path, command, repository, replied)
        except FileNotFoundError:
            # Without a socket there is no daemon, and nothing to say, unless there was one a moment ago.
            was_there = lost or left or waits is not None
            raise Unanswered("the daemon went away" if was_there else "") from None
        except _Broken as broken:
            waits = _delays_s(root, home) if waits is None else waits
            if not waits:
                raise Unanswered(str(broken)) from None
            time.sleep(waits.pop(0))
        except _Lost:
            if lost:
                raise Unanswered("the daemon broke off twice while answering") from None
            lost = True
        except _Leaving:
            if left:
                raise Unanswered("the daemon is leaving, and so is its successor") from None
            left = True
        replied = None


def _delays_s(root: str, home: str) -> list[float]:
    # The configuration is read only where a connection broke: json and os cost more than an answer.
    import os

    from cidx.client import retries

    return retries.delays_s(root, environment=os.environ, home=home)


def _attempt(
    path: str, command: tuple[object, ...], repository: str, replied: Replies | OSError | None
) -> tuple[int, bytes, bytes]:
    try:
        if isinstance(replied, OSError):
            raise replied
        replied = replied or Replies(wire.ask(path, "run", command))
    except OSError as error:
        raise _explained(error, path) from None
    try:
        return _answer(replied, _greet(replied, "run", command, repository))
    finally:
        replied.connection.close()


def _explained(error: OSError, path: str) -> Exception:
    """What it means that nobody could be asked."""
    if isinstance(error, TimeoutError):
        return _late()
    try:
        is_socket = S_ISSOCK(posix.stat(path).st_mode)
    except OSError:
        return FileNotFoundError()
    if not is_socket:
        return Unanswered(f"{path} is not a socket")
    if isinstance(error, ConnectionRefusedError | ConnectionResetError | FileNotFoundError):
        return _Broken("the daemon does not accept connections")
    return Unanswered(f"the daemon can't be reached: {error.strerror or error}")


def _greet(replied: Replies, method: str, arguments: tuple[object, ...], repository: str) -> int:
    """Read what comes before the answer to `wire.ask`; the number of the answer."""
    try:
        root = replied.reference(0)
        if root == wire.ROOT:
            _check(replied.value(1), replied, repository)
            return 2
        # A root of another name: neither call reached it.
        for number in (1, 2):
            try:
                replied.value(number)
            except replies.Raised:
                continue
        replied.connection.send(wire.call(3, root, "hello", (wire.hello(),)))
        _check(replied.value(3), replied, repository)
        replied.connection.send(wire.call(4, root, method, arguments))
        return 4
    except replies.Closed:
        raise _Broken("the daemon ends every connection at once") from None
    except TimeoutError:
        raise _late() from None
    except replies.Unreadable:
        raise _unreadable() from None
    except replies.Raised as raised:
        if raised.name == "Busy":
            raise Unanswered(f"the daemon is busy: {_printable(raised.message)}", "cidx status") from None
        raise Unanswered(f"the daemon did not understand hello: {_said(raised)}") from None


def _check(answer: object, replied: Replies, repository: str) -> None:
    """Whether who says hello is the daemon that was looked for, and speaks as we do."""
    match answer:
        case (int(protocol), *_) if protocol != PROTOCOL:
            why = f"the daemon speaks protocol {protocol}, this cidx {PROTOCOL}"
            raise Unanswered(why, "cidx service repair")
        case (_, _, _, str(of), str(state), *_):
            pass
        case _:
            raise replies.Unreadable("no hello")
    if of != repository:
        raise Unanswered("the daemon belongs to another repository")
    if state == "leaving":
        try:
            replied.wait_until_closed()
        except TimeoutError:
            pass
        raise _Leaving
    if state != "ready":
        raise Unanswered(f"the daemon is not ready: {_printable(state)}")


def _answer(replied: Replies, number: int) -> tuple[int, bytes, bytes]:
    try:
        return replied.answer(number)
    except replies.Closed:
        raise _Lost from None
    except TimeoutError:
        raise Unanswered(f"the daemon did not answer within {replies.ANSWER_S / 60:.0f} minutes") from None
    except replies.Unreadable:
        raise _unreadable() from None
    except replies.Raised as raised:
        raise Failed(_said(raised)) from None


def cancel(path: str, root: str, request: object) -> None:
    """Tell the daemon on a connection of its own that nobody waits any more. Whatever fails, it was an attempt."""
    try:
        replied = Replies(wire.ask(path, "cancel", (request,), patience_s=CANCEL_S))
        try:
            # A call whose reply nobody waits for would be thrown away with the connection.
            replied.value(_greet(replied, "cancel", (request,), address.repository_id(root)))
        finally:
            replied.connection.close()
    except (OSError, replies.Closed, replies.Unreadable, replies.Raised, Unanswered, _Broken, _Leaving):
        pass


def value(path: str, root: str, method: str, arguments: tuple[object, ...] = ()) -> object | None:
    """What a method other than `run` gives; None where no daemon answers."""
    try:
        replied = Replies(wire.ask(path, method, arguments))
        try:
            number = _greet(replied, method, arguments, address.repository_id(root))
            return replied.value(number, largest=_LARGEST_VALUE)
        finally:
            replied.connection.close()
    except (OSError, replies.Closed, replies.Unreadable, replies.Raised, Unanswered, _Broken, _Leaving):
        return None


class Dialogue:
    """Several calls on one connection to the daemon of a repository, one after the other. Use as a context."""

    def __init__(self, path: str, root: str) -> None:
        self._path = path
        self._repository = address.repository_id(root)
        self._connection: wire.Connection | None = None
        self._number = 0

    def call(self, method: str, *arguments: object, patience_s: float = wire.HELLO_S) -> object:
        """What a method gives. `Unanswered` where there is no daemon (any more), `Failed` where it could not."""
        try:
            return (
                self._begin(method, arguments)
                if self._connection is None
                else self._go_on(method, arguments, patience_s)
            )
        except FileNotFoundError:
            raise Unanswered from None
        except _Broken as broken:
            raise Unanswered(str(broken)) from None
        except _Leaving:
            raise Unanswered("the daemon is leaving") from None
        except replies.Closed:
            raise Unanswered("the daemon went away") from None
        except replies.Unreadable:
            raise _unreadable() from None
        except replies.Raised as raised:
            raise Failed(_said(raised)) from None
        except OSError as error:
            raise (
                _late() if isinstance(error, TimeoutError) else Unanswered("the daemon went away")
            ) from None

    def _begin(self, method: str, arguments: tuple[object, ...]) -> object:
        try:
            self._connection = wire.ask(self._path, method, arguments)
        except OSError as error:
            raise _explained(error, self._path) from None
        replied = Replies(self._connection)
        self._number = _greet(replied, method, arguments, self._repository)
        return replied.value(self._number, largest=_LARGEST_VALUE)

    def _go_on(self, method: str, arguments: tuple[object, ...], patience_s: float) -> object:
        assert self._connection is not None
        self._number += 1
        self._connection.until = time.monotonic() + patience_s
        self._connection.send(wire.call(self._number, wire.ROOT, method, arguments))
        return Replies(self._connection).value(self._number, largest=_LARGEST_VALUE)

    def __enter__(self) -> "Dialogue":
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()


def _late() -> Unanswered:
    return Unanswered(f"the daemon did not answer within {wire.HELLO_S:.0f} s")


def _unreadable() -> Unanswered:
    return Unanswered("what listens there answers with something else than cidx's protocol")


def _said(raised: replies.Raised) -> str:
    return _printable(f"{raised.name}: {raised.message}" if raised.message else raised.name)


def _printable(text: str) -> str:
    """A stranger's words in one line that a terminal can take."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:500])
