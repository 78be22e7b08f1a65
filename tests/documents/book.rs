//! The book: `docs/SUMMARY.md` has every page, the language reference in `docs/reference` is made of the manual pages, pictures
//! are what their scripts make, and of every block of commands it is said who runs it, or why nobody does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{PAGES, hold, page};

fn root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(root(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// How a piece of a manual page is set.
#[derive(Clone, Copy, PartialEq)]
enum Font {
    Roman,
    Bold,
    Italic,
}

/// A text without troff's escapes, but for those of fonts.
fn unescaped(text: &str) -> String {
    text.replace("\\-", "-").replace("\\(aq", "'").replace("\\(dq", "\"").replace("\\&", "").replace("\\e", "\\")
}

/// Pieces of a line with `\fB`, `\fI` and `\fR` in it, which begins in `font`.
fn pieces(line: &str, font: Font) -> Vec<(Font, String)> {
    let mut parts = line.split("\\f");
    let mut found = vec![(font, unescaped(parts.next().unwrap_or_default()))];
    for part in parts {
        let font = match part.chars().next() {
            Some('B') => Font::Bold,
            Some('I') => Font::Italic,
            _ => Font::Roman,
        };
        found.push((font, unescaped(part.get(1..).unwrap_or_default())));
    }
    found
}

/// Words of a request, of which several stand in quotes as one.
fn words(line: &str) -> Vec<String> {
    let (mut found, mut quoted, mut open) = (Vec::new(), false, false);
    for c in line.chars() {
        match c {
            '"' => (quoted, open) = (!quoted, quoted || open),
            ' ' if !quoted => open = false,
            _ => {
                if !open {
                    found.push(String::new());
                }
                open = true;
                found.last_mut().expect("a word").push(c);
            }
        }
        if quoted && !open {
            found.push(String::new());
            open = true;
        }
    }
    found
}

/// What is set in one line, as Markdown: what a reader types as it is in backticks, what it stands for in italics.
fn markdown(pieces: &[(Font, String)]) -> String {
    let mut joined: Vec<(Font, String)> = Vec::new();
    for (font, text) in pieces.iter().filter(|(_, text)| !text.is_empty()) {
        match joined.last_mut() {
            Some((before, all)) if before == font => all.push_str(text),
            _ => joined.push((*font, text.clone())),
        }
    }
    let mut made = String::new();
    for (font, text) in joined {
        let (inner, mark) = match font {
            Font::Roman => (text, String::new()),
            Font::Bold if text.contains('`') => (text, "``".to_owned()),
            Font::Bold => (text, "`".to_owned()),
            Font::Italic => (text, "*".to_owned()),
        };
        if font == Font::Bold {
            made.push_str(&format!("{mark}{inner}{mark}"));
            continue;
        }
        let plain: String =
            inner.chars().flat_map(|c| "*_<>[]`|\\".contains(c).then_some('\\').into_iter().chain([c])).collect();
        made.push_str(&format!("{mark}{plain}{mark}"));
    }
    made
}

/// A line of a manual page that is no heading, in Markdown; `None` for what only troff needs.
fn set(line: &str) -> Option<String> {
    let Some(request) = line.strip_prefix('.') else { return Some(markdown(&pieces(line, Font::Roman))) };
    let (name, rest) = request.split_once(' ').unwrap_or((request, ""));
    let fonts = match name {
        "B" => [Font::Bold; 2],
        "I" => [Font::Italic; 2],
        "BR" => [Font::Bold, Font::Roman],
        "RB" => [Font::Roman, Font::Bold],
        "IR" => [Font::Italic, Font::Roman],
        "RI" => [Font::Roman, Font::Italic],
        "BI" => [Font::Bold, Font::Italic],
        "IB" => [Font::Italic, Font::Bold],
        _ => return None,
    };
    if fonts[0] == fonts[1] {
        return Some(markdown(&pieces(&words(rest).join(" "), fonts[0])));
    }
    let found: Vec<_> = words(rest).iter().enumerate().flat_map(|(at, word)| pieces(word, fonts[at % 2])).collect();
    Some(markdown(&found))
}

/// A line of an example, as it is typed.
fn typed(line: &str) -> String {
    if line.starts_with('.') {
        return String::new();
    }
    let bare = ["\\fR", "\\fB", "\\fI"].iter().fold(line.to_owned(), |line, font| line.replace(font, ""));
    unescaped(&bare) + "\n"
}

/// What a request about headings, paragraphs and examples makes; `None` for a line of text.
fn layout(request: &str, rest: &str) -> Option<String> {
    let title = || unescaped(rest.trim_matches('"')).trim().replace('[', "\\[");
    Some(match request {
        ".nf" => "\n```text\n".to_owned(),
        ".fi" => "```\n".to_owned(),
        ".SH" => format!("\n## {}\n\n", title()),
        ".SS" => format!("\n### {}\n\n", title()),
        ".IP" if !rest.is_empty() => format!("\n- {} ", rest.split(' ').next().unwrap_or_default()),
        ".PP" | ".IP" | ".TP" => "\n".to_owned(),
        _ => return None,
    })
}

/// A manual page as a page of the book.
fn reference(name: &str) -> String {
    let (title, section) = name.split_once('.').expect("a section");
    let source = format!("packaging/man/{name}.in");
    let mut made =
        format!("<!-- Made from {source} by tests/documents.rs; change that, not this. -->\n\n# {title}({section})\n");
    let (mut example, mut term) = (false, false);
    for line in page(name).lines().filter(|line| !line.starts_with(".\\\"") && *line != ".") {
        let (request, rest) = line.split_once(' ').unwrap_or((line, ""));
        if example && request != ".fi" {
            made.push_str(&typed(line));
        } else if let Some(text) = layout(request, rest) {
            made.push_str(&text);
        } else if let Some(text) = set(line) {
            // Two blanks at its end keep a term on a line of its own.
            made.push_str(&text);
            made.push_str(if term { "  \n" } else { "\n" });
        }
        example = request == ".nf" || (example && request != ".fi");
        term = request == ".TP";
    }
    while made.contains("\n\n\n") {
        made = made.replace("\n\n\n", "\n\n");
    }
    made
}

#[test]
fn the_reference_is_what_the_manual_says() {
    for name in PAGES {
        let made = reference(name);
        assert!(made.matches("\n## ").count() > 4 && !made.contains("\\f"), "{name}: {made}");
        assert_eq!(made.matches("\n```").count() % 2, 0, "{name}");
        let (title, _) = name.split_once('.').expect("a section");
        hold(&root(&format!("docs/reference/{title}.md")), &made);
    }
    assert_eq!(set(".BI addr \" HOST\""), Some("`addr`* HOST*".to_owned()));
    assert_eq!(set("\\fB\\-s\\fR \\fIDIR\\fR, a_b"), Some("`-s` *DIR*, a\\_b".to_owned()));
}

/// Pages of the list: path from the root, in order.
fn pages() -> Vec<String> {
    let summary = text("docs/SUMMARY.md");
    let targets = summary.match_indices("](").map(|(at, _)| summary[at + 2..].split(')').next().unwrap_or_default());
    targets.map(|target| target.strip_prefix("../").map_or_else(|| format!("docs/{target}"), str::to_owned)).collect()
}

fn collect(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the project") {
        let path = entry.expect("an entry").path();
        // Links lead to pages that are collected where they are.
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|end| end == "md") {
            found.insert(path.strip_prefix(root("")).expect("below the root").display().to_string());
        }
    }
}

#[test]
fn every_page_is_in_the_book_once() {
    let pages = pages();
    let listed: BTreeSet<String> = pages.iter().cloned().collect();
    assert_eq!(listed.len(), pages.len(), "a page is there twice");
    let mut there: BTreeSet<String> =
        ["README", "ARCHITECTURE", "CHANGELOG", "CONTRIBUTING", "SECURITY"].map(|name| format!("{name}.md")).into();
    for folder in ["docs", "compat", "examples", "packaging"] {
        collect(&root(folder), &mut there);
    }
    there.remove("docs/SUMMARY.md");
    there.insert("fuzz/README.md".to_owned());
    let missing: Vec<_> = there.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/SUMMARY.md does not have {missing:?}");
    for name in &listed {
        assert!(text(name).lines().any(|line| line.starts_with("# ")), "{name} has no title");
    }
}

/// Who runs the blocks marked `sh` of a page, and how many there are; how many are marked `sh not-run: REASON`.
const RUN: [(&str, &str, usize, usize); 12] = [
    ("README.md", "tests/examples/book.rs", 3, 2),
    ("docs/START.md", "tests/examples/book.rs", 4, 0),
    ("docs/SENSORS.md", "tests/examples/book.rs", 2, 0),
    ("docs/CONSOLES.md", "tests/examples/book.rs", 1, 0),
    ("docs/TESTING.md", "tests/examples/book.rs", 1, 0),
    ("docs/CONTROL.md", "tests/control_page.rs", 8, 0),
    ("docs/MIGRATION.md", "tests/migration.rs", 3, 3),
    ("docs/FLEET.md", "tests/alerts.rs", 0, 5),
    ("examples/README.md", "tests/examples.rs", 8, 0),
    ("examples/profiles/README.md", "tests/profiles.rs", 0, 2),
    ("compat/nanokvm/README.md", "tests/nanokvm.rs", 2, 4),
    ("compat/qemu/README.md", "tests/qemu_guest.rs", 0, 3),
];

/// What somebody types begins with one of these.
const PROGRAMS: [&str; 22] = [
    "ipmi_sim",
    "ipmi_simctl",
    "ipmitool",
    "ipmipower",
    "ipmi-sensors",
    "sdrcomp",
    "cargo",
    "curl",
    "sh",
    "cp",
    "mkdir",
    "kubectl",
    "podman",
    "systemctl",
    "packaging/build.sh",
    "packaging/debian.sh",
    "ip",
    "awk",
    "./test.sh",
    "qemu-system-x86_64",
    "mkfifo",
    "pip",
];

/// The blocks of a page: the word behind the backticks, and the text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let (mut found, mut inside): (Vec<(String, String)>, bool) = (Vec::new(), false);
    for line in text(page).lines() {
        if let Some(mark) = line.trim_start().strip_prefix("```") {
            if !inside {
                found.push((mark.to_owned(), String::new()));
            }
            inside = !inside;
        } else if inside {
            let (_, block) = found.last_mut().expect("a block");
            block.push_str(line);
            block.push('\n');
        }
    }
    found
}

/// A block that nobody runs has its reason; a block that is no output has its mark.
#[test]
fn of_every_command_it_is_said_who_runs_it() {
    let known: BTreeMap<&str, (&str, usize, usize)> =
        RUN.iter().map(|(page, by, run, not)| (*page, (*by, *run, *not))).collect();
    let own = |name: &str| !name.starts_with("docs/reference/") && !name.starts_with("docs/original/");
    let mut faults = Vec::new();
    for name in pages().iter().filter(|name| own(name)) {
        let (mut run, mut not) = (0, 0);
        for (mark, block) in blocks(name) {
            let first = block.split_whitespace().next().unwrap_or_default();
            if mark == "sh" {
                run += 1;
            } else if let Some(reason) = mark.strip_prefix("sh not-run:") {
                not += 1;
                assert!(reason.trim().len() > 5, "{name}: no reason: {block}");
            } else if mark.is_empty() && known.contains_key(name.as_str()) && PROGRAMS.contains(&first) {
                faults.push(format!("{name}: marked '{mark}', and yet commands:\n{block}"));
            }
        }
        match known.get(name.as_str()) {
            Some((by, runs, nots)) => {
                if (run, not) != (*runs, *nots) {
                    faults.push(format!(
                        "{name}: {run} blocks that are run, {not} that are not; expected {runs} and {nots}"
                    ));
                }
                let file = name.strip_suffix(".md").expect("a page").rsplit('/').next().expect("a name");
                assert!(*runs == 0 || text(by).contains(file), "{by} does not name {name}");
            }
            None if run + not > 0 => faults.push(format!("{name} has {run} blocks marked sh, and nobody runs them")),
            None => {}
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The plot is what the table beside it says.
#[test]
fn the_plot_shows_the_figures_of_the_table() {
    let ran = Command::new("python3").arg(root("compat/bench/plot.py")).arg("--check").output().expect("python3 runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
