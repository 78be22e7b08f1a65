//! Copying a machine: what a walk over IPMI takes of it, and the folder that makes a simulator of that.
//!
//! Owns the [model](model) of a machine, the [list of commands](reads) that a walk may send, the walk, and the writer of
//! the folder. Knows the client, the formats of the core, and `embed`, by which a copy is tried before it is given away;
//! never sends anything but what the list holds, and nothing of `runtime` or `control` is called here. `simctl` has the
//! command line of it.

pub mod bytes;
pub mod check;
pub mod compare;
pub mod import;
pub mod link;
pub mod model;
pub mod reads;
pub mod records;
pub mod replay;
pub mod scrub;
pub mod walk;
pub mod write;

pub use model::Machine;
