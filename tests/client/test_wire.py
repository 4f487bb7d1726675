"""Both halves of the wire against the real rpyc, and against bytes that nobody should send."""

import contextlib
import os
import socket
import tempfile
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rpyc.core import brine, consts
from rpyc.core.channel import Channel
from rpyc.core.stream import SocketStream

from cidx.client import replies, wire

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-60, max_value=170)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.binary(min_size=250, max_size=260),
    lambda inner: st.lists(inner, max_size=6).map(tuple),
    max_leaves=20,
)


# Brine


@given(plain)
def test_values_are_packed_as_rpyc_packs_them(value: object) -> None:
    assert wire.pack(value) == brine.dump(value)


@given(plain)
def test_values_survive_both_ways(value: object) -> None:
    assert brine.load(wire.pack(value)) == value
    found = replies.unpack(brine.dump(value))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("count", [0, 1, 4, 5, 255, 256, 70_000])
def test_every_length_is_counted_as_rpyc_counts_it(count: int) -> None:
    for value in (b"x" * count, "é" * count, (None,) * min(count, 4096)):
        assert wire.pack(value) == brine.dump(value)
        assert replies.unpack(brine.dump(value)) == value


@given(st.binary(max_size=200))
def test_garbage_is_read_or_refused_and_nothing_else(data: bytes) -> None:
    with contextlib.suppress(replies.Unreadable):
        replies.unpack(data)


@given(plain, st.data())
def test_a_cut_value_is_refused(value: object, data: st.DataObject) -> None:
    packed = brine.dump(value)
    with pytest.raises(replies.Unreadable):
        replies.unpack(packed[: data.draw(st.integers(0, len(packed) - 1))])


@pytest.mark.parametrize(
    "value", [slice(1, 2, 3), 1j, frozenset([1]), Ellipsis, NotImplemented, (1, (slice(0, 1, 1),))]
)
def test_what_is_no_plain_value_is_refused(value: object) -> None:
    with pytest.raises(replies.Unreadable):
        replies.unpack(brine.dump(value))


@pytest.mark.parametrize("value", [[1], {1: 2}, 1j, frozenset(), object()])
def test_what_is_no_plain_value_is_not_sent(value: object) -> None:
    with pytest.raises(TypeError):
        wire.pack(value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x15\xff\xff\xff\xff" + b"\x00" * 100,  # four thousand million items
        b"\x0f\xff\xff\xff\xff",  # as many bytes
        b"\x13" * 50_000,  # deeper than any stack
        b"\x17\x00\x00\x20\x00" + b"9" * 0x2000,  # a number that takes long to read
        b"\x08\x0a\xff",  # no UTF-8
        b"\x08P",  # a text of a number
        b"\x16\x01x",  # a number of letters
        b"PP",  # two values
    ],
)
def test_bombs_and_contradictions_are_refused_at_once(data: bytes) -> None:
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(replies.Unreadable):
        replies.unpack(data)
    assert time.process_time() - started < 1
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


# Replies. A server of one connection, which does what the test says.

Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def replying(serve: Serve, *, patience_s: float = 10.0) -> Iterator[replies.Replies]:
    with tempfile.TemporaryDirectory(prefix="cx") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = f"{folder}/s"
        listener.bind(path)
        listener.listen()

        def accept() -> None:
            accepted, _ = listener.accept()
            # Whoever reads may have seen enough before all is sent.
            with accepted, contextlib.suppress(OSError):
                serve(accepted)

        thread = threading.Thread(target=accept)
        thread.start()
        connection = wire.Connection(path, patience_s=patience_s)
        try:
            yield replies.Replies(connection)
        finally:
            connection.close()
            thread.join()


def sends(data: bytes) -> Serve:
    return lambda accepted: accepted.sendall(data)


def body(kind: int, number: int, content: object) -> bytes:
    return bytes((kind,)) + brine.dump((number, content))


def frame(body: bytes, *, compressed: int = 0) -> bytes:
    return len(body).to_bytes(4, "big") + bytes((compressed,)) + body + b"\n"


def reply(value: object, *, number: int = 0, label: int = consts.LABEL_VALUE) -> bytes:
    return frame(body(consts.MSG_REPLY, number, (label, value)))


def through_rpyc(data: bytes, *, compress: bool) -> Serve:
    def serve(accepted: socket.socket) -> None:
        Channel(SocketStream(accepted), compress=compress).send(data)

    return serve


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("size", [0, 10, 2999, 3001, 64_000, 1_000_000])
def test_frames_of_rpyc_are_read(size: int, compress: bool) -> None:
    data = body(consts.MSG_REPLY, 0, (consts.LABEL_VALUE, os.urandom(size // 2) + b"x" * (size // 2)))
    with replying(through_rpyc(data, compress=compress)) as replied:
        assert len(replied.value(0, largest=replies.LARGE)) == size // 2 * 2  # type: ignore[arg-type]


def test_fifty_megabytes_are_read() -> None:
    data = os.urandom(1_000_000) * 50
    with replying(sends(reply((0, data, b"")))) as replied:
        assert replied.answer(0) == (0, data, b"")


@pytest.mark.parametrize(
    "value",
    [None, (), (0,), (0, b""), (256, b"", b""), (-1, b"", b""), (10**30, b"", b""), (0, "", ""), "text"],
)
def test_what_is_no_answer_is_refused(value: object) -> None:
    with replying(sends(reply(value))) as replied, pytest.raises(replies.Unreadable):
        replied.answer(0)


def test_replies_may_come_in_one_piece_or_byte_by_byte() -> None:
    data = reply("first", number=0) + reply("second", number=1) + reply(b"x" * 300, number=2)

    def one_by_one(accepted: socket.socket) -> None:
        for byte in data:
            accepted.sendall(bytes((byte,)))

    for serve in (sends(data), one_by_one):
        with replying(serve) as replied:
            assert [replied.value(number) for number in range(3)] == ["first", "second", b"x" * 300]


def test_replies_can_be_read_again() -> None:
    with replying(sends(reply(1) + reply(2, number=1))) as replied:
        assert replied.value(0) == 1
        replied.rewind()
        assert (replied.value(0), replied.value(1)) == (1, 2)


def test_requests_are_what_rpyc_asks() -> None:
    """The frames that a stock client writes for the same calls."""
    asked: list[bytes] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = Channel(SocketStream(ours), compress=False)
        for handler, arguments in (
            (consts.HANDLE_GETROOT, (consts.LABEL_VALUE, ())),
            (
                consts.HANDLE_CALLATTR,
                (
                    consts.LABEL_TUPLE,
                    (
                        (consts.LABEL_LOCAL_REF, wire.ROOT),
                        (consts.LABEL_VALUE, "cancel"),
                        (consts.LABEL_VALUE, ("some request",)),
                        (consts.LABEL_VALUE, ()),
                    ),
                ),
            ),
        ):
            channel.send(body(consts.MSG_REQUEST, 7, (handler, arguments)))
            asked.append(theirs.recv(65536))
    assert asked == [wire.get_root(7), wire.call(7, wire.ROOT, "cancel", ("some request",))]


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00" * 100,
        b"\xff" * 100,
        b"\x7f\xff\xff\xff\x00\x02" + b"x" * 1000,  # 2 GiB for a greeting
        b"\x00\x00\x00\x00\x00\n",
        frame(b"\x02"),
        frame(b"\x02\x00\x00"),
        frame(b"\x09" + brine.dump((0, (1, 1)))),  # no kind of message
        frame(body(consts.MSG_REPLY, 0, (1, 1)))[:-1] + b"x",  # no newline
        frame(body(consts.MSG_REPLY, 0, 1)),
        frame(body(consts.MSG_REPLY, 0, (1, 1, 1))),
        frame(body(consts.MSG_REPLY, 1, (1, 1))),  # of another request
        frame(body(consts.MSG_REQUEST, 0, (consts.HANDLE_PING, (1, ("x",))))),
        frame(b"x\x9cnot zlib at all", compressed=1),
        frame(body(consts.MSG_REPLY, 0, (1, 1)), compressed=2),
    ],
)
def test_what_is_no_reply_is_refused(data: bytes) -> None:
    with replying(sends(data)) as replied, pytest.raises(replies.Unreadable):
        replied.value(0)


@given(st.binary(min_size=6, max_size=300))
def test_random_bytes_end_in_time_and_in_one_of_the_known_ways(data: bytes) -> None:
    with (
        replying(sends(data)) as replied,
        pytest.raises((replies.Unreadable, replies.Closed, replies.Raised)),
    ):
        replied.value(0)


@pytest.mark.parametrize("label", [consts.LABEL_TUPLE, consts.LABEL_LOCAL_REF, consts.LABEL_REMOTE_REF, 9])
def test_references_are_refused(label: int) -> None:
    data = reply(("builtins.list", 1, 2), label=label)
    with replying(sends(data)) as replied, pytest.raises(replies.Unreadable):
        replied.value(0)


def test_a_value_is_no_root() -> None:
    with replying(sends(reply(wire.ROOT))) as replied, pytest.raises(replies.Unreadable):
        replied.reference(0)


def test_a_promised_length_costs_nothing_before_its_bytes_come() -> None:
    data = (2**31).to_bytes(4, "big") + b"\x00" + body(consts.MSG_REPLY, 0, (1, b"x" * 5000))
    tracemalloc.start()
    with replying(sends(data)) as replied, pytest.raises(replies.Closed):
        replied.answer(0)
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


def test_a_compressed_bomb_is_not_inflated() -> None:
    bomb = zlib.compress(body(consts.MSG_REPLY, 0, (consts.LABEL_VALUE, b"\x00" * 20_000_000)), 9)
    assert len(bomb) < replies.SMALL, "else it would be refused for its size"
    with replying(sends(frame(bomb, compressed=1))) as replied:
        tracemalloc.start()
        with pytest.raises(replies.Unreadable):
            replied.value(0)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.stop()


def test_a_connection_that_ends_is_closed_wherever_it_ends() -> None:
    data = reply("something")
    for end in range(len(data)):
        with replying(sends(data[:end])) as replied, pytest.raises(replies.Closed):
            replied.value(0)


def test_a_request_to_close_is_an_end_too() -> None:
    """rpyc's own way to say goodbye."""
    request = frame(body(consts.MSG_REQUEST, 0, (consts.HANDLE_CLOSE, (consts.LABEL_VALUE, ()))))
    with replying(sends(request)) as replied, pytest.raises(replies.Closed):
        replied.value(0)


@pytest.mark.parametrize(
    ("description", "name", "message"),
    [
        ((("builtins", "ValueError"), ("what", 7), (), "<traceback denied>"), "ValueError", "what 7"),
        ((("builtins", "ValueError"), (), (("attribute", slice(1, 2, 3)),), ""), "an exception", ""),
        (consts.EXC_STOP_ITERATION, "an exception", ""),
        ("a word", "a word", ""),
    ],
)
def test_an_exception_says_its_name_and_message(description: object, name: str, message: str) -> None:
    data = frame(body(consts.MSG_EXCEPTION, 0, description))
    with replying(sends(data)) as replied, pytest.raises(replies.Raised) as raised:
        replied.value(0)
    assert (raised.value.name, raised.value.message) == (name, message)


def test_waiting_for_a_reply_ends_in_time() -> None:
    answered = threading.Event()

    def say_nothing(accepted: socket.socket) -> None:
        answered.wait(10)

    with replying(say_nothing, patience_s=0.3) as replied:
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            replied.value(0)
        assert time.monotonic() - started > 0.25
        answered.set()


def test_dripping_bytes_do_not_prolong_the_wait() -> None:
    """They are all there after ten seconds."""
    stop = threading.Event()

    def drip(accepted: socket.socket) -> None:
        for byte in reply(b"x" * 200):
            accepted.sendall(bytes((byte,)))
            if stop.wait(0.05):
                return

    with replying(drip, patience_s=0.3) as replied:
        with pytest.raises(TimeoutError):
            replied.value(0)
        stop.set()


def open_more(count: int, path: str, kept: contextlib.ExitStack) -> None:
    for _ in range(count):
        kept.callback(wire.Connection(path, patience_s=0.3).close)


def test_waiting_for_a_full_queue_ends_in_time() -> None:
    with tempfile.TemporaryDirectory(prefix="cx") as folder, contextlib.ExitStack() as waiting:
        listener = waiting.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(f"{folder}/s")
        listener.listen(0)
        with pytest.raises((TimeoutError, ConnectionRefusedError)):  # macOS refuses at once
            open_more(5, f"{folder}/s", waiting)


def test_a_queue_that_empties_is_waited_for() -> None:
    with tempfile.TemporaryDirectory(prefix="cx") as folder, contextlib.ExitStack() as open_ones:
        listener = open_ones.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(f"{folder}/s")
        listener.listen(0)
        open_ones.callback(wire.Connection(f"{folder}/s", patience_s=5).close)

        def accept_all() -> None:
            for _ in range(3):
                open_ones.enter_context(listener.accept()[0])

        thread = threading.Timer(0.2, accept_all)
        thread.start()
        for _ in range(2):
            open_ones.callback(wire.Connection(f"{folder}/s", patience_s=5).close)
        thread.join()
