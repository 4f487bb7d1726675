"""What a client can call: the methods of docs/protocol.md, values in and values out.

`run` ships a whole command line, and the other questions are put as one: there is one parser and one
renderer, so a program, the fast client and a person in a terminal get the same answer.
"""

import itertools
import json
import sys
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cidx import log
from cidx.api.errors import CidxError, Code
from cidx.api.versions import PROTOCOL, VERSION
from cidx.daemon.vitals import Vitals

if TYPE_CHECKING:
    from cidx.daemon.jobs import Job, Jobs, State

# A query takes milliseconds; whatever takes this long is told to stop.
_DEADLINE_S = 120.0
# The id of a request goes into the log.
_LONGEST_ID = 64
# What a poll waits for at most: whoever waits longer asks again.
_LONGEST_POLL_S = 30.0
# A callback is told of progress so often at most.
_TELLING_STEP_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One command line of a client, with what the command may know of it."""

    argv: tuple[str, ...]
    directory: str
    columns: int = 80
    out_is_terminal: bool = False
    err_is_terminal: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def question(self) -> Hashable:
        """All that the reply depends on besides the repository."""
        terminal = (self.columns, self.out_is_terminal, self.err_is_terminal)
        return (self.argv, self.directory, terminal, tuple(sorted(self.environment.items())))


@dataclass(frozen=True, slots=True)
class Reply:
    """How a command line ended: `error` is the code of its error, `command` the name of what was run."""

    code: int
    out: bytes
    err: bytes
    error: str = ""
    command: str = ""


Run = Callable[[Call], Reply]


class Service:
    """The root object of every connection. One for all: nothing in it belongs to a client."""

    # Known beforehand, so that a client can ask for the root and call it in one write.
    ____id_pack__ = ("cidx.Root", 1, 1)

    def __init__(
        self, *, repository_id: str, run: Run, indexing: "Indexing", vitals: Vitals, control: "Control"
    ) -> None:
        self._repository_id = repository_id
        self._run = run
        self._indexing = indexing
        self._vitals = vitals
        self._control = control
        self._running: dict[str, tuple[float, threading.Event]] = {}
        self._lock = threading.Lock()
        self._own_ids = itertools.count(1)
        self._methods: dict[str, Callable[..., Any]] = {
            "hello": self._counted("hello", self.hello),
            "ping": self._counted("ping", self.ping),
            "run": self.run,
            "cancel": self._counted("cancel", self.cancel),
            "query": partial(self._ask, "query", ("query", "--semantic")),
            "query_fts": partial(self._ask, "query_fts", ("query", "--fts")),
            "query_hybrid": partial(self._ask, "query_hybrid", ("query",)),
            "similar": partial(self._ask, "similar", ("similar",)),
            "symbols": partial(self._ask, "symbols", ("symbols",)),
            "refs": partial(self._ask, "refs", ("refs",)),
            "index": self.index,
            "job_poll": self.job_poll,
            "job_cancel": self._counted("job_cancel", self.job_cancel),
            "get_status": self._counted("get_status", self.get_status),
            "health": self._counted("health", self.health),
            "metrics": self._counted("metrics", self.metrics),
            "clear_cache": self._counted("clear_cache", self.clear_cache),
            "shutdown": self.shutdown,
        }

    def exposed(self) -> dict[str, Callable[..., Any]]:
        return self._methods

    def on_disconnect(self, connection: Any) -> None:
        """RPyC's wish; there is nothing of a client's to forget."""

    def hello(self, connection: Any, client: Any) -> tuple[int, str, int, str, str]:
        """Who is here: protocol, version, pid, repository id, and ready, leaving or refused."""
        protocol = client[0] if isinstance(client, tuple) and client else None
        state = "leaving" if self._control.is_outdated() else "ready"
        if protocol != PROTOCOL:
            state = "refused"
        connection.accepted = state == "ready"
        return (PROTOCOL, VERSION, self._control.pid, self._repository_id, state)

    def ping(self, connection: Any) -> str:
        """pong"""
        return "pong"

    def run(
        self,
        connection: Any,
        argv: Any,
        cwd: Any,
        terminal: Any,
        environment: Any,
        stdin: Any,
        request_id: Any,
    ) -> tuple[int, bytes, bytes]:
        """A command line, as bytes: exit code, stdout, stderr."""
        del stdin
        if not connection.accepted:
            raise ValueError("say hello first")
        columns, out_is_terminal, err_is_terminal = terminal
        call = Call(
            argv=tuple(_text(argument) for argument in argv),
            directory=_text(cwd),
            columns=int(columns),
            out_is_terminal=bool(out_is_terminal),
            err_is_terminal=bool(err_is_terminal),
            environment={_text(name): _text(value) for name, value in environment},
        )
        reply = self._answer("run", call, str(request_id))
        return (reply.code, reply.out, reply.err)

    def cancel(self, connection: Any, request_id: Any) -> bool:
        """Stop a request of another connection; whether there was one."""
        with self._lock:
            running = self._running.get(str(request_id)[:_LONGEST_ID])
        if running is not None:
            running[1].set()
        return running is not None

    def stop_overdue(self) -> None:
        """Tell what runs beyond its deadline to stop."""
        with self._lock:
            running = list(self._running.values())
        for deadline, cancelled in running:
            if time.monotonic() > deadline:
                cancelled.set()

    @property
    def is_working(self) -> bool:
        return bool(self._running)

    def index(
        self,
        connection: Any,
        project_path: Any,
        callback: Any = None,
        clear: Any = False,
        environment: Any = (),
    ) -> str:
        """Start the index job or join it; its JSON at once, or at its end if a callback is to hear how far it is."""
        found = {_text(name): _text(value) for name, value in environment}
        try:
            job = self._begin(Path(_text(project_path)), found, clear=clear is True)
        except CidxError as error:
            return _error(error)
        state = job.state if callback is None else _tell(job, connection, callback)
        return json.dumps(state.to_json())

    def job_poll(self, connection: Any, job: Any, seen: Any = 0, wait_s: Any = 0) -> str:
        """How a job is, as JSON: as soon as there is more than was seen, or after the wait."""
        if not isinstance(seen, int) or not isinstance(wait_s, int | float):
            raise TypeError("seen and wait_s are numbers")
        # Written so that what is no number at all waits for nothing.
        patience_s = float(min(wait_s, _LONGEST_POLL_S)) if wait_s > 0 else 0.0
        try:
            state = self._indexing.jobs.find(job).wait(seen, patience_s)
        except CidxError as error:
            return _error(error)
        return json.dumps(state.to_json())

    def job_cancel(self, connection: Any, job: Any) -> str:
        """End a job soon; its JSON as it is now."""
        try:
            found = self._indexing.jobs.find(job)
        except CidxError as error:
            return _error(error)
        self._indexing.jobs.cancel(found)
        return json.dumps(found.state.to_json())

    def get_status(self, connection: Any) -> str:
        """Everything the daemon knows of itself, as JSON."""
        return json.dumps(self._control.describe())

    def health(self, connection: Any) -> str:
        """well or degraded with the reason, as JSON."""
        return json.dumps(self._control.health())

    def metrics(self, connection: Any) -> str:
        """The counters, as JSON."""
        return json.dumps(self._control.metrics())

    def clear_cache(self, connection: Any, project_path: Any = None) -> bool:
        """Give the memory of the open generation back."""
        self._control.clear()
        return True

    def shutdown(self, connection: Any) -> bool:
        """Finish what is running and leave."""
        self._control.leave("asked to")
        return True

    def _begin(self, directory: Path, environment: Mapping[str, str], *, clear: bool) -> "Job":
        started = time.monotonic()
        slug = job_id = ""
        try:
            job = self._indexing.index(directory, environment, clear=clear)
            job_id = job.state.id
        except CidxError as error:
            slug = error.code.slug
            raise
        finally:
            took_ms = (time.monotonic() - started) * 1000
            self._vitals.request("index", took_ms, error=slug)
            found = log.fields(op="index", job=job_id, took_ms=took_ms, code=slug or "ok")
            log.get().info("request answered", extra=found)
        return job

    def _ask(
        self,
        operation: str,
        command: tuple[str, ...],
        connection: Any,
        project_path: Any,
        text: Any,
        **options: Any,
    ) -> str:
        """A search; options are the flags' names. The JSON of docs/commands.md, or of an error."""
        try:
            flags = [argument for name, value in options.items() for argument in _flag(name, value)]
        except CidxError as error:
            return json.dumps({"error": error.to_json()})
        argv = (*command, "--json", *flags, "--", _text(text))
        reply = self._answer(operation, Call(argv=argv, directory=_text(project_path)), "")
        return reply.out.decode() or json.dumps({"error": {"code": reply.error, "what": reply.err.decode()}})

    def _answer(self, operation: str, call: Call, request_id: str) -> Reply:
        started = time.monotonic()
        key = request_id[:_LONGEST_ID] or f"own-{next(self._own_ids)}"
        with self._lock:
            self._running[key] = (started + _DEADLINE_S, call.cancelled)
        reply = None
        try:
            reply = self._run(call)
        finally:
            with self._lock:
                self._running.pop(key, None)
            self._control.has_answered()
            self._note(operation, key, call, (time.monotonic() - started) * 1000, reply)
        return reply

    def _note(self, operation: str, key: str, call: Call, took_ms: float, reply: Reply | None) -> None:
        """Count and log a request; without a reply it has failed, and the exception is still on its way."""
        if reply is None:
            self._vitals.request(operation, took_ms, error=Code.BUG.slug)
            found = log.fields(
                op=operation, req=key, took_ms=took_ms, code=Code.BUG.slug, path=call.directory
            )
            log.get().error("request failed", exc_info=True, extra=found)
            return
        self._vitals.request(operation, took_ms, error=reply.error)
        op, code = reply.command or operation, reply.error or "ok"
        where = {"path": call.directory} if reply.error else {}
        found = log.fields(op=op, req=key, took_ms=took_ms, exit=reply.code, code=code, **where)
        log.get().info("request answered", extra=found)

    def _counted(self, operation: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """The same method, counted; what is wrong with its arguments counts as usage."""

        @wraps(method)
        def counted(*arguments: Any, **options: Any) -> Any:
            started = time.perf_counter()
            slug = Code.USAGE.slug
            try:
                found = method(*arguments, **options)
                slug = ""
            finally:
                self._vitals.request(operation, (time.perf_counter() - started) * 1000, error=slug)
            return found

        return counted


class Indexing(Protocol):
    """Where index jobs are begun and found."""

    @property
    def jobs(self) -> "Jobs": ...

    def index(self, directory: Path, environment: Mapping[str, str], *, clear: bool) -> "Job": ...


class Control(Protocol):
    """What a client may ask of the daemon itself."""

    @property
    def pid(self) -> int: ...

    def is_outdated(self) -> bool: ...

    def leave(self, why: str) -> None: ...

    def clear(self) -> None: ...

    def describe(self) -> dict[str, Any]: ...

    def metrics(self) -> dict[str, Any]: ...

    def health(self) -> dict[str, Any]: ...

    def has_answered(self) -> None: ...


def _tell(job: "Job", connection: Any, callback: Any) -> "State":
    """Tell a client's callback how far a job is until that has ended; raises where the client is no more."""
    state, told = job.state, 0
    while not state.has_ended:
        connection.attend()
        # What comes while it is still busy with the last is left out; the newest is told when it is done.
        if state.seen > told and connection.tell(callback, json.dumps(state.to_json())):
            told = state.seen
        state = job.wait(sys.maxsize, _TELLING_STEP_S)
    return state


def _error(error: CidxError) -> str:
    return json.dumps({"error": error.to_json()})


def _text(value: Any) -> str:
    """Bytes where a path or an argument may not be UTF-8."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, str):
        return value
    raise TypeError("text or bytes are expected")


def _flag(name: str, value: Any) -> list[str]:
    flag = "--" + name.replace("_", "-")
    if value is True:
        return [flag]
    if value is False or value is None:
        return []
    values = value if isinstance(value, tuple) else (value,)
    for item in values:
        if not isinstance(item, str | int | float):
            raise CidxError(
                Code.USAGE,
                what=f"{name} can't be {type(item).__name__}",
                why="options are text, numbers, booleans or tuples of them",
                next_step="cidx query --help",
            )
    return [f"{flag}={item}" for item in values]
