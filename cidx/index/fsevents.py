"""What macOS says of folders, through `watchdog`: one stream for a whole tree, a moment after it happened.

Not run on a Mac yet; the tests run it over watchdog's way of watching on Linux.
"""

import os
import threading
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cidx.index.watch import Event

if TYPE_CHECKING:
    from watchdog.events import FileSystemEvent


class FSEvents:
    """See `watch.Recorder`."""

    def __init__(self) -> None:
        # There where the system is macOS only.
        from watchdog.observers import Observer

        self._observer = Observer()
        self._events: deque[Event] = deque()
        self._roots: list[bytes] = []
        self._changed = threading.Condition()
        self._stopped = False
        self._observer.start()

    def __len__(self) -> int:
        """How many trees are watched."""
        return len(self._roots)

    def add(self, folder: bytes) -> None:
        """Watch a folder and all below it, unless one above it is."""
        if not any(folder == root or folder.startswith(root + b"/") for root in self._roots):
            self._roots.append(folder)
            self._observer.schedule(self, os.fsdecode(folder), recursive=True)  # type: ignore[arg-type]

    def read(self) -> Iterator[Event]:
        while self._events:
            yield self._events.popleft()

    def wait(self, timeout_s: float | None = None) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._stopped, timeout_s)
            return bool(self._events) and not self._stopped

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def close(self) -> None:
        self.stop()
        self._observer.stop()
        self._observer.join()

    def dispatch(self, event: "FileSystemEvent") -> None:
        """Called by watchdog's thread."""
        kind, is_folder = event.event_type, bool(event.is_directory)
        if kind in ("opened", "closed_no_write") or (is_folder and kind == "modified"):
            return
        moved = kind == "moved"
        path = os.fsencode(event.src_path)
        with self._changed:
            self._events.append(
                Event(path, is_folder, appeared=kind == "created", gone=moved or kind == "deleted")
            )
            if moved:
                self._events.append(Event(os.fsencode(event.dest_path), is_folder, appeared=True))
            self._changed.notify_all()
