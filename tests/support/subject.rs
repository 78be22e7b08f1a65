//! Which program a scenario is run against.

use std::path::PathBuf;

/// The program under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The one built from this source; `IPMI_SIM_PROGRAM` names one built elsewhere, say for
    /// another processor.
    Ours,
    /// OpenIPMI's, as the distribution installs it; `IPMI_SIM_ORIGINAL` names another.
    Original,
}

impl Subject {
    /// The subject of a scenario that is about ours: ours, unless `IPMI_SIM_SUBJECT=original`
    /// asks to see how the original fares in it.
    pub fn under_test() -> Self {
        match std::env::var("IPMI_SIM_SUBJECT").as_deref() {
            Ok("original") => Self::Original,
            Ok("ours") | Err(_) => Self::Ours,
            Ok(other) => panic!("IPMI_SIM_SUBJECT is `ours` or `original`, not `{other}`"),
        }
    }

    /// The file to run.
    pub fn program(self) -> PathBuf {
        match self {
            Self::Ours => std::env::var_os("IPMI_SIM_PROGRAM")
                .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_ipmi_sim")), PathBuf::from),
            Self::Original => {
                let path = std::env::var_os("IPMI_SIM_ORIGINAL")
                    .map_or_else(|| PathBuf::from("/usr/bin/ipmi_sim"), PathBuf::from);
                assert!(
                    path.exists(),
                    "the original ipmi_sim is missing at {}: apt-get install openipmi \
                     (or point IPMI_SIM_ORIGINAL at it)",
                    path.display()
                );
                path
            }
        }
    }
}
