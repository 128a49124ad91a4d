"""One page that says what a run did and whether the promises held."""

from __future__ import annotations

import platform
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import chat_aiohttp
from tests.torture.run import Outcome

WIDTH = 76


def certificate(outcome: Outcome) -> str:
    """The page. Its first line is what one wants to know."""
    settings, findings = outcome.settings, outcome.findings
    figures = findings.figures
    broken = sum(findings.kinds.values())
    closings = {name: count for name, count in sorted(figures.items()) if name.startswith("closed with ")}
    lines = [
        "every promise was kept" if not broken else f"{broken:,} violations",
        "=" * WIDTH,
        _row("when", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        _row("version", f"chat_aiohttp {chat_aiohttp.__version__}, Python {platform.python_version()}"),
        _row("seed", settings.seed),
        _row("under load", f"{outcome.seconds:.0f} s"),
        _row("store", f"{settings.store}: {outcome.servers}"),
        _row("", f"SQLite {sqlite3.sqlite_version}" if settings.store == "sqlite" else "appendfsync always"),
        _row("clients", f"{figures['clients']:,} in {settings.rooms} rooms"),
        _row("messages", f"{figures['sent']:,} sent, {figures['sent again']:,} times sent again"),
        _row("acknowledged", f"{figures['acked']:,}; in the log {figures['logged']:,}"),
        _row("refused retryably", f"{figures['refused']:,} times"),
        _row("deliveries", f"{figures['deliveries']:,}"),
        _row(
            "connections", f"{figures['connections']:,}, {figures['connections'] - figures['clients']:,} of them again"
        ),
        *[_row("", f"{count:,} {name}") for name, count in closings.items()],
        _row("gaps", f"{figures['gaps announced']:,} announced, {figures['gaps justified']:,} justified"),
        _row("faults", f"{outcome.faults.total():,} of {len(outcome.faults)} kinds"),
        *[_row("", f"{count:4} {kind}") for kind, count in sorted(outcome.faults.items())],
        _row("violations", f"{broken:,}"),
        *[_row("", f"{count:,} {kind}") for kind, count in sorted(findings.kinds.items())],
    ]
    return "\n".join([*lines, *(str(violation) for violation in findings.violations)]) + "\n"


def write(outcome: Outcome) -> Path:
    """Put the page beside the histories; where it is."""
    path = outcome.settings.out / "certificate.txt"
    path.write_text(certificate(outcome))
    return path


def _row(name: str, value: object) -> str:
    return f"{name:18} {value}"
