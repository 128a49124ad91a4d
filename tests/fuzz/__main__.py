"""`python -m tests.fuzz --frames 1000000 --seed 1`: fuzz a server of its own; exit 1 and say why when it misbehaves."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.fuzz.attack import Attack, left_over, shown
from tests.instances import Instance, running


async def fuzz(frames: int, seed: int, folder: Path) -> str:
    """Send *frames* to a new server; what came of it in a line. Raises AssertionError."""
    # Few messages kept, so that memory which grows is memory that leaks.
    async with running("memory:", folder, env={"CHAT_ROOMS_KEEP_MESSAGES": "200"}) as instance:
        fuzzed = await Attack(instance.url, frames=frames, seed=seed).run()
        samples = await _calmed(instance)
        check(instance)
        return shown(fuzzed, samples)


async def _calmed(instance: Instance) -> dict[str, float]:
    """The counters once every attacker is gone: nothing of one may be left."""
    async with asyncio.timeout(30):
        while (samples := await left_over(instance.url))["chat_sockets"]:
            await asyncio.sleep(0.1)
    assert samples["chat_members"] == samples["chat_rooms"] == samples["chat_restrained"] == 0, samples
    assert 'chat_closes_total{code="1011"}' not in samples, "something failed inside"
    return samples


def check(instance: Instance) -> None:
    """It lives, and has nothing to complain about."""
    assert instance.process is not None
    assert instance.process.returncode is None, instance.log
    lines = [line for line in instance.log.splitlines() if "chat_aiohttp" not in line or "ERROR" in line.upper()]
    assert not lines, "\n".join(lines)


def main() -> int:
    """Run it as asked; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            print(asyncio.run(fuzz(arguments.frames, arguments.seed, Path(folder))))
        except AssertionError as error:
            print(f"Seed {arguments.seed}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
