//! Bytes and types: one file per format. No state, no input or output.
