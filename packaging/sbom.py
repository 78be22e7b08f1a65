"""The bill of materials of packaging/sbom.sh.

    sbom.py LINKED NEEDED <METADATA

LINKED and NEEDED are what `cargo tree` says is in the programs, and what is needed to build them, `NAME vVERSION` a line;
METADATA is that of `cargo metadata` for each processor. CycloneDX goes to standard output.
"""

import datetime
import json
import os
import re
import sys
import uuid

ROOT = "ipmi_sim"


def read(stream):
    """All JSON documents of a stream."""
    text, decoder, at = stream.read(), json.JSONDecoder(), 0
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        while at < len(text) and text[at].isspace():
            at += 1
        yield document


def checksums():
    """Name and version to the SHA-256 of the package's file, as Cargo.lock has it."""
    with open("Cargo.lock", encoding="utf-8") as lock:
        blocks = lock.read().split("[[package]]")[1:]
    found = {}
    for block in blocks:
        value = dict(re.findall(r'^(name|version|checksum) = "(.*)"$', block, re.M))
        if "checksum" in value:
            found[value["name"], value["version"]] = value["checksum"]
    return found


def listed(path):
    """Names and versions."""
    with open(path, encoding="utf-8") as lines:
        return {tuple(line.split(" v")) for line in lines.read().splitlines() if line}


def licence(package):
    """`MIT/Apache-2.0` is how older packages wrote a choice."""
    return re.sub(r"\s*/\s*", " OR ", package["license"])


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, required, sums):
    made = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "scope": "required" if required else "excluded",
        "licenses": [{"expression": licence(package)}],
        "purl": reference(package),
    }
    if package["description"]:
        made["description"] = " ".join(package["description"].split())
    checksum = sums.get((package["name"], package["version"]))
    if checksum:
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    elif package["source"] is not None:
        sys.exit(f"{reference(package)} has no checksum in Cargo.lock")
    links = {"website": package["homepage"], "vcs": package["repository"]}
    made["externalReferences"] = [{"type": kind, "url": url} for kind, url in links.items() if url]
    return made


def main():
    required, needed = listed(sys.argv[1]), listed(sys.argv[2])
    packages, edges = {}, {}
    for document in read(sys.stdin):
        key = {package["id"]: (package["name"], package["version"]) for package in document["packages"]}
        for package in document["packages"]:
            packages[key[package["id"]]] = package
        for node in document["resolve"]["nodes"]:
            wanted = edges.setdefault(key[node["id"]], set())
            for dependency in node["deps"]:
                if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                    wanted.add(key[dependency["pkg"]])
    for missing in needed - set(packages):
        sys.exit(f"cargo metadata does not know {missing}")
    sums = checksums()
    order = sorted(needed)
    components = [component(packages[it], it in required, sums) for it in order]
    main_component = next(made for made in components if made["name"] == ROOT)
    components.remove(main_component)
    main_component["type"] = "application"
    del main_component["scope"]
    when = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.timezone.utc)
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "lifecycles": [{"phase": "build"}],
            "component": main_component,
        },
        "components": components,
        "dependencies": [
            {"ref": reference(packages[it]), "dependsOn": sorted(reference(packages[to]) for to in edges[it] & needed)}
            for it in order
        ],
    }
    # A number that is the content's: the same sources have the same one.
    bom["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bom, sort_keys=True))}"
    json.dump(bom, sys.stdout, indent=2, ensure_ascii=False)
    print()


main()
