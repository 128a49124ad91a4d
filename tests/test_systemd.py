"""What systemd gives and is told, over real sockets; and that its own tools find nothing wrong with the units."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_aiohttp import systemd
from chat_aiohttp.config import Config
from chat_aiohttp.systemd import Notifier, inherited_sockets, watchdog_interval_s

ROOT = Path(__file__).parent.parent
UNITS = ROOT / "deploy" / "systemd"
INSTALLED = "/opt/chat-aiohttp/bin/chat-aiohttp"


# -- what it is told


class Ear:
    """The end of NOTIFY_SOCKET that systemd listens on."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(20)

    def heard(self) -> list[str]:
        return self.socket.recv(4096).decode().split("\n")


@pytest.fixture(params=["path", "abstract"])
def ear_and_notifier(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Ear, Notifier]]:
    if request.param == "path":
        address = given = str(tmp_path / "notify")
    elif sys.platform == "linux":
        address, given = f"\0chat-test-{os.getpid()}", f"@chat-test-{os.getpid()}"
    else:
        pytest.skip("abstract sockets are Linux's own")
    ear = Ear(address)
    yield ear, Notifier({"NOTIFY_SOCKET": given})
    ear.socket.close()


def test_systemd_hears_how_we_are(ear_and_notifier: tuple[Ear, Notifier]) -> None:
    ear, notifier = ear_and_notifier

    notifier.ready("serving\non port 8000")
    assert ear.heard() == ["READY=1", "STATUS=serving on port 8000"]
    notifier.alive()
    assert ear.heard() == ["WATCHDOG=1"]
    notifier.status("3 people")
    assert ear.heard() == ["STATUS=3 people"]
    notifier.reloading()
    reloading, at = ear.heard()
    assert reloading == "RELOADING=1"
    assert re.fullmatch(r"MONOTONIC_USEC=\d+", at)
    notifier.stopping("saying goodbye")
    assert ear.heard() == ["STOPPING=1", "STATUS=saying goodbye"]


def test_nobody_listening_is_no_error(tmp_path: Path) -> None:
    Notifier({}).ready("serving")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready("serving")


def test_a_full_ear_never_blocks_us(tmp_path: Path) -> None:
    ear = Ear(str(tmp_path / "notify"))
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})

    for _ in range(5000):  # far more than its queue holds; a blocking send would end the test by its time limit
        notifier.alive()

    assert ear.heard() == ["WATCHDOG=1"]
    ear.socket.close()


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
    ],
)
def test_the_watchdog_is_fed_three_times_as_often_as_it_asks(environ: dict[str, str], interval: float | None) -> None:
    assert watchdog_interval_s(environ, 7) == interval


# -- what it gives


def test_sockets_meant_for_another_process_are_left_alone() -> None:
    assert inherited_sockets({}, 7) == []
    assert inherited_sockets({"LISTEN_PID": "8", "LISTEN_FDS": "1"}, 7) == []


def test_inherited_sockets_have_names_and_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own descriptors 3 and 4 are free to be what systemd makes them; here two others stand in."""
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        tcp.bind(("127.0.0.1", 0))
        unix.bind(str(tmp_path / "s"))
        first = _two_neighbours(tcp, unix)
        monkeypatch.setattr(systemd, "FIRST_FD", first)

        got = inherited_sockets({"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "http"}, 7)

        assert [name for name, _ in got] == ["http", "unknown"]
        assert got[0].socket.getsockname() == tcp.getsockname()
        assert got[1].socket.family == socket.AF_UNIX
        assert not any(inherited.socket.get_inheritable() for inherited in got)
        assert not any(inherited.socket.getblocking() for inherited in got)
        for inherited in got:
            inherited.socket.close()


def _two_neighbours(one: socket.socket, other: socket.socket) -> int:
    """Copies of both with descriptors next to each other, the first of which is returned."""
    first = fcntl.fcntl(one, fcntl.F_DUPFD, 200)
    assert fcntl.fcntl(other, fcntl.F_DUPFD, first + 1) == first + 1
    return first


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="optional: systemd-socket-activate is absent")
def test_systemd_s_own_activation_reaches_us(tmp_path: Path) -> None:
    path = tmp_path / "s"
    code = """if True:
        import os
        from chat_aiohttp.systemd import inherited_sockets
        [(name, listener)] = inherited_sockets(os.environ, os.getpid())
        listener.setblocking(True)
        listener.accept()[0].sendall(name.encode())
    """
    activate = ["systemd-socket-activate", "-l", str(path), "--fdname=front", "-E", f"PYTHONPATH={ROOT}"]
    with subprocess.Popen([*activate, sys.executable, "-c", code], stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert b"Listening on" in process.stderr.readline()
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(20)
            client.connect(str(path))
            assert client.recv(100) == b"front"
        process.communicate(timeout=20)


# -- the units


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    if not shutil.which("systemd-analyze"):
        pytest.skip("optional: systemd-analyze is absent, so the units went unchecked")
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with a program that is there in the place of the installed one: verify looks for it."""
    program = tmp_path / "chat-aiohttp"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in UNITS.iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace(INSTALLED, str(program)))
    return tmp_path


@pytest.mark.parametrize("unit", ["chat-aiohttp.service", "chat-aiohttp@8001.service", "chat-aiohttp.socket"])
def test_systemd_accepts_the_unit_without_a_word(unit: str, units: Path) -> None:
    if "@" in unit:  # older versions want the instance as a file
        shutil.copy(units / "chat-aiohttp@.service", units / unit)

    done = analyze("verify", "--man=no", units / unit)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", ["chat-aiohttp.service", "chat-aiohttp@.service"])
def test_the_unit_exposes_next_to_nothing(unit: str, units: Path) -> None:
    done = analyze("security", "--offline=yes", "--threshold=20", "--no-pager", units / unit)

    assert done.returncode == 0, done.stdout


def settings(name: str) -> dict[str, str]:
    lines = (UNITS / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]\w+=", line))


def test_the_instances_unit_differs_only_where_it_must() -> None:
    one, many = settings("chat-aiohttp.service"), settings("chat-aiohttp@.service")

    assert one.keys() == many.keys()
    assert {key for key in one if one[key] != many[key]} == {
        "Description",
        "ExecStart",
        "RuntimeDirectory",
        "StateDirectory",
    }


def test_systemd_waits_longer_than_we_take_to_say_goodbye() -> None:
    unit = settings("chat-aiohttp.service")

    assert float(unit["TimeoutStopSec"]) >= Config().server.drain_s + 5
    assert unit["Type"] == "notify"
    assert unit["RestartPreventExitStatus"] == "64 78"
