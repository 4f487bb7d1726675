"""The accepting loop: one thread that takes connections, decides on leaving, and drains.

Leaving is decided here alone, never by a timer: between the last look at the listener and its close nothing can be
accepted and lost. What arrives meanwhile waits in the supervisor's socket for the next activation.

What answers (RPyC, numpy, tantivy) is imported by a thread beside the loop, and the first clients wait for it.
"""

import gc
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from cidx import log
from cidx.api.errors import CidxError
from cidx.api.versions import VERSION
from cidx.daemon import clients, process
from cidx.daemon.activation import Listener
from cidx.daemon.clients import Clients
from cidx.daemon.code import LoadedCode
from cidx.daemon.memory import Keeper, Level
from cidx.daemon.notify import Notifier
from cidx.daemon.service import Run, Service
from cidx.daemon.vitals import Vitals
from cidx.daemon.warm import Warm
from cidx.repository.settings import DaemonSettings

# So long is waited for what the system has none of now.
_BREATH_S = 0.05
# A supervisor waits longer than this before it kills.
_DRAIN_S = 10.0
# As Python has it by default; a process of one command collects later.
_COLLECTING = (700, 10, 10)
# So long after the last client has gone, what the heap no longer needs goes back to the system.
_CALM_S = 1.0
# The supervisor hears how it goes so long after somebody came, once for all who came meanwhile.
_STATUS_S = 2.0
# How often what runs is compared with its deadline, while anything runs.
_OVERDUE_STEP_S = 5.0


def serve(
    listener: Listener,
    *,
    repository_id: str,
    warm: Warm,
    run: Run,
    vitals: Vitals,
    settings: Callable[[], DaemonSettings],
    notifier: Notifier,
) -> None:
    """Serve until idle, told to stop, or replaced by newer code."""
    server = _Server(listener, warm, vitals, settings, notifier)
    server.service = Service(
        repository_id=repository_id, run=run, indexing=warm, vitals=vitals, control=server
    )
    server.serve()


class _Server:
    service: Service

    def __init__(
        self,
        listener: Listener,
        warm: Warm,
        vitals: Vitals,
        settings: Callable[[], DaemonSettings],
        notifier: Notifier,
    ) -> None:
        self._listener = listener
        self._warm = warm
        self._vitals = vitals
        self._read_settings = settings
        self._settings = DaemonSettings()
        self._notifier = notifier
        self._memory = Keeper(warm, self._memory_limit_bytes, self.leave)
        self._code: LoadedCode | None = None
        self._loaded = threading.Event()
        self._failure: BaseException | None = None
        self._why_leaving = ""
        self._untold_since: float | None = None
        self._has_told_of_job = False
        self._heap_is_used = False
        self._clients = Clients(
            vitals, converse=self._converse, busy=self._busy_message, all_gone=self._wake_loop
        )
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    # What the service asks

    @property
    def pid(self) -> int:
        return os.getpid()

    def is_outdated(self) -> bool:
        """Whether newer code should answer. Whatever else makes the daemon leave, who is in is served first."""
        if self._code is None or not self._code.has_changed():
            return False
        self.leave("its code on disk has changed")
        return True

    def leave(self, why: str) -> None:
        self._why_leaving = self._why_leaving or why
        self._wake_loop()

    def clear(self) -> None:
        self._warm.clear()

    def describe(self) -> dict[str, Any]:
        return {
            "pid": self.pid,
            "version": VERSION,
            **self._vitals.to_json(),
            "cache": self._warm.describe(),
            "memory": {"rss_bytes": process.resident_bytes(), **self._memory.describe()},
            "threads": process.threads(),
            "descriptors": process.open_descriptors(),
            "jobs": self._warm.jobs.describe(),
            "reasons": self._reasons(),
        }

    def metrics(self) -> dict[str, Any]:
        return self.describe() | self._vitals.to_json(whole=True)

    def health(self) -> dict[str, Any]:
        reasons = self._reasons()
        return {
            "status": "degraded" if reasons else "well",
            "reasons": reasons,
            "jobs": self._warm.jobs.describe(),
        }

    def has_answered(self) -> None:
        self._memory.look()

    def _reasons(self) -> list[str]:
        """What is not as it should be."""
        reasons = [f"leaving: {self._why_leaving}"] * bool(self._why_leaving)
        if (failure := self._warm.jobs.failure) is not None:
            reasons.append(f"the last index job failed: {failure.what}: {failure.why}")
        if self._memory.level > Level.CALM:
            reasons.append(f"short of memory ({self._memory.level.name.lower()})")
        if self._warm.is_lean:
            reasons.append("words alone answer, until there is memory for more")
        return reasons

    # The loop

    def serve(self) -> None:
        self._catch_signals()
        self._notifier.ready()
        used_ms = time.process_time() * 1000
        log.get().info("daemon ready", extra=log.fields(pid=self.pid, version=VERSION, cpu_ms=used_ms))
        process.share_one_heap()
        threading.Thread(target=self._load).start()
        try:
            self._accept_until_leaving()
        finally:
            self._notifier.stopping()
            self._listener.close()
            self._clients.let_refused_go()
            self._drain()
            self._warm.clear()
            log.get().info(
                "daemon left", extra=log.fields(why=self._why_leaving, uptime_s=self._vitals.uptime_s)
            )
        if self._failure is not None:
            raise self._failure

    def _load(self) -> None:
        """Import what answers; without it there is nothing to stay for, and the supervisor tries again."""
        try:
            self._code = LoadedCode()
            # What is imported stays, so nobody has to look through it again and again.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*_COLLECTING)
        except BaseException as failure:  # whatever an import may raise ends the daemon, not a thread of it
            self._failure = failure
            self.leave("its code can't be loaded")
        finally:
            # Clients may have waited for longer than it takes to be idle.
            self._vitals.wanted()
            self._loaded.set()

    def _accept_until_leaving(self) -> None:
        poller = select.poll()
        poller.register(self._listener.socket, select.POLLIN)
        poller.register(self._woken, select.POLLIN)
        while not self._why_leaving:
            try:
                self._take_turn(poller)
            except MemoryError:
                # Whoever was just accepted is hung up on, and answers for himself; the next one may find some memory.
                time.sleep(_BREATH_S)

    def _take_turn(self, poller: select.poll) -> None:
        self._follow_settings()
        self._tell()
        events = poller.poll(self._patience_s() * 1000)
        self._notifier.alive()
        for descriptor, _ in events:
            if descriptor == self._woken:
                os.read(self._woken, 4096)
            else:
                self._accept_all()
        self.service.stop_overdue()
        self._warm.jobs.stop_overdue()
        self._memory.look()
        self._clients.look_after()
        if not events:
            self._give_back_heap()
            self._consider_idleness()

    def _follow_settings(self) -> None:
        """Go on with the old ones while the new ones make no sense: whoever asks is told."""
        try:
            self._settings = self._read_settings()
        except CidxError as error:
            log.get().debug("settings unusable", extra=log.fields(why=error.why))

    def _memory_limit_bytes(self) -> int:
        # As systemd reads the same number.
        return (self._settings.memory_limit_mb or self._warm.derived_limit_mb) * 2**20

    def _patience_s(self) -> float:
        """How long the loop may sleep."""
        waits = [self._settings.eviction_check_interval_seconds]
        if self.service.is_working:
            waits.append(_OVERDUE_STEP_S)
        if self._clients.are_waiting:
            waits.append(clients.STEP_S)
        if self._untold_since is not None or self._has_told_of_job:
            waits.append(_STATUS_S)
        if self._heap_is_used and not self._clients:
            waits.append(_CALM_S)
        if self._notifier.watchdog_s is not None:
            waits.append(self._notifier.watchdog_s)
        return min(waits)

    def _give_back_heap(self) -> None:
        """Once after each burst: connections that broke are rings of objects, and the C library keeps what is freed."""
        if self._heap_is_used and not self._clients:
            self._heap_is_used = False
            process.trim()

    def _tell(self) -> None:
        """Keep the supervisor's status line right."""
        since = self._untold_since
        if self._notifier.is_heard and (since is None or time.monotonic() - since >= _STATUS_S):
            self._untold_since = None
            self._has_told_of_job = self._warm.jobs.running is not None
            self._notifier.status(self._status())

    def _status(self) -> str:
        settings, cache = self._settings, self._warm.describe()
        queries, errors = self._vitals.counts()
        index = "index not open"
        if cache["open"]:
            index = f"generation {cache['generation']}, {cache['files']} files, {cache['chunks']} chunks open"
        said = f"queries: {queries}, errors: {errors}; {index}; answers kept: {cache['answers']}"
        if (job := self._warm.jobs.running) is not None:
            found = job.progress
            return f"{said}; index job: {found.phase}, {found.files_done} of {found.files_total} files"
        if not (cache["open"] or settings.auto_shutdown_on_idle):
            return said
        then = "leaves" if settings.auto_shutdown_on_idle else "gives its memory back"
        idle_at = time.localtime(time.time() + settings.ttl_minutes * 60 - self._vitals.idle_s)
        return f"{said}; {then} at {time.strftime('%H:%M:%S', idle_at)} if nobody asks"

    def _consider_idleness(self) -> None:
        settings = self._settings
        if (
            not self._loaded.is_set()
            or self.service.is_working
            or self._warm.jobs.running is not None
            or self._vitals.idle_s < settings.ttl_minutes * 60
        ):
            return
        if self._warm.is_open():
            self._warm.clear()
            log.get().info("cache given back", extra=log.fields(idle_s=settings.ttl_minutes * 60))
        if settings.auto_shutdown_on_idle:
            # Connections that have said nothing for so long do not hold us: their clients connect again.
            self._why_leaving = "idle"

    def _accept_all(self) -> None:
        while True:
            try:
                client, _ = self._listener.socket.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                # No descriptors left: those that wait are served when some have gone.
                log.get().warning("accept failed", extra=log.fields(error=error.strerror))
                time.sleep(_BREATH_S)
                return
            client.setblocking(True)
            if not _is_ours(client):
                client.close()
            elif self._clients.take(client):
                self._has_begun()

    def _has_begun(self) -> None:
        """Somebody is served: the heap will be used, and there will be something to tell."""
        self._heap_is_used = True
        if self._notifier.is_heard and self._untold_since is None:
            self._untold_since = time.monotonic()

    def _wake_loop(self) -> None:
        try:
            os.write(self._wake, b"\0")
        except OSError:
            # The pipe is full: the loop is awake anyway.
            pass

    def _converse(self, client: socket.socket) -> None:
        """Serve a client until that ends: the life of its thread."""
        self._loaded.wait()
        if self._failure is not None:
            return
        from cidx.daemon.connection import CONFIGURATION, GuardedChannel, GuardedConnection

        channel = GuardedChannel(client, lambda: self._vitals.event("frames_rejected"))
        connection = GuardedConnection(self.service, channel, CONFIGURATION)
        connection.accepted = False
        connection.serve_all()

    def _busy_message(self) -> bytes:
        self._loaded.wait()
        from cidx.daemon.connection import busy_message

        return busy_message()

    def _drain(self) -> None:
        """Let what runs finish; who only listens is told by the closed connection."""
        deadline = time.monotonic() + _DRAIN_S
        while (self._clients.are_beginning or self.service.is_working) and time.monotonic() < deadline:
            time.sleep(0.01)
        # Whoever watches it is told with its end.
        self._warm.jobs.leave()
        self._clients.hang_up()
        while self._clients and time.monotonic() < deadline:
            time.sleep(0.01)

    def _catch_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        # A handler alone does not end a poll (PEP 475): the descriptor does.
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda caught, _: self.leave(signal.Signals(caught).name))


def _is_ours(client: socket.socket) -> bool:
    """Whether the other end runs as this user."""
    if sys.platform == "darwin":
        # LOCAL_PEERCRED gives struct xucred: version, uid, ...
        credentials = client.getsockopt(0, 1, 76)
        return bool(struct.unpack_from("=Ii", credentials)[1] == os.geteuid())
    credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return bool(struct.unpack("=iii", credentials)[1] == os.geteuid())
