"""What can go wrong with the database file, in words for people and in kinds for counting. Layer 2.

SQLite tells of most faults itself. Two it can't see: the file was taken away while it is open (what is written then
goes with it), and the disk is nearly full or was mounted read-only while nobody writes. Both are looked for here, with
a few system calls and without writing anything.

Rejected: SQLITE_FCNTL_HAS_MOVED, which would tell the first, because the sqlite3 module has no way to ask it.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from chat_aiohttp.errors import CannotStart

ROOM_TO_WRITE = 256 * 1024  # bytes a disk must have free to count as no longer full: a few batches


class Fault(Exception):
    """A fault that SQLite doesn't tell. *kind* as in `kind_of`; *may_be_stored* as below."""

    def __init__(self, kind: str, words: str, *, may_be_stored: bool) -> None:
        super().__init__(words)
        self.kind = kind
        self.may_be_stored = may_be_stored


class Whereabouts:
    """Where the database's files were when it was opened. Ask for it while a connection in WAL mode is open."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = path.parent
        # The -wal and -shm files live as long as the last connection does.
        self._files = [(name, _identity(name)) for name in (f"{path}", f"{path}-wal", f"{path}-shm")]

    def check(self) -> None:
        """Raises Fault if one of the files is not there any more. Microseconds: it is asked after every commit."""
        for name, identity in self._files:
            if _identity(name) != identity:
                words = f"{name} was moved, deleted or replaced; put it back, or restart the server to begin anew there"
                raise Fault("moved", words, may_be_stored=True)

    def check_disk(self, wanted: int = 0) -> None:
        """Raises Fault if a file is not there any more, or the disk takes no writing or has less than *wanted* bytes
        free."""
        self.check()  # first: with the folder gone, statvfs says nothing that helps
        disk = os.statvfs(self._folder)
        if disk.f_flag & os.ST_RDONLY:
            raise Fault("readonly", _CAUSES[sqlite3.SQLITE_READONLY][1].format(path=self._path), may_be_stored=False)
        if self.free(disk) < wanted:
            raise Fault("full", _CAUSES[sqlite3.SQLITE_FULL][1].format(folder=self._folder), may_be_stored=False)

    def free(self, disk: os.statvfs_result | None = None) -> int:
        """Bytes that this process may still write there."""
        disk = disk or os.statvfs(self._folder)
        return disk.f_frsize * (disk.f_bfree if os.geteuid() == 0 else disk.f_bavail)


def cause(error: Exception, path: Path) -> str:
    """Why the database failed, in words for people, with what to do about it."""
    if isinstance(error, Fault):
        return str(error)
    _, words = _CAUSES.get(_code(error), ("", ""))
    return words.format(path=path, folder=path.parent) if words else f"{path}: {error}"


def kind_of(error: Exception) -> str:
    """The word under which *error* is counted."""
    return error.kind if isinstance(error, Fault) else _CAUSES.get(_code(error), ("other", ""))[0]


def may_be_stored(error: Exception) -> bool:
    """Whether a commit that ended with *error* could still be found after a crash: the disk failed, not SQLite."""
    return error.may_be_stored if isinstance(error, Fault) else _code(error) == sqlite3.SQLITE_IOERR


def is_damage(error: Exception) -> bool:
    """Whether the file itself is broken. Then trying again is no use, and writing may break more of it. A broken index
    for search is made anew."""
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CORRUPT_VTAB:
        return False
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def cannot_start(error: Exception, path: Path) -> CannotStart:
    """The refusal to start with such a file."""
    is_passing = _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL)
    return CannotStart("store", f"The log can't be opened: {cause(error, path)}.", 75 if is_passing else 74)


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _identity(name: str) -> tuple[int, int] | None:
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_dev, found.st_ino


# By SQLite's result codes (sqlite.org/rescode.html): kind and words.
_CAUSES = {
    sqlite3.SQLITE_FULL: ("full", "the disk with {folder} is full; make room"),
    sqlite3.SQLITE_BUSY: ("locked", "another program holds {path} locked; close it"),
    sqlite3.SQLITE_IOERR: ("io", "the disk with {path} gives errors; see the system's log"),
    sqlite3.SQLITE_READONLY: (
        "readonly",
        "{path} can't be written; check its owner and whether the disk is mounted read-only",
    ),
    sqlite3.SQLITE_CANTOPEN: ("unopenable", "{path} can't be opened; check the owner and rights of it and of {folder}"),
    sqlite3.SQLITE_PERM: ("unopenable", "{path} can't be opened; check the owner and rights of it and of {folder}"),
    sqlite3.SQLITE_NOTADB: (
        "corrupt",
        "{path} is not a database; name another folder with --data DIR or move the file away",
    ),
    sqlite3.SQLITE_CORRUPT: (
        "corrupt",
        "{path} is damaged; stop the server, keep a copy, restore a backup or run: "
        'sqlite3 {path} ".recover" | sqlite3 recovered.db',
    ),
}
