//! One version and one licence, wherever a release names them.

use std::fs;
use std::path::{Path, PathBuf};

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(root(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The value of the first line `KEY = "VALUE"`.
fn value(manifest: &str, key: &str) -> String {
    let start = format!("{key} = \"");
    let line = manifest.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("no {key}"));
    line[start.len()..].trim_end_matches('"').to_owned()
}

const PACKAGES: [&str; 5] = [".", "compat/bench", "crates/client", "crates/core", "crates/crypto"];

#[test]
fn one_version_stands_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    let manifest = text("Cargo.toml");
    assert_eq!(value(&manifest, "version"), version);
    for package in PACKAGES {
        assert!(text(&format!("{package}/Cargo.toml")).contains("\nversion.workspace = true\n"), "{package}");
    }
    // What the packages ask of each other when they are no longer beside each other.
    let asked: Vec<&str> = manifest.lines().filter(|line| line.contains("path = \"crates/")).collect();
    assert_eq!(asked.len(), 3, "{asked:?}");
    for line in asked {
        assert!(line.contains(&format!("version = \"{version}\"")), "{line}");
    }
    let debian = text("packaging/debian/changelog");
    assert!(debian.starts_with(&format!("ipmi-sim ({version}) ")), "{debian}");
    let changes = text("CHANGELOG.md");
    let top = changes.lines().find_map(|line| line.strip_prefix("## ")).expect("a section");
    let (told, when) = top.split_once(" - ").expect("a version and when");
    assert_eq!(told, version);
    // Four digits, two and two; or nothing yet.
    let dated = when.len() == 10 && when.split('-').all(|part| part.parse::<u16>().is_ok());
    assert!(dated || when == "unreleased", "{when}");
}

#[test]
fn one_licence_stands_everywhere() {
    let manifest = text("Cargo.toml");
    let licence = value(&manifest, "license");
    assert_eq!(licence, "MIT OR Apache-2.0");
    assert!(text("REUSE.toml").contains(&format!("SPDX-License-Identifier = \"{licence}\"")));
    assert_eq!(value(&text("fuzz/Cargo.toml"), "license"), licence);
    let mit = text("LICENSES/MIT.txt");
    assert!(mit.contains("\nCopyright (c) 2026 The ipmi_sim authors\n"), "{mit}");
    let apache = text("LICENSES/Apache-2.0.txt");
    for package in PACKAGES {
        assert!(text(&format!("{package}/Cargo.toml")).contains("\nlicense.workspace = true\n"), "{package}");
        // What is not handed out alone needs no copy of its own.
        if package != "compat/bench" {
            assert_eq!(text(&format!("{package}/LICENSE-MIT")), mit, "{package}");
            assert_eq!(text(&format!("{package}/LICENSE-APACHE")), apache, "{package}");
        }
    }
}
