//! What needs no answer.

use super::Closed;
use super::WeakAddress;

impl<E: 'static> WeakAddress<E> {
    /// Lets the actor do something between two steps. Waits only while too much is asked of it.
    pub(crate) async fn tell(
        &self,
        command: impl FnOnce(&mut E) + Send + 'static,
    ) -> Result<(), Closed> {
        let address = self.upgrade().ok_or(Closed)?;
        address.0.send(Box::new(command)).await.map_err(|_| Closed)
    }

    /// As [`WeakAddress::tell`], for a thread that may wait.
    pub(crate) fn tell_blocking(
        &self,
        command: impl FnOnce(&mut E) + Send + 'static,
    ) -> Result<(), Closed> {
        let address = self.upgrade().ok_or(Closed)?;
        address.0.blocking_send(Box::new(command)).map_err(|_| Closed)
    }
}
