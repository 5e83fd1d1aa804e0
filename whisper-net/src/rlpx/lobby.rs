//! Where those stand who have come and not said yet who they are.

use std::collections::VecDeque;
use std::convert::Infallible;

use tokio::sync::oneshot;

/// The connections that others have opened and whose handshake is not over.
///
/// There are only so many places. Whoever comes gets one, and the one who has stood longest gives
/// way: somebody who is quick is in long before that, somebody who is slow holds up nobody.
pub(super) struct Lobby {
    places: usize,
    guests: VecDeque<oneshot::Sender<Infallible>>,
}

/// A place in the lobby, free again when it is dropped.
pub(super) struct Place(oneshot::Receiver<Infallible>);

impl Lobby {
    pub(super) const fn new(places: usize) -> Self {
        Self { places, guests: VecDeque::new() }
    }

    pub(super) fn enter(&mut self) -> Place {
        self.guests.retain(|guest| !guest.is_closed());
        if self.guests.len() >= self.places.max(1) {
            self.guests.pop_front();
        }
        let (guest, place) = oneshot::channel();
        self.guests.push_back(guest);
        Place(place)
    }
}

impl Place {
    /// Waits until it is taken away.
    pub(super) async fn lost(&mut self) {
        // There is nothing that could be sent.
        let _ = (&mut self.0).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn is_lost(place: &mut Place) -> bool {
        timeout(Duration::ZERO, place.lost()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_stood_longest_gives_way_and_nobody_while_there_is_room() {
        let mut lobby = Lobby::new(2);
        let (mut first, second) = (lobby.enter(), lobby.enter());
        assert!(!is_lost(&mut first).await);
        drop(second);
        let mut third = lobby.enter();
        assert!(!is_lost(&mut first).await);
        let mut fourth = lobby.enter();
        assert!(is_lost(&mut first).await);
        assert!(!is_lost(&mut third).await && !is_lost(&mut fourth).await);
    }
}
