//! C14 and K6: what is printed and logged gives away neither keys nor who said what when.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod common;

use std::fmt::Debug;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use common::TOPIC;
use tracing::Level;
use tracing::Subscriber;
use tracing::field::Field;
use tracing::field::Visit;
use tracing::span;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::identity::Identity;
use whisper_core::identity::SymmetricKey;
use whisper_core::inbox::Filter;
use whisper_net::Config;
use whisper_net::Entropy;
use whisper_net::Post;
use whisper_net::Recipient;
use whisper_net::memory::MemoryNetwork;

/// 0x41 is `A` and 65: whatever way it is printed, it is found.
const KEY: [u8; 32] = [0x41; 32];

fn marked() -> Arc<Identity> {
    Arc::new(Identity::from_secret(SecretKey::from_bytes(&KEY).unwrap()))
}

#[track_caller]
fn assert_silent(value: &impl Debug) {
    for text in [format!("{value:?}"), format!("{value:#?}").split_whitespace().collect()] {
        let leaks =
            ["4141", "65, 65", "65,65", "AAAA", "16705", "1094795585", "4702111234474983745"];
        assert!(!leaks.iter().any(|leak| text.contains(leak)), "{text}");
    }
}

#[test]
fn c14_nothing_that_holds_a_key_prints_it() {
    let entropy = Entropy::from_source(|bytes| {
        *bytes = KEY;
        Ok(())
    });
    assert_silent(&entropy);
    let network = MemoryNetwork::new();
    let mut config = Config::new(network.transport("node"));
    config.entropy = entropy;
    assert_silent(&config);
    let key = Arc::new(SymmetricKey::from_bytes(&KEY).unwrap());
    let secret_text = vec![0x41; 40];
    assert_silent(&Post::to_all(Arc::clone(&key), TOPIC, secret_text.clone()));
    let post = Post::to(common::identity().public_key(), secret_text);
    assert_silent(&Post { signer: Some(marked()), ..post });
    assert_silent(&Recipient::Symmetric(key));
}

#[cfg(feature = "rlpx")]
#[test]
fn c14_nothing_of_the_wire_that_holds_a_key_prints_it() {
    use whisper_core::crypto::Secret;
    use whisper_core::hash::Keccak;
    use whisper_net::rlpx::RlpxConfig;
    use whisper_net::rlpx::frame::Egress;
    use whisper_net::rlpx::frame::Ingress;
    use whisper_net::rlpx::handshake::Auth;
    use whisper_net::rlpx::handshake::initiate;
    use whisper_net::rlpx::secrets::Secrets;

    assert_silent(&RlpxConfig::new(marked()));
    let secret = || Secret::fill_with(|own| *own = KEY);
    let secrets = Secrets::new(secret(), secret());
    assert_silent(&secrets);
    assert_silent(&Egress::new(&secrets, Keccak::new()));
    assert_silent(&Ingress::new(&secrets, Keccak::new()));
    let (alice, bob) = (marked(), common::identity());
    let mut rng = Entropy::os().rng().unwrap();
    let waiting = initiate(&alice, &bob.public_key(), &mut rng);
    assert_eq!(format!("{waiting:?}"), "AwaitAck(..)");
    let auth = Auth::open(&bob, waiting.auth()).unwrap();
    let remote = alice.public_key();
    assert_eq!(format!("{auth:?}"), format!("Auth {{ remote: PublicKey({remote}), .. }}"));
}

/// Two nodes, all that they log from `Debug` up, and what in it would give something away.
#[tokio::test(start_paused = true)]
async fn k6_a_log_holds_no_topic_no_hash_and_no_key_and_by_default_no_peer() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let network = MemoryNetwork::new();
    let (alice, bob) = common::pair(&network).await;
    let (signer, reader) = (common::identity(), common::identity());
    let mut inbox = bob.subscribe(Filter::new(Arc::clone(&reader))).await.unwrap();
    let mut passing = bob.envelopes().await.unwrap();
    let post = Post::to(reader.public_key(), "a text that nobody else should see");
    let post = Post { signer: Some(Arc::clone(&signer)), topic: Some(TOPIC), ..post };
    common::within(alice.post(post)).await.unwrap();
    common::message(&mut inbox).await;
    let envelope = common::within(passing.next()).await.unwrap().unwrap();
    alice.shutdown().await;
    bob.shutdown().await;
    tracing::debug!(target: "whisper_net::test", "the control");

    let text = log.text();
    assert!(text.contains("the control"), "it is recorded: {text}");
    let mut given_away = vec![
        hex::encode(TOPIC.as_bytes()),
        "news".to_owned(),
        envelope.hash().to_string(),
        format!("{:?}", envelope.hash().as_bytes()),
        "a text that".to_owned(),
    ];
    for identity in [&signer, &reader] {
        given_away.push(identity.public_key().to_string());
        given_away.push(hex::encode(identity.public_key().x()));
        given_away.push(hex::encode(identity.secret().expose()));
    }
    for word in given_away {
        assert!(!text.contains(&word), "{word} stands in {text}");
    }
    let default = text.lines().filter(|line| !line.starts_with("DEBUG"));
    let built = "WARN message=a debug build is slow: set opt-level = 3 for its dependencies";
    let expected = if cfg!(debug_assertions) { vec![built] } else { vec![] };
    assert_eq!(default.collect::<Vec<_>>(), expected, "nothing happened worth a word");
}

/// All that is said at the default level, and all that is counted: whoever adds a line looks at
/// what it gives away, and adds it here.
const SAID: [&str; 10] = [
    r#"Err(error) => tracing::warn!(%error, "a mined block is not taken"),"#,
    r#"tracing::error!(%failure, "the ledger ends");"#,
    r#"tracing::warn!("a debug build is slow: set opt-level = 3 for its dependencies");"#,
    r#"tracing::warn!("a stored block cannot be read");"#,
    r#"tracing::warn!(%error, "a miner cannot begin");"#,
    r#"tracing::warn!(%error, "a packet is too large for the wire and was left out");"#,
    r#"tracing::warn!(%kind, "the file of relays is left alone: a restart draws others");"#,
    r#"tracing::warn!(%kind, "the file of relays is not written: a restart draws others");"#,
    r#"tracing::warn!(kind = ?error.kind(), "no connection could be accepted");"#,
    r#"tracing::warn!(left_out, "more addresses to dial than the transport keeps");"#,
];
const COUNTED: [&str; 3] = [
    r#"metrics::counter!("whisper_envelopes_admitted").increment(self.arrivals.len() as u64);"#,
    r#"metrics::gauge!("whisper_peers").set(self.facts.len() as f64);"#,
    r#"metrics::gauge!("whisper_peers").set(self.facts.len() as f64);"#,
];

#[test]
fn k6_what_is_said_by_default_and_what_is_counted_was_looked_at() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = [root.join("src"), root.join("../whisper-core/src")].map(|folder| lines(&folder));
    let lines = sources.concat();
    let with = |words: &[&str]| {
        let mut found: Vec<_> = lines
            .iter()
            .filter(|line| words.iter().any(|word| line.contains(word)))
            .map(String::as_str)
            .collect();
        found.sort_unstable();
        found
    };
    assert_eq!(with(&["info!(", "warn!(", "error!(", "event!(", "span!(", "instrument"]), SAID);
    assert_eq!(with(&["metrics::"]), COUNTED);
}

/// All lines of code below a folder.
fn lines(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| match path.is_dir() {
        true => lines(&path),
        false => {
            let text = fs::read_to_string(path).unwrap();
            let code = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
            code.map(str::to_owned).collect()
        }
    };
    entries.flat_map(of).collect()
}

/// Everything that this crate logs, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= Level::DEBUG && metadata.target().starts_with("whisper")
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut Line(&mut self.0.lock().unwrap()));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Line(&mut self.0.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut text = self.0.lock().unwrap();
        write!(text, "{}", event.metadata().level()).unwrap();
        event.record(&mut Line(&mut text));
        text.push('\n');
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}
