//! What an engine is set to.

use whisper_core::node;
use whisper_core::pow::Rating;

use crate::error::WhisperError;

/// The settings of an engine; as they are, a phone's.
#[derive(Clone, Debug, uniffi::Record)]
pub struct EngineConfig {
    /// Whether envelopes of others are not relayed.
    #[uniffi(default = false)]
    pub light: bool,
    /// The least rating that is taken; go-ethereum's, if it is absent.
    #[uniffi(default = None)]
    pub min_rating: Option<f64>,
    /// What the pool may hold, in MiB.
    #[uniffi(default = 16)]
    pub pool_mib: u32,
}

impl EngineConfig {
    pub(crate) fn into_core(self) -> Result<node::Config, WhisperError> {
        relay(self.light, self.min_rating, self.pool_mib)
    }
}

/// The settings of a relay, in the core's words.
pub(crate) fn relay(
    light: bool,
    min_rating: Option<f64>,
    pool_mib: u32,
) -> Result<node::Config, WhisperError> {
    let defaults = node::Config::default();
    let min_rating = min_rating.map_or(Ok(defaults.min_rating), Rating::new)?;
    let pool_bytes = usize::try_from(u64::from(pool_mib) << 20).unwrap_or(usize::MAX);
    Ok(node::Config { min_rating, pool_bytes, light, ..defaults })
}
