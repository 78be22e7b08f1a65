//! The collection of files that other people and the original made, which is not part of
//! this repository.

use std::path::{Path, PathBuf};

/// A folder of the collection. `IPMI_SIM_CORPUS` names where it is; without it, it is looked
/// for beside the checkout. When it is not there either, says so: the test has nothing to do.
pub fn collection(folder: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let root = std::env::var_os("IPMI_SIM_CORPUS").map_or_else(beside, PathBuf::from);
    let found = Some(root.join(folder)).filter(|path| path.is_dir());
    if found.is_none() {
        println!("SKIPPED: no `{folder}` in the collection at {} (set IPMI_SIM_CORPUS)", root.display());
    }
    found
}
