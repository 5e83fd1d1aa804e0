//! Messages that wait to be sent, and are sealed again when their hour is over.

use whisper_core::identity::PublicKey;
use whisper_core::session::Outgoing;
use whisper_core::time::Timestamp;

use crate::posting::Delivery;
use crate::posting::DeliveryState;

/// The messages whose topic is of an hour, until the work on them begins.
#[derive(Default)]
pub(super) struct Renewals(Vec<Renewal>);

/// A message that is to be sealed again.
pub(super) struct Renewal {
    pub(super) account: PublicKey,
    pub(super) outgoing: Outgoing,
    pub(super) delivery: Delivery,
}

impl Renewals {
    /// Keeps an eye on a message that was handed in. There are no more of them than the queue holds.
    pub(super) fn watch(&mut self, account: PublicKey, outgoing: &Outgoing, delivery: &Delivery) {
        if outgoing.seal_again_at().is_some() && is_waiting(delivery) {
            let (outgoing, delivery) = (outgoing.clone(), delivery.clone());
            self.0.push(Renewal { account, outgoing, delivery });
        }
    }

    /// Takes what still waits and whose hour is over, and forgets what does not wait any more.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<Renewal> {
        self.0.retain(|renewal| is_waiting(&renewal.delivery));
        self.0.extract_if(.., |renewal| renewal.seal_again_at() <= Some(now)).collect()
    }

    /// When [`Renewals::due`] gives something.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.0.iter().filter_map(Renewal::seal_again_at).min()
    }
}

impl Renewal {
    const fn seal_again_at(&self) -> Option<Timestamp> {
        self.outgoing.seal_again_at()
    }
}

fn is_waiting(delivery: &Delivery) -> bool {
    delivery.state() == DeliveryState::Waiting
}
