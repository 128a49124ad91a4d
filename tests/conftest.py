"""What holds for every test: which skips are allowed, and how long Hypothesis may think."""

from __future__ import annotations

import os
import re
from collections.abc import Generator

import pytest
from hypothesis import settings

# With a deadline a slow moment of the machine would look like a fault of the code.
settings.register_profile("chat", deadline=None)
settings.load_profile("chat")

# Where CI is set these are there to be used: a skip that names one of them hides a test that should have run.
REQUIRED = re.compile(r"chromium|valkey|playwright", re.IGNORECASE)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.outcome != "skipped" or hasattr(report, "wasxfail") or os.environ.get("CI") != "true":
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if REQUIRED.search(reason):
        report.outcome = "failed"
        report.longrepr = f"{reason}\nWith CI=true this may not be skipped."
