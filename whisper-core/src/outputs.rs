//! What one step of an engine asks for.

use alloc::collections::VecDeque;
use core::fmt;

/// What one step asks for, in order: carried out before the next step begins, as the borrow checker
/// demands. If this is dropped early, the rest comes with the next step.
#[must_use = "a step does nothing until its outputs are carried out"]
pub struct Outputs<'a, T>(&'a mut VecDeque<T>);

impl<'a, T> Outputs<'a, T> {
    pub(crate) const fn new(queue: &'a mut VecDeque<T>) -> Self {
        Self(queue)
    }
}

impl<T> Iterator for Outputs<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len(), Some(self.0.len()))
    }
}

impl<T> ExactSizeIterator for Outputs<'_, T> {}

impl<T: fmt::Debug> fmt::Debug for Outputs<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter()).finish()
    }
}
