#!/usr/bin/env python3
"""Draws figures of run.sh as bars, this program's beside the original's.

    compat/bench/plot.py            draws those of README.md: compat/bench/figures.svg and figures-dark.svg
    compat/bench/plot.py --check    ends with 1 when these pictures are not what README.md says
"""

import html
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
# The title in the table, which of several figures in a cell, the title in the picture, and its unit.
ROWS = [
    ("start to first answered ping, ms", 0, "start to first response", "ms"),
    ("`ipmitool mc info` without `-C`, ms", 0, "ipmitool mc info, no options", "ms"),
    ("the same while a chassis program takes 5 s, ms", 0, "... while a chassis program runs", "ms"),
    ("processor time per command, 4 x 4 / SDR, sensor and power in turn, us", 0, "processor time of a command", "us"),
    ("private memory idle, shared / static, KiB", 0, "memory of its own, idle", "KiB"),
    ("wake-ups in 30 idle seconds", 0, "wake-ups in 30 idle seconds", ""),
    ("commands per second, suite 3, 4 sessions x 4 in flight", 0, "commands a second", ""),
    ("logins per second, suite 3, 4 clients", 0, "logins a second", ""),
    ("serial over LAN, down / up, MB/s", 1, "serial over LAN, upwards", "MB/s"),
]
# From here on more is better.
MORE = 6
THEMES = {
    "figures.svg": {"ground": "#f6f7f9", "edge": "#d3d7de", "text": "#24292f", "faint": "#57606a", "original": "#a9b1bb", "here": "#1f6feb"},
    "figures-dark.svg": {"ground": "#12161c", "edge": "#2e3540", "text": "#d6dbe1", "faint": "#8b949e", "original": "#59636f", "here": "#58a6ff"},
}
WIDTH, LEFT, BAR, HEIGHT = 860, 232, 500, 44


def figures(text):
    """(title, unit, original, here), as written, from the first table with these rows."""
    found = []
    cells = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in text.splitlines() if line.startswith("| ")]
    for title, which, shown, unit in ROWS:
        row = next((row for row in cells if row[0] == title), None)
        if row is None:
            sys.exit(f"plot.py: there is no row '{title}'")
        found.append((shown, unit, *(re.split(r" / ", cell)[min(which, cell.count(" / "))] for cell in row[1:3])))
    return found


def text_at(x, y, words, **style):
    own = ";".join(f"{name.replace('_', '-')}:{value}" for name, value in style.items())
    own = f' style="{own}"' if own else ""
    return f'<text x="{x}" y="{y}"{own}>{html.escape(words)}</text>'


def draw(rows, when, theme):
    height = 92 + HEIGHT * len(rows) + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>Figures of this program beside those of the original</title>",
        f"<style>text{{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:{theme['text']}}}</style>",
        f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="8" fill="{theme["ground"]}" stroke="{theme["edge"]}"/>',
        f'<rect x="{LEFT}" y="18" width="12" height="12" rx="2" fill="{theme["original"]}"/>', text_at(LEFT + 18, 29, "OpenIPMI 2.0.33"),
        f'<rect x="{LEFT + 150}" y="18" width="12" height="12" rx="2" fill="{theme["here"]}"/>', text_at(LEFT + 168, 29, "here"),
    ]
    y = 44
    for number, (title, unit, *values) in enumerate(rows):
        if number in (0, MORE):
            words = "less is better" if number == 0 else "more is better"
            parts.append(text_at(16, y + 16, words, font_style="italic", fill=theme["faint"]))
            y += 26
        parts.append(text_at(16, y + 22, title))
        most = max(map(float, values))
        for offset, value, colour in zip((2, 19), values, (theme["original"], theme["here"])):
            width = float(value) / most * BAR
            parts.append(f'<rect x="{LEFT}" y="{y + offset}" width="{width:.1f}" height="14" rx="2" fill="{colour}"/>')
            parts.append(text_at(f"{LEFT + width + 7:.1f}", y + offset + 12, f"{value} {unit}".strip()))
        y += HEIGHT
    parts.append(text_at(16, height - 16, when, fill=theme["faint"]))
    return "\n".join(parts + ["</svg>", ""])


def main():
    text = (HERE / "README.md").read_text(encoding="utf-8")
    told = re.search(r"The figures of ([0-9]+ \w+ [0-9]+)", text)
    if told is None:
        sys.exit("plot.py: README.md does not say of which day its figures are")
    when = f"Medians of {told[1]}, both programs on one machine in one run: compat/bench"
    rows, wrong = figures(text), False
    for name, theme in THEMES.items():
        made, place = draw(rows, when, theme), HERE / name
        if sys.argv[1:] == ["--check"]:
            if place.read_text(encoding="utf-8") != made:
                print(f"{place} is not what the table says: compat/bench/plot.py", file=sys.stderr)
                wrong = True
        else:
            place.write_text(made, encoding="utf-8")
    sys.exit(wrong)


main()
