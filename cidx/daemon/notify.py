"""systemd's notify protocol: ready, status, watchdog, stopping, as datagrams to a socket of its own.

Silent where nobody listens. Nothing here may fail a daemon: a message that can't be sent is lost.
"""

import os
import socket
from collections.abc import MutableMapping


class Notifier:
    """The way to tell the supervisor; takes its variables out of the environment."""

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._address = environment.pop("NOTIFY_SOCKET", "")
        self._said = ""
        self.watchdog_s = _watchdog_s(environment)

    @property
    def is_heard(self) -> bool:
        return bool(self._address)

    def ready(self) -> None:
        self._send("READY=1")

    def status(self, text: str) -> None:
        """The line that `systemctl status` shows; sent when it differs."""
        if text != self._said:
            self._said = text
            self._send(f"STATUS={text}")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A leading @ means the abstract namespace.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | getattr(socket, "SOCK_CLOEXEC", 0)) as out:
            try:
                out.sendto(message.encode(), address)
            except OSError:
                return


def _watchdog_s(environment: MutableMapping[str, str]) -> float | None:
    """How often the watchdog wants to hear from us: half of its limit; None where there is none."""
    limit_us = environment.pop("WATCHDOG_USEC", "")
    pid = environment.pop("WATCHDOG_PID", str(os.getpid()))
    if not limit_us.isdecimal() or pid != str(os.getpid()):
        return None
    return int(limit_us) / 2_000_000
