//! Randomness: 32 bytes of the operating system for each operation, and a generator that dies with it.

use std::fmt;
use std::sync::Arc;

use chacha20::ChaCha20Rng;
use rand_core::CryptoRng;
use rand_core::SeedableRng;
use whisper_core::crypto::Secret;
use whisper_core::crypto::wiping_stack;

/// A source of randomness that may fail.
///
/// One operation (a sealed message, a new key, an invitation) reads 32 bytes, before anything moves,
/// and draws all it needs from a ChaCha20 generator over them. A failure is therefore an answer and
/// never half an operation, and nothing has to be seeded anew after a fork or a restored snapshot.
///
/// ```
/// use whisper_net::Entropy;
/// use whisper_core::identity::Identity;
///
/// let identity = Identity::generate(&mut Entropy::os().rng()?);
/// # Ok::<(), whisper_net::NoEntropy>(())
/// ```
#[derive(Clone)]
pub struct Entropy(Arc<Source>);

type Source = dyn Fn(&mut [u8; 32]) -> Result<(), NoEntropy> + Send + Sync;

impl Entropy {
    /// The operating system's.
    pub fn os() -> Self {
        Self::from_source(|bytes| getrandom::fill(bytes).map_err(|_| NoEntropy))
    }

    /// A source of one's own, such as a hardware generator, or a failing one in a test. It fills all
    /// 32 bytes or says that it cannot.
    pub fn from_source(
        source: impl Fn(&mut [u8; 32]) -> Result<(), NoEntropy> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(source))
    }

    /// A generator for one operation.
    ///
    /// # Errors
    /// [`NoEntropy`] if the source gives nothing.
    pub fn rng(&self) -> Result<impl CryptoRng + Send + use<>, NoEntropy> {
        // Boxed, so that a move leaves no copy of the state behind.
        wiping_stack::<STACK, _>(|| Ok(Box::new(ChaCha20Rng::from_seed(*self.draw()?.expose()))))
    }

    /// Draws twice and refuses zeros and repetition: it catches a source that is stuck, nothing more.
    ///
    /// # Errors
    /// [`NoEntropy`] if the source gives nothing, or is stuck.
    pub fn check(&self) -> Result<(), NoEntropy> {
        let (first, second) = (self.draw()?, self.draw()?);
        let zeros = Secret::fill_with(|_| ());
        if first == second || first == zeros || second == zeros {
            return Err(NoEntropy);
        }
        Ok(())
    }

    /// 32 bytes, in their box from the first.
    pub(crate) fn draw(&self) -> Result<Secret<32>, NoEntropy> {
        let mut outcome = Ok(());
        let secret = Secret::fill_with(|bytes| outcome = (self.0)(bytes));
        outcome.map(|()| secret)
    }
}

impl Default for Entropy {
    fn default() -> Self {
        Self::os()
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(..)")
    }
}

/// Enough for what makes a generator, found by searching the stack afterwards.
const STACK: usize = 4_096;

/// There is no randomness. Nothing was done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the operating system gives no randomness; nothing was done")]
pub struct NoEntropy;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU8;
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn the_operating_system_passes_the_check() {
        assert_eq!(Entropy::os().check(), Ok(()));
    }

    #[test]
    fn a_stuck_source_is_caught() {
        for byte in [0, 7] {
            let stuck = Entropy::from_source(move |bytes| {
                *bytes = [byte; 32];
                Ok(())
            });
            assert_eq!(stuck.check(), Err(NoEntropy), "{byte}");
        }
    }

    #[test]
    fn two_operations_never_draw_the_same() {
        let count = AtomicU8::new(0);
        let counting = Entropy::from_source(move |bytes| {
            *bytes = [count.fetch_add(1, Ordering::Relaxed); 32];
            Ok(())
        });
        let draw = || {
            let mut bytes = [0; 16];
            rand_core::Rng::fill_bytes(&mut counting.rng().unwrap(), &mut bytes);
            bytes
        };
        assert_ne!(draw(), draw());
    }
}
