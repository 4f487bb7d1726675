"""RPyC's wire, the reading half: what a daemon replies.

A stranger to what it does not expect: references, other tags, frames of no sensible size are `Unreadable` before
they cost memory or time. The format is described in `wire.py`.
"""

import time

from cidx.api.versions import PROTOCOL
from cidx.client import wire

_CONSTANTS: dict[int, object] = {
    wire.NONE: None,
    wire.NO_BYTES: b"",
    wire.NO_ITEMS: (),
    wire.TRUE: True,
    wire.FALSE: False,
}

# A greeting fits in far less; what a command prints may be 2 GiB.
SMALL = 2**16
LARGE = 2**31 + 2**20
# No answer has more. A tuple costs many times its bytes in memory, and garbage could be one.
_MOST_ITEMS = 4096
_DEEPEST = 16
_CHUNK = 2**20

# The daemon ends its calls itself, long before. This is for one that no longer does anything.
ANSWER_S = 600.0


class Unreadable(Exception):
    """What came is no reply of a daemon."""


class Closed(Exception):
    """The other side ended the connection before it replied."""


class Raised(Exception):
    """The other side replied with an exception."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name = name
        self.message = message


def usual(replies: "Replies", repository: str) -> tuple[int, bytes, bytes] | None:
    """The answer to `wire.ask`, when all goes as it nearly always does.

    Else None, and the replies are to be read again: what is unusual is understood in `call.py`.
    """
    try:
        if replies.reference(0) == wire.ROOT:
            match replies.value(1):
                case (protocol, _, _, of, "ready", *_) if protocol == PROTOCOL and of == repository:
                    return replies.answer(2)
    except (OSError, Closed, Unreadable, Raised):
        pass
    replies.rewind()
    return None


class Replies:
    """What comes on a connection, in the order of the requests."""

    def __init__(self, connection: wire.Connection) -> None:
        self.connection = connection
        self._held = bytearray()
        self._bodies: list[memoryview] = []
        self._read = 0
        self._greeted = False

    def rewind(self) -> None:
        """Begin again with the first reply."""
        self._read = 0

    def answer(self, number: int) -> tuple[int, bytes, bytes]:
        """What a command has come to: exit code, stdout and stderr. It may take its time and say a lot."""
        if not self._greeted:
            self._greeted = True
            self.connection.until = time.monotonic() + ANSWER_S
        match self.value(number, largest=LARGE):
            case (int(code), bytes(out), bytes(err), *_) if 0 <= code < 256:
                return code, out, err
        raise Unreadable("no answer")

    def value(self, number: int, *, largest: int = SMALL) -> object:
        """The plain value that answers a request."""
        label, value = self._reply(number, largest)
        if label != wire.VALUE:
            raise Unreadable("a reference instead of a value")
        return value

    def reference(self, number: int) -> tuple[object, ...]:
        """The name of the object that answers a request."""
        label, value = self._reply(number, SMALL)
        if label != wire.MINE or not isinstance(value, tuple):
            raise Unreadable("a value instead of a reference")
        return value

    def wait_until_closed(self) -> None:
        """Wait for the other side to hang up; what it says until then no longer matters."""
        while self.connection.receive(_CHUNK):
            pass

    def _reply(self, number: int, largest: int) -> tuple[object, object]:
        if self._read == len(self._bodies):
            self._bodies.append(self._frame(largest))
        body = self._bodies[self._read]
        self._read += 1
        if len(body) < 2 or body[1] != wire.TUPLE_1 + 1:
            raise Unreadable("no message")
        answered, at = _unpack(body, 2, _DEEPEST)
        if body[0] == wire.EXCEPTION:
            # Whatever it is about: a server that takes no more connections says so before it is asked.
            raise _raised(body[at:])
        content = unpack(body[at:])
        if not isinstance(content, tuple) or len(content) != 2:
            raise Unreadable("no message")
        if body[0] == wire.REQUEST and content[0] == wire.CLOSE:
            raise Closed
        if body[0] != wire.REPLY or answered != number:
            raise Unreadable("not the reply that was waited for")
        return content[0], content[1]

    def _frame(self, largest: int) -> memoryview:
        """The body of the next frame. Its first bytes are looked at before the rest is waited for."""
        self._hold(6)
        length, compressed, first = int.from_bytes(self._held[:4], "big"), self._held[4], self._held[5]
        expected = (0x78,) if compressed else (wire.REQUEST, wire.REPLY, wire.EXCEPTION)
        if compressed > 1 or not 0 < length <= largest or first not in expected:
            raise Unreadable("no frame")
        self._hold(length + 6)
        if self._held[length + 5] != 0x0A:
            raise Unreadable("no frame")
        if len(self._held) == length + 6:
            # The usual end of a large reply, which is not copied then.
            body, self._held = memoryview(self._held)[5:-1], bytearray()
        else:
            body = memoryview(bytes(self._held[5 : length + 5]))
            del self._held[: length + 6]
        return _inflate(body, largest) if compressed else body

    def _hold(self, count: int) -> None:
        """Have so many bytes. Memory grows with what comes, never with what a length promises."""
        while (missing := count - len(self._held)) > 0:
            received = self.connection.receive(min(max(missing, SMALL), _CHUNK))
            if not received:
                raise Closed
            self._held += received


def _inflate(body: memoryview, largest: int) -> memoryview:
    import zlib

    inflater = zlib.decompressobj()
    try:
        inflated = inflater.decompress(body, largest)
    except zlib.error:
        raise Unreadable("not compressed as it says") from None
    if not inflater.eof:
        raise Unreadable("cut off, or larger than anything that was asked for")
    return memoryview(inflated)


def _raised(description: memoryview) -> Raised:
    """What an exception says of itself; it may describe itself in values that we don't read."""
    try:
        described = unpack(description)
    except Unreadable:
        described = None
    match described:
        case ((str(), str(name)), tuple(arguments), *_):
            return Raised(name, " ".join(str(argument) for argument in arguments))
        case str():
            return Raised(described, "")
        case _:
            return Raised("an exception", "")


def unpack(data: "bytes | memoryview") -> object:
    """The plain value that is all of `data`."""
    view = memoryview(data)
    value, end = _unpack(view, 0, _DEEPEST)
    if end != len(view):
        raise Unreadable("something follows the value")
    return value


def _unpack(data: memoryview, at: int, deepest: int) -> tuple[object, int]:
    """One value, and where it ends."""
    if at >= len(data) or not deepest:
        raise Unreadable("a value is cut off or nested too deeply")
    tag, at = data[at], at + 1
    if 32 <= tag < 240:
        return tag - 80, at
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], at
    if wire.BYTES_1 <= tag <= wire.BYTES_LONG:
        raw, at = _unpack_bytes(data, at, tag)
        return bytes(raw), at
    if wire.TUPLE_1 <= tag <= wire.TUPLE_LONG:
        return _unpack_tuple(data, at, tag, deepest)
    try:
        if tag == wire.TEXT:
            text, at = _unpack(data, at, deepest - 1)
            if isinstance(text, bytes):
                return text.decode(), at
        if tag in (wire.INT_SHORT, wire.INT_LONG):
            raw, at = _unpack_bytes(data, at, tag - wire.INT_SHORT + wire.BYTES_SHORT)
            return int(bytes(raw)), at
        if tag == wire.FLOAT:
            from _struct import unpack as unpack_struct

            raw, at = _cut(data, at, 8)
            return unpack_struct("!d", raw)[0], at
    except ValueError:  # neither UTF-8 nor a number
        pass
    raise Unreadable(f"no plain value begins with {tag}")


def _unpack_tuple(data: memoryview, at: int, tag: int, deepest: int) -> tuple[object, int]:
    count, at = _count(data, at, tag, wire.TUPLE_1, wire.TUPLE_SHORT)
    if count > _MOST_ITEMS:
        raise Unreadable(f"a tuple of {count}")
    items = []
    for _ in range(count):
        item, at = _unpack(data, at, deepest - 1)
        items.append(item)
    return tuple(items), at


def _unpack_bytes(data: memoryview, at: int, tag: int) -> tuple[memoryview, int]:
    count, at = _count(data, at, tag, wire.BYTES_1, wire.BYTES_SHORT)
    return _cut(data, at, count)


def _count(data: memoryview, at: int, tag: int, one: int, short: int) -> tuple[int, int]:
    """How many follow: said by the tag itself up to 4, by one byte or by four."""
    if tag < short:
        return tag - one + 1, at
    raw, at = _cut(data, at, 1 if tag == short else 4)
    return int.from_bytes(raw, "big"), at


def _cut(data: memoryview, at: int, count: int) -> tuple[memoryview, int]:
    end = at + count
    if end > len(data):
        raise Unreadable("a value is cut off")
    return data[at:end], end
