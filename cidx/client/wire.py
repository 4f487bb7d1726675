"""RPyC's wire, the asking half: plain values as brine, requests, and the connection that carries them.

The reading half is `replies.py`, which is imported while the daemon is already at work on the question. This one
imports nothing that has to be read from disk but `_socket`, because every query pays for it.

    frame     length (4 bytes), compressed (1 byte: 0 or 1), body, newline
    body      kind (1 byte), then brine of (number, content)
    content   of a request (handler, boxed arguments), of a reply one boxed value, of an exception its description
    boxed     (label, value)
"""

import _socket
import posix
import sys
import time

from cidx.api.versions import PROTOCOL, VERSION

REQUEST, REPLY, EXCEPTION = 1, 2, 3
CLOSE, GET_ROOT, CALL_METHOD = 2, 3, 8
# To whoever reads a box: a value, a tuple of boxes, an object of yours, an object of mine.
VALUE, TUPLE, YOURS, MINE = 1, 2, 3, 4

# Tags of brine. Integers from -48 to 159 are one byte, 80 above their value; up to four bytes or items are
# counted by the tag, more by one byte or by four.
NONE, NO_BYTES, NO_ITEMS, TRUE, FALSE, TEXT, FLOAT = 0, 1, 2, 3, 4, 0x08, 0x18
BYTES_1, BYTES_SHORT, BYTES_LONG = 0x0A, 0x0E, 0x0F
TUPLE_1, TUPLE_SHORT, TUPLE_LONG = 0x10, 0x14, 0x15
INT_SHORT, INT_LONG = 0x16, 0x17


def pack(value: object) -> bytes:
    """A plain value as brine."""
    if isinstance(value, tuple):
        return _counted(len(value), NO_ITEMS, TUPLE_1, TUPLE_SHORT) + b"".join(map(pack, value))
    if isinstance(value, bytes):
        return _counted(len(value), NO_BYTES, BYTES_1, BYTES_SHORT) + value
    if isinstance(value, str):
        return bytes((TEXT,)) + pack(value.encode())
    if value is None or isinstance(value, bool):
        return bytes((NONE if value is None else TRUE if value else FALSE,))
    if isinstance(value, int):
        if -48 <= value < 160:
            return bytes((value + 80,))
        digits = str(value).encode()
        return _counted(len(digits), 0, 0, INT_SHORT) + digits
    if isinstance(value, float):
        from _struct import pack as pack_struct

        return bytes((FLOAT,)) + pack_struct("!d", value)
    raise TypeError(f"{type(value).__name__} is no plain value")


def _counted(count: int, none: int, one: int, short: int) -> bytes:
    """A tag and how many follow it."""
    if one and count <= 4:
        return bytes((one - 1 + count if count else none,))
    return bytes((short, count)) if count < 256 else bytes((short + 1,)) + count.to_bytes(4, "big")


def get_root(number: int) -> bytes:
    """Ask for the object that has the methods."""
    return _request(number, GET_ROOT, (VALUE, ()))


def call(number: int, root: tuple[object, ...], method: str, arguments: tuple[object, ...]) -> bytes:
    """Call a method of the root."""
    boxes = ((YOURS, root), (VALUE, method), (VALUE, arguments), (VALUE, ()))
    return _request(number, CALL_METHOD, (TUPLE, boxes))


def _request(number: int, handler: int, arguments: tuple[object, ...]) -> bytes:
    body = bytes((REQUEST,)) + pack((number, (handler, arguments)))
    return len(body).to_bytes(4, "big") + b"\x00" + body + b"\n"


class Connection:
    """A connection to a socket of this machine. No wait of it ends later than `until`, a moment of the clock here."""

    def __init__(self, path: str, *, patience_s: float) -> None:
        self.until = time.monotonic() + patience_s
        self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            self._connect(path)
        except BaseException:
            self._socket.close()
            raise

    def _connect(self, path: str) -> None:
        while True:
            self._limit_wait()
            try:
                return self._socket.connect(path)
            except BlockingIOError:
                # The queue is full (Linux says so; macOS refuses), and no poll tells when it no longer is.
                time.sleep(0.01)

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._limit_wait()
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            # Who hung up may have said why: reading tells.
            pass

    def receive(self, most: int) -> bytes:
        """Some bytes; none where the other side has ended the connection."""
        self._limit_wait()
        try:
            return self._socket.recv(most)
        except TimeoutError:
            raise
        except OSError:
            return b""

    def _limit_wait(self) -> None:
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)


# The root's name is a promise of the daemon, so that asking for it and calling it take one write.
ROOT = ("cidx.Root", 1, 1)
# From connecting to `hello`, a daemon's whole start included; launchd may hold a start back for ten seconds.
HELLO_S = 12.0 if sys.platform == "darwin" else 5.0


def hello() -> tuple[object, ...]:
    return (PROTOCOL, VERSION, posix.getpid())


def ask(path: str, method: str, arguments: tuple[object, ...], *, patience_s: float = HELLO_S) -> Connection:
    """Connect, say hello and call, all in one write. The replies are numbered 0 (root), 1 (hello) and 2."""
    connection = Connection(path, patience_s=patience_s)
    connection.send(get_root(0) + call(1, ROOT, "hello", (hello(),)) + call(2, ROOT, method, arguments))
    return connection
