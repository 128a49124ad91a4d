"""The supervisor on its own, with workers that do next to nothing: signals at bad moments, deaths in a row."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DEADLINE_S = 20
PROGRAM = """
import logging, os, signal, sys
from chat_aiohttp import supervisor
from chat_aiohttp.systemd import Notifier

logging.basicConfig(format="%(message)s")

def serve(number, beating, leash):
{body}

supervisor.RESTART_S = 0.01
sys.exit(supervisor.Supervisor(count={count}, serve=serve, notifier=Notifier({{}}), drain_s=600, refused=78).run())
"""


def supervised(body: str, count: int) -> tuple[int, str]:
    """The exit code of a supervisor of *count* workers that run *body*, and what was logged."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=lines, count=count)],
        cwd=Path(__file__).parent.parent,
        stderr=subprocess.PIPE,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return ended.returncode, ended.stderr


def test_a_signal_while_workers_are_being_started_ends_them_all() -> None:
    """Also those who can't handle it yet: nobody is with them."""
    stop_the_parent_at_once = "if number == 0: os.kill(os.getppid(), signal.SIGTERM)\nwhile True: signal.pause()"

    assert supervised(stop_the_parent_at_once, 40) == (0, "")


def test_a_second_signal_ends_workers_that_take_their_time() -> None:
    deaf = (
        "signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getppid(), signal.SIGTERM))\n"
        "os.kill(os.getppid(), signal.SIGTERM)\n"
        "while True: signal.pause()"
    )

    assert supervised(deaf, 1) == (0, "")


def test_a_worker_that_dies_again_and_again_is_started_ever_more_rarely(tmp_path: Path) -> None:
    deaths = tmp_path / "deaths"
    die_four_times = (
        f"with open({str(deaths)!r}, 'a+') as deaths:\n"
        "    deaths.write('x')\n"
        "    if deaths.tell() > 4:\n"
        "        os.kill(os.getppid(), signal.SIGTERM)\n"
        "        signal.pause()\n"
        "return 1"
    )

    code, log = supervised(die_four_times, 1)

    assert code == 0
    assert log.splitlines() == [
        f"worker 0 ended with 1; it is started again in {delay} s" for delay in ("0.01", "0.02", "0.04", "0.08")
    ]
