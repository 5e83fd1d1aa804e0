//! A ledger on two nodes: one keeps the chain, claims a name and posts; the other holds headers only,
//! as a phone would, and has both proven.

use std::sync::Arc;
use std::time::Duration;

use whisper_core::identity::Identity;
use whisper_core::ledger::{BoardPost, Name, NextKey, Operation, Params, Payload, Register};
use whisper_core::ledger::{Tx, TxDraft};
use whisper_core::topic::Topic;
use whisper_examples::{Failure, key};
use whisper_net::ledger::{self, Ledger, LedgerConfig, LightConfig, LightEvent, LightLedger};
use whisper_net::memory::MemoryNetwork;
use whisper_net::transport::Protocol;
use whisper_net::{Config, Handle};

/// Works for a transaction, signs it and hands it in.
async fn submit(
    node: &Handle,
    ledger: &Ledger,
    author: &Arc<Identity>,
    payload: &Payload<'_>,
) -> Result<Tx, Failure> {
    let expiry = node.clock().now().saturating_add(Duration::from_secs(3_600));
    let draft = TxDraft::new(ledger.params(), &author.public_key(), expiry, payload)?;
    let tx = ledger.sign(draft, Arc::clone(author)).await?;
    ledger.submit(tx.clone()).await?;
    Ok(tx)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let (network, params) = (MemoryNetwork::new(), Params::regtest());
    let protocols = [Protocol::WHISPER, ledger::PROTOCOL];
    let start = |name| whisper_net::start(Config::new(network.transport_with(name, &protocols)));

    let (member, alice) = (start("member")?, key(None)?);
    let chain = ledger::open(LedgerConfig::new(params.clone())).await?.serve(&member).await?;
    let (name, next): (Name, _) = ("alice".parse()?, NextKey::NONE);
    let claim = Register { operation: Operation::Claim, seq: 0, next, name };
    submit(&member, &chain, &alice, &Payload::Register(claim)).await?;
    let post = BoardPost { topic: Topic::default(), parent: None, text: "hello, world" };
    let post = submit(&member, &chain, &alice, &Payload::Post(post)).await?;
    let block = chain.mine().await?.found().await?;

    let phone = start("phone")?;
    let light = LightLedger::serve(LightConfig::new(params), &phone).await?;
    let mut events = light.events().await?;
    phone.dial("memory:member").await?;
    while !matches!(events.next().await, Some(Ok(LightEvent::Tip { .. })) | None) {}
    let owner = light.look_up(name).await?.record.ok_or("nobody has claimed it")?.public_key()?;
    println!("{name} is {owner}: {}", owner == alice.public_key());
    let (_, proven) = light.prove(block, post.id()).await?;
    println!("the post stands in block {}, {} confirmation", proven.height, proven.confirmations);
    Ok(())
}
