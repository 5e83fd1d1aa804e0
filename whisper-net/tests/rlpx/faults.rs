//! What peers do wrong, and what becomes of them.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use whisper_net::rlpx::RlpxConfig;
use whisper_net::rlpx::Timing;
use whisper_net::rlpx::capability::Capability;
use whisper_net::rlpx::disconnect::Reason;
use whisper_net::rlpx::handshake;
use whisper_net::rlpx::hello::Hello;
use whisper_net::transport::DisconnectReason;
use whisper_net::transport::Protocol;
use whisper_net::transport::Transport;

use crate::ends::End;
use crate::ends::config;
use crate::ends::identity;
use crate::raw;
use crate::raw::Raw;

/// A node with the peer that misbehaves, and what it says and tells in the end.
async fn after(misbehave: impl AsyncFnOnce(&mut Raw)) -> (Option<Reason>, DisconnectReason) {
    let mut node = End::new(1).await;
    let mut raw = Raw::connect(&node.enode(), 2).await;
    let (peer, _) = node.connected().await;
    misbehave(&mut raw).await;
    let word = raw.farewell().await;
    (word, node.disconnected(peer).await)
}

#[tokio::test]
async fn d3_a_wrong_mac_is_cut_without_a_word() {
    for at in [0, 20, 40, 60] {
        let ended = after(async |raw| {
            let mut wire = raw.frame(17, b"forged");
            wire[at] ^= 1;
            raw.socket.write_all(&wire).await.unwrap();
        });
        assert_eq!(ended.await, (None, DisconnectReason::Broken), "byte {at}");
    }
}

#[tokio::test]
async fn d7_an_oversized_packet_is_cut() {
    // Of zeros, it takes 50 kB on the wire: refused by what it announces.
    let compressed = after(async |raw| raw.write(17, &vec![0; (1 << 20) + 1]).await);
    assert_eq!(compressed.await, (Some(Reason::Protocol), DisconnectReason::Broken));
    let random: Vec<u8> = (0_u64..)
        .flat_map(|n| whisper_core::hash::sha256(&n.to_be_bytes()))
        .take(2 << 20)
        .collect();
    let incompressible = after(async move |raw| {
        let wire = raw.frame(17, &random);
        // Refused by its header: the node may hang up before all of it is there.
        let _ = raw.socket.write_all(&wire).await;
    });
    let (word, how) = incompressible.await;
    assert!(matches!(word, Some(Reason::Protocol) | None));
    assert_eq!(how, DisconnectReason::Broken);
}

#[tokio::test]
async fn an_id_that_belongs_to_no_capability_is_cut() {
    let ended = after(async |raw| raw.write(144, b"").await);
    assert_eq!(ended.await, (Some(Reason::Protocol), DisconnectReason::Broken));
}

#[tokio::test]
async fn data_that_does_not_decompress_is_cut() {
    let mut node = End::new(1).await;
    let mut raw = Raw::shake_hands(&node.enode(), &identity(2)).await;
    raw.say(&raw.hello()).await;
    let (peer, _) = node.connected().await;
    // The other side believes in compression; we go on without.
    raw.write(17, &[0xff; 40]).await;
    assert_eq!(node.disconnected(peer).await, DisconnectReason::Broken);
}

#[tokio::test]
async fn reserved_ids_and_a_second_hello_are_ignored() {
    let mut node = End::new(1).await;
    let mut raw = Raw::connect(&node.enode(), 2).await;
    node.connected().await;
    raw.say(&raw.hello()).await;
    for code in 4..16 {
        raw.write(code, &[0xc0]).await;
    }
    raw.write(17, b"still here").await;
    assert_eq!(node.received().await.2, b"still here");
}

#[tokio::test]
async fn pings_are_answered_at_once_and_a_flood_of_them_is_cut() {
    let mut node = End::new(1).await;
    let mut raw = Raw::connect(&node.enode(), 2).await;
    let (peer, _) = node.connected().await;
    raw.write(2, &[0xc0]).await;
    let pong = raw.read().await.expect("an answer");
    assert_eq!((pong.code, &pong.payload[..]), (3, &[0xc0][..]));
    let flood: Vec<u8> = (0..1_000).flat_map(|_| raw.frame(2, &[0xc0])).collect();
    let _ = raw.socket.write_all(&flood).await;
    let mut pongs = 0;
    let word = loop {
        match raw.read().await {
            Some(packet) if packet.code == 3 => pongs += 1,
            other => break other,
        }
    };
    assert!(pongs <= 5, "{pongs}");
    assert!(word.is_none_or(|packet| packet.code == 1));
    assert_eq!(node.disconnected(peer).await, DisconnectReason::Broken);
}

#[tokio::test]
async fn a_disconnect_is_understood_in_either_form_and_never_answered() {
    for compressed in [true, false] {
        let mut node = End::new(1).await;
        let mut raw = Raw::shake_hands(&node.enode(), &identity(2)).await;
        raw.say(&raw.hello()).await;
        let (peer, _) = node.connected().await;
        assert_eq!(raw.read().await.unwrap().code, 0);
        raw.ingress.decompress();
        if compressed {
            raw.egress.compress();
        }
        raw.write(1, &Reason::TooManyPeers.encode()).await;
        assert_eq!(node.disconnected(peer).await, DisconnectReason::Remote);
        assert_eq!(raw.farewell().await, None);
    }
}

#[tokio::test]
async fn d6_a_hello_that_does_not_fit_is_refused_with_its_reason() {
    let other = identity(9).public_key().to_bytes();
    let no_shh = vec![Capability::new(*b"eth", 65), Capability::new(*b"shh", 5)];
    let node = End::new(1).await;
    // Reasons given after our Hello was read are compressed, but for that about its key.
    let refused = async |hello: fn(Hello, &[u8; 64], &[Capability]) -> Hello, compressed| {
        let mut raw = Raw::shake_hands(&node.enode(), &identity(2)).await;
        raw.say(&hello(raw.hello(), &other, &no_shh)).await;
        assert_eq!(raw.read().await.expect("a Hello").code, 0);
        if compressed {
            raw.compress();
        }
        raw.farewell().await
    };
    let zero = refused(|hello, _, _| Hello { public_key: [0; 64], ..hello }, false);
    assert_eq!(zero.await, Some(Reason::InvalidIdentity));
    let foreign = refused(|hello, other, _| Hello { public_key: *other, ..hello }, true);
    assert_eq!(foreign.await, Some(Reason::UnexpectedIdentity));
    let d6 = refused(|hello, _, no_shh| Hello { capabilities: no_shh.to_vec(), ..hello }, true);
    assert_eq!(d6.await, Some(Reason::UselessPeer));
}

#[tokio::test]
async fn a_first_packet_that_is_no_hello_is_cut_without_a_word() {
    let node = End::new(1).await;
    let mut raw = Raw::shake_hands(&node.enode(), &identity(2)).await;
    raw.write(2, &[0xc0]).await;
    assert_eq!(raw.read().await.expect("a Hello").code, 0);
    assert_eq!(raw.read().await, None);
}

#[tokio::test]
async fn a_peer_without_compression_is_spoken_to_without() {
    let mut node = End::new(1).await;
    let mut raw = Raw::shake_hands(&node.enode(), &identity(2)).await;
    raw.say(&Hello { version: 4, ..raw.hello() }).await;
    assert_eq!(raw.read().await.expect("a Hello").code, 0);
    let (peer, _) = node.connected().await;
    raw.write(17, b"plain").await;
    assert_eq!(node.received().await.2, b"plain");
    node.transport.send(peer, Protocol::WHISPER, 127, b"plain too".to_vec());
    let packet = raw.read().await.expect("a packet");
    assert_eq!((packet.code, &packet.payload[..]), (143, &b"plain too"[..]));
}

#[tokio::test]
async fn d1_a_replayed_auth_leads_nowhere() {
    let mut node = End::new(1).await;
    let enode = node.enode();
    let mut rng = <chacha20::ChaCha20Rng as rand_core::SeedableRng>::seed_from_u64(5);
    let auth = handshake::initiate(&identity(2), &enode.public_key(), &mut rng).auth().to_vec();
    // Another connection's frames, recorded together with it.
    let mut recorded = Raw::shake_hands(&enode, &identity(2)).await;
    let hello = recorded.frame(0, &recorded.hello().encode());
    let mut socket = raw::dial(&enode).await;
    socket.write_all(&[&auth[..], &hello].concat()).await.unwrap();
    let mut answer = Vec::new();
    // The answer and a Hello come back; then the node hangs up.
    let _ = socket.read_to_end(&mut answer).await;
    assert!(answer.len() > 200);
    recorded.socket.write_all(&hello).await.unwrap();
    // The genuine one is the first peer that the node tells of.
    assert_eq!(node.connected().await.1.public_key, Some(identity(2).public_key()));
}

#[tokio::test]
async fn d2_a_size_out_of_bounds_is_hung_up_on_at_once() {
    let node = End::new(1).await;
    for size in [0_u16, 1, 306, 2_049, 65_535] {
        let mut socket = raw::dial(&node.enode()).await;
        socket.write_all(&size.to_be_bytes()).await.unwrap();
        let mut answer = Vec::new();
        assert!(matches!(socket.read_to_end(&mut answer).await, Ok(0) | Err(_)), "{size}");
    }
}

/// A node whose patience is a fraction of a second, in the respect that a test is about.
async fn impatient(set: impl FnOnce(&mut Timing, Duration)) -> End {
    let mut timing = config(0).timing;
    set(&mut timing, Duration::from_millis(200));
    End::with(RlpxConfig { timing, ..config(1) }).await
}

#[tokio::test]
async fn d8_who_says_nothing_or_little_is_hung_up_on() {
    let node = impatient(|timing, short| timing.handshake = short).await;
    for first in [&[][..], &[0x01], &[0x01, 0x80], &[0x01, 0x80, 0x04, 0x05]] {
        let mut socket = raw::dial(&node.enode()).await;
        socket.write_all(first).await.unwrap();
        let mut answer = Vec::new();
        assert!(matches!(socket.read_to_end(&mut answer).await, Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn d8_a_frame_that_does_not_end_is_cut() {
    for sent in [1, 31, 32, 40] {
        let mut node = impatient(|timing, short| timing.frame = short).await;
        let mut raw = Raw::connect(&node.enode(), 2).await;
        let (peer, _) = node.connected().await;
        let wire = raw.frame(17, b"the rest never comes");
        raw.socket.write_all(&wire[..sent]).await.unwrap();
        assert_eq!(node.disconnected(peer).await, DisconnectReason::TimedOut, "{sent} bytes");
        assert_eq!(raw.farewell().await, Some(Reason::Timeout));
    }
}

#[tokio::test]
async fn d8_a_peer_that_takes_nothing_is_cut() {
    let mut node = impatient(|timing, short| timing.stall = short).await;
    let _raw = Raw::connect(&node.enode(), 2).await;
    let (peer, _) = node.connected().await;
    let random: Vec<u8> = (0_u64..)
        .flat_map(|n| whisper_core::hash::sha256(&n.to_be_bytes()))
        .take(1 << 20)
        .collect();
    // More than the kernel keeps for a connection.
    for _ in 0..32 {
        node.transport.send(peer, Protocol::WHISPER, 1, random.clone());
    }
    assert_eq!(node.disconnected(peer).await, DisconnectReason::TimedOut);
}

#[tokio::test]
async fn a_silent_peer_is_dead_after_a_while() {
    // It counts during the handshake as well.
    let mut node = impatient(|timing, _| timing.idle = Duration::from_secs(1)).await;
    let mut raw = Raw::connect(&node.enode(), 2).await;
    let (peer, _) = node.connected().await;
    assert_eq!(raw.farewell().await, Some(Reason::Timeout));
    assert_eq!(node.disconnected(peer).await, DisconnectReason::TimedOut);
}
