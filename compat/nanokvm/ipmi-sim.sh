#!/bin/sh
### BEGIN INIT INFO
# Provides:          ipmi-sim
# Required-Start:    $local_fs $network
# Required-Stop:     $local_fs $network
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: IPMI over LAN for the machine this device looks after
### END INIT INFO
#
# Starts and stops ipmi_sim with the lan.conf and sim.emu that lie beside this file.
#
#   ipmi-sim.sh start|stop|restart|status|enable|disable
#
# POSIX sh; needs nothing BusyBox does not have. Exit status as the Linux Standard Base
# says: 0 done (status: running), 1 failed, 2 wrong use, 3 not running (status only).
#
# Settings, from the environment or changed here:
#   IPMI_SIM    the program; default: ipmi_sim beside this file, else the one in PATH
#   IPMI_DIR    the folder with lan.conf and sim.emu; default: this file's own
#   STATE_DIR   what the program remembers goes below here; default: IPMI_DIR/state. The
#               records that lie beside this file, sdr.20.main, are put there when it has none
#   PIDFILE     default: /var/run/ipmi-sim.pid
#   LOGFILE     what the program prints, new at every start; default: /var/log/ipmi-sim.log
#   START_WAIT  tenths of a second a start is watched for an early end; default: 10
#   STOP_WAIT   tenths of a second an end is waited for before it is forced; default: 100
#   INIT_ROOT   enable and disable work below this folder; default: empty, the real root

# The real place of this file, also when init calls it through a link.
self=$(readlink -f "$0" 2>/dev/null) || self=
[ -n "$self" ] || self=$(cd "$(dirname "$0")" && pwd)/${0##*/}

: "${IPMI_DIR:=${self%/*}}"
: "${STATE_DIR:=$IPMI_DIR/state}"
: "${PIDFILE:=/var/run/ipmi-sim.pid}"
: "${LOGFILE:=/var/log/ipmi-sim.log}"
: "${START_WAIT:=10}"
: "${STOP_WAIT:=100}"
: "${INIT_ROOT:=}"
if [ -z "${IPMI_SIM:-}" ]; then
    if [ -x "$IPMI_DIR/ipmi_sim" ]; then
        IPMI_SIM=$IPMI_DIR/ipmi_sim
    else
        IPMI_SIM=$(command -v ipmi_sim) || IPMI_SIM=ipmi_sim
    fi
fi

# The program is started from IPMI_DIR, so no path may depend on the present folder.
absolute() {
    case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac
}
folder=$(cd "$IPMI_DIR" && pwd -P) || exit 1
IPMI_DIR=$folder
STATE_DIR=$(absolute "$STATE_DIR")
case $IPMI_SIM in */*) IPMI_SIM=$(absolute "$IPMI_SIM") ;; esac

name=ipmi-sim
config=$IPMI_DIR/lan.conf
commands=$IPMI_DIR/sim.emu
records=$IPMI_DIR/sdr.20.main
# By these words on its command line a process is known to be ours and no other.
words="-n -c $config -f $commands -s "
lock=$PIDFILE.lock

say() { echo "$name: $*"; }
complain() { echo "$name: $*" >&2; }

# A tenth of a second, or a whole one where sleep knows no fractions.
tick() { sleep 0.1 2>/dev/null || sleep 1; }

# Is there a process with this number that has not ended? One that has ended but was not
# collected by its parent yet counts as ended.
alive() {
    case $1 in '' | *[!0-9]*) return 1 ;; esac
    if [ -r "/proc/$1/stat" ]; then
        { read -r state <"/proc/$1/stat"; } 2>/dev/null || return 1
        case ${state##*) } in [ZX]*) return 1 ;; esac
        return 0
    fi
    kill -0 "$1" 2>/dev/null
}

# Is that process the simulator with our files?
ours() {
    alive "$1" || return 1
    case "$({ tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null)" in
    *" $words"*) return 0 ;;
    esac
    return 1
}

# Sets pid to the running simulator, or to nothing: the one in the pid file, or one whose
# pid file was lost.
find_running() {
    pid=
    if [ -r "$PIDFILE" ]; then
        read -r pid _ <"$PIDFILE" || :
        ours "$pid" && return 0
        pid=
    fi
    # The kernel keeps 15 characters of a program's name; reading them starts no process.
    program=$(printf %.15s "${IPMI_SIM##*/}")
    for found in /proc/[0-9]*; do
        { read -r comm <"$found/comm"; } 2>/dev/null || continue
        if [ "$comm" = "$program" ] && ours "${found#/proc/}"; then
            pid=${found#/proc/}
            return 0
        fi
    done
    return 1
}

# Only one start or stop at a time. What a killed one left behind is cleared away.
take_lock() {
    tries=300
    mkdir -p "$(dirname "$PIDFILE")" || exit 1
    until mkdir "$lock" 2>/dev/null; do
        holder=
        { read -r holder <"$lock/pid"; } 2>/dev/null || :
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then
            complain "cannot make $lock"
            exit 1
        fi
        # A holder that just made the folder has not written its number yet.
        if [ -n "$holder" ] && ! alive "$holder"; then
            rm -rf "$lock"
        else
            tick
        fi
    done
    echo $$ >"$lock/pid"
    trap 'rm -rf "$lock"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# The sensor data records of a device that has none in its state folder yet. From there on
# the program keeps them: clients may change them, and no start adds them again.
give_records() {
    [ -r "$records" ] || return 0
    title=$(sed -n 's/^[[:blank:]]*name[[:blank:]]*"\{0,1\}\([^"[:blank:]]*\).*/\1/p' "$config" | tail -n 1)
    kept=$STATE_DIR/ipmi_sim/$title/sdr.20.main
    [ -n "$title" ] && [ ! -e "$kept" ] || return 0
    mkdir -p "${kept%/*}" && cp "$records" "$kept.new" && chmod 600 "$kept.new" && mv "$kept.new" "$kept"
}

start() {
    if find_running; then
        echo "$pid" >"$PIDFILE"
        say "already running (PID $pid)"
        return 0
    fi
    for file in "$config" "$commands"; do
        if [ ! -r "$file" ]; then
            complain "$file cannot be read"
            return 1
        fi
    done
    if ! command -v "$IPMI_SIM" >/dev/null 2>&1; then
        complain "$IPMI_SIM is not there or cannot be run"
        return 1
    fi
    mkdir -p "$STATE_DIR" "$(dirname "$LOGFILE")" || return 1
    give_records || return 1
    : >"$LOGFILE" || return 1
    (
        # Files named in the configuration are looked for beside it.
        cd "$IPMI_DIR" || exit 1
        trap '' HUP
        exec "$IPMI_SIM" -n -c "$config" -f "$commands" -s "$STATE_DIR"
    ) </dev/null >>"$LOGFILE" 2>&1 &
    pid=$!
    echo "$pid" >"$PIDFILE"
    # It may end at once: a fault in a file, a port in use. A program that says when it is
    # ready need not be watched for longer.
    left=$START_WAIT
    while [ "$left" -gt 0 ]; do
        alive "$pid" || break
        grep -q 'Opened UDP port' "$LOGFILE" && break
        tick
        left=$((left - 1))
    done
    if alive "$pid"; then
        say "started (PID $pid)"
        return 0
    fi
    wait "$pid"
    code=$?
    rm -f "$PIDFILE"
    complain "did not start (exit status $code); the end of $LOGFILE:"
    tail -n 20 "$LOGFILE" >&2
    return 1
}

# Waits until the process has ended, at most so many tenths of a second.
wait_end() {
    left=$2
    while alive "$1"; do
        [ "$left" -gt 0 ] || return 1
        tick
        left=$((left - 1))
    done
}

stop() {
    if ! find_running; then
        rm -f "$PIDFILE"
        say "not running"
        return 0
    fi
    if ! kill -TERM "$pid" && alive "$pid"; then
        complain "PID $pid cannot be stopped"
        return 1
    fi
    if ! wait_end "$pid" "$STOP_WAIT"; then
        complain "PID $pid did not end by itself; it is killed"
        kill -KILL "$pid" 2>/dev/null
        if ! wait_end "$pid" 20; then
            complain "PID $pid does not end"
            return 1
        fi
    fi
    rm -f "$PIDFILE"
    say "stopped"
}

status() {
    if find_running; then
        echo "running (PID $pid)"
        return 0
    fi
    echo "not running"
    return 3
}

# Which init this system has: systemd where it is what runs, SysV where there are run
# level folders, else the one of BusyBox, which runs /etc/init.d/S* in order.
init_system() {
    if [ -d "$INIT_ROOT/run/systemd/system" ]; then
        echo systemd
    elif [ -d "$INIT_ROOT/etc/rc2.d" ]; then
        echo sysv
    else
        echo busybox
    fi
}

unit=$INIT_ROOT/etc/systemd/system/$name.service
wanted=$INIT_ROOT/etc/systemd/system/multi-user.target.wants
init_d=$INIT_ROOT/etc/init.d

# Only for the real root: tells the running init that its files have changed.
tell() {
    if [ -n "$INIT_ROOT" ] || ! command -v "$1" >/dev/null 2>&1; then
        return 0
    fi
    "$@"
}

enable() {
    case $(init_system) in
    systemd)
        mkdir -p "$wanted" || return 1
        cat >"$unit" <<END || return 1
[Unit]
Description=IPMI over LAN for the machine this device looks after
After=network.target

[Service]
Type=forking
PIDFile=$PIDFILE
ExecStart="$self" start
ExecStop="$self" stop

[Install]
WantedBy=multi-user.target
END
        ln -sf "../$name.service" "$wanted/$name.service" || return 1
        tell systemctl daemon-reload
        ;;
    sysv)
        mkdir -p "$init_d" && ln -sf "$self" "$init_d/$name" || return 1
        if [ -z "$INIT_ROOT" ] && command -v update-rc.d >/dev/null 2>&1; then
            update-rc.d "$name" defaults || return 1
        else
            for level in 2 3 4 5; do
                [ -d "$INIT_ROOT/etc/rc$level.d" ] || continue
                ln -sf "../init.d/$name" "$INIT_ROOT/etc/rc$level.d/S99$name" || return 1
            done
            for level in 0 1 6; do
                [ -d "$INIT_ROOT/etc/rc$level.d" ] || continue
                ln -sf "../init.d/$name" "$INIT_ROOT/etc/rc$level.d/K01$name" || return 1
            done
        fi
        ;;
    *)
        mkdir -p "$init_d" && ln -sf "$self" "$init_d/S99$name" || return 1
        ;;
    esac
    say "starts at boot"
}

disable() {
    case $(init_system) in
    systemd)
        rm -f "$wanted/$name.service" "$unit" || return 1
        tell systemctl daemon-reload
        ;;
    sysv)
        rm -f "$init_d/$name" "$INIT_ROOT"/etc/rc[0-6].d/[SK][0-9][0-9]"$name" || return 1
        tell update-rc.d "$name" remove
        ;;
    *)
        rm -f "$init_d/S99$name" || return 1
        ;;
    esac
    say "does not start at boot"
}

case ${1:-} in
start | stop)
    take_lock
    "$1"
    ;;
restart)
    take_lock
    stop && start
    ;;
status | enable | disable)
    "$1"
    ;;
*)
    echo "usage: ${0##*/} start|stop|restart|status|enable|disable" >&2
    exit 2
    ;;
esac
