"""Two kinds of plots as SVG, without a library, for light and dark pages: bars, and lines on logarithmic axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10

WIDTH = 940
VANISHING = 40  # times: beyond it a bar to scale is a few pixels long
_LEFT, _ROW = 330, 24  # the labels of bars; the height of one
_PLOT = (70, 62, 520, 320)  # of lines: left, top, width, height
_COLOURS = "#2f6fde #d9822b #2a9d5c #b5387c #7a5cc7 #8a8f98 #1d9aa8 #a3672e #d04545 #5f7d1f".split()

_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}.t{font-size:15px;font-weight:600}.q{fill:#777;font-size:12px}"
    ".g{stroke:#ddd}.b{fill:#a9b1bd}.o{fill:#2f6fde}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.q{fill:#999}.g{stroke:#444}.b{fill:#6b7480}}"
)


def bars(title: str, unit: str, rows: Sequence[tuple[str, float, bool]]) -> str:
    """A bar for each (label, value, is ours); logarithmic, and saying so, where the shortest would vanish."""
    values = [value for _, value, _ in rows]
    low, high = min(values), max(values)
    room = WIDTH - _LEFT - 90
    if high > low * VANISHING:
        base = floor(log10(low) - 0.3)
        lengths = [(log10(value) - base) / (log10(high) - base) * room for value in values]
        unit += ", logarithmic"
    else:
        lengths = [value / high * room for value in values]
    body = [_text(12, 22, title, "t"), _text(12, 40, unit, "q")]
    for i, ((label, value, ours), length) in enumerate(zip(rows, lengths, strict=True)):
        y = 56 + i * _ROW
        body.append(_text(_LEFT - 8, y + 14, label, "", "end"))
        body.append(
            f'<rect class="{"o" if ours else "b"}" x="{_LEFT}" y="{y}" width="{length:.1f}" height="18" rx="2"/>'
        )
        body.append(_text(_LEFT + length + 6, y + 14, number(value)))
    return _svg(56 + len(rows) * _ROW + 8, body)


def lines(title: str, x_label: str, y_label: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """A line for each of *series*, both axes logarithmic."""
    left, top, width, height = _PLOT
    points = [point for line in series.values() for point in line if point[1] > 0]
    x0, x1 = _decades([x for x, _ in points])
    y0, y1 = _decades([y for _, y in points])

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (log10(x) - x0) / (x1 - x0) * width, top + height - (log10(y) - y0) / (y1 - y0) * height

    body = [_text(12, 22, title, "t"), _text(left + width / 2, top + height + 40, x_label, "q", "middle")]
    body.append(_text(left, top - 6, y_label, "q"))
    for decade in range(x0, x1 + 1):
        x, _ = place(10.0**decade, 10.0**y0)
        body.append(f'<path class="g" d="M{x:.1f} {top}v{height}"/>')
        body.append(_text(x, top + height + 18, number(10.0**decade), "q", "middle"))
    for decade in range(y0, y1 + 1):
        _, y = place(10.0**x0, 10.0**decade)
        body.append(f'<path class="g" d="M{left} {y:.1f}h{width}"/>')
        body.append(_text(left - 6, y + 4, number(10.0**decade), "q", "end"))
    for i, (label, line) in enumerate(series.items()):
        colour = _COLOURS[i % len(_COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line if point[1] > 0))
        body.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>')
        y = top + 14 + i * 20
        body.append(f'<path stroke="{colour}" stroke-width="3" d="M{left + width + 14} {y - 4}h18"/>')
        body.append(_text(left + width + 38, y, label))
    return _svg(top + height + 52, body)


def number(value: float) -> str:
    """With three digits, and thousands by words a reader has seen."""
    for size, suffix in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if value >= size:
            return f"{value / (1e3 if suffix == ' k' else size):.3g}{suffix}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _decades(values: Sequence[float]) -> tuple[int, int]:
    low, high = floor(log10(min(values)) + 1e-9), ceil(log10(max(values)) - 1e-9)
    return low, max(high, low + 1)


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, body: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">'
    return "\n".join([head, f"<style>{_STYLE}</style>", *body, "</svg>", ""])
