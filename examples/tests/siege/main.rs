//! The relay under siege, over real sockets: hundreds of peers that are slow, silent or wrong.
//!
//! It takes a minute of real time and measures, so it is ignored by default:
//! `cargo test -p whisper-examples --test siege -- --ignored --nocapture`.

mod besieger;
mod honest;
mod relay;

#[path = "../../../whisper-net/tests/rlpx/raw.rs"]
#[allow(dead_code, reason = "whisper-net's tests use more of it")]
mod raw;

/// What the peer of plain sockets needs.
mod ends {
    use std::time::Duration;

    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng;
    use whisper_core::identity::Identity;

    pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

    pub(crate) fn identity(seed: u64) -> Identity {
        Identity::generate(&mut ChaCha20Rng::seed_from_u64(seed))
    }
}

use std::time::Duration;

use besieger::Siege;
use honest::Crowd;
use honest::Reader;
use relay::Relay;

const ROUNDS: u64 = 15;
const MIB: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute of real time, and measures"]
async fn d8_d19_a_relay_under_siege_serves_honest_peers_as_before() {
    let relay = Relay::start().await;
    let mut reader = Reader::connect(&relay.enode, 1).await;
    // As many peers as there will be, but quick ones: what differs is how they behave.
    let crowd = Crowd::gather(&relay.enode, besieger::DEAF).await;
    let before = honest::rounds(&relay.enode, &mut reader, 0..ROUNDS).await;
    drop(crowd);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (files_before, memory_before) = (relay.open_files(), relay.memory());

    let siege = Siege::begin(&relay.enode);
    tokio::time::sleep(Duration::from_secs(8)).await;
    let during = honest::rounds(&relay.enode, &mut reader, ROUNDS..2 * ROUNDS).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let later = honest::rounds(&relay.enode, &mut reader, 2 * ROUNDS..3 * ROUNDS).await;
    let (files_during, memory_during) = (relay.open_files(), relay.memory());
    let attempts = siege.end().await;

    // The slowest that is left has five seconds for its handshake, or thirty for a frame.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let files_after = relay.open_files();
    println!("before: {before}\nduring: {during}\nlater:  {later}");
    println!("{attempts} attempts; open files {files_before}, {files_during}, {files_after} after");
    println!("memory {} KiB, {} KiB", memory_before / 1024, memory_during / 1024);

    assert!(attempts > 3_000, "{attempts}");
    assert!(files_after <= files_before + 4, "{files_after} files are open");
    assert!(memory_during < 96 * MIB, "{memory_during} bytes");
    for siege in [during, later] {
        // Wide, since besiegers and besieged share two cores; the figures are printed.
        assert!(siege.burst < before.burst * 2, "{siege}");
        assert!(siege.connect < Duration::from_secs(5), "{siege}");
    }
}
