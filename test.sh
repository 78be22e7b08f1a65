#!/bin/sh
# Everything a change has to pass: installs the missing clients, builds, tests.
#
#   ./test.sh [arguments for cargo test]
#
# Needs Rust and a C compiler to link with. The clients are Debian packages, but for three of PyPI; when all of them are there
# nothing is installed and no network is used. The kernel of the QEMU guest, and a small Debian system that
# the package is installed in, are put below the target folder, once. What this machine cannot do is left
# out and listed at the end. The last line is the total; exit status 0 only when everything passed.
set -eu
cd "$(dirname "$0")"

for need in cargo:'Rust, see README.md' cc:'apt-get install gcc libc6-dev'; do
    command -v "${need%%:*}" >/dev/null 2>&1 || {
        echo "test.sh: ${need%%:*} is missing (${need#*:})" >&2
        exit 1
    }
done

# command : package
missing=
for need in ipmi_sim:openipmi ipmitool:ipmitool ipmi-sensors:freeipmi-tools conmand:conman busybox:busybox-static socat:socat curl:curl \
    ipmiutil:ipmiutil nmap:nmap tshark:tshark groff:groff-base pyghmiutil:python3-pyghmi ipmitool.py:python3-pyipmi ip:iproute2 unshare:util-linux \
    qemu-system-x86_64:qemu-system-x86 debootstrap:debootstrap dpkg-shlibdeps:dpkg-dev strip:binutils lintian:lintian \
    systemd-analyze:systemd zsh:zsh fish:fish chromium:chromium chromedriver:chromium-driver \
    promtool:prometheus snmptrapd:snmptrapd rpmbuild:rpm rpmlint:rpmlint skopeo:skopeo make:make; do
    # Administrators' folders are not in everybody's PATH.
    PATH=$PATH:/usr/sbin:/sbin command -v "${need%%:*}" >/dev/null 2>&1 || missing="$missing ${need##*:}"
done
# A command cannot tell.
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
/usr/bin/python3 -c 'import pytest' 2>/dev/null || missing="$missing python3-pytest"
if [ -n "$missing" ]; then
    echo "test.sh: installing$missing"
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    # Old lists may do; what is missing shows in the next step.
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get update || true
    # shellcheck disable=SC2086 # words on purpose
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing || {
        echo "test.sh: these Debian packages are missing and cannot be installed (no network?):$missing" >&2
        exit 1
    }
fi

PATH=$PATH:/usr/sbin:/sbin
export PATH

# Without it tests/qemu_guest.rs fails with the same words; the other tests do not need it.
sh tests/guest/kernel.sh "${CARGO_TARGET_DIR:-target}/tmp/guest-kernel" || true

# The same for tests/kubernetes.rs: what no Debian package has.
sh tests/kubernetes/validator.sh "${CARGO_TARGET_DIR:-target}/tmp/kubernetes-validate" || true

# The same for tests/control_document.rs, which is left out without it.
sh tests/control/validators.sh "${CARGO_TARGET_DIR:-target}/tmp/openapi-validators" || true

# The same for tests/package.rs, which is left out without the rights that this needs; it waits for
# a network most of the time.
root=
if [ "$(id -u)" -eq 0 ] && unshare --net --mount true 2>/dev/null; then
    sh tests/package/root.sh "${CARGO_TARGET_DIR:-target}/tmp/debian-root" &
    root=$!
fi

# The build says what is wrong before any test runs.
cargo build --workspace --all-targets
[ -z "$root" ] || wait "$root" || true

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
IPMI_SIM_LEFT_OUT=$work/left-out
export IPMI_SIM_LEFT_OUT
: >"$IPMI_SIM_LEFT_OUT"
# Without arguments several test programs run at once. tee's exit status is not the tests', which goes through a file.
{
    status=0
    if [ $# -eq 0 ]; then
        cargo test --no-run --message-format=json >"$work/programs" || status=$?
        python3 tests/run.py "$work/programs" 2>&1 || status=$?
        cargo test --doc --no-fail-fast 2>&1 || status=$?
    else
        cargo test --no-fail-fast "$@" 2>&1 || status=$?
    fi
    echo "$status" >"$work/status"
} | tee "$work/log"

echo
grep -E '^test .* (\.\.\. )?FAILED$' "$work/log" || true
sort -u "$IPMI_SIM_LEFT_OUT"
left_out=$(sort -u "$IPMI_SIM_LEFT_OUT" | wc -l)
sed -n 's/^test result: [a-zA-Z]*\. \([0-9]*\) passed; \([0-9]*\) failed.*/\1 \2/p' "$work/log" |
    awk -v left_out="$left_out" '{ passed += $1; failed += $2 } END {
        print passed - left_out " passed, " failed + 0 " failed, " left_out + 0 " skipped" }'
exit "$(cat "$work/status")"
