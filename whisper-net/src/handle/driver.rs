//! The loop, for services beside it.

use super::Handle;
use crate::actor::WeakAddress;
use crate::driver::Driver;

impl Handle {
    /// The loop, without keeping it alive.
    pub(crate) fn driver(&self) -> WeakAddress<Driver> {
        self.0.driver.downgrade()
    }
}
