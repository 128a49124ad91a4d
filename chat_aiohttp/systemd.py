"""What systemd hands us and wants to hear: inherited sockets, READY=1, the watchdog. Layer 4: wiring.

The protocols are sd_listen_fds(3), sd_notify(3) and sd_watchdog_enabled(3), spoken with the standard library. Outside
systemd everything here is quiet: no sockets, and a Notifier that tells nobody.
Rejected: the sdnotify and systemd-python packages, for some sixty lines.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import NamedTuple

FIRST_FD = 3  # SD_LISTEN_FDS_START


class Inherited(NamedTuple):
    """A listening socket that systemd opened for us, and the name that its unit gives it."""

    name: str
    socket: socket.socket


def inherited_sockets(environ: Mapping[str, str], pid: int) -> list[Inherited]:
    """The sockets of our .socket unit; none when they are meant for another process or nobody started us that way.

    Call it once: each call takes over the descriptors anew.
    """
    if environ.get("LISTEN_PID") != str(pid):
        return []
    count = int(environ.get("LISTEN_FDS", "0"))
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    names += ["unknown"] * (count - len(names))
    return [Inherited(name, _adopt(FIRST_FD + place)) for place, name in enumerate(names[:count])]


def _adopt(fd: int) -> socket.socket:
    os.set_inheritable(fd, False)  # a program that we start has no business with our listeners
    adopted = socket.socket(fileno=fd)
    adopted.setblocking(False)
    return adopted


def watchdog_interval_s(environ: Mapping[str, str], pid: int) -> float | None:
    """How often to call `Notifier.alive`: a third of what systemd waits. None: it doesn't watch us."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    microseconds = int(environ.get("WATCHDOG_USEC", "0"))
    return microseconds / 3e6 if microseconds else None


class Notifier:
    """Tells systemd how we are. Never blocks and never fails: if a word is lost, systemd's own time limits decide."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address  # @ is the abstract namespace

    def ready(self, status: str) -> None:
        """We serve: the sockets listen. Also the end of `reloading`."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """We read our configuration anew; `ready` ends it. Type=notify-reload wants the time with it."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, status: str) -> None:
        """We say goodbye to members and will exit."""
        self._tell("STOPPING=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """One line for systemctl status."""
        self._tell(f"STATUS={status}")

    def alive(self) -> None:
        """The event loop still turns. To be called from it, so that a stuck one is restarted."""
        self._tell("WATCHDOG=1")

    def _tell(self, *words: str) -> None:
        if not self._address:
            return
        message = "\n".join(word.replace("\n", " ") for word in words)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                sender.sendto(message.encode(), self._address)
            except OSError:
                pass
