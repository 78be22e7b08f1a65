#!/bin/sh
# A number of BMCs for a job of continuous integration, each a process with a port of its own:
#
#   bmcs.sh start [COUNT]    start them (default 20) and wait until all of them answer
#   bmcs.sh stop             end them
#
# They are examples/minimal: user and password `admin`, 127.0.0.1, ports 9700 and up. Exit status 0 when
# all answer, else 1 with the log of one that does not. POSIX sh and ipmi_sim, nothing else.
#
#   IPMI_SIM    the program; default: ipmi_sim
#   BMCS        folder for configurations, state and logs; default: ./bmcs
#   PORT        the first port; default 9700
set -eu

: "${IPMI_SIM:=ipmi_sim}" "${BMCS:=bmcs}" "${PORT:=9700}"
template=$(cd "$(dirname "$0")/../minimal" && pwd)

start() {
    mkdir -p "$BMCS"
    number=0
    while [ "$number" -lt "$1" ]; do
        bmc=$BMCS/$number
        mkdir -p "$bmc"
        sed -e "s/^name .*/name \"bmc$number\"/" -e "s/127.0.0.1 9623/127.0.0.1 $((PORT + number))/" \
            "$template/lan.conf" >"$bmc/lan.conf"
        "$IPMI_SIM" -n -c "$bmc/lan.conf" -f "$template/sim.emu" -s "$bmc/state" --pid-file "$bmc/pid" \
            </dev/null >"$bmc/log" 2>&1 &
        number=$((number + 1))
    done
    # They start side by side; all of them together have 30 seconds.
    left=300
    for conf in "$BMCS"/*/lan.conf; do
        until "$IPMI_SIM" --ping -c "$conf" >/dev/null 2>&1; do
            left=$((left - 1))
            if [ "$left" -le 0 ]; then
                echo "bmcs.sh: $conf does not answer:" >&2
                tail -n 20 "${conf%lan.conf}log" >&2
                stop
                exit 1
            fi
            sleep 0.1
        done
    done
    echo "$1 BMCs answer on 127.0.0.1, ports $PORT to $((PORT + $1 - 1))"
}

stop() {
    for file in "$BMCS"/*/pid; do
        [ -e "$file" ] || continue
        kill "$(cat "$file")" 2>/dev/null || :
    done
    # A program that ends takes its pid file with it.
    left=100
    while [ "$left" -gt 0 ] && ls "$BMCS"/*/pid >/dev/null 2>&1; do
        sleep 0.1
        left=$((left - 1))
    done
    rm -rf "$BMCS"
}

case ${1:-} in
start) start "${2:-20}" ;;
stop) stop ;;
*)
    echo "usage: ${0##*/} start [COUNT] | stop" >&2
    exit 2
    ;;
esac
