#!/bin/sh
# Makes the book: the pages of docs/SUMMARY.md as HTML in target/book/html, by mdBook (`cargo install mdbook`).
#
# Pages stay where they are in the project, so that links between them hold there as well; mdBook wants
# them below one folder, and gets a copy.
set -eu
cd "$(dirname "$0")/.."

command -v mdbook >/dev/null || {
    echo "book.sh: there is no mdbook: cargo install mdbook" >&2
    exit 1
}
book=${CARGO_TARGET_DIR:-target}/book
rm -rf "$book"
mkdir -p "$book/src/fuzz"
cp docs/book.toml "$book/"
cp -RL docs compat examples packaging ./*.md "$book/src/"
cp fuzz/README.md "$book/src/fuzz/"
# The list is one of pages beside it, there as here.
sed -e '/^\[\|^ *- \[/s#](#](docs/#' -e 's#](docs/\.\./#](#' docs/SUMMARY.md >"$book/src/SUMMARY.md"
mdbook build "$book"
echo "$book/html/index.html"
