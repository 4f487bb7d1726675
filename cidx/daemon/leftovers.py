"""What an index run leaves to do when all is published, done beside the answers: full text merges what it has.

Whoever wants to write next has it finished first, and does it himself where no thread has begun it. Safe to share
between threads.
"""

import contextlib
import threading

from cidx import log
from cidx.api.errors import CidxError
from cidx.daemon import process


class Leftovers:
    """The writer's lock is held until they are finished."""

    def __init__(self) -> None:
        self._finishing = threading.Lock()
        self._left = contextlib.ExitStack()

    def add(self, left: contextlib.ExitStack) -> None:
        """Have this finished soon."""
        self._left.push(left)
        # Without a thread it is left to the next writer.
        with contextlib.suppress(RuntimeError):
            process.start_thread(self.finish)

    def finish(self, patience_s: float = -1) -> bool:
        """Whether nothing is left, after so many seconds at most where somebody is at it; -1: however long."""
        if not self._finishing.acquire(timeout=patience_s):
            return False
        try:
            self._left.pop_all().close()
        except (CidxError, OSError) as error:
            log.get().warning("run not ended well", extra=log.fields(why=str(error)))
        finally:
            self._finishing.release()
        return True
