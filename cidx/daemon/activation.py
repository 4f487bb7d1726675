"""Where the listening socket comes from: systemd, launchd, or a bind of our own.

All three give one listening, non-blocking Unix socket. Whoever owns it outside (a supervisor) keeps it: it is
closed here and never shut down, because a shutdown would end it for the owner too.
"""

import errno
import os
import socket
import stat
import sys
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from cidx.api.errors import CidxError, Code

# systemd passes descriptors from 3 on (sd_listen_fds).
_FIRST_DESCRIPTOR = 3
# The key of the socket in the plist that we install.
LAUNCHD_NAME = "Listener"


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket; `path` is set where we bound it ourselves and have to remove it."""

    socket: socket.socket
    path: Path | None = None

    def close(self) -> None:
        """Give it back: never a shutdown, which would reach the supervisor's own descriptor."""
        if self.path is not None and _is_at(self.socket, self.path):
            self.path.unlink(missing_ok=True)
        self.socket.close()


def inherited(environment: MutableMapping[str, str]) -> Listener | None:
    """The socket that systemd or launchd hands over; None where neither did."""
    descriptors = _from_systemd(environment)
    if not descriptors and sys.platform == "darwin":
        descriptors = launchd_descriptors(LAUNCHD_NAME)
    if not descriptors:
        return None
    if len(descriptors) > 1:
        raise _unusable(f"{len(descriptors)} sockets were handed over instead of one")
    return Listener(_listening(descriptors[0]))


def bind(path: Path) -> Listener:
    """A socket of our own, for the foreground. One that somebody answers on is never taken over."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _bind(listener, path)
    except OSError as error:
        listener.close()
        raise _bind_error(path, error) from error
    listener.listen(socket.SOMAXCONN)
    listener.setblocking(False)
    return Listener(listener, path)


def launchd_descriptors(name: str, library: str | None = None) -> list[int]:
    """What `launch_activate_socket` gives for a key of the plist; empty where launchd did not start us."""
    import ctypes

    activate = ctypes.CDLL(library, use_errno=True).launch_activate_socket
    activate.argtypes = [
        ctypes.c_char_p,
        ctypes.POINTER(ctypes.POINTER(ctypes.c_int)),
        ctypes.POINTER(ctypes.c_size_t),
    ]
    activate.restype = ctypes.c_int
    array, count = ctypes.POINTER(ctypes.c_int)(), ctypes.c_size_t()
    failure = activate(name.encode(), ctypes.byref(array), ctypes.byref(count))
    if failure in (errno.ENOENT, errno.ESRCH):
        return []
    if failure:
        raise _unusable(f"launchd did not hand over the socket {name}: {os.strerror(failure)}")
    try:
        return [array[index] for index in range(count.value)]
    finally:
        free = ctypes.CDLL(None).free
        free.argtypes = [ctypes.c_void_p]
        free(array)


def _from_systemd(environment: MutableMapping[str, str]) -> list[int]:
    """The descriptors of sd_listen_fds; the variables are taken out, so that no child believes them."""
    pid = environment.pop("LISTEN_PID", "")
    count = environment.pop("LISTEN_FDS", "")
    environment.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    return list(range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + int(count)))


def _listening(descriptor: int) -> socket.socket:
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise _unusable(f"descriptor {descriptor} is no socket")
    except OSError as error:
        raise _unusable(f"descriptor {descriptor}: {error.strerror}") from error
    os.set_inheritable(descriptor, False)
    found = socket.socket(fileno=descriptor)
    if found.family != socket.AF_UNIX or not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise _unusable(f"descriptor {descriptor} is no listening Unix socket")
    # The accepting thread polls; a blocking accept could wait for a client that has left again.
    found.setblocking(False)
    return found


def _bind(listener: socket.socket, path: Path) -> None:
    try:
        listener.bind(str(path))
    except OSError as error:
        if error.errno != errno.EADDRINUSE or _answers(path):
            raise
        path.unlink()
        listener.bind(str(path))
    os.chmod(path, 0o600)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            pass
        return True


def _is_at(listener: socket.socket, path: Path) -> bool:
    """Whether the path still leads to our socket and not to a successor's."""
    try:
        return listener.getsockname() == str(path) and stat.S_ISSOCK(path.lstat().st_mode)
    except OSError:
        return False


def _bind_error(path: Path, error: OSError) -> CidxError:
    if error.errno == errno.EADDRINUSE:
        return CidxError(
            Code.UNREACHABLE,
            what=f"another daemon already answers on {path}",
            why="there is one daemon for a repository",
            next_step="cidx status",
        )
    return CidxError(
        Code.UNREACHABLE,
        what=f"the socket {path} can't be made",
        why=error.strerror or str(error),
        next_step="check the folder, or set XDG_RUNTIME_DIR to one of your own with a short path",
    )


def _unusable(why: str) -> CidxError:
    return CidxError(
        Code.UNREACHABLE,
        what="the supervisor's socket can't be used",
        why=why,
        next_step="cidx doctor",
    )
