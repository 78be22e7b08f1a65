//! The fuzz targets without a fuzzer: every input of the small corpora, every recorded
//! client and every past finding once, and for a few seconds inputs made of them (`fuzz/README.md`).
//!
//! `IPMI_SIM_FUZZ_SECONDS` is the time for each target, 2 when it is not set.

#[path = "../fuzz/harness/mod.rs"]
mod harness;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::rig::Dice;

/// No mutated input is longer.
const MOST_BYTES: usize = 4096;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The files of a folder with their names, sorted.
fn inputs(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .map(|path| (path.display().to_string(), std::fs::read(&path).expect("a readable file")))
        .collect();
    files.sort();
    files
}

/// Runs an input; what makes it fail is kept, to be looked at and to become a regression.
fn run(name: &str, target: fn(&[u8]), origin: &str, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        let kept = std::env::temp_dir().join(format!("ipmi_sim-fuzz-{name}-{}", std::process::id()));
        std::fs::write(&kept, input).expect("a place for the input");
        panic!("{name}: {origin} fails; the input is in {}", kept.display());
    }
}

fn mutate(dice: &mut Dice, corpus: &[(String, Vec<u8>)]) -> Vec<u8> {
    let some =
        |dice: &mut Dice| corpus.get(dice.below(corpus.len())).map(|(_, bytes)| bytes.clone()).unwrap_or_default();
    let mut input = some(dice);
    for _ in 0..=dice.below(6) {
        let at = dice.below(input.len() + 1);
        let end = at + dice.below(input.len() - at + 1).min(64);
        match dice.below(8) {
            0 => drop(input.drain(at..end)),
            1 => drop(input.splice(at..at, (0..dice.below(16)).map(|_| dice.next() as u8).collect::<Vec<_>>())),
            2 => drop(input.splice(at..at, input[at..end].to_vec())),
            3 => {
                let other = some(dice);
                let from = dice.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            4 => input.truncate(end),
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = match dice.below(4) {
                        0 => *byte ^ 1 << dice.below(8),
                        1 => [0, 1, 0x7f, 0x80, 0xff][dice.below(5)],
                        _ => dice.next() as u8,
                    };
                }
            }
        }
    }
    input.truncate(MOST_BYTES);
    input
}

fn replay_and_mutate(name: &str) {
    let (_, target) = *harness::TARGETS.iter().find(|(target, _)| *target == name).expect("a target");
    let corpus = inputs(&fuzz_folder().join("corpus").join(name));
    assert!(!corpus.is_empty(), "fuzz/corpus/{name} is empty");
    let mut regressions = inputs(&fuzz_folder().join("regressions").join(name));
    regressions.extend(inputs(&fuzz_folder().join("captures").join(name)));
    for (origin, input) in corpus.iter().chain(&regressions) {
        run(name, target, origin, input);
    }
    let seconds = std::env::var("IPMI_SIM_FUZZ_SECONDS").map_or(2, |text| text.parse().expect("a number of seconds"));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut dice = Dice(20_261_120);
    let mut rounds = 0;
    while Instant::now() < end {
        let input = mutate(&mut dice, &corpus);
        run(name, target, &format!("round {rounds}"), &input);
        rounds += 1;
    }
    println!("{name}: {} inputs, {} others, {rounds} mutations", corpus.len(), regressions.len());
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay_and_mutate(stringify!($name));
        })*

        #[test]
        fn no_target_is_left_out() {
            assert_eq!(harness::TARGETS.map(|(name, _)| name), [$(stringify!($name)),*]);
        }
    };
}

targets!(lan_conf command state sdrs wire serial sim);

#[test]
fn every_configuration_starts_and_serves_its_administrator() {
    for which in 0..harness::rig::CONFIGURATIONS as u8 {
        println!("configuration {which}");
        harness::sim(&[which | 0x80]);
        harness::sim(&[which]);
    }
}
