# shellcheck shell=sh disable=SC2034 # who reads it uses them
# Read by release.sh and verify.sh: steps that are each done even when an earlier one has failed, and what came of them.
summary=
failed=0
# NAME COMMAND...: status 3 is for what cannot be done here.
step() {
    title=$1
    shift
    echo "== $title: $*"
    "$@"
    case $? in
    0) word='ok      ' ;;
    3) word='left out' ;;
    *) word='FAILED  ' failed=1 ;;
    esac
    summary="$summary
$word $title"
}
