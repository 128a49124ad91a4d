"""One descriptor that says which of many are ready: epoll on Linux, what `selectors` has elsewhere. Layer 1.

Both are themselves descriptors that become readable when something in them is, so an event loop can watch them.
"""

from __future__ import annotations

import select
import selectors
from typing import Final, Protocol

READ: Final = 1  # the values of EPOLLIN and EPOLLOUT
WRITE: Final = 4
# Descriptors told per round; the rest come in the next, at once. Few enough that what they say is still in the cache
# when it is written out: with 4,096 at once a thousand small rooms got a tenth less done.
_AT_ONCE: Final = 64


class Poller(Protocol):
    """Level-triggered readiness of descriptors."""

    def fileno(self) -> int: ...
    def register(self, fd: int, eventmask: int) -> None: ...
    def modify(self, fd: int, eventmask: int) -> None:
        """Watch *fd* for these events from now on; for 0, at most its end is told."""

    def unregister(self, fd: int) -> None: ...
    def poll(self) -> list[tuple[int, int]]:
        """(descriptor, READ and WRITE bits) of what is ready now. Never waits. Other bits mean: reading will tell."""

    def close(self) -> None: ...


def new_poller() -> Poller:
    """The best poller of this platform."""
    return _Epoll() if hasattr(select, "epoll") else _Selector()


class _Epoll:
    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.fileno = self._epoll.fileno
        self.register = self._epoll.register
        self.modify = self._epoll.modify
        self.unregister = self._epoll.unregister
        self.close = self._epoll.close

    def poll(self) -> list[tuple[int, int]]:
        return self._epoll.poll(0, _AT_ONCE)


class _Selector:
    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def fileno(self) -> int:
        return self._selector.fileno()

    def register(self, fd: int, eventmask: int) -> None:
        self._selector.register(fd, _to_selector(eventmask))

    def modify(self, fd: int, eventmask: int) -> None:
        # A selector watches nothing for no events; epoll then still tells of the peer's end.
        watched = fd in self._selector.get_map()
        if not eventmask:
            self.unregister(fd)
        elif watched:
            self._selector.modify(fd, _to_selector(eventmask))
        else:
            self.register(fd, eventmask)

    def unregister(self, fd: int) -> None:
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def poll(self) -> list[tuple[int, int]]:
        return [(key.fd, _from_selector(mask)) for key, mask in self._selector.select(0)]

    def close(self) -> None:
        self._selector.close()


def _to_selector(eventmask: int) -> int:
    return (selectors.EVENT_READ if eventmask & READ else 0) | (selectors.EVENT_WRITE if eventmask & WRITE else 0)


def _from_selector(mask: int) -> int:
    return (READ if mask & selectors.EVENT_READ else 0) | (WRITE if mask & selectors.EVENT_WRITE else 0)
