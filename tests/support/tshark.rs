//! Captures judged by somebody else: tshark's dissectors.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Ran;

/// Longest run; dissecting takes a second or two.
const LIMIT: Duration = Duration::from_secs(60);

/// Fails the test unless tshark takes every packet of a capture for RMCP and finds nothing
/// malformed in any.
#[track_caller]
pub fn assert_well_formed(capture: &Path, packets: usize) {
    let fields = ["frame.number", "frame.protocols", "_ws.malformed", "_ws.expert.severity", "_ws.expert.message"];
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture).args(["-T", "fields"]).args(fields.iter().flat_map(|field| ["-e", field]));
    let ran = Ran::run(&mut command, "tshark", LIMIT);
    ran.assert_ok();
    let lines: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), packets, "{}", ran.report());
    // Expert information of this severity and above is a warning or an error.
    const WARNING: u32 = 0x0060_0000;
    for line in &lines {
        let field = |index: usize| line.get(index).copied().unwrap_or_default();
        assert!(field(1).contains("rmcp"), "no RMCP: {line:?}");
        let severe = field(3).split(',').filter_map(|word| word.parse::<u32>().ok()).any(|word| word >= WARNING);
        assert!(field(2).is_empty() && !severe, "tshark complains of {}: {line:?}", capture.display());
    }
}
