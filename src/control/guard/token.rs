//! The token that whoever comes by TCP has to have.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::crypto::equal;
use crate::crypto::mac::{Hash, Keyed};
use crate::store::directory::message;

/// Shortest token, in characters.
const SHORTEST: usize = 16;
/// Longest token, in characters.
const LONGEST: usize = 4096;

/// A token, kept as a digest with a key of its own.
pub(in crate::control) struct Token(Vec<u8>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// Reads the first line of a file.
    ///
    /// # Errors
    /// The file cannot be read, others may read it, or what stands there is no token, in one line.
    pub(in crate::control) fn read(path: &Path) -> Result<Self, String> {
        let named = |why: &str| format!("--http-token-file {}: {why}", path.display());
        let metadata = fs::metadata(path).map_err(|error| named(&message(&error)))?;
        if metadata.permissions().mode() & 0o007 != 0 && metadata.is_file() {
            return Err(named("everybody can read or write it; chmod 600 keeps others out"));
        }
        let text = fs::read_to_string(path).map_err(|error| named(&message(&error)))?;
        Self::of(text.lines().next().unwrap_or_default().trim()).map_err(|why| named(&why))
    }

    /// Takes a text for a token.
    ///
    /// # Errors
    /// It is too short or too long, or has other characters than a header may have.
    pub(in crate::control) fn of(text: &str) -> Result<Self, String> {
        match text.len() {
            length if length < SHORTEST => {
                Err(format!("a token has at least {SHORTEST} characters; `openssl rand -hex 32` makes a good one"))
            }
            length if length > LONGEST => Err(format!("a token has at most {LONGEST} characters")),
            _ if text.bytes().any(|byte| !byte.is_ascii_graphic()) => {
                Err("a token has visible ASCII characters, and no blanks".into())
            }
            _ => Ok(Self(digest(text.as_bytes()))),
        }
    }

    /// Whether this is it. Takes the same time for every text of one length.
    pub(in crate::control) fn is(&self, shown: &[u8]) -> bool {
        equal(&self.0, &digest(shown))
    }
}

fn digest(text: &[u8]) -> Vec<u8> {
    Keyed::new(Hash::Sha256, b"ipmi_sim control").tag(&[text]).bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_line_of_a_file_of_its_owner() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("token");
        fs::write(&path, "0123456789abcdef\nmore\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Token::read(&path).unwrap_err().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let token = Token::read(&path).unwrap();
        assert!(token.is(b"0123456789abcdef"));
        assert!(!token.is(b"0123456789abcdee") && !token.is(b"") && !token.is(b"0123456789abcdef\n"));
        for (text, why) in [("short", "at least 16"), ("with a blank in it here", "no blanks")] {
            fs::write(&path, text).unwrap();
            assert!(Token::read(&path).unwrap_err().contains(why));
        }
        assert_eq!(format!("{token:?}"), "Token");
    }
}
