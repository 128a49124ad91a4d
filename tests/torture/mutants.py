"""`python -m tests.torture.mutants`: every defect of defects.py in a short run; exit 1 if one is not convicted.

On a quick machine few faults hit anything that is under way: a defect that shows only then gets up to SEEDS runs.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import uvloop

from tests.servers import REDIS, VALKEY, binary
from tests.torture.defects import DEFECTS
from tests.torture.findings import Findings
from tests.torture.run import Settings, torture

SECONDS = 10.0
SEEDS = (1, 2, 3)


async def convict(name: str, out: Path, *, seed: int = 1, seconds: float = SECONDS) -> Findings:
    """What a short run finds with the defect called *name*."""
    defect = DEFECTS[name]
    store = defect.store
    if store == "redis" and binary(REDIS) is None:
        store = VALKEY
    settings = Settings(
        seed=seed,
        seconds=seconds,
        store=store,
        out=out,
        rooms=6,
        members=4,
        rate=20.0,
        lossy=3,
        kinds=defect.kinds,
        broken=name,
        settle_s=2.0,
    )
    return (await torture(settings)).findings


async def _is_convicted(name: str, seed: int) -> bool:
    with tempfile.TemporaryDirectory(prefix="torture") as folder:
        findings = await convict(name, Path(folder), seed=seed)
    found = ", ".join(f"{count} {kind}" for kind, count in findings.kinds.most_common())
    is_convicted = bool(DEFECTS[name].convicted_of & findings.kinds.keys())
    print(f"{'convicted' if is_convicted else 'escaped  '}  {name:42} seed {seed}: {found}", flush=True)
    return is_convicted


def main() -> int:
    """The exit code."""
    wanted = sys.argv[1:] or list(DEFECTS)
    escaped = 0
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for name in wanted:
            is_convicted = any(runner.run(_is_convicted(name, seed)) for seed in SEEDS)
            escaped += not is_convicted
    print(f"{len(wanted) - escaped} of {len(wanted)} convicted")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())
