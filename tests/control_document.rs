//! `/openapi.json` is true: openapi-spec-validator finds nothing wrong with it, and schemathesis, which asks what it allows and
//! what it does not, finds no answer that it does not have, and none that says that the program failed.
//!
//! Some seconds in the usual run, always with the same requests; `IPMI_SIM_SCHEMATHESIS_SECONDS=600 cargo test --test
//! control_document -- --nocapture --test-threads=1` is the long form, with others each time.

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use support::bench::{free_port, project};
use support::machine::left_out;
use support::{Bench, Ran, door};

const LIMIT: Duration = Duration::from_secs(300);
/// Installing takes the network.
const INSTALL: Duration = Duration::from_secs(600);
/// How many requests of a kind are made in the usual run.
const EXAMPLES: &str = "8";

/// The folder with the programs of `validators.sh`; `None` where they cannot be had, which is told.
fn validators(what: &str) -> Option<&'static Path> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let make = || {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi-validators");
        let mut script = Command::new("sh");
        script.arg(project("tests/control/validators.sh")).arg(&folder);
        let ran = Ran::run(&mut script, "python3-venv", INSTALL);
        if ran.succeeded() { Ok(folder.join("bin")) } else { Err(ran.stderr.trim().replace('\n', "; ")) }
    };
    match FOLDER.get_or_init(make) {
        Ok(folder) => Some(folder),
        Err(why) => {
            left_out(what, why);
            None
        }
    }
}

/// Asks a door everything that its document has, and what it has not.
fn ask(bench: &Bench, folder: &Path, address: SocketAddr) {
    let mut command = Command::new(folder.join("schemathesis"));
    command.arg("--config-file").arg(project("tests/control/schemathesis.toml"));
    command.arg("run").arg(format!("http://{address}/openapi.json"));
    command.args(["--workers", "1", "--continue-on-failure", "--request-timeout", "20"]).current_dir(bench.folder());
    let limit = match std::env::var("IPMI_SIM_SCHEMATHESIS_SECONDS") {
        Ok(seconds) => {
            command.args(["--max-time", &seconds]);
            2 * Duration::from_secs(seconds.parse().expect("seconds")) + LIMIT
        }
        Err(_) => {
            command.args(["--seed", "1", "--max-examples", EXAMPLES]);
            LIMIT
        }
    };
    let ran = Ran::run(&mut command, "python3-venv", limit);
    ran.assert_ok().assert_says("No issues found");
    eprintln!("{}", ran.stdout);
}

/// A free address.
fn address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()))
}

#[test]
fn the_document_is_valid() {
    let Some(folder) = validators("the control door's document") else { return };
    let mut command = Command::new(folder.join("openapi-spec-validator"));
    command.arg(project("src/control/openapi.json"));
    Ran::run(&mut command, "python3-venv", LIMIT).assert_ok().assert_says("OK");
}

#[test]
fn a_fleet_answers_as_the_document_says() {
    let Some(folder) = validators("a fleet and the control door's document") else { return };
    let (bench, port, address) = (Bench::new(), free_port().to_string(), address());
    door::write_fleet(&bench);
    let range = ["--count", "5", "--addresses", "127.77.0.0/16", "--ports", &port, "--http", &address.to_string()];
    let (mut simulator, door) = door::start(&bench, &range);
    ask(&bench, folder, address);
    simulator.assert_alive();
    door.get("/healthz").assert(200);
}

#[test]
fn one_bmc_answers_as_the_document_says() {
    let Some(folder) = validators("a BMC and the control door's document") else { return };
    let (bench, address) = (Bench::new(), address());
    door::write_one(&bench, free_port(), "");
    let (mut simulator, door) = door::start(&bench, &["--http", &address.to_string()]);
    ask(&bench, folder, address);
    simulator.assert_alive();
    assert_eq!(door.json("/v1/bmcs")["total"], 1);
}
