//! Algorithms of IPMI sessions behind small traits, and key derivation.
