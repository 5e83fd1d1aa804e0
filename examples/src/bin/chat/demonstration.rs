//! Two people and a relay on this machine: what they say, and beside it what the relay can see.

use std::sync::Arc;
use std::time::Duration;

use whisper_core::envelope::Envelope;
use whisper_core::node;
use whisper_core::session::SessionTtl;
use whisper_examples::Failure;
use whisper_examples::Hiding;
use whisper_examples::say;
use whisper_net::Conversations;
use whisper_net::Event;
use whisper_net::Handle;
use whisper_net::SessionEvent;
use whisper_net::Stream;
use whisper_net::rlpx::RlpxConfig;

pub(crate) async fn run() -> Result<(), Failure> {
    say!("Alice and Bob have never met. They have each other's public key and the address");
    say!("of a relay that neither of them trusts. All three are nodes on this machine.\n");
    let relay = start(&[]).await?;
    let mut seen = relay.envelopes().await?;
    let address = relay.local_address().unwrap_or_default().to_owned();
    let mut alice = Person::join("Alice", &address).await?;
    let mut bob = Person::join("Bob", &address).await?;
    say!("{:<44} | what the relay can see", "what they say");
    say!("{:-<44}-+-{:-<52}", "", "");

    bob.talks.add_contact(alice.key()).await?;
    let question = "Bob, it is Alice. Is the coast clear?";
    say("Alice", question);
    alice.talks.invite(bob.key(), question).await?.await?;
    hear(&mut bob, question).await?;
    show(&mut seen, 2).await?;
    reply(&bob, &mut alice, "It is. The relay knows only that", &mut seen).await?;
    reply(&alice, &mut bob, "somebody said something to somebody.", &mut seen).await?;
    reply(&bob, &mut alice, "Not even whether it was a lot.", &mut seen).await?;
    say!(
        "\nEvery envelope has a topic of its own and one of a few sizes. The invitation is the one"
    );
    say!("that can be told apart, by its size. Now both wipe their keys and leave.");
    alice.talks.close(bob.key()).await?.await?;
    for handle in [alice.node, bob.node, relay] {
        handle.shutdown().await;
    }
    Ok(())
}

/// One side of the conversation.
struct Person {
    name: &'static str,
    node: Handle,
    talks: Conversations,
    hears: Stream<SessionEvent>,
}

impl Person {
    /// Starts a node that knows the relay, and waits until they have met.
    async fn join(name: &'static str, relay: &str) -> Result<Self, Failure> {
        let node = start(&[relay.to_owned()]).await?;
        let mut events = node.events().await?;
        let (talks, hears) = node.converse(whisper_examples::key(None)?).await?;
        // A conversation that ends in a minute needs envelopes that live no longer.
        talks.set_ttl(SessionTtl::Minute).await?;
        within("meeting the relay", async {
            while let Some(event) = events.next().await {
                if matches!(event, Ok(Event::Ready(_))) {
                    return Some(());
                }
            }
            None
        })
        .await?;
        Ok(Self { name, node, talks, hears })
    }

    fn key(&self) -> whisper_core::identity::PublicKey {
        self.talks.public_key()
    }
}

async fn start(peers: &[String]) -> Result<Handle, Failure> {
    let listen = Some(([127, 0, 0, 1], 0).into());
    let rlpx = RlpxConfig { listen, ..RlpxConfig::new(whisper_examples::key(None)?) };
    whisper_examples::start(node::Config::default(), rlpx, peers, &Hiding::default()).await
}

async fn reply(
    from: &Person,
    to: &mut Person,
    text: &str,
    seen: &mut Stream<Arc<Envelope>>,
) -> Result<(), Failure> {
    say(from.name, text);
    from.talks.send(to.key(), text).await?.await?;
    hear(to, text).await?;
    show(seen, 1).await
}

fn say(name: &str, text: &str) {
    say!("{:<44} |", format!("{name}: {text}"));
}

/// Waits until `text` has arrived, word for word.
async fn hear(person: &mut Person, text: &str) -> Result<(), Failure> {
    let hears = &mut person.hears;
    let name = person.name;
    within("waiting for a message", async {
        while let Some(event) = hears.next().await {
            if let Ok(SessionEvent::Message { data, .. }) = event
                && data == text.as_bytes()
            {
                return Some(());
            }
        }
        None
    })
    .await?;
    say!("{:<44} |", format!("  ({name} has read it)"));
    Ok(())
}

/// Prints the next envelopes as the relay has them.
async fn show(seen: &mut Stream<Arc<Envelope>>, count: usize) -> Result<(), Failure> {
    for _ in 0..count {
        let passing = within("waiting for the relay", seen.next()).await?;
        if let Ok(envelope) = passing {
            say!(
                "{:<44} | {:>5} bytes, topic {}, lives {} s, rated {:.3}",
                "",
                envelope.data().len(),
                envelope.topic(),
                envelope.ttl(),
                envelope.rating().as_f64(),
            );
        }
    }
    Ok(())
}

async fn within<T>(what: &str, future: impl Future<Output = Option<T>>) -> Result<T, Failure> {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(Some(done)) => Ok(done),
        Ok(None) => Err(format!("{what}: a node has ended").into()),
        Err(_) => Err(format!("{what}: nothing within {} s", PATIENCE.as_secs()).into()),
    }
}

/// What takes longer than this on one machine will not come.
const PATIENCE: Duration = Duration::from_secs(30);
