#!/bin/sh
# Puts kubernetes-validate, which no Debian package has, into a Python environment of its own for tests/kubernetes.rs:
#
#   tests/kubernetes/validator.sh FOLDER
#
# Afterwards FOLDER/bin has kubernetes-validate and a python that reads YAML; nothing else is installed, and nothing is
# done when they are there already. Needs Python, its venv and the network (23 MB); exit status 1 and a line that says
# what to do when that fails.
set -eu

target=$1
version=1.37.0
[ ! -x "$target/bin/kubernetes-validate" ] || exit 0

give_up() {
    echo "validator.sh: $1" >&2
    echo "validator.sh: the Kubernetes manifests are checked by kubernetes-validate of PyPI: \"apt-get install" \
        "python3-venv\" as root, then \"$0 $target\", with network access" >&2
    exit 1
}

# A half of it is begun anew.
rm -rf "$target"
mkdir -p "$(dirname "$target")"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
python3 -m venv "$target" >"$log" 2>&1 || give_up "no Python environment: $(tail -n 1 "$log")"
"$target/bin/python" -m pip install --quiet --disable-pip-version-check "kubernetes-validate==$version" >"$log" 2>&1 || {
    rm -rf "$target"
    give_up "pip cannot install it: $(tail -n 1 "$log")"
}
