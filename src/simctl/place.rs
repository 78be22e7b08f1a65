//! Where the control door is: a socket or an address, from options, the environment or the usual places.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use hyper::Uri;

use super::failure::Failure;

/// Environment variable: a socket's path, or `http://...`.
pub(super) const CONTROL: &str = "IPMI_SIM_CONTROL";
/// Environment variable: the file with the token.
pub(super) const TOKEN_FILE: &str = "IPMI_SIM_TOKEN_FILE";
/// Where a user's programs have their sockets.
const RUNTIME_FOLDER: &str = "XDG_RUNTIME_DIR";
/// The socket, below a folder for sockets.
const SOCKET: &str = "ipmi_sim/control.sock";

/// Where the door is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A Unix socket.
    Socket(PathBuf),
    /// An address.
    Http(Base),
}

/// An address with what stands before all paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    /// Host and port, as the URL has them.
    pub(super) authority: String,
    /// The host, an IPv6 address without brackets.
    pub(super) host: String,
    /// TCP port.
    pub(super) port: u16,
    /// What stands before all paths, without a slash at its end; for who has put it behind another server.
    pub(super) prefix: String,
}

impl Base {
    /// The address of a page.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{}{path}", self.authority, self.prefix)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Http(base) => f.write_str(&base.url("")),
        }
    }
}

/// What options say of the place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked<'a> {
    /// `--socket`.
    pub(super) socket: Option<&'a Path>,
    /// `--http`.
    pub(super) http: Option<&'a str>,
}

/// Where the door is: as asked for, else as the environment says, else in the usual places.
///
/// # Errors
/// A URL that is none, or nothing in the usual places.
pub(super) fn find(asked: Asked<'_>, variable: impl Fn(&str) -> Option<OsString>) -> Result<Place, Failure> {
    if let Some(path) = asked.socket {
        return Ok(Place::Socket(path.to_owned()));
    }
    if let Some(url) = asked.http {
        return base(url).map(Place::Http);
    }
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    if let Some(value) = variable(CONTROL) {
        return match value.to_str().filter(|text| text.contains("://")) {
            Some(url) => base(url).map(Place::Http),
            None => Ok(Place::Socket(value.into())),
        };
    }
    let folders = variable(RUNTIME_FOLDER).map(PathBuf::from).into_iter().chain(["/run".into()]);
    let usual: Vec<PathBuf> = folders.map(|folder| folder.join(SOCKET)).collect();
    usual.iter().find(|path| path.exists()).cloned().map(Place::Socket).ok_or_else(|| {
        let places: Vec<_> = usual.iter().map(|path| path.display().to_string()).collect();
        Failure::Unreachable(format!(
            "There is no control socket at {}: start ipmi_sim with --control PATH, or say where it is with --socket PATH \
             or {CONTROL}",
            places.join(" or ")
        ))
    })
}

/// A URL of plain HTTP.
fn base(url: &str) -> Result<Base, Failure> {
    let wrong = |what: &str| Failure::Usage(format!("'{url}': {what}, such as http://127.0.0.1:8080"));
    let uri: Uri = url.parse().map_err(|_| wrong("expected a URL"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => {
            return Err(wrong("ipmi_sim has no TLS: expected a URL of plain HTTP, which a tunnel can carry"));
        }
        _ => return Err(wrong("expected a URL that begins with http://")),
    }
    let authority = uri.authority().filter(|it| !it.as_str().contains('@')).ok_or_else(|| wrong("expected a host"))?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    Ok(Base {
        authority: authority.to_string(),
        host: host.to_owned(),
        port: authority.port_u16().unwrap_or(80),
        prefix: uri.path().trim_end_matches('/').to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &str) -> Option<OsString> {
        None
    }

    #[test]
    fn options_come_before_the_environment_and_that_before_the_usual_places() {
        let folder = tempfile::tempdir().unwrap();
        let usual = folder.path().join(SOCKET);
        let runtime = folder.path().as_os_str().to_owned();
        let environment = |control: &'static str| {
            let runtime = runtime.clone();
            move |name: &str| match name {
                CONTROL => Some(control.into()),
                RUNTIME_FOLDER => Some(runtime.clone()),
                _ => None,
            }
        };
        let socket = Asked { socket: Some(Path::new("a")), http: None };
        assert_eq!(find(socket, environment("b")).unwrap(), Place::Socket("a".into()));
        assert_eq!(find(Asked::default(), environment("b")).unwrap(), Place::Socket("b".into()));
        let Place::Http(base) = find(Asked::default(), environment("http://localhost:81")).unwrap() else { panic!() };
        assert_eq!((base.host.as_str(), base.port), ("localhost", 81));

        let text = find(Asked::default(), environment("")).unwrap_err();
        assert!(text.to_string().contains(&format!("{} or /run/ipmi_sim/control.sock", usual.display())), "{text}");
        assert!(text.to_string().contains("start ipmi_sim with --control PATH"), "{text}");
        std::fs::create_dir(usual.parent().unwrap()).unwrap();
        std::fs::write(&usual, "").unwrap();
        assert_eq!(find(Asked::default(), environment("")).unwrap(), Place::Socket(usual));
    }

    #[test]
    fn a_url_is_host_port_and_what_stands_before_all_paths() {
        let found = |url| match find(Asked { socket: None, http: Some(url) }, nothing) {
            Ok(Place::Http(base)) => Ok((base.host.clone(), base.port, base.url("/v1/bmcs"))),
            Ok(other) => panic!("{other}"),
            Err(failure) => Err(failure.to_string()),
        };
        assert_eq!(found("http://bmcs").unwrap(), ("bmcs".into(), 80, "http://bmcs/v1/bmcs".into()));
        assert_eq!(found("http://[::1]:8/").unwrap(), ("::1".into(), 8, "http://[::1]:8/v1/bmcs".into()));
        assert_eq!(found("http://h:1/sim/").unwrap(), ("h".into(), 1, "http://h:1/sim/v1/bmcs".into()));
        for (url, what) in [
            ("127.0.0.1:80", "begins with http://"),
            ("https://x", "no TLS"),
            ("ftp://x", "begins with http://"),
            ("http://u:p@x", "expected a host"),
            ("", "expected a URL"),
        ] {
            assert!(found(url).unwrap_err().contains(what), "{url}: {:?}", found(url));
        }
    }
}
