//! The collection of files that other people and the original made, which is not part of
//! this repository.

use std::path::{Path, PathBuf};

use super::machine::left_out;

/// A folder of the collection. `IPMI_SIM_CORPUS` names where it is; without it, it is looked
/// for beside the checkout. When it is not there either, the test is left out.
pub fn collection(folder: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let root = std::env::var_os("IPMI_SIM_CORPUS").map_or_else(beside, PathBuf::from);
    let found = Some(root.join(folder)).filter(|path| path.is_dir());
    if found.is_none() {
        let thread = std::thread::current();
        let why = format!("no `{folder}` in the collection at {} (set IPMI_SIM_CORPUS)", root.display());
        left_out(thread.name().unwrap_or("a test"), &why);
    }
    found
}
