#!/bin/sh
# Puts an installation below a folder, as every package has it: programs, manual pages,
# completions, the service with its configuration, and the licences.
#
#   packaging/install.sh FOLDER
#
# Settings:
#   PROGRAMS  a folder with ipmi_sim, ipmi_simctl and sdrcomp; default: target/release
#   SERVICE   what starts the service: systemd, openrc (Alpine), procd (OpenWrt), busybox (the init of
#             Buildroot), debian (systemd and System V), or none; default: systemd
#   ZSH       where zsh looks for completions; default: /usr/share/zsh/site-functions
#   LICENSES  where the licences go; default: /usr/share/licenses/ipmi-sim. Empty: nowhere
set -eu
umask 022
root=${1:-}
if [ $# -ne 1 ] || [ -z "$root" ]; then
    echo "usage: packaging/install.sh FOLDER" >&2
    exit 2
fi
case $root in /*) ;; *) root=$PWD/$root ;; esac
: "${PROGRAMS:=target/release}" "${SERVICE:=systemd}" "${ZSH:=/usr/share/zsh/site-functions}"
: "${LICENSES=/usr/share/licenses/ipmi-sim}"
case $PROGRAMS in /*) ;; *) PROGRAMS=$PWD/$PROGRAMS ;; esac
cd "$(dirname "$0")"

# install -D is not everywhere.
put() { # MODE FILE TO
    mkdir -p "$(dirname "$root$3")"
    cp "$2" "$root$3"
    chmod "$1" "$root$3"
}

for program in ipmi_sim ipmi_simctl sdrcomp; do
    put 755 "$PROGRAMS/$program" /usr/bin/$program
done
for page in ipmi_sim.1 ipmi_simctl.1 sdrcomp.1 ipmi_lan.5 ipmi_sim_cmd.5; do
    put 644 man/$page /usr/share/man/man${page##*.}/$page
done
for program in ipmi_sim ipmi_simctl; do
    put 644 completions/$program /usr/share/bash-completion/completions/$program
    put 644 completions/_$program "$ZSH/_$program"
    put 644 completions/$program.fish /usr/share/fish/vendor_completions.d/$program.fish
done
put 644 debian/lan.conf /etc/ipmi/lan.conf
put 644 debian/bmc.emu /etc/ipmi/bmc.emu
if [ -n "$LICENSES" ]; then
    # Whoever built the programs knows what C library is in them.
    library=$PROGRAMS/copyright.static
    [ -e "$library" ] || library=debian/copyright.static
    for file in ../LICENSE-MIT ../LICENSE-APACHE debian/copyright "$library"; do
        put 644 "$file" "$LICENSES/${file##*/}"
    done
fi

units() {
    put 644 debian/ipmi_sim.service /usr/lib/systemd/system/ipmi_sim.service
    # The template differs in whose configuration it runs, and in nothing else.
    template=$root/usr/lib/systemd/system/ipmi_sim@.service
    sed -e '/^Description=/s/$/, %i/' -e 's#/etc/ipmi/lan\.conf#/etc/ipmi/%i.conf#' debian/ipmi_sim.service >"$template"
    chmod 644 "$template"
    put 644 debian/default /etc/default/ipmi_sim
}
case $SERVICE in
systemd) units ;;
debian)
    units
    put 755 debian/init /etc/init.d/ipmi_sim
    ;;
openrc)
    put 755 alpine/ipmi-sim.initd /etc/init.d/ipmi_sim
    put 644 alpine/ipmi-sim.confd /etc/conf.d/ipmi_sim
    ;;
procd)
    put 755 openwrt/files/ipmi_sim.init /etc/init.d/ipmi_sim
    put 644 openwrt/files/ipmi_sim.config /etc/config/ipmi_sim
    ;;
busybox)
    put 755 buildroot/package/ipmi-sim/S60ipmi_sim /etc/init.d/S60ipmi_sim
    put 644 debian/default /etc/default/ipmi_sim
    ;;
none) ;;
*)
    echo "install.sh: SERVICE: $SERVICE is none of systemd, openrc, procd, busybox, debian, none" >&2
    exit 2
    ;;
esac
mkdir -p "$root/var/lib/ipmi_sim"
