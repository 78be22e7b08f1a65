//! A real guest: QEMU without hardware acceleration, Debian's kernel, and a file system made
//! of this machine's busybox and ipmitool. The test talks to the guest's first serial port,
//! where `init` does what each line says.

mod archive;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use archive::Archive;

use crate::support::Bench;
use crate::support::bench::project;
use crate::support::process::{self, eventually};

/// The IPMI device of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// `isa-ipmi-kcs`.
    IsaKcs,
    /// `isa-ipmi-bt`.
    IsaBt,
    /// `pci-ipmi-kcs`.
    PciKcs,
}

impl Interface {
    fn device(self) -> &'static str {
        match self {
            Self::IsaKcs => "isa-ipmi-kcs",
            Self::IsaBt => "isa-ipmi-bt",
            Self::PciKcs => "pci-ipmi-kcs",
        }
    }

    /// What the guest's driver calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::IsaKcs | Self::PciKcs => "kcs",
            Self::IsaBt => "bt",
        }
    }
}

/// Far more than it takes; a machine under load gives the guest little time.
const BOOT: Duration = Duration::from_secs(180);
const COMMAND: Duration = Duration::from_secs(60);

/// Writes `machine.sh` into a bench: QEMU with the options of `compat/qemu`, the BMC on TCP
/// port `vm`, the console of [`Console`] as first serial port and `second_serial` as second.
pub fn write_machine(bench: &Bench, interface: Interface, vm: u16, second_serial: &str) {
    let kernel = kernel();
    bench.write("initramfs", file_system(&kernel));
    let script = format!(
        "exec qemu-system-x86_64 -accel tcg -m 256 -nodefaults -no-user-config -nographic \\\n\
         -kernel '{kernel}/vmlinuz' -initrd initramfs -append 'console=ttyS0 quiet panic=-1' \\\n\
         -pidfile machine.pid \\\n\
         -chardev socket,id=console,path=console,server=on,wait=off -serial chardev:console \\\n\
         -serial {second_serial} \\\n\
         -chardev socket,id=ipmi0,host=localhost,port={vm},reconnect=1 \\\n\
         -device ipmi-bmc-extern,id=bmc0,chardev=ipmi0 -device {device},bmc=bmc0\n",
        kernel = kernel.display(),
        device = interface.device(),
    );
    bench.write("machine.sh", script);
    assert!(
        Command::new("qemu-system-x86_64").arg("--version").output().is_ok_and(|ran| ran.status.success()),
        "qemu-system-x86_64 cannot be run: apt-get install qemu-system-x86"
    );
}

/// The folder with `vmlinuz` and the modules, which `kernel.sh` fetches.
fn kernel() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest-kernel");
            let ran = Command::new("sh")
                .arg(project("tests/guest/kernel.sh"))
                .arg(&folder)
                .output()
                .expect("sh runs tests/guest/kernel.sh");
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
            folder
        })
        .clone()
}

fn file_system(kernel: &Path) -> Vec<u8> {
    let mut archive = Archive::default();
    for folder in ["proc", "sys", "dev", "tmp"] {
        archive.folder(folder);
    }
    archive.file("init", include_bytes!("init"));
    // What busybox' acpid runs when the power button is pressed.
    archive.file("etc/acpi/PWRF/00000080", b"#!/bin/sh\necho @@button@@ >/dev/ttyS0\npoweroff -f\n");
    archive.copy("bin/busybox", &program("busybox", "busybox-static"), "busybox-static");
    let ipmitool = program("ipmitool", "ipmitool");
    archive.copy("usr/bin/ipmitool", &ipmitool, "ipmitool");
    for library in libraries(&ipmitool) {
        archive.copy(library.trim_start_matches('/'), Path::new(&library), "ipmitool");
    }
    for entry in fs::read_dir(kernel).expect("the kernel's folder").flatten() {
        if let Some(name) = entry.file_name().to_str().filter(|name| name.ends_with(".ko")) {
            archive.copy(&format!("modules/{name}"), &entry.path(), "linux-image-amd64");
        }
    }
    archive.finish()
}

fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is missing: apt-get install {package}"))
}

/// The libraries of a program and its loader, as `ldd` lists them.
fn libraries(program: &Path) -> Vec<String> {
    let ran = Command::new("ldd").arg(program).output().expect("ldd");
    assert!(ran.status.success(), "ldd {}", program.display());
    String::from_utf8_lossy(&ran.stdout)
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(str::to_owned)
        .collect()
}

/// What a command in the guest came to.
#[derive(Debug)]
pub struct Ran {
    /// Exit status.
    pub status: i32,
    /// Both outputs.
    pub output: String,
}

/// The first serial port of a running machine.
pub struct Console {
    stream: UnixStream,
    unread: Vec<u8>,
    transcript: String,
}

impl Console {
    /// Waits for the machine of a bench and connects.
    #[track_caller]
    pub fn open(bench: &Bench) -> Self {
        let path = bench.path("console");
        let stream = eventually(Duration::from_secs(20), || UnixStream::connect(&path).ok())
            .expect("the BMC starts the machine");
        Self { stream, unread: Vec::new(), transcript: String::new() }
    }

    /// Connects to the machine that comes after one that has ended, and waits until its guest has booted.
    #[track_caller]
    pub fn open_next(bench: &Bench) -> Self {
        let began = Instant::now();
        loop {
            let mut console = Self::open(bench);
            let messages = console.read_until("@@ready", BOOT);
            // The machine that ends may still take a connection, and says nothing.
            if messages.is_some() || !console.transcript.is_empty() || began.elapsed() > BOOT {
                Self::booted(messages, began);
                return console;
            }
        }
    }

    /// Waits until the guest has booted, after its start or a reset.
    #[track_caller]
    pub fn wait_for_boot(&mut self) {
        let began = Instant::now();
        Self::booted(self.read_until("@@ready", BOOT), began);
    }

    #[track_caller]
    fn booted(messages: Option<String>, began: Instant) {
        let messages = messages.expect("the guest boots");
        assert!(!messages.contains("@@ no module"), "{messages}");
        eprintln!("the guest booted in {:.1} s", began.elapsed().as_secs_f32());
    }

    /// Runs a shell command in the guest.
    #[track_caller]
    pub fn run(&mut self, command: &str) -> Ran {
        self.start(command);
        let (output, status) = self.read_until("@@done ", COMMAND).map_or_else(
            || panic!("no end of: {command}"),
            |output| (output, self.read_until("@@", COMMAND).unwrap_or_default()),
        );
        let status = status.trim().parse().unwrap_or_else(|_| panic!("the status of: {command}: {status}"));
        Ran { status, output }
    }

    /// Runs a command that must succeed, and returns its output.
    #[track_caller]
    pub fn ok(&mut self, command: &str) -> String {
        let ran = self.run(command);
        assert_eq!(ran.status, 0, "{command}: {}", ran.output);
        ran.output
    }

    /// Runs a command whose output must contain something.
    #[track_caller]
    pub fn says(&mut self, command: &str, wanted: &str) -> String {
        let output = self.ok(command);
        let blanks = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(blanks(&output).contains(&blanks(wanted)), "{command} does not say `{wanted}`:\n{output}");
        output
    }

    /// The number a command prints. The kernel may have put in a word (`[   12.34] ...`).
    #[track_caller]
    pub fn number(&mut self, command: &str) -> u64 {
        let output = self.ok(command);
        let number: String = output.lines().filter(|line| !line.starts_with('[')).collect();
        number.trim().parse().unwrap_or_else(|_| panic!("{command}: {output}"))
    }

    /// Starts a command and waits for nothing.
    #[track_caller]
    pub fn start(&mut self, command: &str) {
        assert!(!command.contains('\n'), "one line: {command}");
        self.stream.write_all(format!("{command}\n").as_bytes()).expect("the machine runs");
    }

    /// Waits for the machine's end.
    #[track_caller]
    pub fn wait_for_end(&mut self) {
        assert!(self.read_until("@@never@@", COMMAND).is_none());
        assert_eq!(self.stream.read(&mut [0]).ok(), Some(0), "the machine still runs");
    }

    /// Waits for a text that is no command's output.
    #[track_caller]
    pub fn wait_for(&mut self, wanted: &str) {
        assert!(self.read_until(wanted, COMMAND).is_some(), "the guest does not say `{wanted}`");
    }

    /// What comes before `wanted`, which is taken away as well. `None` when the time is over
    /// or the machine ends.
    fn read_until(&mut self, wanted: &str, limit: Duration) -> Option<String> {
        let end = Instant::now() + limit;
        loop {
            if let Some(at) = self.unread.windows(wanted.len()).position(|part| part == wanted.as_bytes()) {
                let text = self.unread.drain(..at + wanted.len()).take(at).collect::<Vec<_>>();
                return Some(String::from_utf8_lossy(&text).replace('\r', ""));
            }
            let left = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            self.stream.set_read_timeout(Some(left)).expect("a time limit");
            let mut piece = [0; 4096];
            match self.stream.read(&mut piece) {
                Ok(0) => return None,
                Ok(count) => {
                    self.transcript.push_str(&String::from_utf8_lossy(&piece[..count]));
                    self.unread.extend_from_slice(&piece[..count]);
                }
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the guest's console\n{}\n---", self.transcript);
        }
    }
}

/// Ends the machine of a bench, which the simulator started and leaves behind.
pub struct MachineGuard<'a>(pub &'a Bench);

impl Drop for MachineGuard<'_> {
    fn drop(&mut self) {
        let Ok(text) = fs::read_to_string(self.0.path("machine.pid")) else { return };
        let Ok(pid) = text.trim().parse::<u32>() else { return };
        // The number may be somebody else's by now; ours runs in the bench's folder.
        if fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder == self.0.folder()) {
            process::signal(pid, nix::sys::signal::Signal::SIGKILL);
        }
    }
}
