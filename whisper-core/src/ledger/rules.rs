//! What the nodes of one network agree on.

pub(super) mod params;
pub(super) mod retarget;
