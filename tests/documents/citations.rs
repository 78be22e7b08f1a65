//! What is cited is there: pages of `docs/original/` with their sections, wherever comments, tests and
//! pages name them, and the targets of links.
//!
//! The form is the page's name in backticks (or a link to it), then the sections, if any:
//! `emu.md` section 7; `sol.md` sections 4 to 7 and 9. On a page of `docs/original/` a section without a
//! page is one of the page itself. Packages are held to the workspace's lints here as well.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// What may cite: folders and files below the root of the project.
const CITING: [&str; 15] = [
    "src",
    "crates",
    "tests",
    "grammar",
    "docs",
    "compat",
    "examples",
    "benches",
    "fuzz",
    "packaging",
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
];

/// Recordings and inputs of tests, and what builds leave, cite nothing.
const SILENT: [&str; 4] = ["crates/core/tests/data", "tests/data", "fuzz/corpus", "fuzz/target"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if !path.exists() || SILENT.iter().any(|silent| path == root().join(silent)) {
        return;
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder of the project") {
            collect(&entry.expect("an entry").path(), files);
        }
    } else if ["rs", "md", "pest", "sh", "toml", "in"].iter().any(|it| path.extension().is_some_and(|end| end == *it)) {
        files.push(path.to_owned());
    }
}

/// Every file that may cite, with its text.
fn citing() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for name in CITING {
        collect(&root().join(name), &mut files);
    }
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read_to_string(&path).expect("text"))).collect()
}

/// Pages of `docs/original/` by name, with the numbers of their sections.
fn pages() -> BTreeMap<String, BTreeSet<String>> {
    let mut pages = BTreeMap::new();
    for entry in fs::read_dir(root().join("docs/original")).expect("the pages") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("text");
        let sections = headings(&text).filter_map(|title| {
            let number = title.split(' ').next()?.trim_end_matches('.');
            number.starts_with(|c: char| c.is_ascii_digit()).then(|| number.to_owned())
        });
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        pages.insert(name, sections.collect());
    }
    pages
}

/// Titles of a page's sections, without what is in its blocks of code.
fn headings(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter_map(move |line| {
        code ^= line.starts_with("```");
        line.strip_prefix('#').filter(|_| !code).map(|title| title.trim_start_matches('#').trim())
    })
}

/// A text as one line, without the marks that comments begin their lines with.
fn flat(text: &str) -> String {
    let lines = text.lines().map(|line| line.trim().trim_start_matches(['/', '!', '#', '*']).trim());
    lines.collect::<Vec<_>>().join(" ")
}

/// The numbers at the beginning of `text` (`4`, `5.1 and 6`, `4 to 7, 9`), which follows "section" or "sections".
fn numbers(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number = rest[..end].trim_end_matches('.');
        if number.is_empty() {
            return found;
        }
        found.push(number.to_owned());
        rest = &rest[number.len()..];
        let Some(next) = [", ", " and ", " to ", "–", " or "].iter().find_map(|separator| rest.strip_prefix(separator))
        else {
            return found;
        };
        rest = next;
    }
}

/// The sections that `text`, which follows a page's name, cites.
fn sections_behind(text: &str) -> Vec<String> {
    let text = text.trim_start_matches('`');
    let text = match text.strip_prefix("](") {
        Some(target) => target.split_once(')').map_or("", |(_, rest)| rest),
        None => text,
    };
    let text = text.trim_start();
    let text = text.strip_prefix("sections ").or_else(|| text.strip_prefix("section "));
    text.map(numbers).unwrap_or_default()
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_./".contains(c)
}

/// Names of pages that `text` contains, in lower case and without a path, with what follows each.
fn names(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices(".md").filter_map(|(at, _)| {
        let end = at + 3;
        let start = text[..at]
            .rfind(|c: char| !is_of_a_name(c))
            .map_or(0, |before| before + text[before..].chars().next().map_or(1, char::len_utf8));
        let (name, rest) = (&text[start..end], &text[end..]);
        let whole = !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let bare = !name.contains('/') && name.starts_with(|c: char| c.is_ascii_lowercase());
        (whole && bare).then_some((name, rest))
    })
}

#[test]
fn every_cited_page_and_section_exists() {
    let pages = pages();
    assert!(pages.len() > 10 && pages["emu.md"].contains("7") && pages["lan-protocol.md"].contains("10.2"));
    let (mut cited, mut faults) = (0, Vec::new());
    for (path, text) in citing() {
        let shown = path.strip_prefix(root()).unwrap_or(&path).display();
        let text = flat(&text);
        for (name, rest) in names(&text) {
            let Some(sections) = pages.get(name) else {
                faults.push(format!("{shown}: there is no page docs/original/{name}"));
                continue;
            };
            cited += 1;
            let missing = sections_behind(rest).into_iter().filter(|number| !sections.contains(number));
            faults.extend(missing.map(|number| format!("{shown}: {name} has no section {number}")));
            if rest.trim_start_matches('`').trim_start().starts_with("chapter") {
                faults.push(format!("{shown}: {name} has sections, not chapters"));
            }
        }
    }
    assert!(cited > 130, "only {cited} citations were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// On the pages themselves a section without a page is one of the same page.
#[test]
fn sections_named_within_a_page_exist() {
    let mut faults = Vec::new();
    for (name, sections) in pages() {
        let text = fs::read_to_string(root().join("docs/original").join(&name)).expect("text");
        let text = flat(&text);
        for word in ["section ", "sections "] {
            for (at, _) in text.match_indices(word) {
                let before = text[..at].trim_end().trim_end_matches([')', '`']);
                if before.ends_with(".md") || before.ends_with("IPMI 2.0") || before.ends_with("specification") {
                    continue;
                }
                let missing = numbers(&text[at + word.len()..]).into_iter().filter(|it| !sections.contains(it));
                faults.extend(missing.map(|number| format!("{name} has no section {number}")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// S1 to S38 are rows of section 15 of the page on the LAN protocol.
#[test]
fn every_security_defect_that_a_difference_names_exists() {
    let page = fs::read_to_string(root().join("docs/original/lan-protocol.md")).expect("text");
    let rows: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| S")?.split(" |").next()).collect();
    assert!(rows.len() > 30, "{rows:?}");
    let differences = fs::read_to_string(root().join("compat/DIFFERENCES.md")).expect("text");
    let mut named = 0;
    for word in differences.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let Some(number) = word.strip_prefix('S').filter(|it| it.starts_with(|c: char| c.is_ascii_digit())) else {
            continue;
        };
        named += 1;
        let letter = |row: &&str| row.strip_prefix(number).is_some_and(|rest| rest.len() <= 1);
        assert!(
            rows.iter().any(|row| letter(row) && (row.len() == number.len() || row.ends_with(char::is_alphabetic)))
        );
    }
    assert!(named > 20, "only {named}");
}

/// What a heading is linked by.
fn anchor(title: &str) -> String {
    let kept = title.to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>();
    kept.replace(' ', "-")
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

#[test]
fn every_link_leads_somewhere() {
    let mut files: Vec<PathBuf> = citing().into_iter().map(|(path, _)| path).collect();
    for data in ["tests/data/raw/README.md", "crates/core/tests/data/captures/README.md"] {
        files.push(root().join(data));
    }
    let (mut links, mut faults) = (0, Vec::new());
    for path in files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "md")) {
        let shown = path.strip_prefix(root()).unwrap_or(&path).display();
        let text = fs::read_to_string(&path).expect("text");
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap_or_default();
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            links += 1;
            let (file, section) = target.split_once('#').unwrap_or((target, ""));
            let to = if file.is_empty() { path.clone() } else { normal(&path.parent().expect("a folder").join(file)) };
            if !to.starts_with(root()) || !to.exists() {
                faults.push(format!("{shown}: {target} is not there"));
            } else if !section.is_empty() {
                let text = fs::read_to_string(&to).expect("text");
                if !headings(&text).any(|title| anchor(title) == section) {
                    faults.push(format!("{shown}: {target} has no such section"));
                }
            }
        }
    }
    assert!(links > 20, "only {links} links were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A package without the workspace's lints would be one where `unsafe` is allowed.
#[test]
fn every_package_has_the_lints_of_the_workspace() {
    let manifest = |folder: &str| fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest");
    let workspace = manifest("");
    let (_, members) = workspace.split_once("\nmembers = [").expect("members");
    let (members, _) = members.split_once(']').expect("their end");
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.len() > 1, "{members:?}");
    for folder in members.into_iter().chain([""]) {
        assert!(manifest(folder).contains("\n[lints]\nworkspace = true\n"), "{folder}/Cargo.toml has no [lints]");
    }
}

#[test]
fn citations_are_read_as_they_are_written() {
    let text = flat("/// A thing (`emu.md`\n/// sections 2, 4.1 and 7), `docs/other.md`, README.md.\n");
    let found: Vec<_> = names(&text).map(|(name, rest)| (name, sections_behind(rest))).collect();
    assert_eq!(found, [("emu.md", ["2", "4.1", "7"].map(str::to_owned).to_vec())]);
    assert_eq!(sections_behind("](../emu.md) section 15."), ["15"]);
    assert_eq!(sections_behind("` sections 4 to 7, 9)"), ["4", "7", "9"]);
    assert_eq!(sections_behind("` section 5, IPMI 2.0 section 13"), ["5"]);
    assert!(sections_behind("`: section").is_empty());
}
