//! Publish and subscribe: whoever knows the password reads and writes, under a topic made of a word.

use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use whisper_core::identity::SymmetricKey;
use whisper_core::inbox::Filter;
use whisper_core::node;
use whisper_core::topic::Topic;
use whisper_examples::{Failure, Hiding, ending, say, screen::printable};
use whisper_net::Post;
use whisper_net::rlpx::RlpxConfig;

/// Reads what is posted for a password, or posts one text: all who know it can read that. Try it: start
/// a `relay`, then `noticeboard --password 'a long one' --peer 'enode://…'`; again with --post hello.
#[derive(Parser)]
struct Options {
    /// A relay to stay connected to; may be given several times
    #[arg(long, value_name = "ENODE")]
    peer: Vec<String>,
    /// What all readers and writers know
    #[arg(long)]
    password: String,
    /// A text to post; without one, what others post is printed until Ctrl-C
    #[arg(long, value_name = "TEXT")]
    post: Option<String>,
    #[command(flatten)]
    hiding: Hiding,
}

#[tokio::main]
async fn main() -> ExitCode {
    whisper_examples::log();
    whisper_examples::exit("noticeboard", run(Options::parse()).await)
}

async fn run(options: Options) -> Result<(), Failure> {
    let mut end = pin!(ending::asked_for()?);
    let rlpx = RlpxConfig::new(whisper_examples::key(None)?);
    let node =
        whisper_examples::start(node::Config::default(), rlpx, &options.peer, &options.hiding)
            .await?;
    let key = Arc::new(SymmetricKey::from_password(&options.password));
    let topic = Topic::of_word("noticeboard");
    if let Some(text) = options.post {
        node.post(Post::to_all(key, topic, text)).await?;
    } else {
        let filter = Filter { topics: vec![topic], ..Filter::new(key) };
        let mut found = node.subscribe(filter).await?;
        while let Some(next) = tokio::select! {
            next = found.next() => next,
            () = &mut end => None,
        } {
            match next {
                Ok(received) => say!("{}", printable(received.message.payload())),
                Err(lagged) => say!("{lagged}"),
            }
        }
    }
    node.shutdown().await;
    Ok(())
}
