"""Who is connected: served by a thread each, waiting for that thread to begin, or told that there is no room.

Nobody waits for ever: a thread that can't begin for want of memory, and a client that does not read its refusal, cost
a few seconds and one descriptor. Only the accepting thread takes clients; those that serve them only leave.
"""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from cidx import log
from cidx.daemon import process
from cidx.daemon.vitals import Vitals

MOST_CONNECTIONS = 512
# Descriptors for everything else (the index, the watch, files that are read, a job), and for those that are refused.
_OWN_DESCRIPTORS, _FOR_REFUSED = 40, 8
# How long a client that was told busy may take to read it, and how many of them are waited for where there is room.
_REFUSED_S = 1.0
_MOST_REFUSED = 128
# A thread begins at once, or it never does.
_UNSERVED_S = 5.0
# How often those that wait are looked after.
STEP_S = _REFUSED_S


class Clients:
    """The clients of one daemon.

    `converse` serves one until that ends, `busy` is what those are told that are too many, and `all_gone` hears that
    the last one has left.
    """

    def __init__(
        self,
        vitals: Vitals,
        *,
        converse: Callable[[socket.socket], None],
        busy: Callable[[], bytes],
        all_gone: Callable[[], None],
    ) -> None:
        self._vitals = vitals
        self._converse = converse
        self._busy = busy
        self._all_gone = all_gone
        room = process.raise_descriptors() - _OWN_DESCRIPTORS
        self._most = max(1, min(MOST_CONNECTIONS, room - _FOR_REFUSED))
        self._most_refused = max(1, min(_MOST_REFUSED, room - self._most))
        self._lock = threading.Lock()
        self._served: set[socket.socket] = set()
        # Those whose threads have not begun yet, and until when they may.
        self._unserved: dict[socket.socket, float] = {}
        self._refused: deque[tuple[float, socket.socket]] = deque()

    def __len__(self) -> int:
        """How many are served."""
        return len(self._served)

    @property
    def are_beginning(self) -> bool:
        """Whether somebody's thread has not begun yet."""
        return bool(self._unserved)

    @property
    def are_waiting(self) -> bool:
        """Whether somebody has to be looked after soon."""
        return bool(self._refused or self._unserved)

    def take(self, client: socket.socket) -> bool:
        """Serve one that has connected, or tell it that there is no room; whether it is served."""
        if len(self._served) + len(self._unserved) < self._most and self._begin(client):
            return True
        self._refuse(client)
        return False

    def look_after(self) -> None:
        """Let those go that have waited long enough."""
        self._let_go(most=self._most_refused)
        self._drop_unserved()

    def let_refused_go(self) -> None:
        self._let_go(most=0)

    def hang_up(self) -> None:
        """Tell those that are served that nothing more is heard of them."""
        with self._lock:
            clients = list(self._served)
        for client in clients:
            try:
                client.shutdown(socket.SHUT_RD)
            except OSError:
                continue

    def _begin(self, client: socket.socket) -> bool:
        """Serve a client in a thread of its own; whether there could be one."""
        self._vitals.connected(1)
        with self._lock:
            self._unserved[client] = time.monotonic() + _UNSERVED_S
        try:
            process.start_thread(self._serve, client)
        except RuntimeError as error:
            with self._lock:
                del self._unserved[client]
            self._vitals.connected(-1)
            log.get().warning("no thread for a client", extra=log.fields(why=str(error)))
            return False
        return True

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            if self._unserved.pop(client, None) is None:
                return
            self._served.add(client)
        try:
            self._converse(client)
        finally:
            with self._lock:
                self._served.discard(client)
                was_last = not self._served
            client.close()
            self._vitals.connected(-1)
            if was_last:
                self._all_gone()

    def _refuse(self, client: socket.socket) -> None:
        """Say busy, and stay a moment: a client whose request meets a closed socket never reads the answer."""
        said = self._busy()
        self._vitals.event("connections_refused")
        try:
            client.setblocking(False)
            client.send(said)
        except OSError:
            client.close()
            return
        self._refused.append((time.monotonic() + _REFUSED_S, client))
        self._let_go(most=self._most_refused)

    def _let_go(self, *, most: int) -> None:
        """Close the refused that have had their moment, and the oldest beyond the most that are kept."""
        while self._refused and (len(self._refused) > most or self._refused[0][0] < time.monotonic()):
            self._refused.popleft()[1].close()

    def _drop_unserved(self) -> None:
        """Close those whose threads never began, for want of memory: they answer for themselves."""
        with self._lock:
            overdue = [client for client, until in self._unserved.items() if until < time.monotonic()]
            for client in overdue:
                del self._unserved[client]
        for client in overdue:
            client.close()
            self._vitals.connected(-1)
            log.get().warning("no thread for a client", extra=log.fields(why="it has not begun"))
