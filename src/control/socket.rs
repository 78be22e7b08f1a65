//! The unix socket of the control door: only its owner may use it, and a leftover of a program that has gone is taken over.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use crate::store::directory::message;

/// The file of a socket, removed with this value if it is still the same.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path) == Some(self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Listens at a path.
///
/// The socket is made under another name, gets its mode and is then moved, so that nobody else can connect in between. A folder
/// that is not there is made, for its owner alone.
///
/// # Errors
/// Something else is there, or a program that answers, or there is no right, in one line.
pub(super) fn listen(path: &Path) -> Result<(UnixListener, SocketFile), String> {
    let fault = |error: &std::io::Error| format!("--control {}: {}", path.display(), message(error));
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| fault(&error))?;
    }
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.file_type().is_socket() {
            return Err(format!("--control {}: this is no socket, and is left as it is", path.display()));
        }
        match UnixStream::connect(path) {
            Ok(_) => return Err(format!("--control {}: another program answers there", path.display())),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(fault(&error)),
        }
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let new = PathBuf::from(name);
    let _ = fs::remove_file(&new);
    let opened = UnixListener::bind(&new).and_then(|listener| {
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        fs::rename(&new, path)?;
        Ok(listener)
    });
    let listener = opened.map_err(|error| {
        let _ = fs::remove_file(&new);
        fault(&error)
    })?;
    let identity = identity(path).ok_or_else(|| format!("--control {}: the socket has gone", path.display()))?;
    Ok((listener, SocketFile { path: path.to_owned(), identity }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_leftover_is_taken_over_and_what_answers_is_not() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("folder/socket");
        let (listener, file) = listen(&path).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let text = listen(&path).unwrap_err();
        assert!(text.ends_with("another program answers there"), "{text}");
        drop(listener);
        let (again, kept) = listen(&path).unwrap();
        drop(file);
        assert!(path.exists(), "it is another's by now");
        drop((again, kept));
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_socket_is_left() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, "precious").unwrap();
        let text = listen(&path).unwrap_err();
        assert!(text.contains("this is no socket"), "{text}");
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}
