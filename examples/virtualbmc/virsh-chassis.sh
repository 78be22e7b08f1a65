#!/bin/sh
# Power and boot device of a virtual machine of libvirt, for ipmi_sim:
#
#   virsh-chassis.sh DOMAIN[@URI] get power|boot
#   virsh-chassis.sh DOMAIN[@URI] set power|reset|shutdown|boot|identify VALUE
#
# Stands in lan.conf as  chassis_control "/etc/ipmi/virsh-chassis.sh vm1". Without URI it is the machine
# of the system (LIBVIRT_DEFAULT_URI, or else qemu:///system): the user that runs ipmi_sim has to be in the
# group libvirt. VIRSH names another program than virsh. Exit status 0 done, 1 failed.
set -eu
LC_ALL=C
export LC_ALL

domain=${1%%@*}
uri=${1#"$domain"}
uri=${uri#@}
# A service has no connection of its own: without a word about it, virsh would take qemu:///session.
: "${uri:=${LIBVIRT_DEFAULT_URI:-qemu:///system}}"
: "${VIRSH:=virsh}"
# `command`: not this function once more.
virsh() { command "$VIRSH" -q -c "$uri" "$@" </dev/null; }

# shut off and crashed are off; what pauses or sleeps is on.
on() {
    case $(virsh domstate "$domain") in
    'shut off' | crashed) return 1 ;;
    ?*) return 0 ;;
    esac
    exit 1
}

# The definition of the next start, boot devices as one line each.
definition() { virsh dumpxml --inactive --security-info "$domain"; }

case ${2:-}:${3:-} in
get:power) if on; then echo power:1; else echo power:0; fi ;;
get:boot)
    case $(definition | sed -n "s/.*<boot dev=['\"]\([a-z]*\)['\"].*/\1/p" | head -n 1) in
    network) echo boot:pxe ;;
    cdrom) echo boot:cdrom ;;
    *) echo boot:default ;;
    esac
    ;;
set:power)
    # What is so already is done.
    if [ "$4" = 0 ]; then
        if on; then virsh destroy "$domain"; fi
    elif ! on; then
        virsh start "$domain"
    fi
    ;;
set:reset) virsh reset "$domain" ;;
set:shutdown) virsh shutdown "$domain" ;;
set:boot)
    case $4 in
    pxe) device=network ;;
    cdrom) device=cdrom ;;
    none | default) device=hd ;;
    *) exit 1 ;;
    esac
    file=$(mktemp)
    trap 'rm -f "$file"' EXIT
    # One device instead of all that were there, those of single disks and cards, too.
    definition | sed -e '/<boot dev=/d' -e '/<boot order=/d' -e "s|^\( *\)</os>|\1  <boot dev='$device'/>\n&|" >"$file"
    grep -q "<boot dev='$device'/>" "$file"
    virsh define "$file"
    ;;
set:identify) ;;
*) exit 1 ;;
esac
