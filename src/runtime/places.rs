//! Where files are looked for when the command line does not say (`process.md`
//! section 1).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

/// Environment variable: the directory that takes the place of `/` in the default places.
pub const ROOT: &str = "IPMI_SIM_ROOT";

/// The default places, in order of preference.
///
/// Debian 12 builds the original with `/usr/etc` and `/usr/var`; those are looked at when
/// there is nothing in the usual ones. State that services keep is in `/var/lib`.
#[derive(Clone, Debug)]
pub struct Places {
    /// Directories of lan.conf, `NAME.emu` and included command files.
    pub configuration: Vec<PathBuf>,
    /// Bases of the state directory.
    pub state: Vec<PathBuf>,
    /// Base of the state directory of a user who may not write to the others.
    pub user_state: Option<PathBuf>,
}

impl Places {
    /// Those of this system and user. With [`ROOT`] set, the system's are below that
    /// directory, for images of other systems and for tests.
    pub fn of_system() -> Self {
        let root = std::env::var_os(ROOT).map(PathBuf::from).filter(|root| root.is_absolute());
        Self::below(root.as_deref().unwrap_or(Path::new("/")), |name| std::env::var_os(name))
    }

    fn below(root: &Path, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let all = |places: &[&str]| places.iter().map(|place| root.join(place)).collect();
        Self {
            configuration: all(&["etc/ipmi", "usr/etc/ipmi"]),
            state: all(&["var", "var/lib", "usr/var"]),
            user_state: absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state"))),
        }
    }

    /// The default configuration file; the preferred one when none exists.
    pub fn configuration_file(&self) -> PathBuf {
        self.existing("lan.conf").unwrap_or_else(|| match self.configuration.first() {
            Some(directory) => directory.join("lan.conf"),
            None => "lan.conf".into(),
        })
    }

    /// The default command file of a system, if there is one.
    pub fn command_file(&self, name: &str) -> Option<PathBuf> {
        self.existing(&format!("{name}.emu"))
    }

    /// Where the default command file of a system is looked for.
    pub fn command_files(&self, name: &str) -> Vec<PathBuf> {
        self.configuration.iter().map(|directory| directory.join(format!("{name}.emu"))).collect()
    }

    fn existing(&self, name: &str) -> Option<PathBuf> {
        self.configuration.iter().map(|directory| directory.join(name)).find(|path| path.is_file())
    }

    /// The default base of the state directory: one that has state of this system, else
    /// the first that can be written to.
    pub fn state_base(&self, name: &str) -> PathBuf {
        let directory = |base: &Path| {
            let mut path = base.join("ipmi_sim");
            path.extend(name.split('/').filter(|part| !part.is_empty()));
            path
        };
        let first = self.state.first().cloned().unwrap_or_else(|| ".".into());
        let usual = self.state.iter().find(|base| directory(base).is_dir()).cloned().unwrap_or(first);
        match &self.user_state {
            Some(user) if !writable(&directory(&usual)) => user.clone(),
            _ => usual,
        }
    }
}

/// Whether a directory can be written to, or made.
fn writable(directory: &Path) -> bool {
    let existing = directory.ancestors().find(|path| path.exists());
    existing.is_some_and(|path| access(path, AccessFlags::W_OK | AccessFlags::X_OK).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn places(root: &Path) -> Places {
        Places {
            configuration: vec![root.join("etc"), root.join("usr/etc")],
            state: vec![root.join("var"), root.join("usr/var")],
            user_state: Some(root.join("home")),
        }
    }

    #[test]
    fn the_systems_places_and_the_users() {
        let places = |variables: &[(&str, &str)]| {
            Places::below(Path::new("/"), |name| {
                let found = variables.iter().find(|(variable, _)| *variable == name);
                found.map(|(_, value)| (*value).into())
            })
        };
        let system = places(&[]);
        assert_eq!(system.configuration, [Path::new("/etc/ipmi"), Path::new("/usr/etc/ipmi")]);
        assert_eq!(system.state, [Path::new("/var"), Path::new("/var/lib"), Path::new("/usr/var")]);
        assert_eq!(system.user_state, None);
        let home = ("HOME", "/home/me");
        assert_eq!(places(&[home]).user_state.as_deref(), Some(Path::new("/home/me/.local/state")));
        assert_eq!(places(&[home, ("XDG_STATE_HOME", "/x")]).user_state.as_deref(), Some(Path::new("/x")));
        // The standard says that a relative path is to be ignored.
        assert_eq!(
            places(&[home, ("XDG_STATE_HOME", "x")]).user_state.as_deref(),
            Some(Path::new("/home/me/.local/state"))
        );
    }

    #[test]
    fn files_are_found_in_the_first_place_that_has_them() {
        let root = tempfile::tempdir().unwrap();
        let places = places(root.path());
        assert_eq!(places.configuration_file(), root.path().join("etc/lan.conf"));
        assert_eq!(places.command_file("a"), None);
        fs::create_dir_all(root.path().join("usr/etc")).unwrap();
        fs::write(root.path().join("usr/etc/lan.conf"), "").unwrap();
        fs::write(root.path().join("usr/etc/a.emu"), "").unwrap();
        assert_eq!(places.configuration_file(), root.path().join("usr/etc/lan.conf"));
        assert_eq!(places.command_file("a"), Some(root.path().join("usr/etc/a.emu")));
        fs::create_dir_all(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/lan.conf"), "").unwrap();
        assert_eq!(places.configuration_file(), root.path().join("etc/lan.conf"));
    }

    #[test]
    fn state_stays_where_it_is() {
        let root = tempfile::tempdir().unwrap();
        let places = places(root.path());
        assert_eq!(places.state_base("a"), root.path().join("var"));
        fs::create_dir_all(root.path().join("usr/var/ipmi_sim/a")).unwrap();
        assert_eq!(places.state_base("a"), root.path().join("usr/var"));
        assert_eq!(places.state_base("b"), root.path().join("var"));
    }

    #[test]
    fn a_place_that_can_not_be_made_is_replaced_by_the_users_own() {
        let root = tempfile::tempdir().unwrap();
        let mut places = places(root.path());
        // No directory can be made below a device, not even by the superuser.
        places.state = vec!["/dev/null/var".into(), "/proc/version/var".into()];
        assert!(!writable(Path::new("/nonexistent-root-only/x")) || nix::unistd::geteuid().is_root());
        assert_eq!(places.state_base("a"), root.path().join("home"));
        places.user_state = None;
        assert_eq!(places.state_base("a"), Path::new("/dev/null/var"));
    }
}
