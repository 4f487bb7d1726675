"""Whatever reaches the socket: the daemon answers everybody else, keeps its memory, and tells nothing of itself.

    python tests/faults/hostile.py --seconds 60 --seed 1

Each attack is a function of a `Target`, which keeps what the daemon said. Afterwards others are answered, what was
said holds no traceback, path or source line, and memory, descriptors and threads are what they were. The suite
runs the same attacks (tests/daemon/test_hostile.py); only the random bytes take as long as they are told. Linux only
(/proc).
"""

import argparse
import contextlib
import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from rpyc.core import brine, consts

from cidx.api.versions import PROTOCOL, VERSION
from cidx.daemon.connection import _FRAME_S, _LARGEST_FRAME
from tests.daemon.kit import Daemon, serving
from tests.kit import Tree

PATIENCE_S = 30.0
MOST_GROWTH_BYTES = 20 * 2**20
ROOT = ("cidx.Root", 1, 1)
# Nobody, who is not us.
STRANGER = 65534

METHODS = (
    "hello", "ping", "run", "cancel", "query", "query_fts", "query_hybrid", "similar", "symbols", "refs",
    "index", "job_poll", "job_cancel", "get_status", "health", "metrics", "clear_cache", "shutdown",
)  # fmt: skip
NAMES = (
    "__class__", "__dict__", "__init__", "__reduce_ex__", "__getattribute__", "__globals__", "__code__", "_run",
    "_answer", "_control", "_methods", "____id_pack__", "____conn__", "exposed", "exposed_ping", "on_disconnect",
    "stop_overdue", "is_working", "", "hello.__func__", "ping\0", b"ping", 7, None, ("ping",),
)  # fmt: skip
ODD = (
    None, True, -1, 10**400, 1.5, float("nan"), float("inf"), "", "x" * 10_000, b"", b"\xff\0", "a\0b", "\u202e", (),
    ((),), (1, (2, (3,))), ("cidx.Root", 1, 1), ("builtins.type", 1, 0), frozenset({1}), slice(1, 2, 3), ..., 2j,
    NotImplemented,
)  # fmt: skip


class Target:
    """A daemon under attack."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.pid = daemon.process.pid
        self._secrets = (
            b"Traceback", b'File "', b'.py"', b'.py\\"', b"site-packages", b" object at 0x",
            os.fsencode(Path(__file__).parents[2]),
        )  # fmt: skip

    def connect(self) -> socket.socket:
        attacker = socket.socket(socket.AF_UNIX)
        attacker.settimeout(PATIENCE_S)
        attacker.connect(self.daemon.path)
        return attacker

    def say(self, *messages: bytes) -> list[bytes]:
        """Send, hear everything until the daemon hangs up; the bodies of its frames."""
        with self.connect() as attacker:
            sender = threading.Thread(target=_send, args=(attacker, b"".join(messages)), daemon=True)
            sender.start()
            heard = hear(attacker)
            sender.join(PATIENCE_S)
        self.judge(heard)
        return bodies(heard)

    def judge(self, heard: bytes) -> None:
        """It tells nothing of itself; errors of the protocol name no path at all."""
        for secret in self._secrets:
            assert secret not in heard, (secret, heard[:2000])
        for body in bodies(heard):
            assert body[0] in (consts.MSG_REPLY, consts.MSG_EXCEPTION) or body.startswith(CLOSING), body[:200]
            if body[0] == consts.MSG_EXCEPTION:
                assert "/" not in repr(brine.load(body[1:])), body[:2000]

    def judge_calls(self, heard: bytes) -> None:
        """A client that is called back is told of the job and of nothing else."""
        for secret in self._secrets:
            assert secret not in heard, (secret, heard[:2000])

    def serves_others(self) -> None:
        """A ping and a query of somebody else are answered, in the same process."""
        assert self.daemon.process.poll() is None
        assert self.daemon.ask("ping") == "pong"
        ran = self.daemon.run("query", "-q", "needle")
        assert (ran.code, ran.out[:5]) == (0, "a.js:"), ran
        assert self.daemon.ask("hello", (PROTOCOL, VERSION, 1))[2] == self.pid

    def settle(self, least: "Footprint") -> None:
        """Wait until no more descriptors and threads are held than there were."""
        deadline = time.monotonic() + PATIENCE_S
        while (now := self.footprint()).held > least.held:
            assert time.monotonic() < deadline, (now.held, least.held)
            time.sleep(0.05)

    def footprint(self) -> "Footprint":
        return Footprint(self.pid)


class Footprint:
    """What a process holds."""

    def __init__(self, pid: int) -> None:
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        self.threads = len(os.listdir(f"/proc/{pid}/task"))
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        self.rss_bytes = pages * os.sysconf("SC_PAGE_SIZE")

    @property
    def held(self) -> tuple[int, int]:
        return (self.descriptors, self.threads)


# What is said


def frame(body: bytes, *, compressed: int = 0, length: int | None = None) -> bytes:
    return struct.pack("!LB", len(body) if length is None else length, compressed) + body + b"\n"


def message(content: Any, *, kind: int = consts.MSG_REQUEST) -> bytes:
    return frame(bytes((kind,)) + brine.dump(content))


def request(handler: Any, boxed: Any, *, number: Any = 1) -> bytes:
    return message((number, (handler, boxed)))


def boxes(*items: Any) -> Any:
    """Boxed arguments: each is a pair of label and value already."""
    return (consts.LABEL_TUPLE, items)


def value(item: Any) -> Any:
    return (consts.LABEL_VALUE, item)


THE_ROOT = (consts.LABEL_LOCAL_REF, ROOT)


def call(name: Any, *arguments: Any, options: Any = (), number: int = 1) -> bytes:
    boxed = boxes(THE_ROOT, value(name), value(arguments), value(options))
    return request(consts.HANDLE_CALLATTR, boxed, number=number)


HELLO = call("hello", (PROTOCOL, VERSION, 1), number=0)
# What RPyC says as it hangs up by itself.
CLOSING = bytes((consts.MSG_REQUEST,)) + brine.dump((0, (consts.HANDLE_CLOSE, (consts.LABEL_TUPLE, ()))))[:4]


def _send(attacker: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        attacker.sendall(data)
        attacker.shutdown(socket.SHUT_WR)


def _try_to_send(attacker: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        attacker.sendall(data)


def hear(attacker: socket.socket) -> bytes:
    """All that comes until the other side ends it."""
    heard = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while part := attacker.recv(2**20):
            heard += part
    return bytes(heard)


def bodies(heard: bytes) -> list[bytes]:
    found, at = [], 0
    while at + 5 <= len(heard):
        length = int.from_bytes(heard[at : at + 4], "big")
        found.append(heard[at + 5 : at + 5 + length])
        at += length + 6
    return [body for body in found if body]


# The attacks


def a_header_of_2_gib(target: Target) -> None:
    started = time.monotonic()
    for compressed in (0, 1, 255):
        assert not target.say(frame(b"some", length=2**31, compressed=compressed))
        assert not target.say(frame(b"some", length=2**32 - 1, compressed=compressed))
    assert time.monotonic() - started < _FRAME_S, "it is refused, not waited for"


def a_zlib_bomb(target: Target) -> None:
    packer = zlib.compressobj(9)
    block = bytes(2**20)
    bomb = b"".join(packer.compress(block) for _ in range(1000)) + packer.flush()
    assert len(bomb) < _LARGEST_FRAME
    for _ in range(5):
        assert not target.say(frame(bomb, compressed=1))
    assert not target.say(frame(bomb[:1000], compressed=1))
    assert not target.say(frame(b"no zlib at all", compressed=1))


def two_hundred_half_frames(target: Target) -> None:
    held = [target.connect() for _ in range(200)]
    started = time.monotonic()
    try:
        for number, attacker in enumerate(held):
            whole = request(consts.HANDLE_PING, boxes(value("x" * 5000)))
            attacker.sendall(whole[: number % 5 + 1] if number % 2 else whole[: 100 + number])
        for _ in range(5):
            target.serves_others()
        for attacker in held:
            assert not bodies(hear(attacker))
        assert time.monotonic() - started < _FRAME_S + 5
    finally:
        for attacker in held:
            attacker.close()


def a_frame_byte_by_byte(target: Target) -> None:
    whole = request(consts.HANDLE_PING, boxes(value("x" * 5000)))
    started = time.monotonic()
    with target.connect() as attacker:
        attacker.settimeout(0.1)
        for index in range(len(whole)):
            try:
                attacker.sendall(whole[index : index + 1])
                assert not attacker.recv(1)
                break
            except TimeoutError:
                continue
            except OSError:
                break
    assert _FRAME_S - 1 < time.monotonic() - started < _FRAME_S + 5
    target.serves_others()


def references_for_values(target: Target) -> None:
    strange = [
        (consts.LABEL_REMOTE_REF, ("builtins.function", 12, 34)),
        (consts.LABEL_REMOTE_REF, ROOT),
        (consts.LABEL_REMOTE_REF, ()),
        (consts.LABEL_LOCAL_REF, ("builtins.type", 1, 0)),
        (consts.LABEL_LOCAL_REF, ("builtins.method", 0, 0)),
        (consts.LABEL_LOCAL_REF, ("builtins.method",)),
        (consts.LABEL_LOCAL_REF, ()),
        (consts.LABEL_LOCAL_REF, None),
        (consts.LABEL_TUPLE, 5),
        (consts.LABEL_TUPLE, (value(1), (consts.LABEL_REMOTE_REF, ("x.y", 1, 1)))),
        (9, 9), ("1", 1), (None, None), (1,), (1, 2, 3), 5, (), None, "ab",
    ]  # fmt: skip
    for box in strange:
        for message_ in (
            request(consts.HANDLE_PING, boxes(box)),
            request(consts.HANDLE_PING, box),
            request(consts.HANDLE_CALLATTR, boxes(box, value("ping"), value(()), value(()))),
            request(consts.HANDLE_CALLATTR, boxes(THE_ROOT, box, value(()), value(()))),
            request(consts.HANDLE_CALLATTR, boxes(THE_ROOT, value("cancel"), boxes(box), value(()))),
            request(consts.HANDLE_CALLATTR, boxes(THE_ROOT, value("query"), value(("/", "x")), boxes(box))),
            request(consts.HANDLE_GETATTR, boxes(box, value("ping"))),
            request(consts.HANDLE_CALL, boxes(box, value(()), value(()))),
            request(consts.HANDLE_INSPECT, boxes(box)),
            request(consts.HANDLE_DEL, boxes(box, value(1))),
        ):
            target.say(HELLO, message_)


def nested_too_deeply(target: Target) -> None:
    for depth in (20, 100, 300, 900, 5000, 1_000_000):
        nested = b"\x10" * depth + b"\x00"
        target.say(frame(b"\x01" + nested))
        target.say(frame(b"\x01" + b"\x11\x51\x11\x51" + nested))
        # As one argument of a ping, and of each label.
        target.say(frame(b"\x01\x11\x51\x11\x51\x11\x52\x10\x11\x51" + nested))
        target.say(frame(b"\x01\x11\x51\x11\x51" + b"\x11\x52\x10" * depth + b"\x00"))


def promises_of_huge_counts(target: Target) -> None:
    most = b"\xff\xff\xff\xff"
    for tag in (0x0F, 0x15, 0x17):
        assert not target.say(frame(b"\x01" + bytes((tag,)) + most + b"\x00" * 100))
    assert not target.say(frame(b"\x01\x08\x0f" + most))
    count = _LARGEST_FRAME - 100
    assert not target.say(frame(b"\x01\x15" + count.to_bytes(4, "big") + bytes(count)))
    # Two bytes each, sixty in memory.
    count //= 2
    assert not target.say(frame(b"\x01\x15" + count.to_bytes(4, "big") + b"\x10\x00" * count))
    digits = b"9" * 1_000_000
    assert not target.say(frame(b"\x01\x17" + len(digits).to_bytes(4, "big") + digits))


def a_set_of_equal_hashes(target: Target) -> None:
    """Each insertion would meet all before it, and nobody else would run meanwhile."""
    equal = tuple(1 + number * (2**61 - 1) for number in range(100_000))
    started = time.monotonic()
    attack = b"\x01\x11\x51\x11\x51\x11\x52\x10\x11\x51" + b"\x1a" + brine.dump(equal)
    assert brine.dump(frozenset((1,)))[:1] == b"\x1a"
    assert not target.say(frame(attack))
    pairs = tuple((number, 0) for number in equal[:3000])
    target.say(call("query", "/", "x", options=pairs))
    target.serves_others()
    assert time.monotonic() - started < PATIENCE_S / 3


def every_handler(target: Target) -> None:
    for handler in range(41):
        arguments = [boxes(), boxes(THE_ROOT), boxes(THE_ROOT, value("__class__")), value(5)]
        arguments += [boxes(THE_ROOT, *(value(odd) for _ in range(3))) for odd in ODD]
        arguments += [boxes(*(value(odd) for _ in range(count))) for odd in ODD[:12] for count in (1, 2)]
        if handler == consts.HANDLE_CLOSE:
            arguments = arguments[:4]
        for boxed in arguments:
            target.say(request(handler, boxed))
    for handler in (None, "1", 1.0, True, -1, 10**30, (), (1,), b"\x01"):
        target.say(request(handler, boxes(value("x"))))
    for number in (None, "1", -1, 10**30, (), (1,)):
        target.say(request(consts.HANDLE_PING, boxes(value("x")), number=number))


def names_that_are_nobodys_business(target: Target) -> None:
    for name in NAMES:
        for handler, rest in (
            (consts.HANDLE_GETATTR, ()),
            (consts.HANDLE_DELATTR, ()),
            (consts.HANDLE_SETATTR, (value(1),)),
            (consts.HANDLE_CALLATTR, (value(()), value(()))),
            (consts.HANDLE_CALLATTR, (value((1,)), value((("a", 1),)))),
        ):
            answered = target.say(HELLO, request(handler, boxes(THE_ROOT, value(name), *rest)))
            assert len(answered) <= 2
            assert answered[1:] == [] or answered[1][0] == consts.MSG_EXCEPTION, (name, handler, answered)
    for handler in (
        consts.HANDLE_CALL,
        consts.HANDLE_PICKLE,
        consts.HANDLE_DIR,
        consts.HANDLE_REPR,
        consts.HANDLE_STR,
    ):
        for rest in ((), (value(()), value(())), (value(2),)):
            (refusal,) = target.say(request(handler, boxes(THE_ROOT, *rest)))
            assert refusal[0] == consts.MSG_EXCEPTION


def arguments_of_wrong_types(target: Target) -> None:
    good = {
        "hello": ((PROTOCOL, VERSION, 1),),
        "run": ((b"query", b"needle"), b"/", (80, False, False), (), b"", "r"),
        "cancel": ("r",),
        "query": ("/", "needle"),
        "query_fts": ("/", "needle"),
        "query_hybrid": ("/", "needle"),
        "similar": ("/", "a:1"),
        "symbols": ("/", "needle"),
        "refs": ("/", "needle"),
        "index": ("/", None, False, ()),
        "job_poll": ("nonsense", 0, 0),
        "job_cancel": ("nonsense",),
        "clear_cache": (None,),
    }
    for method in METHODS:
        usual = good.get(method, ())
        for odd in ODD:
            target.say(HELLO, call(method, *usual, odd))
            for place in range(len(usual)):
                target.say(HELLO, call(method, *usual[:place], odd, *usual[place + 1 :]))
            for options in (
                odd,
                (odd,),
                ((odd, odd),),
                (("limit", odd),),
                (("operation", odd),),
                (("", odd),),
            ):
                if method != "shutdown" or options not in ((), "", b""):
                    target.say(HELLO, call(method, *usual, options=options))
    terminals = ((10**9, True, True), (-5, True, True), ("80", "x", 1), (2**70, 1, 1), (80,), (0, 1, 1))
    for terminal in terminals:
        for argv in ((b"query", b"needle"), (b"query", b"--help"), (b"status",)):
            run = call("run", argv, os.fsencode(target.daemon.tree.root), terminal, (), b"", "r")
            target.say(HELLO, run)
    for argv in (
        (b"\0",),
        (b"-C", b"a\0b", b"query", b"x"),
        (b"",) * 4000,
        (b"-" * 10_000,),
    ):
        for folder in (
            os.fsencode(target.daemon.tree.root),
            b"\xff\0",
            b"/",
            b"",
            b"relative",
            b"/" + b"x" * 5000,
        ):
            target.say(
                HELLO, call("run", argv, folder, (80, False, False), ((b"CIDX_\xff", b"\0"),), b"", "r")
            )


def answers_to_nothing(target: Target) -> None:
    for kind in (0, 4, 255, consts.MSG_REPLY, consts.MSG_EXCEPTION):
        assert not target.say(message((0, value(1)), kind=kind))
        assert not target.say(message((0, None), kind=kind))
    for chunk in range(20):
        many = [
            message(
                (0, (("cidx", f"Name{chunk}x{number}" + "n" * 500), (), (), "")), kind=consts.MSG_EXCEPTION
            )
            for number in range(1000)
        ]
        target.say(*many)
    assert not target.say(frame(b""), frame(b""))
    assert not target.say(b"\n" * 1000)
    assert not target.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")


def replies_that_nobody_reads(target: Target) -> None:
    (refused,) = target.say(request(consts.HANDLE_PING, boxes(value(b"x" * (_LARGEST_FRAME - 1000)))))
    assert refused[0] == consts.MSG_EXCEPTION
    ping = request(consts.HANDLE_PING, boxes(value(b"x" * 60_000))) * 20
    held = [target.connect() for _ in range(8)]
    try:
        senders = [threading.Thread(target=_send, args=(held_, ping), daemon=True) for held_ in held]
        for sender in senders:
            sender.start()
        for _ in range(5):
            target.serves_others()
        for attacker in held:
            attacker.shutdown(socket.SHUT_RDWR)
        for sender in senders:
            sender.join(PATIENCE_S)
    finally:
        for attacker in held:
            attacker.close()


def references_where_none_belong(target: Target) -> None:
    """A callback is taken by one method, as one argument."""
    thing = (consts.LABEL_REMOTE_REF, ("builtins.function", 12, 34))
    root = value(str(target.daemon.tree.root))
    long = (consts.LABEL_REMOTE_REF, ("x" * 10_000, 1, 2))
    calls = [
        (method, boxes(*(thing if at == place else root for at in range(4))), ())
        for method in METHODS
        for place in range(4)
        if (method, place) != ("index", 1)
    ]
    calls += [
        ("index", boxes(root, boxes(thing)), ()),
        ("index", boxes(root, long), ()),
        ("index", boxes(root, (consts.LABEL_REMOTE_REF, ("x", "y", "z"))), ()),
        ("index", boxes(root), boxes(boxes(value("clear"), thing))),
        ("index", boxes(root), boxes(boxes(thing, value(1)))),
        ("index", boxes(root), boxes(boxes(value("callback"), boxes(thing)))),
        ("query", boxes(root, value("x")), boxes(boxes(value("callback"), thing))),
    ]
    for method, arguments, options in calls:
        boxed = boxes(THE_ROOT, value(method), arguments, options or value(()))
        answered = target.say(HELLO, request(consts.HANDLE_CALLATTR, boxed))
        assert [body[0] for body in answered[1:]] == [consts.MSG_EXCEPTION], (method, answered)
    for handler in (consts.HANDLE_PING, consts.HANDLE_INSPECT, consts.HANDLE_GETATTR, consts.HANDLE_CALL):
        for rest in ((), (value("ping"),), (value(()), value(()))):
            (refusal,) = target.say(request(handler, boxes(thing, *rest)))
            assert refusal[0] == consts.MSG_EXCEPTION


def callbacks_that_misbehave(target: Target) -> None:
    """A job is held still meanwhile; its callback's client answers nothing, too much, or something else."""
    from cidx.repository import lock

    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(1000)) + packer.flush()
    answers = [
        [],
        [message((1, (("cidx", "Name" + "n" * 500), (), (), "")), kind=consts.MSG_EXCEPTION)] * 20,
        [message((number, value(1)), kind=consts.MSG_REPLY) for number in (1, 2, 1, -1)],
        [frame(bomb, compressed=1)],
        [frame(bytes((consts.MSG_REPLY,)) + b"\x10" * 1_000_000)],
        [call("ping", number=number) for number in range(100)],
        [request(consts.HANDLE_PING, boxes(value("x" * 60_000)))] * 20,
        [call("index", str(target.daemon.tree.root), number=5)],
        [request(consts.HANDLE_CLOSE, boxes())],
        [b"\n" * 1000],
        [frame(b"some", length=2**31)],
        [frame(b"")],
    ]
    folder = target.daemon.tree.repository.folder
    held = []
    with lock.writing(folder, wait=False):
        for said in answers * 2:
            attacker = target.connect()
            held.append(attacker)
            thing = (consts.LABEL_REMOTE_REF, ("builtins.function", 12, 34))
            boxed = boxes(
                THE_ROOT, value("index"), boxes(value(str(target.daemon.tree.root)), thing), value(())
            )
            attacker.sendall(HELLO + request(consts.HANDLE_CALLATTR, boxed))
            # The answer to hello, and the first call of the callback.
            first = attacker.recv(2**16)
            target.judge_calls(first)
            sender = threading.Thread(target=_try_to_send, args=(attacker, b"".join(said)), daemon=True)
            sender.start()
        for _ in range(5):
            target.serves_others()
        for attacker in held[::2]:
            attacker.close()
        target.serves_others()
    until = time.monotonic() + PATIENCE_S
    while json.loads(target.daemon.ask("health"))["jobs"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    for attacker in held:
        attacker.close()


ATTACKS: tuple[Callable[[Target], None], ...] = (
    a_header_of_2_gib, a_zlib_bomb, two_hundred_half_frames, a_frame_byte_by_byte, references_for_values,
    nested_too_deeply, promises_of_huge_counts, a_set_of_equal_hashes, every_handler, names_that_are_nobodys_business,
    arguments_of_wrong_types, answers_to_nothing, replies_that_nobody_reads, references_where_none_belong,
    callbacks_that_misbehave,
)  # fmt: skip


def random_bytes(target: Target, *, seconds: float, seed: int) -> int:
    """Noise, noise in frames, and good requests with a few bytes changed; how many connections it made."""
    dice = random.Random(seed)
    good = [
        HELLO, request(consts.HANDLE_GETROOT, value(())), request(consts.HANDLE_INSPECT, boxes(value(ROOT))),
        call("ping"), call("query", "/", "needle", options=(("limit", 3),)), call("get_status"),
        request(consts.HANDLE_GETATTR, boxes(THE_ROOT, value("ping"))),
    ]  # fmt: skip
    made, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        match dice.randrange(3):
            case 0:
                said = [dice.randbytes(dice.randrange(1, 3000))]
            case 1:
                said = [frame(b"\x01" + dice.randbytes(dice.randrange(300)), compressed=dice.randrange(2))]
            case _:
                said = []
                for _ in range(dice.randrange(1, 6)):
                    changed = bytearray(dice.choice(good))
                    for _ in range(dice.randrange(1, 4)):
                        changed[dice.randrange(4, len(changed) - 1)] = dice.randrange(256)
                    # A changed name must not be able to say "shutdown", which is allowed.
                    assert b"shutdown" not in changed
                    said.append(bytes(changed))
        with target.connect() as attacker:
            _send(attacker, b"".join(said))
            target.judge(hear(attacker))
        made += 1
    return made


STRANGERS_CALL = """
import os, socket, sys
os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
client = socket.socket(socket.AF_UNIX)
client.settimeout(20)
client.connect(sys.argv[1])
try:
    client.sendall(bytes.fromhex(sys.argv[3]))
    answer = client.recv(100)
except (BrokenPipeError, ConnectionResetError):
    answer = b""
print(repr(answer))
"""


def another_user(target: Target) -> str:
    """What another user is answered, once modes no longer keep them off the socket."""
    socket_ = Path(target.daemon.path)
    modes = {path: path.stat().st_mode & 0o777 for path in (socket_, *list(socket_.parents)[:2])}
    try:
        for path in modes:
            path.chmod(0o777)
        argv = [sys.executable, "-I", "-S", "-c", STRANGERS_CALL, str(socket_), str(STRANGER), HELLO.hex()]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
        return done.stdout.strip()
    finally:
        for path, mode in modes.items():
            path.chmod(mode)


@contextlib.contextmanager
def under_attack(tree: Tree) -> Iterator[Target]:
    """A daemon that has answered everybody once, so that what it holds is what it needs."""
    tree.write({"a.js": "function needle() { return 1 }\n"}).commit()
    tree.index()
    with serving(tree) as daemon:
        target = Target(daemon)
        for _ in range(20):
            target.serves_others()
        yield target


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="cidx-hostile-") as place,
        under_attack(Tree(Path(place))) as target,
    ):
        first = target.footprint()
        for attack in ATTACKS:
            started = time.monotonic()
            attack(target)
            target.serves_others()
            target.settle(first)
            grown = target.footprint().rss_bytes - first.rss_bytes
            took = time.monotonic() - started
            print(f"{attack.__name__:<34}{took:6.1f} s, memory {grown / 2**20:+.1f} MiB", flush=True)
        made = random_bytes(target, seconds=options.seconds, seed=options.seed)
        target.serves_others()
        target.settle(first)
        last = target.footprint()
        grown = last.rss_bytes - first.rss_bytes
        print(
            f"{made} connections of random bytes in {options.seconds:g} s; descriptors and threads "
            f"{first.held} before, {last.held} after; memory {grown / 2**20:+.1f} MiB"
        )
        return int(grown >= MOST_GROWTH_BYTES)


if __name__ == "__main__":
    sys.exit(main())
