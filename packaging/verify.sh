#!/bin/sh
# What a release has to pass and takes too long for every change (.ci/run is for those).
#
#   packaging/verify.sh [STEP]...       default: all of them, as they stand below
#
# Each step is done even when an earlier one has failed. What cannot be done here is left out and says why. The last lines
# are what passed and what did not; exit status 0: nothing failed. Needs what .ci/run needs, and shellcheck.
set -u
cd "$(dirname "$0")/.." || exit 1
CHECKERS=${CARGO_TARGET_DIR:-target}/tmp/checkers
export CHECKERS
. packaging/steps.sh
chosen=" $* "
# A step, if it is among those that were asked for.
chosen_step() {
    case $chosen in
    *" $1 "* | '  ') step "$@" ;;
    esac
}

checker() {
    packaging/checkers.sh "$CHECKERS" || return 3
    program=$1
    shift
    "$CHECKERS/bin/$program" "$@"
}
# Every file has a licence and a holder, and every licence that is named is there.
licences() { checker reuse lint --quiet || checker reuse lint; }
workflows() {
    packaging/checkers.sh "$CHECKERS" || return 3
    git ls-files '*.yml' '*.yaml' | grep -v '^examples/' | xargs "$CHECKERS/bin/yamllint" --strict \
        -d '{extends: default, rules: {line-length: {max: 140}, truthy: {check-keys: false}, document-start: disable, comments: disable,
            indentation: {indent-sequences: whatever}}}' &&
        checker check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml &&
        checker check-jsonschema --builtin-schema vendor.gitlab-ci .gitlab-ci.yml
}
scripts() {
    command -v shellcheck >/dev/null || {
        echo "left out: shellcheck (apt-get install shellcheck)"
        return 3
    }
    git ls-files '*.sh' .ci/run | xargs shellcheck --severity=warning
}
# Every program and every path of the project that a workflow names is there.
named() {
    grep -ohE '(\.ci|packaging|tests)/[a-z./_]+' .github/workflows/*.yml .gitlab-ci.yml | sort -u |
        while read -r path; do
            [ -x "${path%.}" ] || {
                echo "a workflow names $path, which is not there" >&2
                exit 1
            }
        done
}
# Both ways to make the Python wheel, of the same programs; what is in it.
wheel() {
    rm -f target/verify/*.whl
    checker maturin --version &&
        MATURIN=$CHECKERS/bin/maturin PROFILE=dev TARGET_DIR=target/static-test packaging/wheel.sh --compare &&
        PROGRAMS=target/static-test/$(rustc -vV | sed -n 's/^host: //p')/debug LEVEL=1 packaging/wheel.sh "$(uname -m)" target/verify &&
        checker check-wheel-contents target/verify/ipmi_sim-*.whl
}
# The static program of this machine with the deployment of compat/nanokvm.
static() {
    case $(uname -m) in
    x86_64 | riscv64 | aarch64) packaging/test.sh "$(uname -m)" ;;
    *) return 3 ;;
    esac
}

chosen_step checkers checker reuse --version
chosen_step licences licences
chosen_step workflows workflows
chosen_step names named
chosen_step scripts scripts
chosen_step materials packaging/sbom.sh target/verify
chosen_step crates packaging/crates.sh target/verify
chosen_step wheel wheel
chosen_step static static
chosen_step reproduce packaging/reproduce.sh

echo "== summary$summary"
if [ "$failed" -eq 0 ]; then
    echo "verify: passed"
else
    echo "verify: FAILED"
fi
exit "$failed"
