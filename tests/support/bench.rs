//! A work bench: one temporary folder and free ports, private to one test.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nix::fcntl::{Flock, FlockArg};

/// A folder that vanishes with the test.
pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// An empty folder.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("ipmi_sim-test-").tempdir().expect("a temporary folder");
        Self { folder }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A path inside the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes a file, with the folders it needs.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).expect("a folder");
        }
        fs::write(&path, content).expect("a file");
        path
    }

    /// Writes a file that can be run.
    pub fn write_program(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.write(name, content);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("mode 0755");
        path
    }

    /// What a file holds; an absent one is a failure of the test.
    pub fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&self.read_bytes(name)).into_owned()
    }

    /// The same for a file that is not text.
    pub fn read_bytes(&self, name: &str) -> Vec<u8> {
        let path = self.path(name);
        fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    }

    /// Copies a folder of the project (`examples/minimal`) with everything in it.
    pub fn copy_tree(&self, from: &str, to: &str) -> PathBuf {
        let source = project(from);
        let target = self.path(to);
        copy_tree(&source, &target);
        target
    }
}

/// A path inside the project.
pub fn project(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn copy_tree(source: &Path, target: &Path) {
    fs::create_dir_all(target).expect("a folder");
    let entries = fs::read_dir(source).unwrap_or_else(|why| panic!("{}: {why}", source.display()));
    for entry in entries {
        let entry = entry.expect("a folder entry");
        let to = target.join(entry.file_name());
        if entry.file_type().expect("a file type").is_dir() {
            copy_tree(&entry.path(), &to);
        } else {
            // fs::copy keeps the mode, so programs stay programs.
            fs::copy(entry.path(), &to).expect("a copied file");
        }
    }
}

/// A port of the loopback that nobody uses, for UDP and for TCP.
///
/// Taken from below the range that the kernel gives to outgoing connections, and reserved
/// among all test programs of this machine until this one ends.
pub fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    /// The next one to look at, and the reservations.
    static TAKEN: Mutex<Option<(u16, Vec<Flock<File>>)>> = Mutex::new(None);
    let mut taken = TAKEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let (next, reserved) = taken.get_or_insert_with(|| {
        let spread = std::process::id().wrapping_mul(2_654_435_761) >> 8;
        ((spread % u32::from(COUNT)) as u16, Vec::new())
    });
    for _ in 0..COUNT {
        *next = (*next + 1) % COUNT;
        let port = FIRST + *next;
        let Some(reservation) = reserve(port) else { continue };
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
            && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        {
            reserved.push(reservation);
            return port;
        }
    }
    panic!("no free port on the loopback");
}

/// Who runs the tests: the number outside, where somebody is root in a user namespace only.
fn user() -> u32 {
    let own = nix::unistd::getuid().as_raw();
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.lines()
        .find_map(|line| {
            let mut numbers = line.split_whitespace().filter_map(|number| number.parse::<u32>().ok());
            let (inside, outside, count) = (numbers.next()?, numbers.next()?, numbers.next()?);
            let place = own.checked_sub(inside).filter(|place| *place < count)?;
            outside.checked_add(place)
        })
        .unwrap_or(own)
}

/// A locked file per port; the lock ends with the process. `None`: another test has it.
fn reserve(port: u16) -> Option<Flock<File>> {
    let folder = std::env::temp_dir().join(format!("ipmi_sim-test-ports-{}", user()));
    fs::create_dir_all(&folder).expect("a folder for reservations");
    let file = File::options().create(true).append(true).open(folder.join(port.to_string()));
    Flock::lock(file.expect("a reservation"), FlockArg::LockExclusiveNonblock).ok()
}
