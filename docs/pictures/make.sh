#!/bin/sh
# Makes the pictures of the page anew: a fleet of ten thousand BMCs in headless Chromium, by tests/page/pictures.rs.
#
# Needs what the tests need, and looks best with Debian's fonts-inter and fonts-jetbrains-mono.
set -eu
cd "$(dirname "$0")/../.."
exec cargo test --test page -- --ignored --exact pictures::pictures
