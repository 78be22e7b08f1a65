//! The programs that `packaging/build.sh` makes.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::bench::project;

/// Builds the static `ipmi_sim` for a processor (`riscv64`), unless nothing has changed, and gives a file to run in
/// its place: itself, or for another processor a script that runs it in QEMU's user emulation,
/// by the name it has at home.
pub fn static_program(processor: &str) -> PathBuf {
    // Not where releases are made: this is none.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("static").join(processor);
    let built = Command::new(project("packaging/build.sh"))
        .args([processor.as_ref(), folder.as_os_str()])
        // What cargo says to the programs it runs is not meant for the other build.
        .env_remove("CARGO_TARGET_DIR")
        // As a release but for what takes most of its time.
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .output()
        .expect("packaging/build.sh");
    assert!(
        built.status.success(),
        "packaging/build.sh {processor}:\n{}{}",
        String::from_utf8_lossy(&built.stdout),
        String::from_utf8_lossy(&built.stderr)
    );
    println!("{}", String::from_utf8_lossy(&built.stdout));
    let program = folder.join("ipmi_sim");
    if processor == std::env::consts::ARCH {
        return program;
    }
    let emulator = format!("qemu-{}-static", if processor == "armv7" { "arm" } else { processor });
    assert!(
        Command::new(&emulator).arg("--version").output().is_ok(),
        "{emulator} cannot be run: apt-get install qemu-user-static"
    );
    let emulated = folder.join("emulated");
    std::fs::write(&emulated, format!("#!/bin/sh\nexec {emulator} -0 ipmi_sim '{}' \"$@\"\n", program.display()))
        .expect("a script");
    std::fs::set_permissions(&emulated, std::fs::Permissions::from_mode(0o755)).expect("mode 0755");
    emulated
}
