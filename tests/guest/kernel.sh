#!/bin/sh
# Fetches Debian's kernel for the guest of tests/qemu_guest.rs:
#
#   tests/guest/kernel.sh FOLDER
#
# Afterwards FOLDER holds `vmlinuz` and the modules the guest needs; nothing is installed, and
# nothing is done when they are there already. Needs the network, apt and dpkg; exit status 1
# and a line that says what to do when that fails.
set -eu

target=$1
[ ! -e "$target/vmlinuz" ] || exit 0

# File names below kernel/drivers of the package.
modules="char/ipmi/ipmi_msghandler char/ipmi/ipmi_devintf char/ipmi/ipmi_si char/ipmi/ipmi_watchdog
    char/ipmi/ipmi_poweroff acpi/button input/evdev"

give_up() {
    echo "kernel.sh: $1" >&2
    echo "kernel.sh: the QEMU guest needs the kernel of Debian's linux-image-amd64: \"apt-get update\" as root," \
        "then \"$0 $target\", with network access (or unpack that package elsewhere and put its vmlinuz" \
        "and the modules named in this script into the folder)" >&2
    exit 1
}

command -v apt-get >/dev/null 2>&1 && command -v dpkg-deb >/dev/null 2>&1 || give_up "this is no Debian system"

# The metapackage names the real one.
package() {
    apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}
fetch() {
    name=$(package)
    [ -n "$name" ] && (cd "$folder" && apt-get download "$name" >fetch.log 2>&1)
}

mkdir -p "$(dirname "$target")"
folder=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$folder"' EXIT
if ! fetch; then
    # Lists that are missing, or too old for what the server has.
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root="sudo -n"
    $as_root apt-get update >"$folder/update.log" 2>&1 || true
    fetch || {
        cat "$folder"/*.log >&2
        give_up "the kernel cannot be downloaded"
    }
fi

mkdir "$folder/unpacked" "$folder/guest"
# Only the few files that are wanted: the whole package takes 400 MB.
dpkg-deb --fsys-tarfile "$folder"/linux-image-*.deb >"$folder/files.tar"
set -- './boot/vmlinuz-*'
for module in $modules; do
    set -- "$@" "*/kernel/drivers/$module.ko*"
done
tar -xf "$folder/files.tar" -C "$folder/unpacked" --wildcards "$@" || give_up "the package is not what was expected"
cp "$folder"/unpacked/boot/vmlinuz-* "$folder/guest/vmlinuz"
find "$folder/unpacked" -name '*.ko*' -exec cp {} "$folder/guest" \;
# Newer packages have them compressed.
for module in "$folder"/guest/*.ko.xz; do
    [ ! -e "$module" ] || xz -d "$module"
done
chmod 755 "$folder/guest"
# Whole or not at all.
mv "$folder/guest" "$target" 2>/dev/null || [ -e "$target/vmlinuz" ]
