//! What the programs share: how they start a node, print, end, and draw what they found.

pub mod chart;
pub mod ending;
pub mod screen;

use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;
use whisper_core::identity::Identity;
use whisper_core::node;
use whisper_net::Config;
use whisper_net::Entropy;
use whisper_net::Handle;
use whisper_net::Privacy;
use whisper_net::keyfile;
use whisper_net::rlpx::RlpxConfig;
use whisper_net::rlpx::RlpxTransport;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// What goes wrong in a program: a sentence for the person at the terminal.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Ends a program: with a sentence on standard error, if it failed.
pub fn exit(program: &str, result: Result<(), Failure>) -> ExitCode {
    screen::flush();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{program}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints what the library logs at the level that `RUST_LOG` names, by default only warnings.
pub fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
}

/// A key from a file, which is made if there is none; without a file, a new key each time.
///
/// # Errors
/// When the file is no key file, or cannot be read or written.
pub fn key(file: Option<&Path>) -> Result<Arc<Identity>, Failure> {
    let entropy = Entropy::os();
    Ok(Arc::new(match file {
        Some(path) => keyfile::load_or_create(path, &entropy)
            .map_err(|error| format!("{}: {error}", path.display()))?,
        None => Identity::generate(&mut entropy.rng()?),
    }))
}

/// How it is hidden who wrote what leaves a node, on the command line.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Hiding {
    /// How it is hidden who writes: `stem` takes a second more, `fast` hides nothing
    #[arg(long, value_enum, default_value_t)]
    pub privacy: PrivacyChoice,
    /// The file that keeps which peers are told first, made if there is none; without it others are
    /// drawn each time, and each new one may learn who writes
    #[arg(long, value_name = "FILE")]
    pub relays: Option<PathBuf>,
}

/// The words for [`Privacy`].
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum PrivacyChoice {
    /// To all peers at once.
    Fast,
    /// To a relay first.
    #[default]
    Stem,
}

impl From<PrivacyChoice> for Privacy {
    fn from(choice: PrivacyChoice) -> Self {
        match choice {
            PrivacyChoice::Fast => Self::Fast,
            PrivacyChoice::Stem => Self::Stem,
        }
    }
}

/// Starts a node over RLPx that listens, if it is told where, and stays connected to `peers`.
///
/// # Errors
/// When it cannot listen there, or one of `peers` is not an address.
pub async fn start(
    node: node::Config,
    rlpx: RlpxConfig,
    peers: &[String],
    hiding: &Hiding,
) -> Result<Handle, Failure> {
    let mut config = Config::new(RlpxTransport::bind(rlpx).await?);
    config.node = node;
    config.dial = peers.to_vec();
    config.privacy = hiding.privacy.into();
    config.relays_file.clone_from(&hiding.relays);
    Ok(whisper_net::start(config)?)
}
