#!/bin/sh
# Puts what packaging/verify.sh checks with, and Debian has not or has too old, into a Python environment of its own:
# reuse (licences), yamllint and check-jsonschema (workflows), the schema of CycloneDX, and maturin and check-wheel-contents
# (the Python wheel).
#
#   packaging/checkers.sh FOLDER
#
# Nothing else is installed, and nothing is done when they are there already. Needs Python, its venv and the
# network (50 MB); exit status 1 and a line that says what to do when that fails.
set -eu
target=$1
[ ! -e "$target/ready" ] || exit 0

give_up() {
    echo "checkers.sh: $1" >&2
    echo "checkers.sh: \"apt-get install python3-venv\" as root, then \"$0 $target\", with network access" >&2
    exit 1
}

# A half of it is begun anew.
rm -rf "$target"
mkdir -p "$(dirname "$target")"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
python3 -m venv "$target" >"$log" 2>&1 || give_up "no Python environment: $(tail -n 1 "$log")"
"$target/bin/python" -m pip install --quiet --disable-pip-version-check reuse==6.2.0 yamllint==1.38.0 \
    "check-jsonschema>=0.33" "cyclonedx-python-lib[json-validation]==11.12.0" maturin==1.16.0 check-wheel-contents==0.6.3 >"$log" 2>&1 || {
    rm -rf "$target"
    give_up "pip cannot install them: $(tail -n 1 "$log")"
}
: >"$target/ready"
