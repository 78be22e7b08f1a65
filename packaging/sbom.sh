#!/bin/sh
# Writes the bill of materials of the programs: every library that is linked into them or takes part in
# building them, with version, licence and checksum, as CycloneDX 1.5 in JSON.
#
#   packaging/sbom.sh [FOLDER]
#
# FOLDER (default: target/dist) gets ipmi_sim-VERSION.cdx.json. Needs cargo and python3. The same sources make the
# same file. Where CHECKERS (default: target/tmp/checkers) has what packaging/checkers.sh puts there, the file is held against the schema.
set -eu
cd "$(dirname "$0")/.."
out=${1:-target/dist}
: "${CHECKERS:=${CARGO_TARGET_DIR:-target}/tmp/checkers}"
mkdir -p "$out"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
: "${SOURCE_DATE_EPOCH:=$(date -d "$(sed -n 's/^ -- .*>  //p; s/^ -- @MAINTAINER@  //p' packaging/debian/changelog | head -n 1)" +%s)}"
export SOURCE_DATE_EPOCH
file=$out/ipmi_sim-$version.cdx.json
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The processors of packaging/build.sh: each has libraries that others have not. cargo tree knows which features are
# on and which libraries are for tests only, cargo metadata what to say of each.
for triple in x86_64-unknown-linux-gnu riscv64gc-unknown-linux-gnu aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf; do
    for kinds in normal,no-proc-macro:linked normal,build:needed; do
        cargo tree --quiet --locked --package ipmi_sim --target "$triple" --edges "${kinds%:*}" --prefix none --format '{p}' |
            sed 's/ (.*//' >>"$work/${kinds#*:}"
    done
    cargo metadata --quiet --locked --format-version 1 --filter-platform "$triple" >>"$work/metadata"
done
python3 packaging/sbom.py "$work/linked" "$work/needed" <"$work/metadata" >"$file"
echo "sbom.sh: $file: $(grep -c '"purl"' "$file") packages"
if [ -x "$CHECKERS/bin/python" ]; then
    "$CHECKERS/bin/python" - "$file" <<'END'
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
fault = JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read())
if fault is not None:
    sys.exit(f"sbom.sh: {sys.argv[1]}: {fault}")
print(f"sbom.sh: {sys.argv[1]}: valid CycloneDX 1.5")
END
else
    echo "left out: the schema of the bill of materials (packaging/checkers.sh $CHECKERS)"
fi
