#!/usr/bin/env python3
"""Makes a wheel around programs that are there: what maturin makes of pyproject.toml, without a build.

    wheel.py PROGRAMS TAG FOLDER

PROGRAMS is a folder with ipmi_sim, ipmi_simctl and sdrcomp, TAG the last part of the wheel's name
(linux_x86_64), FOLDER gets the wheel. Times are those of SOURCE_DATE_EPOCH, or of 1980, so the same
programs make the same wheel. Needs Python 3.11 and nothing else.
"""

import base64
import hashlib
import os
import pathlib
import sys
import time
import tomllib
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = ("ipmi_sim", "ipmi_simctl", "sdrcomp")


def metadata(project: dict) -> str:
    """METADATA, version 2.4."""
    lines = ["Metadata-Version: 2.4", f"Name: {project['name']}", f"Version: {project['version']}"]
    lines += [f"Classifier: {classifier}" for classifier in project["classifiers"]]
    lines += [f"License-File: {name}" for name in project["license-files"]]
    lines += [f"Summary: {project['description']}", f"Keywords: {','.join(project['keywords'])}"]
    lines += [f"Author: {author['name']}" for author in project["authors"]]
    lines += [f"License-Expression: {project['license']}", f"Requires-Python: {project['requires-python']}"]
    lines += ["Description-Content-Type: text/markdown; charset=UTF-8; variant=GFM"]
    return "\n".join(lines) + "\n\n" + (HERE / project["readme"]).read_text()


def wheel_file(tag: str) -> str:
    """WHEEL: a tag for each processor and system that the name has."""
    return "\n".join(
        ["Wheel-Version: 1.0", "Generator: ipmi_sim wheel.py", "Root-Is-Purelib: false"]
        + [f"Tag: py3-none-{platform}" for platform in tag.split(".")]
    ) + "\n"


def entry_points(project: dict) -> str:
    """entry_points.txt."""
    groups = []
    for group, entries in project["entry-points"].items():
        groups.append(f"[{group}]\n" + "".join(f"{name}={target}\n" for name, target in entries.items()))
    return "\n".join(groups)


def content(programs: pathlib.Path, tag: str, project: dict) -> list[tuple[str, bytes, int]]:
    """Path, bytes and mode of each file but RECORD."""
    stem = f"{project['name']}-{project['version']}"
    info = f"{stem}.dist-info"
    files = [(f"{stem}.data/scripts/{name}", (programs / name).read_bytes(), 0o755) for name in PROGRAMS]
    for path in sorted((HERE / "ipmi_sim_pytest").iterdir()):
        if path.is_file():
            files.append((f"ipmi_sim_pytest/{path.name}", path.read_bytes(), 0o644))
    texts = {"METADATA": metadata(project), "WHEEL": wheel_file(tag), "entry_points.txt": entry_points(project)}
    files += [(f"{info}/{name}", text.encode(), 0o644) for name, text in texts.items()]
    for name in project["license-files"]:
        # Whoever built the programs knows what C library is in them.
        own = programs / name
        files.append((f"{info}/licenses/{name}", (own if own.is_file() else HERE / name).read_bytes(), 0o644))
    return files


def record(files: list[tuple[str, bytes, int]], own: str) -> bytes:
    """RECORD: path, checksum and size of each file, and its own path."""
    lines = []
    for path, data, _ in files:
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(data)}\n")
    return ("".join(lines) + f"{own},,\n").encode()


def main(programs: str, tag: str, folder: str) -> None:
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    files = content(pathlib.Path(programs), tag, project)
    own = f"{project['name']}-{project['version']}.dist-info/RECORD"
    files.append((own, record(files, own), 0o644))
    # The format knows nothing older.
    epoch = max(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), 315532800)
    target = pathlib.Path(folder) / f"{project['name']}-{project['version']}-py3-none-{tag}.whl"
    level = int(os.environ.get("LEVEL", "9"))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for path, data, mode in files:
            entry = zipfile.ZipInfo(path, time.gmtime(epoch)[:6])
            entry.external_attr = (0o100000 | mode) << 16
            entry.create_system = 3
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data, compresslevel=level)
    print(target)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
