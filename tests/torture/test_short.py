"""The torture run itself, in small: a few seconds of faults on each store, and two broken servers it must convict."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers import VALKEY, need
from tests.torture.certificate import certificate, write
from tests.torture.defects import DEFECTS
from tests.torture.mutants import convict
from tests.torture.plan import LANES, plan
from tests.torture.run import Settings, torture
from tests.torture.stage import kinds_of


@pytest.mark.parametrize("store", ["sqlite", VALKEY])
async def test_every_promise_is_kept_under_faults(store: str, tmp_path: Path) -> None:
    if store == VALKEY:
        need(VALKEY)
    settings = Settings(seed=7, seconds=7.0, store=store, out=tmp_path, rooms=8, members=4, rate=10.0, lossy=2)

    outcome = await torture(settings)

    assert outcome.findings.violations == [], certificate(outcome)
    assert outcome.findings.figures["acked"] > 100, certificate(outcome)
    assert outcome.faults.total() >= 3, certificate(outcome)
    assert write(outcome).read_text().startswith("every promise was kept")


@pytest.mark.parametrize("name", ["a delivery is skipped", "a failed commit is taken for a good one"])
async def test_a_broken_server_is_convicted(name: str, tmp_path: Path) -> None:
    findings = await convict(name, tmp_path, seconds=4.0)

    assert DEFECTS[name].convicted_of & findings.kinds.keys(), findings.kinds


@pytest.mark.parametrize("store", ["sqlite", VALKEY])
def test_a_seed_is_a_plan_with_every_kind_of_fault(store: str) -> None:
    kinds = kinds_of(store)

    first, second = (plan(seed=1, seconds=600, kinds=kinds) for _ in range(2))

    assert first == second
    assert plan(seed=2, seconds=600, kinds=kinds) != first
    assert len(kinds) >= 12
    assert {fault.kind for lane in LANES for fault in first[lane]} == {kind.name for kind in kinds}
    for lane in LANES:
        for one, following in zip(first[lane], first[lane][1:], strict=False):
            assert following.at >= one.at + one.length_s
