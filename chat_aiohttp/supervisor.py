"""`--workers N`: N processes behind the same listening sockets, started again when they die. Layer 4.

The supervisor opens the sockets, forks and waits; it serves nobody and runs no event loop. Each worker has a pipe to
it and writes a byte when it serves and then again and again: the first tells systemd that all are ready; a silence of
SILENT_S means that its loop is stuck, and it is killed and started again. The supervisor's own end ends the workers,
as they watch a pipe whose other end only it holds.

A signal is only noted when it comes and obeyed between two looks, so that it finds no worker half started. Workers hear
of it from here alone: Ctrl-C reaches them too, and a second signal would end them at once, without a goodbye.

Workers are one chat through Redis; a store with one owner can't have several.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Final

from chat_aiohttp.systemd import Notifier

log = logging.getLogger(__name__)

BEAT_S: Final = 1.0  # how often a worker says that its loop turns
SILENT_S: Final = 20.0  # then it is stuck; a start, with a slow Redis, takes less
RESTART_S: Final = 1.0  # between a worker's death and its successor, doubled with each death in a row, up to
LONGEST_RESTART_S: Final = 30.0
STABLE_S: Final = 60.0  # alive for so long, and its death is the first in a row
GRACE_S: Final = 5.0  # beyond the drain, for closing; then workers are killed

_STOPS: Final = (signal.SIGTERM, signal.SIGINT)

Serve = Callable[[int, int, int], int]
"""Serves in the worker of this number (0 and up) until it is told to stop, writing a byte to the first descriptor when
ready and each BEAT_S, and stopping when the second reads as closed; the exit code."""


class Worker:
    """One forked process, and the end of its pipe."""

    def __init__(self, number: int, pid: int, beats: int) -> None:
        self.number = number
        self.pid = pid
        self.beats = beats
        self.started_at = self.heard_at = monotonic()
        self.is_ready = False


class Supervisor:
    """Keeps *count* workers running *serve* until SIGTERM or SIGINT."""

    def __init__(self, *, count: int, serve: Serve, notifier: Notifier, drain_s: float, refused: int) -> None:
        self._count = count
        self._serve = serve
        self._notifier = notifier
        self._drain_s = drain_s
        self._refused = refused  # the exit code of a worker that can't start whatever is tried
        self._workers: dict[int, Worker] = {}  # by the descriptor of its beats
        self._due: dict[int, float] = {}  # number -> when it is started (again)
        self._deaths: dict[int, int] = {}  # number -> in a row
        self._asked = 0  # how often to stop
        self._stopping_at: float | None = None
        self._exit_code = 0
        self._selector = selectors.DefaultSelector()
        self._leash, self._leash_held = os.pipe()

    def run(self) -> int:
        """Supervise until all workers have ended after a signal; the exit code."""
        wake, woken = socket.socketpair()
        woken.setblocking(False)
        signal.set_wakeup_fd(woken.fileno())
        for number in _STOPS:
            signal.signal(number, self._note)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to be woken
        self._selector.register(wake, selectors.EVENT_READ)
        self._due = dict.fromkeys(range(self._count), 0.0)
        while self._due or self._workers:
            self._start_due()
            for key, _ in self._selector.select(0.5):
                if key.fileobj is wake:
                    wake.recv(1024)
                else:
                    self._hear(self._workers[key.fd])
            self._reap()
            self._obey()
            self._watch()
        return self._exit_code

    def _note(self, *_: object) -> None:
        self._asked += 1

    def _obey(self) -> None:
        if self._asked and self._stopping_at is None:
            self._stop()
        if self._asked > 1:
            self._kill_all()  # asked twice: whoever asks is in a hurry

    def _stop(self) -> None:
        self._stopping_at = monotonic()
        self._due.clear()
        self._notifier.stopping("Sending members away")
        for worker in self._workers.values():
            os.kill(worker.pid, signal.SIGTERM)

    def _kill_all(self) -> None:
        for worker in self._workers.values():
            os.kill(worker.pid, signal.SIGKILL)

    def _start_due(self) -> None:
        for number in [number for number, at in self._due.items() if at <= monotonic()]:
            del self._due[number]
            self._start(number)

    def _start(self, number: int) -> None:
        beats, beating = os.pipe()
        # What comes before a worker can handle it must find neither our handlers in it nor nobody at all.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        pid = os.fork()
        if not pid:
            os.close(beats)
            os.close(self._leash_held)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
            os._exit(self._guarded(number, beating))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
        os.close(beating)
        os.set_blocking(beats, False)
        self._workers[beats] = Worker(number, pid, beats)
        self._selector.register(beats, selectors.EVENT_READ)

    def _guarded(self, number: int, beating: int) -> int:
        try:
            return self._serve(number, beating, self._leash)
        except BaseException:
            log.exception("a worker failed")
            return 1
        finally:
            logging.shutdown()

    def _hear(self, worker: Worker) -> None:
        with suppress(BlockingIOError):
            if os.read(worker.beats, 1024):
                worker.heard_at = monotonic()
                if not worker.is_ready:
                    worker.is_ready = True
                    self._tell_ready()
            else:
                self._selector.unregister(worker.beats)  # it is ending; `_reap` says how

    def _tell_ready(self) -> None:
        if len(self._workers) == self._count and all(worker.is_ready for worker in self._workers.values()):
            self._notifier.ready(f"{self._count} workers")

    def _reap(self) -> None:
        for beats, worker in [*self._workers.items()]:
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if not pid:
                continue
            del self._workers[beats]
            with suppress(KeyError):
                self._selector.unregister(beats)
            os.close(beats)
            self._ended(worker, os.waitstatus_to_exitcode(status))

    def _ended(self, worker: Worker, code: int) -> None:
        if self._stopping_at is not None:
            self._exit_code = self._exit_code or max(code, 0)
        elif code == self._refused and not worker.is_ready:
            self._exit_code = code  # it has said why; another try would say the same
            self._stop()
        else:
            now, number = monotonic(), worker.number
            in_a_row = self._deaths[number] = (
                1 if now > worker.started_at + STABLE_S else self._deaths.get(number, 0) + 1
            )
            delay = min(LONGEST_RESTART_S, RESTART_S * (1 << min(in_a_row - 1, 10)))
            log.error("worker %d ended with %d; it is started again in %g s", number, code, delay)
            self._due[number] = now + delay

    def _watch(self) -> None:
        now = monotonic()
        if self._stopping_at is not None:
            if now > self._stopping_at + self._drain_s + GRACE_S:
                self._kill_all()
            return
        silent = [worker for worker in self._workers.values() if now > worker.heard_at + SILENT_S]
        for worker in silent:
            log.error("worker %d does not answer; it is killed and started again", worker.number)
            os.kill(worker.pid, signal.SIGKILL)
        if not silent:
            self._notifier.alive()
