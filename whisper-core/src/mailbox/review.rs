//! Tries new filters on what a pool holds already: the order of a start does not matter.

use alloc::vec::Vec;

use crate::inbox::FilterId;
use crate::pool::Pool;

use super::contract::Arrival;

/// Names the filters that were not tried yet on what came before them:
/// [`Mailbox::start_review`](super::Mailbox::start_review) gives it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Review {
    pub(super) since: FilterId,
}

/// Walks a pool for new filters, a slice at a time.
#[derive(Debug, Default)]
pub struct Reviewer {
    /// What is under way, and where in the pool it goes on.
    current: Option<(Review, usize)>,
    next: Option<Review>,
}

impl Reviewer {
    /// Asks for a walk. All that is asked for during one walk shares the next.
    pub fn request(&mut self, review: Review) {
        match self.current {
            None => self.current = Some((review, 0)),
            Some(_) => self.next = Some(self.next.map_or(review, |next| next.min(review))),
        }
    }

    /// Whether there is nothing to do.
    pub const fn is_idle(&self) -> bool {
        self.current.is_none()
    }

    /// The next envelopes to give to a mailbox. Looks at no more than so many cells of the pool.
    pub fn slice(&mut self, pool: &Pool, at_most: usize) -> Vec<Arrival> {
        let Some((review, start)) = self.current else { return Vec::new() };
        let end = start.saturating_add(at_most);
        self.current = match end < pool.cells() {
            true => Some((review, end)),
            false => self.next.take().map(|review| (review, 0)),
        };
        let entries = pool.in_cells(start..end);
        entries.map(|(_, entry)| Arrival::reviewed(entry, review)).collect()
    }
}
