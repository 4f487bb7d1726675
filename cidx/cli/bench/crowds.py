"""Queries of one or more clients at once, each a process, while the daemon's memory and CPU are looked at."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from cidx.cli.bench import asking
from cidx.cli.bench.daemon import Daemon
from cidx.cli.bench.measurements import Crowd, Times

# What is measured, how much of it is done, and how much there is.
Report = Callable[[str, int, int], None]


class Crowds:
    """Crowds that ask one daemon, one after the other; `samples` is its private memory before and after each query."""

    def __init__(self, daemon: Daemon, report: Report) -> None:
        self._daemon = daemon
        self._report = report
        self._cpu_s = daemon.cpu_s
        self.samples = [daemon.private_bytes]

    @property
    def cpu_s(self) -> float:
        """That the daemon has used since."""
        return max(0.0, self._daemon.cpu_s - self._cpu_s)

    def ask(self, texts: Sequence[str], *, clients: int) -> Crowd:
        """Every client asks as fast as it is answered, until all is asked."""
        left, took, failures = deque(texts), list[float](), list[str]()
        before = self._answered()

        def one() -> None:
            while left:
                try:
                    text = left.popleft()
                except IndexError:
                    return
                ended, why = asking.query(self._daemon.place, text)
                if why:
                    failures.append(why)
                else:
                    took.append(ended.took_s)
                # Of one that has gone there is nothing to be seen.
                self.samples.append(self._daemon.private_bytes or self.samples[-1])
                self._report(f"{clients} client{'s' * (clients > 1)}", len(took) + len(failures), len(texts))

        began = time.perf_counter()
        threads = [threading.Thread(target=one) for _ in range(min(clients, len(texts)))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            # Whoever interrupts waits for what runs, and for no more.
            left.clear()
            for thread in filter(threading.Thread.is_alive, threads):
                thread.join()
            raise
        wall_s = time.perf_counter() - began
        # Clients answer by themselves where there is no socket any more, and find nothing wrong with that.
        missing = len(took) - (self._answered() - before)
        failures += ["the daemon had gone"] * min(missing, len(took))
        return Crowd(
            clients=clients,
            asked=len(texts),
            wall_s=wall_s,
            took=Times.of(took),
            failures=tuple(failures),
        )

    def _answered(self) -> int:
        """How many questions the daemon has answered."""
        status = self._daemon.status()
        return 0 if status is None else int(status["requests"].get("run", 0))
