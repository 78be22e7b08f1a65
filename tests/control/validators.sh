#!/bin/sh
# Puts openapi-spec-validator and schemathesis, which no Debian package has, into a Python environment of their own for
# tests/control_document.rs:
#
#   tests/control/validators.sh FOLDER
#
# Afterwards FOLDER/bin has both; nothing else is installed, and nothing is done when they are there already. Needs Python,
# its venv and the network (40 MB); exit status 1 and a line that says what to do when that fails.
set -eu

target=$1
validator=openapi-spec-validator==0.9.0
fuzzer=schemathesis==4.32.5
[ ! -x "$target/bin/schemathesis" ] || [ ! -x "$target/bin/openapi-spec-validator" ] || exit 0

give_up() {
    echo "validators.sh: $1" >&2
    echo "validators.sh: the control door is held to its document by openapi-spec-validator and schemathesis of PyPI:" \
        "\"apt-get install python3-venv\" as root, then \"$0 $target\", with network access" >&2
    exit 1
}

# A half of it is begun anew.
rm -rf "$target"
mkdir -p "$(dirname "$target")"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
python3 -m venv "$target" >"$log" 2>&1 || give_up "no Python environment: $(tail -n 1 "$log")"
"$target/bin/python" -m pip install --quiet --disable-pip-version-check "$validator" "$fuzzer" >"$log" 2>&1 || {
    rm -rf "$target"
    give_up "pip cannot install them: $(tail -n 1 "$log")"
}
