"""What the Linux kernel says of folders: no thread and no timer here, and nothing is polled.

Reads block only in `wait`. Folders are watched one by one, so ignored ones cost nothing. Not safe to share between
threads, but for `wait` and `stop`.
"""

import ctypes
import errno
import os
import select
import struct
from collections.abc import Iterator

from cidx.index.watch import Event

# From sys/inotify.h.
_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_UNMOUNT, _OVERFLOW, _IGNORED, _IS_FOLDER = 0x2000, 0x4000, 0x8000, 0x40000000
_ONLY_FOLDERS, _NO_LINKS, _NO_UNLINKED = 0x1000000, 0x2000000, 0x4000000
_WANTED = (
    _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
    | _ONLY_FOLDERS | _NO_LINKS | _NO_UNLINKED
)  # fmt: skip
_EVENT = struct.Struct("=iIII")
# Room for a thousand events at a time.
_BUFFER_BYTES = 65536


class Inotify:
    """The events of some folders, by their absolute paths. `OSError` with ENOSPC when the system has no watch left."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopped, self._stop = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._folders: dict[int, bytes] = {}
        self._watches: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._folders)

    def add(self, folder: bytes) -> None:
        """Watch a folder; one that is gone meanwhile is nothing to watch."""
        try:
            watch = self._call("inotify_add_watch", self._descriptor, folder, _WANTED)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP):
                return
            raise
        self._forget(watch)
        self._folders[watch] = folder
        self._watches[folder] = watch

    def drop(self, folder: bytes) -> None:
        """Watch a folder and all below it no more."""
        below = folder + b"/"
        for path in [path for path in self._watches if path == folder or path.startswith(below)]:
            watch = self._watches[path]
            self._forget(watch)
            self._libc.inotify_rm_watch(self._descriptor, watch)

    def read(self) -> Iterator[Event]:
        """What has happened since the last time."""
        while True:
            try:
                data = os.read(self._descriptor, _BUFFER_BYTES)
            except BlockingIOError:
                return
            place = 0
            while place < len(data):
                watch, mask, _, length = _EVENT.unpack_from(data, place)
                place += _EVENT.size + length
                event = self._event(watch, mask, data[place - length : place].rstrip(b"\0"))
                if event is not None:
                    yield event

    def wait(self, timeout_s: float | None = None) -> bool:
        """Until something happens, the time is over, or `stop`; whether there is something to read."""
        poller = select.poll()
        poller.register(self._descriptor, select.POLLIN)
        poller.register(self._stopped, select.POLLIN)
        events = poller.poll(None if timeout_s is None else timeout_s * 1000)
        return any(descriptor == self._descriptor for descriptor, _ in events)

    def stop(self) -> None:
        """End every `wait`, now and later."""
        os.write(self._stop, b"\0")

    def close(self) -> None:
        for descriptor in (self._descriptor, self._stopped, self._stop):
            os.close(descriptor)

    def _event(self, watch: int, mask: int, name: bytes) -> Event | None:
        if mask & _OVERFLOW:
            return Event(b"")
        folder = self._folders.get(watch)
        if folder is None:
            return None
        if mask & (_IGNORED | _UNMOUNT | _DELETE_SELF | _MOVE_SELF):
            if mask & _IGNORED:
                self._forget(watch)
            return Event(folder, is_folder=True, gone=True)
        path = folder + b"/" + name
        is_folder, gone = bool(mask & _IS_FOLDER), bool(mask & (_DELETE | _MOVED_FROM))
        if is_folder and gone:
            if path not in self._watches:
                return None
            if mask & _MOVED_FROM:
                # Its watches would go with it, and call its files by their old names.
                self.drop(path)
        return Event(path, is_folder=is_folder, appeared=bool(mask & (_CREATE | _MOVED_TO)), gone=gone)

    def _forget(self, watch: int) -> None:
        folder = self._folders.pop(watch, None)
        if folder is not None and self._watches.get(folder) == watch:
            del self._watches[folder]

    def _call(self, function: str, *arguments: object) -> int:
        found: int = getattr(self._libc, function)(*arguments)
        if found < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return found
