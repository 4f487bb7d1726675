"""What the system tells of this process, and what the C library's heap can be told."""

import _thread
import gc
import os
import resource
import sys
import threading
from collections.abc import Callable
from typing import Any

# M_ARENA_MAX of mallopt(3), from malloc.h.
_ARENA_MAX = -8
# As the unit files say it.
_DESCRIPTORS = 4096


def private_bytes(pid: int = 0) -> int:
    """What a process holds of its own, now; this one, if none is named. Costs microseconds.

    Raises OSError where there is no such process.
    """
    if sys.platform == "darwin":
        return _footprint_on_macos(pid or os.getpid())
    with open(f"/proc/{pid or 'self'}/statm", encoding="ascii") as stream:
        _, resident, shared, *_ = map(int, stream.read().split())
    return (resident - shared) * os.sysconf("SC_PAGE_SIZE")


def _footprint_on_macos(pid: int) -> int:
    """`ri_phys_footprint` of proc_pid_rusage(3): behind a UUID and seven numbers."""
    import ctypes
    import struct

    found = ctypes.create_string_buffer(96)
    if ctypes.CDLL(None).proc_pid_rusage(pid, 0, found) != 0:
        raise ProcessLookupError(pid)
    return int(struct.unpack_from("=Q", found, 72)[0])


def trim() -> None:
    """Collect what only holds itself, and let the C library give back what is free."""
    gc.collect()
    tell_heap("malloc_trim", 0)


def tell_heap(function: str, *arguments: int) -> None:
    """Call one of glibc's functions about its heap; other C libraries have none of them."""
    if sys.platform == "linux":
        import ctypes

        found = getattr(ctypes.CDLL(None), function, None)
        if found is not None:
            found(*arguments)


def share_one_heap() -> None:
    """Let all threads allocate from one heap: glibc's one for each thread keeps what every burst of clients took."""
    tell_heap("mallopt", _ARENA_MAX, 1)


def start_thread(target: Callable[..., object], *arguments: Any) -> None:
    """Have a thread of its own do something. Raises RuntimeError where there can be none.

    `threading.Thread.start` waits for the thread to begin, for ever where it got no memory to do so. This one waits
    for nothing: whoever needs to know whether the thread has begun has it say so.
    """
    _thread.start_new_thread(target, arguments)


def threads() -> int:
    """How many threads there are; where the system does not say, those that Python started by `threading`."""
    tasks = "/proc/self/task"
    return len(os.listdir(tasks)) if os.path.isdir(tasks) else threading.active_count()


def resident_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        # Where there is no /proc, the peak (in bytes on macOS) is what the system tells.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def raise_descriptors() -> int:
    """Allow ourselves as many descriptors as we may and need; how many that is."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if most == resource.RLIM_INFINITY else min(most, _DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    return wanted


def open_descriptors() -> int:
    folder = "/dev/fd" if sys.platform == "darwin" else "/proc/self/fd"
    # One is the listing's own.
    return len(os.listdir(folder)) - 1
