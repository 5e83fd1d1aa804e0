//! How to test a program that is built on `Handle`: real nodes on a network in memory, in virtual time.
//!
//! Ask for tokio's feature `test-util` among your `dev-dependencies`. `start_paused` then lets time
//! jump to the next timer whenever nothing else is to be done, and `Clock::paused_from` lets nodes see
//! that time: a day takes milliseconds.
#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

use std::sync::Arc;
use std::time::Duration;

use whisper_core::identity::Identity;
use whisper_core::time::Timestamp;
use whisper_net::memory::{Faults, MemoryNetwork};
use whisper_net::{Clock, Config, Entropy, Handle, SessionEvent};

fn start(network: &MemoryNetwork, name: &str) -> Handle {
    let clock = Clock::paused_from(Timestamp::from_secs(1_800_000_000));
    whisper_net::start(Config { clock, ..Config::new(network.transport(name)) }).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_message_arrives_over_a_slow_network() {
    // The faults come from the seed: what fails once fails again.
    let latency = Duration::from_millis(400)..=Duration::from_secs(2);
    let network = MemoryNetwork::with_faults(7, Faults { latency, ..Faults::default() });
    let (ours, theirs) = (start(&network, "ours"), start(&network, "theirs"));
    ours.dial("memory:theirs").await.unwrap();

    let mut rng = Entropy::os().rng().unwrap();
    let [alice, bob] = [(); 2].map(|()| Arc::new(Identity::generate(&mut rng)));
    let (alice_talks, _hears) = ours.converse(Arc::clone(&alice)).await.unwrap();
    let (bob_talks, mut bob_hears) = theirs.converse(Arc::clone(&bob)).await.unwrap();
    bob_talks.add_contact(alice.public_key()).await.unwrap();
    alice_talks.invite(bob.public_key(), "are you there?").await.unwrap().await.unwrap();

    let heard = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            if let Ok(SessionEvent::Message { data, .. }) = bob_hears.next().await.unwrap() {
                return data;
            }
        }
    });
    assert_eq!(heard.await.unwrap(), b"are you there?");
}
