//! `--init`: the files of a BMC to start from.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::driver::announce::quoted;
use crate::store::directory::message;

/// The files, and what is in them.
const FILES: [(&str, &str); 2] =
    [("lan.conf", include_str!("starter/lan.conf")), ("sim.emu", include_str!("starter/sim.emu"))];

/// Writes the files into `directory`, which is made if it is not there. The text says how to
/// start it; the error, why nothing was written.
pub fn write(directory: &Path) -> Result<String, String> {
    let failed = |path: &Path, error: &io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => format!("{} is there already; nothing was written", path.display()),
        _ => format!("Unable to write {}: {}", path.display(), message(error)),
    };
    for (name, _) in FILES {
        let path = directory.join(name);
        if path.symlink_metadata().is_ok() {
            return Err(failed(&path, &io::ErrorKind::AlreadyExists.into()));
        }
    }
    DirBuilder::new().recursive(true).mode(0o755).create(directory).map_err(|error| failed(directory, &error))?;
    for (name, text) in FILES {
        let path = directory.join(name);
        // There are passwords in it.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| failed(&path, &error))?;
    }
    let place = |name: &str| quoted(&directory.join(name).display().to_string());
    let [lan_conf, commands, state] = ["lan.conf", "sim.emu", "state"].map(place);
    Ok(format!(
        "Written: {lan_conf} and {commands}\n\
         Check it:  ipmi_sim --check -c {lan_conf} -f {commands}\n\
         Start it:  ipmi_sim -c {lan_conf} -f {commands} -s {state}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_files_are_written_once_and_only_for_their_owner() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/my bmc");
        let text = write(&directory).unwrap();
        let place = directory.display();
        assert!(text.contains(&format!("ipmi_sim -c '{place}/lan.conf' -f '{place}/sim.emu' -s '{place}/state'\n")));
        for (name, content) in FILES {
            assert_eq!(fs::read_to_string(directory.join(name)).unwrap(), content);
            assert_eq!(directory.join(name).metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::write(directory.join("lan.conf"), "mine").unwrap();
        let refused = format!("{place}/lan.conf is there already; nothing was written");
        assert_eq!(write(&directory), Err(refused));
        assert_eq!(fs::read_to_string(directory.join("lan.conf")).unwrap(), "mine");
    }

    #[test]
    fn one_file_that_is_there_keeps_the_other_from_being_written() {
        let root = tempfile::tempdir().unwrap();
        // Not even a link that leads nowhere is written through.
        std::os::unix::fs::symlink("nowhere", root.path().join("sim.emu")).unwrap();
        assert!(write(root.path()).unwrap_err().ends_with("sim.emu is there already; nothing was written"));
        assert!(!root.path().join("lan.conf").exists() && !root.path().join("nowhere").exists());
        let below_a_file = Path::new("/dev/null/x");
        assert!(write(below_a_file).unwrap_err().starts_with("Unable to write /dev/null/x: "));
    }
}
