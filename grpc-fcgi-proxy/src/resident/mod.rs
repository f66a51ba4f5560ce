//! Resident workers: scripts that boot once and serve many calls over a connection of their own to the proxy.
//!
//! BINDING.md, "Resident workers".

pub mod frame;
