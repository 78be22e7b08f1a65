//! Folders of a simulator: of this program and the original (a `lan.conf` and a command file), and of InfraSIM (`etc/vbmc.conf` and
//! `data/TYPE.emu`). They are understood by starting them, so here is which files they are, and what of the configuration
//! may be started: nothing that runs programs, opens consoles or listens to anybody but who imports it.

use std::path::{Path, PathBuf};

/// Where a configuration may be in a folder, the likeliest first.
pub const CONFIGURATIONS: [&str; 4] = ["lan.conf", "etc/vbmc.conf", "data/vbmc.conf", "vbmc.conf"];
/// Where command files may be.
pub const COMMANDS: [&str; 2] = ["", "data"];
/// InfraSIM's description of a node, whose `type` names the command file.
pub const DESCRIPTION: &str = "etc/infrasim.yml";

/// Statements that are left out: they start programs, open lines, consoles and devices, or are those of InfraSIM's own
/// program.
const LEFT_OUT: [&str; 14] = [
    "startcmd",
    "startnow",
    "poweroff_wait",
    "kill_wait",
    "chassis_control",
    "lan_config_program",
    "console",
    "serial",
    "sol",
    "ipmb",
    "loadlib",
    "nvram_file",
    "workspace",
    "PEF_alerting",
];

/// A configuration that may be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tame {
    /// Its text.
    pub text: String,
    /// Keywords that were left out, each once.
    pub left_out: Vec<&'static str>,
}

/// Where each LAN channel is: a free port of the loopback address.
const ADDRESS: &str = " addr 127.0.0.1 0\n";

/// What may be started of a configuration. Lines keep their numbers, unless a LAN channel has no address.
pub fn tame(text: &str) -> Tame {
    let mut tame = Tame { text: String::new(), left_out: Vec::new() };
    let mut has_address = false;
    for line in text.lines() {
        let word = line.split_ascii_whitespace().next().unwrap_or_default();
        if let Some(known) = LEFT_OUT.iter().find(|known| **known == word) {
            if !tame.left_out.contains(known) {
                tame.left_out.push(known);
            }
            tame.text.push('\n');
            continue;
        }
        match word {
            "startlan" => has_address = false,
            "addr" => {
                tame.text.push_str(if has_address { "\n" } else { ADDRESS });
                has_address = true;
                continue;
            }
            "endlan" if !has_address => tame.text.push_str(ADDRESS),
            _ => {}
        }
        tame.text.push_str(line);
        tame.text.push('\n');
    }
    tame
}

/// The command file among several: that of the node's type.
///
/// # Errors
/// There is none, or it is not known which of them.
pub fn command_file(found: &[PathBuf], description: Option<&str>) -> Result<PathBuf, String> {
    if let [only] = found {
        return Ok(only.clone());
    }
    if found.is_empty() {
        return Err("there is no command file (.emu)".into());
    }
    let names: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
    let kind = description.and_then(|text| {
        text.lines().find_map(|line| line.strip_prefix("type:")).map(|kind| kind.trim().trim_matches(['"', '\'']))
    });
    let of_kind = kind.and_then(|kind| found.iter().find(|path| path.file_stem() == Some(Path::new(kind).as_os_str())));
    of_kind
        .cloned()
        .ok_or_else(|| format!("there are several command files, and nothing says which is used: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_reaches_out_is_started() {
        let text = "name \"vbmc\"\nstartlan 1\n  addr :: 623\n  guid a123456789abcdefa123456789abcdef\n  \
                    lan_config_program \"x\"\nendlan\nstartlan 2\nendlan\n  startcmd \"rm\"\n#startcmd\nuser 2 true \"a\" \"b\" admin 10\n  nvram_file \"x\"\n";
        let tame = tame(text);
        assert_eq!(
            tame.text,
            "name \"vbmc\"\nstartlan 1\n addr 127.0.0.1 0\n  guid a123456789abcdefa123456789abcdef\n\nendlan\n\
             startlan 2\n addr 127.0.0.1 0\nendlan\n\n#startcmd\nuser 2 true \"a\" \"b\" admin 10\n\n"
        );
        assert_eq!(tame.left_out, ["lan_config_program", "startcmd", "nvram_file"]);
    }

    #[test]
    fn the_command_file_is_that_of_the_nodes_type() {
        let paths = ["data/vnode.emu", "data/quanta_t41.emu"].map(PathBuf::from);
        assert_eq!(command_file(&paths[..1], None), Ok(paths[0].clone()));
        assert_eq!(command_file(&paths, Some("name: node-0\ntype: quanta_t41\n")), Ok(paths[1].clone()));
        assert!(command_file(&paths, Some("type: x")).unwrap_err().contains("data/vnode.emu, data/quanta_t41.emu"));
        assert!(command_file(&[], None).is_err());
    }
}
