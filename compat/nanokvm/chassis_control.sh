#!/bin/sh
#
# The buttons and the lamp of the machine this device looks after, for ipmi_sim:
#
#   chassis_control.sh [MC] get power|boot ...
#   chassis_control.sh [MC] set power|reset|boot|shutdown|identify VALUE ...
#   chassis_control.sh [MC] check NAME VALUE ...
#
# MC, the address ipmi_sim's configuration gives, is not needed: there is one machine.
# POSIX sh; needs nothing BusyBox does not have. Exit status 0 done, 1 failed.
#
#   get power      prints power:1 when the power lamp is lit, else power:0
#   get boot       prints boot:NAME as last set, none at first
#   set power 1    presses the power button shortly; nothing when the lamp is lit
#   set power 0    holds the power button until the lamp is out; nothing when it is
#   set shutdown 1 presses the power button shortly when the lamp is lit: the operating
#                  system is asked to shut down
#   set reset 1    presses the reset button shortly
#   set boot NAME  none, pxe, default, cdrom or bios; kept for whatever sets the machine up
#   set identify "SECONDS FORCE"  accepted; this device has no lamp for it
#
# Settings, from the environment or changed here. All times are milliseconds.
#   GPIO_DIR       default: /sys/class/gpio
#   POWER_BUTTON   value file, 1 is pressed; default: gpio503/value in GPIO_DIR
#   RESET_BUTTON   value file, 1 is pressed; default: gpio505/value, on the first boards
#                  (no beta or pcie in /etc/kvm/hw) gpio507/value
#   POWER_LED      value file; default: gpio504/value
#   POWER_LED_LIT  what it reads while the machine is on; default: 0
#   SHORT_PRESS    default: 500. Clients repeat a request after 1000, and the original
#                  simulator then presses once more: stay below
#   LONG_PRESS     longest hold; default: 5000 (machines switch off after about 4000)
#   LED_WAIT       how long the lamp may take to follow; default: 2000
#   BOOT_FILE      default: boot beside this file
#   IDENTIFY_FILE  when set, identify writes SECONDS FORCE there

: "${GPIO_DIR:=/sys/class/gpio}"
: "${POWER_BUTTON:=$GPIO_DIR/gpio503/value}"
: "${POWER_LED:=$GPIO_DIR/gpio504/value}"
: "${POWER_LED_LIT:=0}"
: "${SHORT_PRESS:=500}"
: "${LONG_PRESS:=5000}"
: "${LED_WAIT:=2000}"
: "${BOOT_FILE:=$(dirname "$0")/boot}"
: "${IDENTIFY_FILE:=}"
if [ -z "${RESET_BUTTON:-}" ]; then
    board=
    { read -r board </etc/kvm/hw; } 2>/dev/null || :
    case $board in
    beta | pcie) RESET_BUTTON=$GPIO_DIR/gpio505/value ;;
    *) RESET_BUTTON=$GPIO_DIR/gpio507/value ;;
    esac
fi

fail() {
    echo "chassis_control: $*" >&2
    exit 1
}

# Sleeps so many milliseconds.
pause() {
    seconds=$(($1 / 1000)).$(printf %03d $(($1 % 1000)))
    sleep "$seconds" 2>/dev/null || usleep $(($1 * 1000)) 2>/dev/null || sleep $((($1 + 999) / 1000))
}

lamp_lit() {
    value=
    { read -r value <"$POWER_LED"; } 2>/dev/null || [ -n "$value" ] || fail "$POWER_LED cannot be read"
    [ "$value" = "$POWER_LED_LIT" ]
}

lamp_out() { ! lamp_lit; }

# A button is never left pressed, whatever ends this script.
pressed=
release() {
    [ -z "$pressed" ] || echo 0 >"$pressed"
    pressed=
}
trap release EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM

press() {
    pressed=$1
    { echo 1 >"$1"; } 2>/dev/null || {
        pressed=
        fail "$1 cannot be written"
    }
}

# Releases it and lets it be seen released before anything presses it again.
let_go() {
    release
    pause 100
}

press_shortly() {
    press "$1"
    pause "$SHORT_PRESS"
    let_go
}

# Waits until a condition holds, at most so many milliseconds.
await() {
    left=$2
    until "$1"; do
        [ "$left" -gt 0 ] || return 1
        pause 100
        left=$((left - 100))
    done
}

set_power() {
    case $1 in
    0)
        lamp_lit || return 0
        press "$POWER_BUTTON"
        await lamp_out "$LONG_PRESS" || :
        let_go
        await lamp_out "$LED_WAIT" || fail "the machine is still on"
        ;;
    *)
        ! lamp_lit || return 0
        press_shortly "$POWER_BUTTON"
        await lamp_lit "$LED_WAIT" || fail "the machine is still off"
        ;;
    esac
}

get() {
    case $1 in
    power)
        if lamp_lit; then echo power:1; else echo power:0; fi
        ;;
    boot)
        boot=
        [ ! -r "$BOOT_FILE" ] || read -r boot <"$BOOT_FILE" || :
        echo "boot:${boot:-none}"
        ;;
    *) fail "there is no $1 to get" ;;
    esac
}

check() {
    case $1 in
    power | reset | shutdown)
        case $2 in 0 | 1) return 0 ;; esac
        ;;
    boot)
        case $2 in none | pxe | default | cdrom | bios) return 0 ;; esac
        ;;
    identify)
        case $2 in '' | *[!0-9\ ]*) ;; *) return 0 ;; esac
        ;;
    *) fail "there is no $1 to set" ;;
    esac
    fail "$1 cannot be '$2'"
}

set_one() {
    check "$1" "$2"
    case $1 in
    power) set_power "$2" ;;
    reset)
        [ "$2" = 0 ] || press_shortly "$RESET_BUTTON"
        ;;
    shutdown)
        [ "$2" = 0 ] || ! lamp_lit || press_shortly "$POWER_BUTTON"
        ;;
    boot)
        { echo "$2" >"$BOOT_FILE.new" && mv -f "$BOOT_FILE.new" "$BOOT_FILE"; } 2>/dev/null ||
            fail "$BOOT_FILE cannot be written"
        ;;
    identify)
        [ -z "$IDENTIFY_FILE" ] || echo "$2" >"$IDENTIFY_FILE" || exit 1
        ;;
    esac
}

case ${1:-} in get | set | check | '') ;; *) shift ;; esac
operation=${1:-}
[ $# -ge 2 ] || fail "usage: chassis_control.sh [MC] get NAME ... | set|check NAME VALUE ..."
shift
case $operation in
get)
    for name in "$@"; do
        get "$name"
    done
    ;;
set | check)
    while [ $# -gt 0 ]; do
        [ $# -ge 2 ] || fail "$1 has no value"
        if [ "$operation" = set ]; then set_one "$1" "$2"; else check "$1" "$2"; fi
        shift 2
    done
    ;;
*) fail "there is no operation $operation" ;;
esac
