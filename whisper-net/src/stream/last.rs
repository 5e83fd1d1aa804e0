//! The last word of who tells.

use super::Audience;

impl<T: Clone> Audience<T> {
    /// Gives the last item to all, however slow they are, and lets them go.
    pub(crate) fn tell_last(&mut self, item: &T) {
        self.0.drain(..).for_each(|feed| feed.push_always(item.clone(), 0));
    }
}
