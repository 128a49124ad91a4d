"""`python -m tests.torture --seed 1 --minutes 10 --store redis`: run, print the certificate, exit 1 on a violation."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import uvloop

from tests.torture.certificate import certificate, write
from tests.torture.run import Settings, torture


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which faults come, and when [1]")
    parser.add_argument("--minutes", type=float, default=10.0, help="under load [10]")
    parser.add_argument("--store", choices=("redis", "valkey", "sqlite"), default="redis", help="[redis]")
    parser.add_argument("--out", type=Path, help="folder for histories, log and certificate [a new one in /tmp]")
    parser.add_argument("--rate", type=float, default=Settings._field_defaults["rate"], help="messages/s per client")
    given = parser.parse_args()
    out = given.out or Path(tempfile.mkdtemp(prefix="torture"))
    settings = Settings(given.seed, given.minutes * 60, given.store, out, rate=given.rate)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(torture(settings))
    path = write(outcome)
    print(certificate(outcome), end="")
    print(f"\nThe evidence is in {path.parent}")
    return 1 if outcome.findings.violations else 0


sys.exit(main())
