//! Engines in tasks of their own: one step after the other, on threads that may wait.

#[cfg(feature = "ledger")]
mod tell;

use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::oneshot;

/// Something that an actor does for others between two steps.
pub(crate) type Command<E> = Box<dyn FnOnce(&mut E) + Send>;

/// Where an actor takes questions. Clones lead to the same actor, and keep it.
pub(crate) struct Address<E>(mpsc::Sender<Command<E>>);

/// An [`Address`] that does not keep the actor.
pub(crate) struct WeakAddress<E>(mpsc::WeakSender<Command<E>>);

/// The actor's end: what it is asked. It is over with the last [`Address`].
pub(crate) type Commands<E> = mpsc::Receiver<Command<E>>;

/// What was asked has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("it has shut down; start it again")]
pub struct Closed;

/// An address, and the end that its actor reads.
pub(crate) fn address<E>() -> (Address<E>, Commands<E>) {
    let (commands, receiver) = mpsc::channel(MOST_COMMANDS);
    (Address(commands), receiver)
}

impl<E: 'static> Address<E> {
    /// Lets the actor do something between two steps, and waits for the answer.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut E) -> T + Send + 'static,
    ) -> Result<T, Closed> {
        let (sender, answer) = oneshot::channel();
        let command: Command<E> = Box::new(move |engine| {
            // The caller may have gone.
            let _ = sender.send(question(engine));
        });
        self.0.send(command).await.map_err(|_| Closed)?;
        answer.await.map_err(|_| Closed)
    }

    pub(crate) fn downgrade(&self) -> WeakAddress<E> {
        WeakAddress(self.0.downgrade())
    }
}

impl<E: 'static> WeakAddress<E> {
    /// As [`Address::ask`], while another address keeps the actor.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut E) -> T + Send + 'static,
    ) -> Result<T, Closed> {
        self.upgrade().ok_or(Closed)?.ask(question).await
    }

    fn upgrade(&self) -> Option<Address<E>> {
        self.0.upgrade().map(Address)
    }
}

impl<E> Clone for Address<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> Clone for WeakAddress<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// What an actor runs.
pub(crate) trait Engine: Send + 'static {
    /// What comes in beside questions.
    type Input: Send + 'static;

    /// Takes in what has come.
    fn handle(&mut self, input: Self::Input);

    /// Does what time asks for.
    fn handle_timeout(&mut self);

    /// How long until [`Engine::handle_timeout`] is due.
    fn until_timeout(&self) -> Duration;

    /// Does what belongs after every step.
    fn finish_step(&mut self) {}
}

/// An engine and the questions for it.
pub(crate) struct Actor<E> {
    engine: E,
    commands: Commands<E>,
}

impl<E: Engine> Actor<E> {
    pub(crate) const fn new(engine: E, commands: Commands<E>) -> Self {
        Self { engine, commands }
    }

    pub(crate) const fn engine(&mut self) -> &mut E {
        &mut self.engine
    }

    /// Waits for the next input, question or timeout, and takes that step. Gives nothing once there is
    /// no more input, the last address is gone, or the runtime shuts down.
    ///
    /// `may_time_out` is false while more `input` is known to wait: what is due may be answered by it.
    pub(crate) async fn step(
        mut self,
        input: impl Future<Output = Option<E::Input>>,
        may_time_out: bool,
    ) -> Option<Self> {
        let pause = self.engine.until_timeout().min(LONGEST_SLEEP);
        let step: Command<E> = tokio::select! {
            input = input => {
                let input = input?;
                Box::new(move |engine| engine.handle(input))
            }
            command = self.commands.recv() => command?,
            () = tokio::time::sleep(pause), if may_time_out => Box::new(E::handle_timeout),
        };
        // Ciphers and disks are work for a thread that nothing else waits for.
        let mut engine = self.engine;
        let work = tokio::task::spawn_blocking(move || {
            step(&mut engine);
            engine.finish_step();
            engine
        });
        Some(Self { engine: work.await.ok()?, commands: self.commands })
    }
}

/// Far more than an application asks within one step.
const MOST_COMMANDS: usize = 1_024;
/// How often the clock is looked at even if nothing is due: it may be set.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
