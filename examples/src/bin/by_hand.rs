//! Two nodes and a session in one thread, without a runtime: what everything else is made of.

use std::{error::Error, sync::Arc, time::SystemTime};

use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
use whisper_core::node::{Config, Direction, Event, Input, Node, Output};
use whisper_core::peer::{Network, PeerId};
use whisper_core::session::{InviteOptions, SessionEvent, SessionOutput, Sessions};
use whisper_core::{identity::Identity, time::Timestamp};

/// A relay that cannot read; beside it the key and the sessions that can; packets on their way out.
struct Party {
    node: Node,
    sessions: Sessions,
    rng: ChaCha20Rng,
    outbox: Vec<Output>,
}

impl Party {
    fn new(now: Timestamp) -> Result<Self, Box<dyn Error>> {
        let mut random = [[0; 32]; 2];
        getrandom::fill(random.as_flattened_mut())?;
        let mut rng = ChaCha20Rng::from_seed(random[0]);
        let sessions = Sessions::new(Arc::new(Identity::generate(&mut rng)), now);
        let node = Node::new(Config::default(), random[1]);
        Ok(Self { node, sessions, rng, outbox: Vec::new() })
    }

    /// One step of the node, and what its owner makes of it.
    fn step(&mut self, now: Timestamp, input: Input<'_>) {
        for output in self.node.handle(now, input).collect::<Vec<_>>() {
            if let Output::Event(Event::Admitted { envelope, from: Some(_) }) = output {
                let asked = self.sessions.take_in(now, &envelope, &mut self.rng);
                self.carry_out(now, asked);
            } else {
                self.outbox.push(output);
            }
        }
    }

    /// What the sessions ask for: envelopes to find a nonce for and publish, and events.
    fn carry_out(&mut self, now: Timestamp, asked: Vec<SessionOutput>) {
        for output in self.sessions.stored_at_once(now, asked) {
            match output {
                SessionOutput::Transmit(outgoing) => {
                    let draft = outgoing.draft(now).expect("it is not 2106 yet");
                    let envelope = draft.seal_rated(self.node.min_rating()).expect("little work");
                    println!("  all can see: {envelope:?}");
                    let sent = self.node.publish(now, envelope);
                    self.outbox.extend(sent.expect("it is rated high enough"));
                }
                SessionOutput::Event(SessionEvent::Message { data, .. }) => {
                    println!("only the reader: {}", String::from_utf8_lossy(&data));
                }
                _ => {}
            }
        }
    }
}

/// Carries packets to and fro until nobody has any.
fn settle(now: Timestamp, parties: &mut [Party; 2]) {
    while let Some(from) = parties.iter().position(|party| !party.outbox.is_empty()) {
        for output in std::mem::take(&mut parties[from].outbox) {
            if let Output::Transmit { peer, code, payload } = output {
                parties[1 - from].step(now, Input::Received { peer, code, payload: &payload });
            }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let now = Timestamp::from_secs(now.as_secs());
    let mut parties = [Party::new(now)?, Party::new(now)?];
    for (party, direction) in parties.iter_mut().zip([Direction::Outbound, Direction::Inbound]) {
        let peer = PeerId::new(1);
        party.step(now, Input::Connected { peer, direction, network: Network::Alone(peer) });
    }
    settle(now, &mut parties);

    let [alice, bob] = &mut parties;
    let [alice_key, bob_key] = [alice.sessions.public_key(), bob.sessions.public_key()];
    let known = bob.sessions.add_contact(now, alice_key, &mut bob.rng)?;
    bob.carry_out(now, known);
    let (options, text) = (InviteOptions::default(), Some("Are you there?"));
    let asked = alice.sessions.invite(now, bob_key, options, text, &mut alice.rng)?;
    alice.carry_out(now, asked);
    settle(now, &mut parties);

    let bob = &mut parties[1];
    let said = bob.sessions.send(now, &alice_key, b"I am. Nobody else knows.", &mut bob.rng)?;
    bob.carry_out(now, said);
    settle(now, &mut parties);
    Ok(())
}
