#!/bin/sh
#
# A machine to press the buttons of, for trying the other files without hardware: keeps
# the value files chassis_control.sh uses as plain files in a folder and behaves like a
# personal computer behind them. Runs until it is ended.
#
#   bench-machine.sh FOLDER [on|off]
#
# A short press of power switches on, or, when on, makes the system shut down; a press as
# long as FORCE_OFF switches off at once. What happens is written to FOLDER/events, one
# word a line: on, shutdown, off, forced-off, reset.
#
#   FORCE_OFF   milliseconds; default: 4000
#   SHUTDOWN    milliseconds a shut-down takes; default: 1000

folder=${1:?usage: bench-machine.sh FOLDER [on|off]}
: "${FORCE_OFF:=4000}"
: "${SHUTDOWN:=1000}"

power=$folder/gpio503/value
led=$folder/gpio504/value
mkdir -p "$folder/gpio503" "$folder/gpio504" "$folder/gpio505" "$folder/gpio507" || exit 1
for pin in 503 505 507; do
    echo 0 >"$folder/gpio$pin/value"
done
: >"$folder/events"

event() { echo "$1" >>"$folder/events"; }

# Sets now to the time in milliseconds. Reading it starts no process, so that the looks at
# the buttons follow each other closely.
clock() {
    read -r now _ </proc/uptime || exit 1
    now=$(((${now%.*} * 100 + 1${now#*.} - 100) * 10))
}

# The lamp is lit while its file reads 0. The new value appears in one step.
lamp() {
    echo "$1" >"$led.new" && mv -f "$led.new" "$led"
}

# Sets value to what a file holds; one caught in the middle of a write counts as before.
look() {
    { read -r value <"$1"; } 2>/dev/null || value=$2
}

on=0
[ "${2:-off}" != on ] || on=1
lamp $((1 - on))
since=0
was_reset=0
ending=0
down=0
while sleep 0.02; do
    clock
    look "$power" "$down"
    if [ "$value" = 1 ]; then
        if [ "$down" = 0 ]; then
            down=1
            since=$now
            pressed_while=$on
            if [ "$on" = 0 ]; then
                on=1
                lamp 0
                event on
            fi
        elif [ "$on" = 1 ] && [ "$pressed_while" = 1 ] && [ $((now - since)) -ge "$FORCE_OFF" ]; then
            on=0
            ending=0
            lamp 1
            event forced-off
        fi
    elif [ "$down" = 1 ]; then
        down=0
        if [ "$on" = 1 ] && [ "$pressed_while" = 1 ] && [ "$ending" = 0 ]; then
            ending=$((now + SHUTDOWN))
            event shutdown
        fi
    fi
    if [ "$ending" != 0 ] && [ "$now" -ge "$ending" ]; then
        ending=0
        on=0
        lamp 1
        event off
    fi
    reset=0
    for pin in 505 507; do
        look "$folder/gpio$pin/value" "$was_reset"
        [ "$value" != 1 ] || reset=1
    done
    if [ "$reset" = 1 ] && [ "$was_reset" = 0 ] && [ "$on" = 1 ]; then
        ending=0
        event reset
    fi
    was_reset=$reset
done
