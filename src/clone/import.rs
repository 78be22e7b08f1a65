//! What people have lying around of a machine: files of `ipmitool`, and folders of a simulator. Bytes in, values out.
//!
//! Opens no file. What is wrong is told with its [place](fault::Place), and then nothing is taken.

pub mod fault;
pub mod fru;
pub mod node;
pub mod parts;
pub mod sdr;
pub mod sel;
