//! A ledger in one thread: from the first block to a post and a name that a phone can check.

use std::error::Error;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use whisper_core::identity::Identity;
use whisper_core::ledger::analysis::confirmations;
use whisper_core::ledger::{
    BlockMiner, BoardPost, Ledger, LightClient, Mempool, Name, NextKey, Nothing, Operation, Params,
    Payload, Register, Template, Tx, TxDraft,
};
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

/// Works for a transaction and signs it.
fn make(ledger: &Ledger, author: &Identity, payload: &Payload<'_>) -> Result<Tx, Box<dyn Error>> {
    let expiry = ledger.tip().header.timestamp().saturating_add(Duration::from_secs(3_600));
    let draft = TxDraft::new(ledger.params(), &author.public_key(), expiry, payload)?;
    let nonce = draft.find(0..u64::MAX).ok_or("no nonce fits")?;
    println!("nonce {nonce} shows {} hashes of work", draft.expected_hashes());
    Ok(draft.sign(nonce, author)?)
}

/// Searches the next block, with what waits in it, and adds it.
fn mine(ledger: &mut Ledger, mempool: &mut Mempool, now: Timestamp) -> Result<(), Box<dyn Error>> {
    let template = Template::new(now, ledger, mempool.select(ledger), b"by hand")?;
    let block = BlockMiner::new(template).search(u64::MAX).ok_or("the search was given up")?;
    let update = ledger.accept_block(now, block)?;
    mempool.follow(now, ledger, &update);
    let tip = ledger.tip();
    println!("block {} is {}", tip.height, tip.id);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let mut rng = ChaCha20Rng::from_seed(seed);
    let [alice, later] = [(); 2].map(|()| Identity::generate(&mut rng));

    let params = Params::regtest();
    let mut now = params.genesis_header().timestamp();
    let (mut ledger, mut mempool) = (Ledger::new(params.clone())?, Mempool::new());
    let name: Name = "alice".parse()?;
    let text = "Whoever doubts this may check it.";
    let post = Payload::Post(BoardPost { topic: Topic::default(), parent: None, text });
    // The key after this one is promised before it is needed: whoever steals the first cannot
    // install a key of its own.
    let next = NextKey::commit(&later.public_key());
    let claim = Register { operation: Operation::Claim, seq: 0, next, name };
    let post = make(&ledger, &alice, &post)?;
    let claim = make(&ledger, &alice, &Payload::Register(claim))?;
    mempool.submit(now, post.clone(), &mut ledger)?;
    mempool.submit(now, claim, &mut ledger)?;
    for _ in 0..6 {
        now = now.saturating_add(Duration::from_secs(120));
        mine(&mut ledger, &mut mempool, now)?;
    }

    // A phone holds headers only. What it is told it need not believe.
    let mut phone = LightClient::new(params)?;
    let headers: Vec<_> = (1..).map_while(|height| ledger.at(height)).map(|at| at.header).collect();
    phone.accept(now, &headers)?;
    let (first, tip) = (ledger.at(1).ok_or("no block")?, ledger.tip());
    let proof = ledger.prove_tx(&first.id, &post.id(), &Nothing).ok_or("no proof")?;
    let proven = phone.check_tx(&proof)?;
    println!("the post stands in block {}, {} confirmations", proven.height, proven.confirmations);
    let proof = ledger.prove_name(&tip.id, &name, &Nothing).ok_or("no proof")?;
    phone.check_name(&proof, &name)?;
    println!("@{name} is {}", proof.record.ok_or("nobody has it")?.public_key()?);
    let enough = confirmations(0.3, 0.001).ok_or("no number suffices")?;
    println!("against 30 % of all hashes, wait for {enough}: then the risk is below 0.1 %");
    Ok(())
}
