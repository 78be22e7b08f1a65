//! The comparison with the original in its short form: it works, and both programs answer everything.
//! Figures are not judged here.

mod support;

#[path = "../compat/bench/src/mod.rs"]
#[allow(dead_code)]
mod bench;

use bench::compare::{Extent, Programs, compare};
use support::Subject;
use support::bench::free_port;

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
