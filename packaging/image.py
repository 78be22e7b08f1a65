#!/usr/bin/env python3
"""Makes a container image of packaging/container/Containerfile without a container engine.

    image.py FOLDER PROCESSOR=PROGRAMS...

PROCESSOR is x86_64, aarch64, armv7 or riscv64, PROGRAMS a folder with its static ipmi_sim and ipmi_simctl.
FOLDER gets ipmi_sim-VERSION-oci.tar: an image for all of these processors in the layout of the Open
Container Initiative (image-spec 1.0), which podman, skopeo, containerd and docker take. The lines of
the Containerfile are carried out as they stand; one that is not known is an error.

Settings: SOURCE_DATE_EPOCH, the time of all files (default 0); REVISION, the commit; LEVEL, how hard to
compress (default 9). The same programs make the same file. Needs Python 3.9 and nothing else.
"""

import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import shlex
import sys
import tarfile
import time

HERE = pathlib.Path(__file__).resolve().parent.parent
PLATFORMS = {
    "x86_64": {"architecture": "amd64", "os": "linux"},
    "aarch64": {"architecture": "arm64", "os": "linux"},
    "armv7": {"architecture": "arm", "os": "linux", "variant": "v7"},
    "riscv64": {"architecture": "riscv64", "os": "linux"},
}
OCI = "application/vnd.oci.image"
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
CREATED = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
UNITS = {"s": 10**9, "m": 60 * 10**9}


class Image:
    """What the Containerfile says for one processor."""

    def __init__(self, programs):
        self.programs = programs
        self.arguments = {}
        # Path: mode, owner, content; None for a folder.
        self.files = {}
        self.config = {"Labels": {}}
        for line in (HERE / "packaging/container/Containerfile").read_text().splitlines():
            if line and not line.startswith("#"):
                word, _, rest = line.partition(" ")
                self.carry_out(word, rest)

    def carry_out(self, word, rest):
        if word != "ARG":
            rest = re.sub(r"\$\{(\w+)\}", lambda found: self.arguments[found[1]], rest)
        if word == "ARG":
            name, _, value = rest.partition("=")
            self.arguments[name] = value
        elif word == "COPY":
            self.copy(shlex.split(rest))
        elif word == "LABEL":
            for pair in shlex.split(rest):
                name, _, value = pair.partition("=")
                self.config["Labels"][name] = value
        elif word == "ENV":
            self.config.setdefault("Env", []).extend(shlex.split(rest))
        elif word == "USER":
            self.config["User"] = rest
        elif word == "VOLUME":
            self.config.setdefault("Volumes", {})[rest] = {}
        elif word == "EXPOSE":
            self.config.setdefault("ExposedPorts", {})[rest] = {}
        elif word == "ENTRYPOINT":
            self.config["Entrypoint"] = json.loads(rest)
        elif word == "HEALTHCHECK":
            self.config["Healthcheck"] = health(rest)
        elif (word, rest) != ("FROM", "scratch"):
            raise SystemExit(f"image.py: Containerfile: {word} {rest}: nobody has taught this script what that is")

    def copy(self, words):
        owner = 0
        if words[0].startswith("--chown="):
            owner = int(words.pop(0).partition("=")[2].partition(":")[0])
        *sources, target = words
        for source in sources:
            path = HERE / source
            if source.startswith("target/dist/"):
                path = self.programs / path.name
            into = target if path.is_dir() else target + path.name if target.endswith("/") else target
            self.add(path, into.rstrip("/"), owner)

    def add(self, path, to, owner):
        if path.is_dir():
            self.folder(to, owner)
            for entry in sorted(path.iterdir()):
                self.add(entry, f"{to}/{entry.name}", owner)
        else:
            self.folder(os.path.dirname(to), None)
            mode = 0o755 if os.access(path, os.X_OK) else 0o644
            self.files[to] = (mode, owner, path.read_bytes())

    def folder(self, to, owner):
        parts = to.strip("/").split("/")
        for count in range(1, len(parts)):
            self.files.setdefault("/" + "/".join(parts[:count]), (0o755, 0, None))
        if owner is not None or to not in self.files:
            self.files[to] = (0o755, owner or 0, None)

    def layer(self):
        """Its files as a tar file."""
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for path, (mode, owner, content) in sorted(self.files.items()):
                put(archive, path.lstrip("/"), content, mode, owner)
        return data.getvalue()


def health(rest):
    """HEALTHCHECK: not in the OCI's specification, but where docker looks for it."""
    options, _, command = rest.partition("CMD ")
    words = dict(option.lstrip("-").split("=") for option in options.split())
    names = {"interval": "Interval", "timeout": "Timeout", "start-period": "StartPeriod"}
    check = {"Test": ["CMD", *json.loads(command)], "Retries": int(words.pop("retries"))}
    for name, value in words.items():
        check[names[name]] = int(value[:-1]) * UNITS[value[-1]]
    return check


def put(archive, path, content, mode=0o644, owner=0):
    entry = tarfile.TarInfo(path)
    entry.mode, entry.uid, entry.gid, entry.mtime = mode, owner, owner, EPOCH
    if content is None:
        entry.type = tarfile.DIRTYPE
        archive.addfile(entry)
    else:
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


class Layout:
    """The files of the layout: everything by its checksum."""

    def __init__(self):
        self.blobs = {}

    def blob(self, kind, data, **more):
        """Keeps it, and gives back what points to it."""
        digest = hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return {"mediaType": f"{OCI}.{kind}", "digest": f"sha256:{digest}", "size": len(data), **more}

    def document(self, kind, value, **more):
        return self.blob(kind, json.dumps(value, sort_keys=True, separators=(",", ":")).encode(), **more)

    def image(self, processor, programs, more):
        image = Image(programs)
        platform = PLATFORMS[processor]
        image.config["Labels"].update(more)
        layer = image.layer()
        packed = gzip.compress(layer, int(os.environ.get("LEVEL", "9")), mtime=0)
        config = {
            "created": CREATED,
            **platform,
            "config": image.config,
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
            "history": [{"created": CREATED, "created_by": "packaging/container/Containerfile"}],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": self.document("config.v1+json", config),
            "layers": [self.blob("layer.v1.tar+gzip", packed)],
            "annotations": image.config["Labels"],
        }
        return self.document("manifest.v1+json", manifest, platform=platform), image.config["Labels"]

    def write(self, target, pointer):
        index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": [pointer]}
        with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as archive:
            put(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
            put(archive, "index.json", json.dumps(index, sort_keys=True).encode())
            for folder in ("blobs", "blobs/sha256"):
                put(archive, folder, None, 0o755)
            for digest, data in sorted(self.blobs.items()):
                put(archive, f"blobs/sha256/{digest}", data)


def main(folder, images):
    more = {"org.opencontainers.image.created": CREATED}
    if os.environ.get("REVISION"):
        more["org.opencontainers.image.revision"] = os.environ["REVISION"]
    layout, manifests = Layout(), []
    for image in images:
        processor, _, programs = image.partition("=")
        if processor not in PLATFORMS:
            raise SystemExit(f"image.py: {processor} is none of {', '.join(PLATFORMS)}")
        manifest, labels = layout.image(processor, pathlib.Path(programs), more)
        manifests.append(manifest)
    version = labels["org.opencontainers.image.version"]
    index = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": manifests, "annotations": labels}
    name = f"localhost/ipmi_sim:{version}"
    names = {"org.opencontainers.image.ref.name": name, "io.containerd.image.name": name}
    target = pathlib.Path(folder) / f"ipmi_sim-{version}-oci.tar"
    layout.write(target, layout.document("index.v1+json", index, annotations=names))
    print(target)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
