#!/bin/sh
# Writes packaging/debian/copyright anew to standard output: the licence of
# ipmi_sim, and the licences of the libraries that are linked into its programs, from the
# sources that the build takes (Cargo.lock, Cargo's folder of sources).
#
#   packaging/debian/copyright.sh
#
# Procedural macros and what is needed only for tests or to build are not in the programs.
set -eu
cd "$(dirname "$0")/../.."
: "${CARGO_HOME:=$HOME/.cargo}"

die() {
    echo "copyright.sh: $*" >&2
    exit 1
}

# "NAME VERSION|LICENCE", one line for each library.
libraries() {
    cargo tree --quiet --locked --package ipmi_sim --edges normal,no-proc-macro --prefix none --format '{p}|{l}' |
        sed -e 's/ (\*)$//' -e 's/ (proc-macro)//' | grep -v '^ipmi_sim\(_[a-z]*\)\{0,1\} v' |
        sed 's/^\([^ ]*\) v\([^ |]*\)[^|]*|/\1 \2|/' | LC_ALL=C sort -u
}

# The folder with the sources of a library.
sources() {
    for folder in "$CARGO_HOME"/registry/src/*/"$1-$2"; do
        [ ! -d "$folder" ] || {
            echo "$folder"
            return 0
        }
    done
    die "the sources of $1 $2 are not in $CARGO_HOME/registry: cargo fetch"
}

# The lines of its licence files that name who has the copyright.
holders() {
    find "$1" -maxdepth 1 -type f \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'copyright*' \) \
        ! -iname '*apache*' ! -iname '*gpl*' | LC_ALL=C sort | xargs -r -d '\n' cat |
        tr -d '\r' | sed 's/^[[:space:]#*\/]*//' | grep -E '^(Portions )?Copyright( \(c\)| ©| [0-9]|: )' |
        sed 's/[[:space:]]*$//' | awk '!seen[$0]++'
}

# The terms of a licence, from the library that has it in the plainest form.
terms() { # FILE, line of its first paragraph
    tr -d '\r' <"$1" | sed -n "/^$2/,\$p" | sed -e 's/^/    /' -e 's/[[:space:]]*$//'
}

list=$(libraries)
licence=$(sed -n 's/^license = "\(.*\)"$/\1/p' Cargo.toml)
holder=$(grep '^Copyright' LICENSES/MIT.txt)
cat <<END
ipmi_sim, the simulator, its control program and its SDR compiler, with its manual pages, completions and examples
    $licence
    $holder

Use it under the terms of MIT or of Apache-2.0, both below, as you like. Where everything in it comes
from: docs/PROVENANCE.md in its sources.

The programs hold the following libraries, each under the terms named. Where there is a choice
of MIT it is taken. The sources are what the registry of Rust packages has under the name and version.

The Rust standard library
    MIT OR Apache-2.0
    Copyright (c) The Rust Project Contributors
END
echo "$list" | while IFS='|' read -r library licence; do
    # shellcheck disable=SC2086 # name and version
    folder=$(sources $library) || exit 1
    printf '\n%s\n    %s\n' "$library" "$licence"
    case $licence in
    *MIT*) ;;
    BSD-3-Clause | MPL-2.0) ;;
    # Apache-2.0 is taken.
    'Apache-2.0 OR BSL-1.0' | Apache-2.0) ;;
    *) die "$library: nobody has looked at the licence $licence yet" ;;
    esac
    found=$(holders "$folder")
    # Some name nobody, but in the manifest.
    [ -n "$found" ] || found="Copyright: its authors; its licence files name nobody"
    echo "$found" | sed 's/^/    /'
done
log=$(echo "$list" | sed -n 's/^\(log [^|]*\)|.*/\1/p')
subtle=$(echo "$list" | sed -n 's/^\(subtle [^|]*\)|.*/\1/p')
printf '\nMIT:\n\n'
# shellcheck disable=SC2086 # name and version
terms "$(sources $log)/LICENSE-MIT" "Permission is hereby granted"
printf '\nBSD-3-Clause:\n\n'
# shellcheck disable=SC2086 # name and version
terms "$(sources $subtle)/LICENSE" "Redistribution and use"
printf '\nApache-2.0: /usr/share/common-licenses/Apache-2.0\n\nMPL-2.0: /usr/share/common-licenses/MPL-2.0\n'
