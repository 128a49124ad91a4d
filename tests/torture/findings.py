"""What the checker found: violations in sentences, and figures. Bounded: a broken server breaks promises often."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

SENTENCES = 20  # of each kind that are kept; all are counted


class Violation(NamedTuple):
    """A promise that was broken, for whom, and where their history shows it (0: in no single line)."""

    kind: str
    client: str
    line: int
    words: str

    def __str__(self) -> str:
        where = f" line {self.line}" if self.line else ""
        return f"{self.kind}: {self.client}{where}: {self.words}"


class Findings:
    """Violations as they are found, and what was counted on the way."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.kinds: Counter[str] = Counter()
        self.figures: Counter[str] = Counter()

    def add(self, kind: str, client: str, line: int, words: str) -> None:
        """*kind* of promise was broken."""
        self.kinds[kind] += 1
        if self.kinds[kind] <= SENTENCES:
            self.violations.append(Violation(kind, client, line, words))
