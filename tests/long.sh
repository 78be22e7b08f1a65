#!/bin/sh
# What takes too long for every change:
#
#   tests/long.sh [calendar] [soak] [crash] [fuzz] [door] [clients]      all six, if nothing is said; some four hours
#
#   calendar  all tests on another date and in another time zone, one after the other (Debian: faketime)
#   soak      an hour of load with every answer checked
#   crash     the program killed 600 times under changes
#   door      twenty minutes of requests by schemathesis for the control door of a fleet and of one BMC
#   clients   how clients go on under each fault, beside the table in docs/FAULTS.md; some ten minutes
#   fuzz      ten minutes for each fuzz target (fuzz/README.md says what that needs)
#
# The first thing that fails ends it.
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- calendar soak crash fuzz door clients

calendar() {
    library=$(dpkg -L libfaketime 2>/dev/null | grep '/libfaketime\.so\.1$') || {
        echo "long.sh: libfaketime is missing: apt-get install faketime" >&2
        exit 1
    }
    cargo build --workspace --all-targets
    # A leap day that is another day in UTC, two minutes before midnight. For the tests and what they start,
    # not for cargo, which compares the times of files.
    host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
    ahead=$(($(date -d '2028-02-29 23:58 UTC' +%s) - $(date +%s)))
    export "CARGO_TARGET_${host}_RUNNER=env LD_PRELOAD=$library DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1 FAKETIME=+$ahead"
    TZ=Pacific/Chatham LC_ALL=de_DE.UTF-8 ./test.sh -- --test-threads=1
}

for part in "$@"; do
    echo "== $part"
    case $part in
    calendar) (calendar) ;;
    soak) IPMI_SIM_SOAK_SECONDS=3600 cargo test --test soak -- --nocapture ;;
    crash) IPMI_SIM_CRASH_ROUNDS=600 cargo test --test crash -- --nocapture ;;
    fuzz) fuzz/run.sh 600 ;;
    clients) cargo test --test faults -- --ignored --nocapture ;;
    door) IPMI_SIM_SCHEMATHESIS_SECONDS=600 cargo test --test control_document -- --nocapture --test-threads=1 ;;
    *)
        echo "long.sh: there is no $part" >&2
        exit 2
        ;;
    esac
done
