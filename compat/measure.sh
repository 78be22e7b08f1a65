#!/bin/sh
# How this program compares with the original on the machine at hand: starts both side by side on
# the loopback address with the same configuration (examples/minimal and a chassis program), asks
# them in turn, and prints a table of medians.
#
#   compat/measure.sh [ROUNDS]
#
# ROUNDS is how often the load is repeated, 3 if not given; everything takes about three minutes, and
# longer the first time, because the program and its load generator are built.
#
# Needs Rust and the Debian packages openipmi and ipmitool. Other work on the machine disturbs what
# is measured in time, and disturbs both alike.
#
#   ORIGINAL   the original            /usr/bin/ipmi_sim
#   OURS       this program            target/release/ipmi_sim, built when not given
#   PORT       UDP port of the first, the second has the next one          24623
#
# What the rows mean:
#
#   start             from the start of the process to the first answered ASF presence ping
#   resident memory   VmRSS of /proc/PID/status: all pages in memory, those of shared libraries too
#   private memory    RssAnon: what is only the program's own
#   wake-ups          voluntary context switches of all threads in 10 s without any client
#   mc info           wall time of ipmitool: with the cipher suite left to ipmitool, with -C 3, with
#                     IPMI 1.5, and while the chassis program works 5 s for another client
#   load              Get Device ID over RMCP+ with cipher suite 3 from 4 sessions with 4 requests
#                     in flight each (benches/load.rs); processor time includes system calls
#   serial over LAN   1 MiB from a TCP port to a console, and back, and both at once; single
#                     keystrokes that are echoed (benches/sol.rs)
set -eu
cd "$(dirname "$0")/.."

rounds=${1:-3}
: "${ORIGINAL:=/usr/bin/ipmi_sim}"
: "${PORT:=24623}"
PATH=$PATH:/usr/sbin:/sbin
for need in "$ORIGINAL" ipmitool; do
    command -v "$need" >/dev/null || {
        echo "measure.sh: there is no $need: apt-get install openipmi ipmitool" >&2
        exit 1
    }
done
if [ -z "${OURS:-}" ]; then
    cargo build --release --quiet
    OURS=$PWD/target/release/ipmi_sim
fi
cargo bench --quiet --no-run

folder=$(mktemp -d)
pids=
# Ends what was started, and nothing else.
clean_up() {
    for pid in $pids; do
        kill "$pid" 2>/dev/null || :
    done
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

cat >"$folder/chassis.sh" <<'END'
#!/bin/sh
[ "$1" != set ] || sleep 5
echo power:1
END
chmod +x "$folder/chassis.sh"

# Makes the configuration of one side: prepare SIDE PORT.
prepare() {
    mkdir "$folder/$1"
    sed "s/^\\( *addr 127.0.0.1\\) .*/\\1 $2/" examples/minimal/lan.conf >"$folder/$1/lan.conf"
    echo "chassis_control \"$folder/chassis.sh\"" >>"$folder/$1/lan.conf"
    cp examples/minimal/sim.emu "$folder/$1/sim.emu"
    echo "sol \"tcp:127.0.0.1:$2\" 115200" >>"$folder/$1/sol.conf"
}

port_of() { [ "$1" = original ] && echo "$PORT" || echo $((PORT + 1)); }
program_of() { [ "$1" = original ] && echo "$ORIGINAL" || echo "$OURS"; }
pid_of() { cat "$folder/$1/pid"; }

# Adds values to a row of a side, from standard input: note SIDE ROW.
note() { cat >>"$folder/$1/$2"; }

# Wall time of a command that must succeed, in milliseconds.
timed() {
    since=$(date +%s%N)
    "$@" >/dev/null 2>&1 || echo "measure.sh: this failed: $*" >&2
    echo $((($(date +%s%N) - since) / 10000)) | awk '{ printf "%.2f\n", $1 / 100 }'
}

client() {
    side=$1
    shift
    ipmitool -H 127.0.0.1 -p "$(port_of "$side")" -U admin -P admin "$@"
}

memory() { awk -v field="$2:" '$1 == field { print $2 }' "/proc/$(pid_of "$1")/status"; }

# Size of files together.
kibibytes() { stat -L -c %s "$@" | awk '{ sum += $1 } END { printf "%.0f\n", sum / 1024 }'; }

wake_ups() {
    cat "/proc/$(pid_of "$1")"/task/*/status | awk '/^voluntary_ctxt_switches/ { sum += $2 } END { print sum }'
}

prepare original "$PORT"
prepare ours $((PORT + 1))

# --- start, each on its own ---
for turn in 1 2 3 4 5 6 7 8 9 10; do
    for side in original ours; do
        at=$folder/$side
        cargo bench --quiet --bench start -- "$(port_of "$side")" 1 "$(program_of "$side")" \
            -n -c "$at/lan.conf" -f "$at/sim.emu" -s "$at/state" | note "$side" start
    done
done

# --- both running, nobody asks ---
for side in original ours; do
    at=$folder/$side
    "$(program_of "$side")" -n -c "$at/lan.conf" -f "$at/sim.emu" -s "$at/state" \
        </dev/null >"$at/log" 2>&1 &
    echo $! >"$at/pid"
    pids="$pids $!"
done
# Threads that only the start needed end after ten seconds.
sleep 12
for side in original ours; do
    kill -0 "$(pid_of "$side")" || {
        cat "$folder/$side/log" >&2
        exit 1
    }
    memory "$side" VmRSS | note "$side" rss_idle
    memory "$side" RssAnon | note "$side" anon_idle
    wake_ups "$side" >"$folder/$side/before"
done
sleep 10
for side in original ours; do
    echo $(($(wake_ups "$side") - $(cat "$folder/$side/before"))) | note "$side" wake_ups
done

# --- one client ---
for turn in 1 2 3 4 5 6 7 8 9 10; do
    for side in original ours; do
        timed client "$side" -I lanplus mc info | note "$side" info
        timed client "$side" -I lanplus -C 3 mc info | note "$side" info_suite
        timed client "$side" -I lan mc info | note "$side" info_lan
    done
done

# --- one client while another one's chassis program works ---
for side in original ours; do
    client "$side" -I lanplus -C 3 -N 6 -R 1 power reset >/dev/null 2>&1 &
    slow=$!
    sleep 0.5
    timed client "$side" -I lanplus -C 3 -N 6 -R 1 mc info | note "$side" info_slow
    wait "$slow" || :
done

# --- load ---
for turn in $(seq "$rounds"); do
    for side in original ours; do
        cargo bench --quiet --bench load -- "$(port_of "$side")" pid "$(pid_of "$side")" seconds 3 |
            while read -r row value; do echo "$value" | note "$side" "$row"; done
    done
done
for side in original ours; do
    memory "$side" VmRSS | note "$side" rss_load
    memory "$side" RssAnon | note "$side" anon_load
    program=$(command -v "$(program_of "$side")")
    kibibytes "$program" | note "$side" size
    # shellcheck disable=SC2046 # paths without blanks
    kibibytes "$program" $(ldd "$program" | awk '$3 ~ /^\// && $1 !~ /^lib(c|m|dl|pthread)\.so/ { print $3 }') |
        note "$side" size_whole
done

# --- serial over LAN, each on its own: the port has the TCP port of the same number ---
for turn in $(seq "$rounds"); do
    for side in original ours; do
        at=$folder/$side
        cat "$at/lan.conf" "$at/sol.conf" >"$at/with_sol.conf"
        port=$(($(port_of "$side") + 2))
        sed "s/$(port_of "$side")/$port/" "$at/with_sol.conf" >"$at/sol_only.conf"
        cargo bench --quiet --bench sol -- "$port" "$port" >"$at/sol.out" &
        console=$!
        # The original looks for its port at start, and then ten seconds later.
        sleep 2
        "$(program_of "$side")" -n -c "$at/sol_only.conf" -f "$at/sim.emu" -s "$at/sol_state" \
            </dev/null >>"$at/log" 2>&1 &
        simulator=$!
        pids="$pids $simulator"
        wait "$console"
        kill "$simulator" && wait "$simulator" 2>/dev/null || :
        while read -r row value; do echo "$value" | note "$side" "$row"; done <"$at/sol.out"
    done
done

median() {
    sort -n "$folder/$1/$2" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

row() {
    awk -v name="$1" -v a="$(median original "$2")" -v b="$(median ours "$2")" 'BEGIN {
        ratio = a == 0 ? "" : sprintf(b / a < 0.1 ? "%.3f" : "%.2f", b / a)
        printf "| %-46s | %10s | %10s | %6s |\n", name, short(a), short(b), ratio
    }
    function short(value) {
        return sprintf(value == int(value) || value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value)
    }'
}

printf '| %-46s | %10s | %10s | %6s |\n' "" original ours ratio
echo "|------------------------------------------------|-----------:|-----------:|-------:|"
row "start to first answered ping, ms" start
row "resident memory idle, KiB" rss_idle
row "resident memory after load, KiB" rss_load
row "private memory idle, KiB" anon_idle
row "private memory after load, KiB" anon_load
row "idle wake-ups in 10 s" wake_ups
row "mc info, no -C, ms" info
row "mc info, -C 3, ms" info_suite
row "mc info, -I lan, ms" info_lan
row "mc info while a chassis program takes 5 s, ms" info_slow
row "commands per second under load" commands-per-second
row "latency under load, median, us" latency-p50-us
row "latency under load, 99 %, us" latency-p99-us
row "processor time per command, us" cpu-us-per-command
row "SOL, port to console, bytes/s" down-bytes-per-second
row "SOL, console to port, bytes/s" up-bytes-per-second
row "SOL, both at once, bytes/s" both-bytes-per-second
row "SOL, echo of a key, median, us" echo-p50-us
row "program file, KiB" size
row "program and its libraries but libc, KiB" size_whole
echo
echo "Original: $(dpkg-query -W -f '${Package} ${Version}' openipmi 2>/dev/null || echo "$ORIGINAL")." \
    "Machine: $(awk -F ': ' '/^model name|^uarch/ { print $2; exit }' /proc/cpuinfo), $(nproc) processors," \
    "$(uname -sr)."
