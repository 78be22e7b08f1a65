#!/usr/bin/env python3
"""Makes the recording of a terminal in the README: runs the commands below with the real programs, and draws what was typed and shown.

    docs/pictures/terminal.py            writes docs/pictures/terminal.svg and terminal-dark.svg
    docs/pictures/terminal.py --check    runs them again, and ends with 1 when what the pictures show is not what is shown now

Needs ipmitool and freeipmi-tools, and root's rights or a namespace with a free port 623 (`unshare --map-root-user --net`). The programs
are those of target/release, or of the folder PROGRAMS. Times of day, versions and addresses of clients may differ.
"""

import html
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("PROGRAMS", ROOT / "target/release"))
HERE = ROOT / "docs/pictures"

# What is typed, and how many seconds the reader has for what comes.
START = ("ipmi_sim -n -p --count 1000 --addresses 127.64.0.0/16 -c lan.conf -f sim.emu --control bmcs &", 2.5)
SESSION = [
    ("ipmi_simctl power 'bmc0001?' on | head -n 4", 2),
    ("ipmipower -D LAN_2_0 -h '127.64.0.[9-12]' -u admin -p admin --stat | sort -V", 2.5),
    ("ipmi_simctl sensor bmc00012 'CPU1 Temp' --value 92 >/dev/null", 1),
    ("ipmitool -I lanplus -H 127.64.0.12 -U admin -P admin sel elist | cut -d '|' -f 4-", 3),
    ("ipmi_simctl run bmc00012 'fault lose chance 30'", 1.5),
    ("ipmi_simctl list 'bmc0001?' | head -n 5", 4),
]

# What differs from run to run.
VARIABLE = [
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "TIME"),
    (r"ipmi_sim \d+\.\d+\.\d+", "ipmi_sim VERSION"),
]

COLUMNS, SIZE, LINE = 104, 13.5, 19
THEMES = {
    "terminal.svg": {"ground": "#f6f7f9", "edge": "#d3d7de", "text": "#24292f", "prompt": "#116329", "typed": "#0550ae", "faint": "#6e7781"},
    "terminal-dark.svg": {"ground": "#12161c", "edge": "#2e3540", "text": "#d6dbe1", "prompt": "#6fcf84", "typed": "#83b7f5", "faint": "#8b949e"},
}


def record():
    """The session: (what was typed, what came, seconds)."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("lan.conf", "sim.emu"):
            pathlib.Path(folder, name).write_bytes((ROOT / "examples/fleet" / name).read_bytes())
        own = os.environ | {
            "PATH": f"{PROGRAMS.resolve()}:{os.environ['PATH']}:/usr/sbin", "IPMI_SIM_CONTROL": f"{folder}/bmcs", "HOME": folder,
            "COLUMNS": str(COLUMNS), "LC_ALL": "C.UTF-8"}

        def run(typed):
            ran = subprocess.run(["sh", "-c", typed], cwd=folder, env=own, capture_output=True, text=True, check=False, timeout=120)
            if ran.returncode != 0:
                sys.exit(f"{typed}: {ran.stdout}{ran.stderr}")
            return ran.stdout

        with open(f"{folder}/log", "w", encoding="utf-8") as log:
            words = START[0].removesuffix(" &")
            simulator = subprocess.Popen(["sh", "-c", f"exec {words}"], cwd=folder, env=own, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            until = time.monotonic() + 120
            while "State:" not in pathlib.Path(folder, "log").read_text(encoding="utf-8"):
                if simulator.poll() is not None or time.monotonic() > until:
                    sys.exit(pathlib.Path(folder, "log").read_text(encoding="utf-8"))
                time.sleep(0.05)
            told = pathlib.Path(folder, "log").read_text(encoding="utf-8").replace(folder + "/", "")
            shown = [(START[0], told, START[1])]
            return shown + [(typed, run(typed), seconds) for typed, seconds in SESSION]
        finally:
            simulator.terminate()
            simulator.wait(30)


def lines(session):
    """Lines of the screen: (class, text, when it appears)."""
    now, found = 0.6, []
    for typed, came, seconds in session:
        found.append(("typed", typed, now))
        now += 0.9
        for text in came.splitlines():
            text = text.expandtabs().rstrip()
            # The version line is for programs that wait for it.
            if not text or text.startswith("IPMI Simulator version"):
                continue
            found.append(("came", text, now))
            now += 0.06
        now += seconds
    return found


def plain(text):
    """A text without what differs from run to run."""
    for pattern, word in VARIABLE:
        text = re.sub(pattern, word, text)
    return text


def draw(screen, theme):
    """The picture. Without animations, or for who wants none, all of it is there at once."""
    width, height = 24 + COLUMNS * 8.13, 52 + LINE * len(screen)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" viewBox="0 0 {width:.0f} {height}" role="img">',
        "<title>A terminal: a thousand BMCs are started, switched on, heated and made to lose packets</title>",
        "<style>",
        f"text{{font:{SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre;fill:{theme['text']}}}",
        f".p{{fill:{theme['prompt']}}}.t{{fill:{theme['typed']}}}.f{{fill:{theme['faint']}}}",
        "@media (prefers-reduced-motion:no-preference){g{animation:come .01s backwards}}@keyframes come{from{opacity:0}}",
        "</style>",
        f'<rect x=".5" y=".5" width="{width - 1:.0f}" height="{height - 1}" rx="8" fill="{theme["ground"]}" stroke="{theme["edge"]}"/>',
    ]
    parts += [f'<circle cx="{20 + 18 * at}" cy="18" r="5.5" fill="{theme["edge"]}"/>' for at in range(3)]
    for number, (kind, text, when) in enumerate(screen):
        y = 52 + LINE * number
        # So wide as its characters, whatever the font.
        length = f'textLength="{len(text) * 8.13:.1f}" lengthAdjust="spacingAndGlyphs"'
        if kind == "typed":
            inner = f'<text class="p" x="12" y="{y}">$</text><text class="t" x="28.3" y="{y}" {length}>{html.escape(text)}</text>'
        else:
            faint = ' class="f"' if re.match(r"\d{4}-", text) else ""
            inner = f'<text{faint} x="12" y="{y}" {length}>{html.escape(text)}</text>'
        parts.append(f'<g style="animation-delay:{when:.2f}s">{inner}</g>')
    return "\n".join(parts + ["</svg>", ""])


def main():
    screen = lines(record())
    longest = max(len(text) + 2 * (kind == "typed") for kind, text, _ in screen)
    if longest > COLUMNS:
        sys.exit(f"a line has {longest} characters, and the picture {COLUMNS}")
    wrong = False
    for name, theme in THEMES.items():
        made = draw(screen, theme)
        if sys.argv[1:] == ["--check"]:
            there = (HERE / name).read_text(encoding="utf-8")
            if plain(there) != plain(made):
                pairs = zip(plain(there).splitlines(), plain(made).splitlines())
                differ = next((pair for pair in pairs if pair[0] != pair[1]), ("the number of lines", ""))
                print(f"{name} shows what is not shown now:\n{differ[0]}\n{differ[1]}", file=sys.stderr)
                wrong = True
        else:
            (HERE / name).write_text(made, encoding="utf-8")
    sys.exit(wrong)


main()
