//! The way from the application to an engine: what is to be done or answered between two steps.

use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::handle::Closed;

/// Something an application wants done, or answered.
pub(super) type Command<E> = Box<dyn FnOnce(&mut E) + Send>;

/// The end that applications hold. When the last is dropped the engine ends.
pub(super) struct Line<E>(mpsc::Sender<Command<E>>);

/// A line, and the end that the task of the engine reads.
pub(super) fn open<E>() -> (Line<E>, mpsc::Receiver<Command<E>>) {
    let (commands, receiver) = mpsc::channel(MOST_COMMANDS);
    (Line(commands), receiver)
}

impl<E> Line<E> {
    /// Lets the engine do something between two steps, and waits for the answer.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut E) -> T + Send + 'static,
    ) -> Result<T, Closed> {
        let (sender, answer) = oneshot::channel();
        let command: Command<E> = Box::new(move |engine| {
            // Whoever asked may have gone.
            let _ = sender.send(question(engine));
        });
        self.0.send(command).await.map_err(|_| Closed)?;
        answer.await.map_err(|_| Closed)
    }

    /// The same line, without keeping the engine.
    pub(super) fn downgrade(&self) -> mpsc::WeakSender<Command<E>> {
        self.0.downgrade()
    }
}

/// Far more than an application asks within one step.
const MOST_COMMANDS: usize = 1_024;
