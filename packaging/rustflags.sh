#!/bin/sh
# Prints what CARGO_ENCODED_RUSTFLAGS has to be so that programs do not depend on where they are
# built: the names of the folders with the sources, the libraries and Rust are put for something that
# is the same everywhere.
#
#   CARGO_ENCODED_RUSTFLAGS=$(packaging/rustflags.sh [FLAG]...) cargo build ...
#
# FLAG: others for the compiler, each one word.
set -eu
cd "$(dirname "$0")/.."

first=yes
flag() {
    # Cargo takes flags apart at this character; folders may have spaces.
    [ -n "$first" ] || printf '\037'
    first=
    printf '%s' "$1"
}
for word in "$@"; do flag "$word"; done
flag "--remap-path-prefix=$(rustc --print sysroot)=/rust"
flag "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
# The last one that fits is taken: the libraries may be below the sources.
flag "--remap-path-prefix=$PWD=/ipmi_sim"
