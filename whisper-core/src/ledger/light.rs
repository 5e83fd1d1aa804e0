//! What headers alone can check.

pub(super) mod client;
pub(super) mod proof;
