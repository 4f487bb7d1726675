"""RPyC made safe for whoever reaches the socket: values only, few handlers, small frames, in time.

A stock `rpyc` client works for every documented method. Anything else that RPyC can do (references from
clients, attributes, pickles, tracebacks) is refused by not being there.
"""

import socket
import struct
import time
import zlib
from dataclasses import dataclass
from typing import Any

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

    __slots__ = ()

    def __init__(self, sock: socket.socket) -> None:
        # Uncompressed: the other end is on this machine, and compressing costs more than copying.
        super().__init__(GuardedStream(sock), compress=False)

    def recv(self) -> bytes:
        self.stream.deadline = time.monotonic() + _FRAME_S
        try:
            length, compressed = self.FRAME_HEADER.unpack(self.stream.read(self.FRAME_HEADER.size))
            if length > _LARGEST_FRAME:
                self._refuse(f"a frame of {length} bytes")
            data = self.stream.read(length + len(self.FLUSHER))[: -len(self.FLUSHER)]
        finally:
            self.stream.deadline = None
        return self._inflate(data) if compressed else data

    def _inflate(self, data: bytes) -> bytes:
        inflater = zlib.decompressobj()
        try:
            found = inflater.decompress(data, _LARGEST_FRAME)
        except zlib.error:
            self._refuse("a frame that is not compressed as it says")
        if inflater.unconsumed_tail or not inflater.eof:
            self._refuse("a frame that inflates beyond the limit")
        return found

    def _refuse(self, why: str) -> Any:
        self.stream.close()
        raise EOFError(why)


class GuardedConnection(Connection):
    """Answers calls of the root's exposed methods, and nothing else."""

    def serve_all(self) -> None:
        """Serve until either side ends it; a client that never says anything is dropped soon."""
        try:
            if not self.serve(_FIRST_FRAME_S):
                return
            while not self.closed:
                self.serve(None)
        except (EOFError, OSError):
            pass
        except Exception:
            # Bytes that are no RPyC; there is nobody to tell.
            pass
        finally:
            self.end()

    def end(self) -> None:
        """Close without a farewell, which a hostile client could keep us waiting for."""
        if not self._closed:
            self._cleanup()

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
        """Requests, of plain values: nothing else can be an answer to us, who ask nothing.

        RPyC would keep a class for every exception's name it is sent, and build tuples and sets of any size and depth.
        """
        if data[0] != consts.MSG_REQUEST:
            raise EOFError("not a request")
        self._recvlock.release()
        request = replies.unpack(memoryview(data)[1:])
        if not isinstance(request, tuple) or len(request) != 2:
            raise EOFError("not a request")
        self._dispatch_request(*request)

    def _dispatch_request(self, seq: Any, raw_args: Any) -> None:
        if not isinstance(seq, int) or not isinstance(raw_args, tuple) or len(raw_args) != 2:
            raise EOFError("not a request")
        super()._dispatch_request(seq, raw_args)

    def _unbox(self, package: Any) -> Any:
        """Values, the root and its methods; a reference to anything of the client's is refused."""
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
        return self._local_root.exposed()[obj.name](self, *args, **dict(kwargs))

    def _handle_callattr(self, obj: Any, name: Any, args: Any, kwargs: Any = ()) -> Any:
        """Both at once, as our own client does."""
        return self._handle_call(self._handle_getattr(obj, name), args, kwargs)

    def _handle_inspect(self, id_pack: Any) -> Any:
        if id_pack != self._local_root.____id_pack__:
            raise Refused("only the root can be looked at")
        return tuple((name, method.__doc__ or "") for name, method in self._local_root.exposed().items())

    def _handle_del(self, obj: Any, count: int = 1) -> None:
        """The root stays whatever a client forgets."""
