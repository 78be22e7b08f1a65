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
use support::http::Http;
use support::machine::left_out;
use support::{Bench, Ran, Simulator, Stdin, Subject};

const LIMIT: Duration = Duration::from_secs(300);
/// Installing takes the network.
const INSTALL: Duration = Duration::from_secs(600);
/// How many requests of a kind are made in the usual run.
const EXAMPLES: &str = "12";

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

/// A program with a door, and the address of that.
fn door(bench: &Bench, arguments: &[&str]) -> (Simulator, SocketAddr) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let http = address.to_string();
    let mut all = vec!["-n", "--ready-line", "-s", "state", "-c", "lan.conf", "-f", "sim.emu", "--http", &http];
    all.extend(arguments);
    let simulator = Simulator::spawn(Subject::under_test(), bench, &all, Stdin::Null);
    assert!(simulator.stdout.wait_for("is ready\n", LIMIT), "{}", simulator.report());
    (simulator, address)
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
    let (bench, port) = (Bench::new(), free_port().to_string());
    for name in ["lan.conf", "sim.emu"] {
        std::fs::copy(project(&format!("examples/fleet/{name}")), bench.path(name)).expect("an example");
    }
    let (mut simulator, address) = door(&bench, &["--count", "5", "--addresses", "127.77.0.0/16", "--ports", &port]);
    ask(&bench, folder, address);
    simulator.assert_alive();
    Http::tcp(address).get("/healthz").assert(200);
}

#[test]
fn one_bmc_answers_as_the_document_says() {
    let Some(folder) = validators("a BMC and the control door's document") else { return };
    let (bench, port) = (Bench::new(), free_port().to_string());
    // The files of a fleet with the values of one.
    for name in ["lan.conf", "sim.emu"] {
        let text = std::fs::read_to_string(project(&format!("examples/fleet/{name}"))).expect("an example");
        let values = [("$name", "\"bmc00001\""), ("\"$index", "1\""), ("$addr", "127.0.0.1"), ("$port", &port)];
        bench.write(name, values.iter().fold(text, |text, (name, value)| text.replace(name, value)));
    }
    let (mut simulator, address) = door(&bench, &[]);
    ask(&bench, folder, address);
    simulator.assert_alive();
    assert_eq!(Http::tcp(address).json("/v1/bmcs")["total"], 1);
}
