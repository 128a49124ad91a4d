"""Autobahn's fuzzing client against our echo: `python -m tests.conformance.autobahn`.

Needs `wstest` (autobahntestsuite on Python 2.7), found on PATH or named by $WSTEST; without it this says so and is no
failure, since tests/conformance covers the same rules with a second implementation. Groups 12 and 13 are left
out: they are about compression, which this server never negotiates. Exit 1 when a case failed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

GROUPS = ("1", "2", "3", "4", "5", "6", "7", "9", "10")
AGENT = "chat_aiohttp"
RUN_S = 1800  # a whole run takes a few minutes; a client that hangs must not hang us
FINE = {"OK", "NON-STRICT", "INFORMATIONAL"}


def main() -> int:
    """Run the cases, print what came of them; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.autobahn")
    parser.add_argument("--groups", default=",".join(GROUPS), help="which groups of cases (default: %(default)s)")
    parser.add_argument("--reports", type=Path, help="keep the HTML report in this folder")
    parser.add_argument("--uvloop", action="store_true")
    arguments = parser.parse_args()
    wstest = os.environ.get("WSTEST") or shutil.which("wstest")
    if wstest is None:
        print("Skipped: no wstest on PATH nor in $WSTEST (pip install autobahntestsuite, on Python 2.7).")
        return 0
    with tempfile.TemporaryDirectory() as scratch, _echo(arguments.uvloop) as url:
        reports = arguments.reports or Path(scratch, "reports")
        results = _run(wstest, url, arguments.groups.split(","), Path(scratch), reports.absolute())
    return _report(results)


@contextmanager
def _echo(uvloop: bool) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.conformance.echo", "--port", "0", *(["--uvloop"] if uvloop else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _run(wstest: str, url: str, groups: list[str], scratch: Path, reports: Path) -> dict[str, Any]:
    spec = {
        "outdir": str(reports),
        "servers": [{"agent": AGENT, "url": url}],
        "cases": [f"{group}.*" for group in groups],
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    written = scratch / "spec.json"
    written.write_text(json.dumps(spec))
    command = [wstest, "--mode", "fuzzingclient", "--spec", str(written)]
    subprocess.run(command, cwd=scratch, check=True, timeout=RUN_S, stdout=subprocess.DEVNULL)
    results: dict[str, Any] = json.loads((reports / "index.json").read_text())[AGENT]
    return results


def _report(results: dict[str, Any]) -> int:
    failed = {case: result for case, result in results.items() if not _is_fine(result)}
    print(f"{len(results)} cases")
    for what in ("behavior", "behaviorClose"):
        counts = Counter(result[what] for result in results.values())
        print(f"  {what:14}", ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))
    loose = [case for case, result in results.items() if result["behavior"] == "NON-STRICT"]
    if loose:
        print("  NON-STRICT:", *sorted(loose))
    for case, result in failed.items():
        print(f"  {case}: {result['behavior']}, close {result['behaviorClose']} ({result['remoteCloseCode']})")
    return 1 if failed else 0


def _is_fine(result: dict[str, Any]) -> bool:
    return result["behavior"] in FINE and result["behaviorClose"] in FINE


if __name__ == "__main__":
    sys.exit(main())
