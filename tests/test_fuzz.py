"""Hostile frames: no fault inside, nothing left over, and nobody beside them notices. `make fuzz` sends a million."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from tests.fuzz.__main__ import fuzz
from tests.fuzz.frames import burst


async def test_twenty_thousand_hostile_frames_harm_nobody(tmp_path: Path) -> None:
    told = json.loads(await fuzz(20_000, 1, tmp_path))

    assert told["frames"] >= 20_000
    assert told["connections"] > 200
    assert told["echoes"] > 50
    assert told['chat_closes_total{code="1002"}'] > 10
    assert told['chat_closes_total{code="1007"}'] > 10
    assert told['chat_closes_total{code="1009"}'] > 5


def test_a_seed_gives_the_same_frames_again() -> None:
    assert [burst(Random(seed)) for seed in range(200)] == [burst(Random(seed)) for seed in range(200)]
