//! The comparison with the original in its short form: it works, and both programs answer everything. And a fleet of a
//! thousand BMCs: memory, descriptors, wake-ups and losses are held against their bars.
//!
//! What is measured in time is not judged here.

mod support;

#[path = "../compat/bench/src/mod.rs"]
#[allow(dead_code)]
mod bench;

use bench::compare::{Extent, Programs, compare};
use bench::fleet;
use support::Subject;
use support::bench::{free_port, project};

#[test]
fn the_comparison_with_the_original_gives_every_figure() {
    let programs = Programs { original: Subject::Original.program(), ours: Subject::Ours.program(), statically: None };
    let report = compare(&programs, Extent::QUICK, &mut free_port, false).expect("both answer everything");
    let rows: Vec<_> = report.lines().filter(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 40, "{report}");
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        // Suite 17 is what the original does not have.
        let missing = cells.iter().any(|cell| *cell == "-" || cell.starts_with("- /") || cell.ends_with("/ -"));
        assert_eq!(missing, row.contains("suite 17"), "{row}\n{report}");
    }
}

#[test]
fn a_thousand_bmcs_take_what_they_may_and_nothing_is_lost() {
    let places =
        fleet::Places { program: Subject::Ours.program(), example: project("examples/fleet"), port: free_port() };
    // However long it takes.
    let report = fleet::measure(&places, fleet::Extent::QUICK, &[], Some(f64::INFINITY)).expect("all answer");
    assert!(report.figures.len() > 30, "{report}");
    assert_eq!(report.missed().count(), 0, "{report}");
}
