//! `--fleet DIR`: a folder with a folder for each BMC, as people keep them: its lan.conf, and its command file beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Commands, Naming, Row, Rows, unfit_name};
use crate::config::Span;
use crate::config::text::{decode, quote};
use crate::store::directory::message;

/// What makes a folder one of a BMC.
const LAN_CONF: &str = "lan.conf";
/// How the names of command files end.
const EXTENSION: &str = "emu";
/// The command file among several that have no other sign.
const USUAL: &str = "sim.emu";

/// The BMCs of a folder, in the order of their folders' names.
///
/// # Errors
/// It cannot be read, or has no BMC, in one line.
pub(super) fn read(path: &Path) -> Result<Rows, String> {
    let unable = |path: &Path, error: &std::io::Error| {
        format!("Unable to read the folder {}: {}", path.display(), message(error))
    };
    let entries = std::fs::read_dir(path).map_err(|error| unable(path, &error))?;
    let mut folders = Vec::new();
    for entry in entries {
        let folder = entry.map_err(|error| unable(path, &error))?.path();
        if folder.join(LAN_CONF).is_file() {
            folders.push(folder);
        }
    }
    if folders.is_empty() {
        return Err(format!("{} has no BMC: expected a folder with a lan.conf for each", path.display()));
    }
    folders.sort();
    let columns: Arc<[Box<str>]> = Arc::new([]);
    let mut rows = Vec::with_capacity(folders.len());
    for (folder, index) in folders.into_iter().zip(1..) {
        let name = decode(folder.file_name().unwrap_or_default().as_encoded_bytes());
        if let Some(why) = unfit_name(&name) {
            return Err(format!("{} cannot be the name of a BMC: {why}", quote(&name)));
        }
        let mut files = command_files(&folder).map_err(|error| unable(&folder, &error))?;
        let commands = match (files.pop(), files.is_empty()) {
            (None, _) => Commands::Usual,
            (Some(only), true) => Commands::File(only.into()),
            (Some(last), false) => {
                files.push(last);
                Commands::OneOf(files.into())
            }
        };
        rows.push(Row {
            name: name.into(),
            naming: Naming::LanConf,
            index,
            columns: Arc::clone(&columns),
            values: Box::default(),
            lan_conf: folder.join(LAN_CONF).into(),
            commands,
            place: Span::default(),
        });
    }
    Ok(Rows { rows, list: None })
}

fn command_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Which of several command files is that of a BMC: named as it, as its folder, or usually.
///
/// # Errors
/// It is not clear, in one line.
pub fn choose<'a>(files: &'a [PathBuf], name: &str) -> Result<&'a PathBuf, String> {
    let folder = files.first().and_then(|file| file.parent()).unwrap_or(Path::new("."));
    let named = |stem: &str| files.iter().find(|file| file.file_stem().is_some_and(|found| *found == *stem));
    let of_folder = folder.file_name().and_then(|name| name.to_str());
    let found = named(name)
        .or_else(|| named(of_folder?))
        .or_else(|| files.iter().find(|file| file.file_name().is_some_and(|found| found == USUAL)));
    found.ok_or_else(|| {
        let names: Vec<_> =
            files.iter().filter_map(|file| file.file_name()).map(|name| name.to_string_lossy()).collect();
        format!(
            "{} has several command files, {}: expected one, or one that is called {name}.{EXTENSION} or {USUAL}",
            folder.display(),
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    #[test]
    fn every_folder_with_a_lan_conf_is_a_bmc() {
        let root =
            folder(&["b/lan.conf", "b/x.emu", "a/lan.conf", "c/sim.emu", "lan.conf", "d/lan.conf/x", "e/lan.conf"]);
        fs::write(root.path().join("e/one.emu"), "").unwrap();
        fs::write(root.path().join("e/two.emu"), "").unwrap();
        let rows = read(root.path()).unwrap().rows;
        let at = |name: &str| root.path().join(name);
        let found: Vec<_> = rows.iter().map(|row| (&*row.name, row.index, row.lan_conf.to_path_buf())).collect();
        assert_eq!(found, [("a", 1, at("a/lan.conf")), ("b", 2, at("b/lan.conf")), ("e", 3, at("e/lan.conf"))]);
        assert_eq!(rows[0].commands, Commands::Usual);
        assert_eq!(rows[1].commands, Commands::File(at("b/x.emu").into()));
        assert_eq!(rows[2].commands, Commands::OneOf([at("e/one.emu"), at("e/two.emu")].into()));
    }

    #[test]
    fn the_command_file_is_found_by_its_name() {
        let files = ["node/a.emu", "node/node.emu", "node/sim.emu"].map(PathBuf::from);
        assert_eq!(choose(&files, "a"), Ok(&files[0]));
        assert_eq!(choose(&files, "b"), Ok(&files[1]));
        assert_eq!(choose(&[files[0].clone(), files[2].clone()], "b"), Ok(&files[2]));
        let text = "node has several command files, a.emu, c.emu: expected one, or one that is called b.emu or sim.emu";
        assert_eq!(choose(&[files[0].clone(), "node/c.emu".into()], "b"), Err(text.into()));
    }

    #[test]
    fn a_folder_without_a_bmc_is_told() {
        let root = folder(&["a/sim.emu"]);
        assert!(read(root.path()).unwrap_err().ends_with("has no BMC: expected a folder with a lan.conf for each"));
        let text = read(&root.path().join("none")).unwrap_err();
        assert!(
            text.starts_with("Unable to read the folder ") && text.ends_with(": No such file or directory"),
            "{text}"
        );
    }
}
