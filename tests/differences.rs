//! `compat/DIFFERENCES.md` is true: every row names its tests, and every test named is there.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// Names of all test functions below a folder.
fn tests_below(folder: &Path, names: &mut HashSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            tests_below(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("source text");
            let mut attributed = false;
            for line in text.lines().map(str::trim) {
                if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                    attributed = true;
                } else if let Some(rest) = line.trim_start_matches("async ").strip_prefix("fn ") {
                    if attributed {
                        names.extend(rest.split('(').next().map(str::to_owned));
                    }
                    attributed = false;
                }
            }
        }
    }
}

#[test]
fn every_difference_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = HashSet::new();
    for folder in ["src", "crates", "tests"] {
        tests_below(&root.join(folder), &mut names);
    }
    let document = fs::read_to_string(root.join("compat/DIFFERENCES.md")).expect("compat/DIFFERENCES.md");
    let mut rows = 0;
    let mut faults = Vec::new();
    for (number, line) in (1..).zip(document.lines()) {
        if !line.starts_with('|') || line.starts_with("|---") || line.starts_with("| the original |") {
            continue;
        }
        rows += 1;
        let columns: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, _, _, tests] = columns.as_slice() else {
            faults.push(format!("line {number} has {} columns", columns.len()));
            continue;
        };
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            faults.push(format!("line {number} names no test"));
        }
        faults.extend(
            named
                .into_iter()
                .filter(|name| !names.contains(*name))
                .map(|name| format!("line {number}: there is no test {name}")),
        );
    }
    assert!(rows > 100, "only {rows} rows were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_statement_about_security_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = HashSet::new();
    for folder in ["src", "crates", "tests"] {
        tests_below(&root.join(folder), &mut names);
    }
    let document = fs::read_to_string(root.join("docs/SECURITY.md")).expect("docs/SECURITY.md");
    let rows = document.lines().filter(|line| line.starts_with("| ") && *line != "| attack | here | test |");
    let mut count = 0;
    for row in rows {
        let tests = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let mut quoted = tests.split('`').skip(1).step_by(2).peekable();
        assert!(quoted.peek().is_some(), "no test: {row}");
        for test in quoted {
            assert!(names.contains(test), "{test} is no test: {row}");
        }
        count += 1;
    }
    assert!(count > 40, "{count} rows");
}
