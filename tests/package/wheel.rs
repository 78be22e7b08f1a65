//! The Python wheel of `packaging/wheel.sh`: made around the programs under test, installed into an
//! environment of its own, and used by a project's tests through the fixture that comes with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::bench::project;
use crate::support::{Bench, Ran};
use crate::{LIMIT, VERSION, built, text};

/// Debian's: the one that its pytest and pyghmi are for.
const PYTHON: &str = "/usr/bin/python3";

/// The wheel, made around the programs under test.
fn wheel(bench: &Bench) -> PathBuf {
    let mut script = Command::new(project("packaging/wheel.sh"));
    script.arg(std::env::consts::ARCH).arg(bench.path("wheel")).env("PROGRAMS", built()).env("LEVEL", "1");
    Ran::run(&mut script, "python3", LIMIT).assert_ok();
    let made: Vec<PathBuf> =
        fs::read_dir(bench.path("wheel")).expect("the folder").flatten().map(|entry| entry.path()).collect();
    let [wheel] = &made[..] else { panic!("{made:?}") };
    wheel.clone()
}

/// Everything is in it, and nothing else.
fn assert_whole(wheel: &Path) {
    let listed = text(PYTHON, &["-m", "zipfile", "-l", wheel.to_str().expect("a path")], "python3");
    let there: Vec<&str> = listed.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    let (data, info) = (format!("ipmi_sim-{VERSION}.data/scripts"), format!("ipmi_sim-{VERSION}.dist-info"));
    let mut wanted: Vec<String> = ["ipmi_sim", "ipmi_simctl", "sdrcomp"].map(|name| format!("{data}/{name}")).into();
    wanted.extend(["__init__.py", "py.typed"].map(|name| format!("ipmi_sim_pytest/{name}")));
    wanted.extend(["METADATA", "WHEEL", "entry_points.txt"].map(|name| format!("{info}/{name}")));
    wanted.extend(
        ["LICENSE-MIT", "LICENSE-APACHE", "copyright", "copyright.static"]
            .map(|name| format!("{info}/licenses/{name}")),
    );
    wanted.push(format!("{info}/RECORD"));
    assert_eq!(there, wanted);
}

#[test]
fn pip_installs_the_wheel_and_a_project_tests_with_it() {
    let bench = Bench::new();
    let wheel = wheel(&bench);
    assert_whole(&wheel);
    let name = format!("ipmi_sim-{VERSION}-py3-none-linux_{}.whl", std::env::consts::ARCH);
    assert_eq!(wheel.file_name().and_then(|name| name.to_str()), Some(name.as_str()));
    let environment = bench.path("environment");
    let place = environment.to_str().expect("a path");
    text(PYTHON, &["-m", "venv", "--system-site-packages", place], "python3-venv");
    let bin = environment.join("bin");
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(bin.join(program));
        command.args(arguments).current_dir(bench.folder()).env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", bin.display()));
        let ran = Ran::run(&mut command, "python3-pytest", LIMIT);
        ran.assert_ok();
        ran
    };
    let path = wheel.to_str().expect("a path");
    run("pip", &["install", "--no-index", "--no-compile", "--disable-pip-version-check", path]);
    let tests = project("tests/package/test_wheel.py");
    let ran = run("python", &["-m", "pytest", "-q", "-p", "no:cacheprovider", tests.to_str().expect("a path")]);
    ran.assert_says("5 passed").assert_not_says("skipped");
    run("pip", &["uninstall", "--yes", "ipmi_sim"]);
    assert!(!bin.join("ipmi_sim").exists(), "uninstalled, but still there");
}

/// maturin and `wheel.py` take the same words from one file.
#[test]
fn pyproject_says_what_cargo_says() {
    let said = fs::read_to_string(project("packaging/python/pyproject.toml")).expect("pyproject.toml");
    let manifest = fs::read_to_string(project("Cargo.toml")).expect("Cargo.toml");
    let licence = manifest.lines().find(|line| line.starts_with("license = \"")).expect("a licence");
    for line in [&format!("version = \"{VERSION}\""), licence] {
        assert!(said.lines().any(|there| there == line), "no {line}");
    }
}
