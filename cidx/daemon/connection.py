"""RPyC made safe for whoever reaches the socket: values only, few handlers, small frames, in time.

A stock `rpyc` client works for every documented method. Anything else that RPyC can do (references from
clients, attributes, pickles, tracebacks) is refused by not being there. The one reference of a client that is taken
is the callback of `index`: it is called with a text, nothing is asked of it, and its answer is thrown away unread.
"""

import itertools
import select
import socket
import struct
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from rpyc.core import brine, consts
from rpyc.core.channel import Channel
from rpyc.core.protocol import Connection
from rpyc.core.stream import SocketStream

from cidx.client import replies

# A command line with its environment; Linux itself allows 2 MB for both. What is freed of frames that are
# much larger, the C library keeps.
_LARGEST_FRAME = 4 * 1024 * 1024
# RPyC's own ping says half a kilobyte.
_LARGEST_ECHO = 64 * 1024
# A frame is written in one go; who takes longer is not talking to us.
_FRAME_S = 5.0
_FIRST_FRAME_S = 3.0
# A client reads its whole reply before it writes any of it anywhere.
_SEND_S = 30
# What a client may ask while it is told of a job, to be answered afterwards.
_MOST_PUT_OFF, _MOST_PUT_OFF_BYTES = 16, 64 * 1024
# Its name for the object that it wants to be called.
_LONGEST_NAME = 200

CONFIGURATION = {
    "allow_all_attrs": False,
    "allow_public_attrs": False,
    "allow_safe_attrs": False,
    "allow_exposed_attrs": True,
    "allow_getattr": True,
    "allow_setattr": False,
    "allow_delattr": False,
    "allow_pickle": False,
    "import_custom_exceptions": False,
    "instantiate_custom_exceptions": False,
    "include_local_traceback": False,
    "include_local_version": False,
    "propagate_KeyboardInterrupt_locally": False,
    "propagate_SystemExit_locally": False,
    "logger": None,
}


def busy_message() -> bytes:
    """An exception as the answer to a client's first request, which need not be read to be answered."""
    exception = (("cidx", "Busy"), ("there are too many connections",), (), "")
    message = brine.I1.pack(consts.MSG_EXCEPTION) + brine.dump((0, exception))
    return bytes(Channel.FRAME_HEADER.pack(len(message), 0) + message + Channel.FLUSHER)


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the root on its way to a client and back, by name: the client never holds an object."""

    name: str


@dataclass(frozen=True, slots=True)
class Callback:
    """An object of a client's that it wants to be called, by the client's name for it."""

    name: tuple[str, int, int]


_REQUEST, *_ANSWERS = map(brine.I1.pack, (consts.MSG_REQUEST, consts.MSG_REPLY, consts.MSG_EXCEPTION))
# Which method takes one, and as what.
_TELLING, _CALLBACK, _CALLBACK_PLACE = "index", "callback", 1

# A class that every RPyC knows, so that clients don't ask what it can do.
_METHOD = "builtins.method"


def _method_id(name: str) -> tuple[str, int, int]:
    number = zlib.crc32(name.encode())
    return (_METHOD, number, number)


class Refused(Exception):
    """What a client may not do. It learns no more than that."""


class GuardedStream(SocketStream):
    """A socket whose reads end at a deadline."""

    __slots__ = ("deadline",)

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.deadline: float | None = None
        seconds = struct.pack("ll", _SEND_S, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)

    def read(self, count: int) -> bytes:
        parts = []
        while count > 0:
            if self.deadline is not None and not self.poll(max(0.0, self.deadline - time.monotonic())):
                self.close()
                raise EOFError("a frame did not come in time")
            try:
                part = self.sock.recv(min(self.MAX_IO_CHUNK, count))
            except OSError as error:
                self.close()
                raise EOFError(str(error)) from None
            if not part:
                self.close()
                raise EOFError("connection closed by peer")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def has_room(self) -> bool:
        """Whether a short frame can be written without waiting."""
        poller = select.poll()
        poller.register(self.sock, select.POLLOUT)
        return bool(poller.poll(0))

    def write(self, data: bytes) -> None:
        """All of it; RPyC's own copies what is left for every part it sends."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self.sock.send(rest) :]
        except OSError as error:
            self.close()
            raise EOFError(str(error)) from None


class GuardedChannel(Channel):
    """Frames of a bounded size, received within a bounded time, never inflated beyond the same bound."""

    __slots__ = ("rejected",)

    def __init__(self, sock: socket.socket, rejected: Callable[[], None]) -> None:
        # Uncompressed: the other end is on this machine, and compressing costs more than copying.
        super().__init__(GuardedStream(sock), compress=False)
        self.rejected = rejected

    def recv(self) -> bytes:
        self.stream.deadline = time.monotonic() + _FRAME_S
        try:
            length, compressed = self.FRAME_HEADER.unpack(self.stream.read(self.FRAME_HEADER.size))
            if length > _LARGEST_FRAME:
                self.refuse(f"a frame of {length} bytes")
            data = self.stream.read(length + len(self.FLUSHER))[: -len(self.FLUSHER)]
        finally:
            self.stream.deadline = None
        return self._inflate(data) if compressed else data

    def _inflate(self, data: bytes) -> bytes:
        inflater = zlib.decompressobj()
        try:
            found = inflater.decompress(data, _LARGEST_FRAME)
        except zlib.error:
            self.refuse("a frame that is not compressed as it says")
        if inflater.unconsumed_tail or not inflater.eof:
            self.refuse("a frame that inflates beyond the limit")
        return found

    def refuse(self, why: str) -> NoReturn:
        """Count what is no frame of ours, or no request, and end the connection."""
        self.rejected()
        self.stream.close()
        raise EOFError(why)


class GuardedConnection(Connection):
    """Answers calls of the root's exposed methods, and nothing else."""

    _channel: GuardedChannel

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._put_off: deque[bytes] = deque()
        self._numbers = itertools.count(1)
        self._is_callback_busy = False

    def serve_all(self) -> None:
        """Serve until either side ends it; a client that never says anything is dropped soon."""
        try:
            if not self.serve(_FIRST_FRAME_S):
                return
            while not self.closed:
                if self._put_off:
                    self._answer(self._put_off.popleft())
                else:
                    self.serve(None)
        except (EOFError, OSError):
            pass
        except Exception:
            # Bytes that are no RPyC; there is nobody to tell.
            self._channel.rejected()
        finally:
            self.end()

    def end(self) -> None:
        """Close without a farewell, which a hostile client could keep us waiting for."""
        if not self._closed:
            self._cleanup()

    # What a method may do with its client

    def tell(self, callback: Any, text: str) -> bool:
        """Call a callback, unless that would mean to wait: for its last answer, or for room in the socket."""
        if not isinstance(callback, Callback):
            raise TypeError("a callback is an object of the client's")
        stream = self._channel.stream
        if self._is_callback_busy or not stream.has_room():
            return False
        self._is_callback_busy = True
        boxed = (
            (consts.LABEL_LOCAL_REF, callback.name),
            (consts.LABEL_VALUE, (text,)),
            (consts.LABEL_VALUE, ()),
        )
        request = (next(self._numbers), (consts.HANDLE_CALL, (consts.LABEL_TUPLE, boxed)))
        self._channel.send(_REQUEST + brine.dump(request))
        return True

    def attend(self) -> None:
        """Take what the client has sent while a method of its runs. Raises where the client has gone."""
        while self._channel.poll(0):
            data = self._channel.recv()
            if self._is_answer(data):
                self._is_callback_busy = False
                continue
            self._put_off.append(data)
            if len(self._put_off) > _MOST_PUT_OFF or sum(map(len, self._put_off)) > _MOST_PUT_OFF_BYTES:
                self._channel.close()
                raise EOFError("too many requests at once")

    def _is_answer(self, data: bytes) -> bool:
        """Whether this is what the callback answered; how it went is its own business."""
        return data[:1] in _ANSWERS and self._is_callback_busy

    @classmethod
    def _request_handlers(cls) -> dict[int, Any]:
        return {
            consts.HANDLE_PING: cls._handle_ping,
            consts.HANDLE_CLOSE: cls._handle_close,
            consts.HANDLE_GETROOT: cls._handle_getroot,
            consts.HANDLE_GETATTR: cls._handle_getattr,
            consts.HANDLE_CALL: cls._handle_call,
            consts.HANDLE_CALLATTR: cls._handle_callattr,
            consts.HANDLE_INSPECT: cls._handle_inspect,
            consts.HANDLE_DEL: cls._handle_del,
        }

    def _dispatch(self, data: bytes) -> None:
        """Requests, of plain values: nothing else can be an answer to us, who ask nothing of clients but to be told.

        RPyC would keep a class for every exception's name it is sent, and build tuples and sets of any size and depth.
        """
        self._recvlock.release()
        if self._is_answer(data):
            self._is_callback_busy = False
        else:
            self._answer(data)

    def _answer(self, data: bytes) -> None:
        if data[:1] != _REQUEST:
            self._channel.refuse("not a request")
        request = replies.unpack(memoryview(data)[1:])
        if not isinstance(request, tuple) or len(request) != 2:
            self._channel.refuse("not a request")
        self._dispatch_request(*request)

    def _dispatch_request(self, seq: Any, raw_args: Any) -> None:
        if not isinstance(seq, int) or not isinstance(raw_args, tuple) or len(raw_args) != 2:
            self._channel.refuse("not a request")
        super()._dispatch_request(seq, raw_args)

    def _unbox(self, package: Any) -> Any:
        """Values, the root and its methods; a reference to anything of the client's is only known by its name."""
        label, value = package
        if label == consts.LABEL_VALUE:
            return value
        if label == consts.LABEL_TUPLE:
            return tuple(self._unbox(item) for item in value)
        if label == consts.LABEL_LOCAL_REF and value == self._local_root.____id_pack__:
            return self._local_root
        if label == consts.LABEL_LOCAL_REF and value[0] == _METHOD:
            for name in self._local_root.exposed():
                if _method_id(name) == value:
                    return Method(name)
        if label == consts.LABEL_REMOTE_REF and _is_name(value):
            return Callback(value)
        raise Refused("only values may be sent")

    def _box(self, obj: Any) -> Any:
        if obj is self._local_root:
            return consts.LABEL_REMOTE_REF, obj.____id_pack__
        if isinstance(obj, Method):
            return consts.LABEL_REMOTE_REF, _method_id(obj.name)
        if brine.dumpable(obj):
            return consts.LABEL_VALUE, obj
        raise Refused("only values are given")

    def _box_exc(self, typ: Any, val: Any, tb: Any) -> Any:
        """The name of an error and, for errors of ours, what it says: no paths, no frames."""
        if typ is Refused:
            self._channel.rejected()
        if typ not in (Refused, AttributeError, TypeError, ValueError):
            typ, val = Refused, Refused("the request failed")
        # Not as RPyC dumps it: that has every attribute, described by its address in our memory.
        return (typ.__module__, typ.__name__), (str(val),), (), ""

    def _handle_ping(self, data: Any) -> Any:
        """An echo, which is no way to make us hold what somebody else does not read."""
        if not isinstance(data, str | bytes) or len(data) > _LARGEST_ECHO:
            raise Refused("a ping is a short text")
        return data

    def _handle_getattr(self, obj: Any, name: Any) -> Any:
        """How a stock client begins `root.query(...)`: it asks for the method, then calls it."""
        if obj is not self._local_root or name not in self._local_root.exposed():
            raise Refused("there is no such method")
        return Method(name)

    def _handle_call(self, obj: Any, args: Any, kwargs: Any = ()) -> Any:
        if not isinstance(obj, Method):
            raise Refused("only methods of the root can be called")
        options = dict(kwargs)
        for place in _references(args, options):
            if obj.name != _TELLING or place not in (_CALLBACK, _CALLBACK_PLACE):
                raise Refused("only values may be sent")
        return self._local_root.exposed()[obj.name](self, *args, **options)

    def _handle_callattr(self, obj: Any, name: Any, args: Any, kwargs: Any = ()) -> Any:
        """Both at once, as our own client does."""
        return self._handle_call(self._handle_getattr(obj, name), args, kwargs)

    def _handle_inspect(self, id_pack: Any) -> Any:
        if id_pack != self._local_root.____id_pack__:
            raise Refused("only the root can be looked at")
        return tuple((name, method.__doc__ or "") for name, method in self._local_root.exposed().items())

    def _handle_del(self, obj: Any, count: int = 1) -> None:
        """The root stays whatever a client forgets."""


def _is_name(value: Any) -> bool:
    """Whether this is how RPyC names an object: a class and two numbers."""
    match value:
        case (str(kind), int(), int()):
            return len(kind) <= _LONGEST_NAME
    return False


def _references(args: Any, options: dict[Any, Any]) -> Iterator[Any]:
    """Where among the arguments of a call something of the client's is; None where it is within a value."""
    for place, item in [*enumerate(args), *options.items()]:
        if isinstance(place, Callback) or _has_reference(item):
            yield place if isinstance(item, Callback) else None


def _has_reference(item: Any) -> bool:
    return isinstance(item, Callback) or (isinstance(item, tuple) and any(map(_has_reference, item)))
