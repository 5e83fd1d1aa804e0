//! Files that are whole, torn or another program's; and a process that is killed while it writes.

use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use rand_core::Rng;
use rand_core::SeedableRng;
use whisper_core::identity::Identity;
use whisper_core::ledger::Block;
use whisper_core::ledger::BlockMiner;
use whisper_core::ledger::BoardPost;
use whisper_core::ledger::Ledger;
use whisper_core::ledger::NextKey;
use whisper_core::ledger::Nothing;
use whisper_core::ledger::Operation;
use whisper_core::ledger::Payload;
use whisper_core::ledger::Register;
use whisper_core::ledger::Template;
use whisper_core::ledger::Tx;
use whisper_core::ledger::TxDraft;
use whisper_core::ledger::Unchecked;
use whisper_core::ledger::sync::Event;
use whisper_core::ledger::sync::Input;
use whisper_core::ledger::sync::LedgerNode;
use whisper_core::ledger::sync::Output;
use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

use super::*;
use crate::clock::Clock;
use crate::ledger::LedgerConfig;
use crate::ledger::OpenChain;

type Dice = chacha20::ChaCha20Rng;

/// Long after every block of these tests.
fn later() -> Timestamp {
    Params::regtest().genesis_header().timestamp().saturating_add(Duration::from_secs(1 << 30))
}

fn open(path: &Path) -> Result<OpenChain, OpenError> {
    let clock = Clock::from_source(later);
    let path = Some(path.to_owned());
    OpenChain::open(LedgerConfig {
        path,
        clock,
        recheck: 20,
        ..LedgerConfig::new(Params::regtest())
    })
}

/// The next block of a ledger, half a minute after the last, with a post and a claim.
fn next_block(ledger: &Ledger, dice: &mut Dice) -> Block<Unchecked> {
    let time = ledger.tip().header.timestamp().saturating_add(Duration::from_secs(30));
    let author = Identity::generate(dice);
    let text = dice.next_u64().to_string();
    let name = format!("h-{}", dice.next_u64()).parse().unwrap();
    let register = Register { operation: Operation::Claim, seq: 0, next: NextKey::NONE, name };
    let payloads = [
        Payload::Post(BoardPost { topic: Topic::default(), parent: None, text: &text }),
        Payload::Register(register),
    ];
    let expiry = time.saturating_add(Duration::from_secs(3_600));
    let txs: Vec<Tx> = payloads
        .iter()
        .map(|payload| {
            let draft = TxDraft::new(ledger.params(), &author.public_key(), expiry, payload);
            let draft = draft.unwrap();
            draft.sign(draft.find(0..u64::MAX).unwrap(), &author).unwrap()
        })
        .collect();
    let template = Template::new(time, ledger, txs, &dice.next_u64().to_le_bytes()).unwrap();
    BlockMiner::new(template).search(u64::MAX).unwrap()
}

/// Adds a block and writes what follows from it.
fn add(ledger: &mut Ledger, store: &Store, block: Block<Unchecked>) {
    let update = ledger.accept_block_with(later(), block, &store).unwrap();
    store.write(&update).unwrap();
}

/// One branch, and a longer one that replaces it: blocks of both are written.
fn branch_out(
    ledger: &mut Ledger,
    store: &Store,
    dice: &mut Dice,
    mut written: impl FnMut(&Ledger),
) {
    let mut other = ledger.clone();
    let len = 1 + dice.next_u32() % 3;
    for _ in 0..len {
        let block = next_block(ledger, dice);
        add(ledger, store, block);
        written(ledger);
    }
    for _ in 0..=len {
        let block = next_block(&other, dice);
        let update = other.accept_block_with(later(), block.clone(), &store).unwrap();
        drop(update);
        add(ledger, store, block);
        written(ledger);
    }
}

/// Whether the ledger is what its own blocks make of the first one.
fn is_replay(ledger: &Ledger, store: &Store) -> bool {
    let mut again = Ledger::new(Params::regtest()).unwrap();
    for height in 1..=ledger.tip().height {
        let bytes = store.block(&ledger.at(height).unwrap().id).unwrap();
        let block = Block::decode(bytes).unwrap();
        drop(again.accept_block(later(), block).unwrap());
    }
    let same_ids = again.unexpired().eq(ledger.unexpired());
    let root = |ledger: &Ledger| ledger.directory().root();
    same_ids && again.tip() == ledger.tip() && root(&again) == root(ledger)
}

#[test]
fn what_was_written_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut dice = Dice::from_seed([1; 32]);
    let OpenChain { mut ledger, store, .. } = open(&path).unwrap();
    for _ in 0..12 {
        branch_out(&mut ledger, &store, &mut dice, |_| ());
    }
    let txs: Vec<TxId> = ledger.unexpired().collect();
    let (height, index) = store.place_of(&txs[3]).unwrap().unwrap();
    let block = ledger.at(height).unwrap().id;
    let proof = ledger.prove_tx(&block, &txs[3], &store).unwrap();
    assert_eq!(proof.path.index, index);
    drop(store);
    let OpenChain { ledger: again, store, .. } = open(&path).unwrap();
    assert!(again.tip() == ledger.tip() && again.tip().height > 12);
    assert!(is_replay(&again, &store));
}

#[test]
fn what_the_ledger_lets_go_leaves_the_file() {
    let OpenChain { mut ledger, store, .. } = OpenChain::open(LedgerConfig {
        clock: Clock::from_source(later),
        ..LedgerConfig::new(Params::regtest())
    })
    .unwrap();
    let mut dice = Dice::from_seed([5; 32]);
    branch_out(&mut ledger, &store, &mut dice, |_| ());
    let tip = ledger.tip().id;
    let fork = ledger.at(0).unwrap().id;
    let let_go = |op| {
        let (disconnected, connected, returned) = (Vec::new(), Vec::new(), Vec::new());
        store.write(&ChainUpdate { disconnected, fork, connected, returned, store: vec![op] })
    };
    let held = || (store.block(&tip).is_some(), store.undo(&tip).is_some());
    assert_eq!(held(), (true, true));
    let_go(StoreOp::Settle { id: tip }).unwrap();
    assert_eq!(held(), (true, false));
    let_go(StoreOp::Forget { id: tip }).unwrap();
    assert_eq!(held(), (false, false));
}

#[test]
fn a_file_in_use_or_of_another_kind_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let held = open(&path).unwrap();
    assert_eq!(open(&path).unwrap_err(), OpenError::Busy);
    drop(held);
    let other = LedgerConfig { path: Some(path), ..LedgerConfig::new(Params::test()) };
    assert_eq!(OpenChain::open(other).unwrap_err(), OpenError::OtherNetwork);
    let diary = folder.path().join("diary");
    fs::write(&diary, "dear diary, ".repeat(1_000)).unwrap();
    let error = open(&diary).unwrap_err();
    assert_eq!(error, OpenError::Foreign);
    assert!(error.to_string().contains("name another"));
    assert_eq!(fs::read_to_string(&diary).unwrap(), "dear diary, ".repeat(1_000));
    let alien = folder.path().join("alien");
    let database = Database::create(&alien).unwrap();
    let begun = database.begin_write().unwrap();
    begun.open_table(TableDefinition::<&str, u64>::new("scores")).unwrap();
    begun.commit().unwrap();
    drop(database);
    assert_eq!(open(&alien).unwrap_err(), OpenError::Foreign);
    let nowhere = folder.path().join("no").join("such").join("folder");
    assert!(matches!(open(&nowhere).unwrap_err(), OpenError::Io(_)));
}

#[tokio::test]
async fn a_torn_file_gives_a_sentence_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut dice = Dice::from_seed([2; 32]);
    let OpenChain { mut ledger, store, .. } = open(&path).unwrap();
    for _ in 0..4 {
        branch_out(&mut ledger, &store, &mut dice, |_| ());
    }
    drop(store);
    let whole = fs::read(&path).unwrap();
    let torn = folder.path().join("torn");
    for part in [1, 2, 3] {
        fs::write(&torn, &whole[..whole.len() * part / 4]).unwrap();
        assert_is_told(&torn).await;
    }
    // A page in the middle is lost, as when a disk forgets it.
    let mut hole = whole.clone();
    let middle = hole.len() / 2;
    hole[4_096..middle].fill(0);
    fs::write(&torn, hole).unwrap();
    assert_is_told(&torn).await;
}

async fn assert_is_told(path: &Path) {
    let config = LedgerConfig {
        path: Some(path.to_owned()),
        clock: Clock::from_source(later),
        ..LedgerConfig::new(Params::regtest())
    };
    let error = crate::ledger::open(config).await.unwrap_err();
    assert!(matches!(error, OpenError::Damaged(_)), "{error:?}");
    assert!(error.to_string().contains("move it away and start again"));
}

#[test]
fn a_clock_behind_the_chain_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut dice = Dice::from_seed([3; 32]);
    let OpenChain { mut ledger, store, .. } = open(&path).unwrap();
    branch_out(&mut ledger, &store, &mut dice, |_| ());
    drop(store);
    let clock = Clock::from_source(|| Timestamp::from_secs(1_600_000_000));
    let config = LedgerConfig { path: Some(path), clock, ..LedgerConfig::new(Params::regtest()) };
    assert_eq!(OpenChain::open(config).unwrap_err(), OpenError::Clock);
}

/// A chain so many blocks longer.
fn grown(ledger: &Ledger, len: u32, dice: &mut Dice) -> Ledger {
    let mut ledger = ledger.clone();
    for _ in 0..len {
        let block = next_block(&ledger, dice);
        drop(ledger.accept_block(later(), block).unwrap());
    }
    ledger
}

/// Has a node follow a peer that has this chain, writing what comes as its driver would.
fn follow(node: &mut LedgerNode<Store>, peer: PeerId, chain: Ledger) {
    let mut peers = LedgerNode::new(chain, Nothing);
    let tip = peers.ledger().tip().id;
    let mut outputs: Vec<Output> = peers.handle(later(), Input::Connected(peer)).collect();
    let mut answers: Vec<Output> = node.handle(later(), Input::Connected(peer)).collect();
    while node.ledger().tip().id != tip {
        assert!(!(outputs.is_empty() && answers.is_empty()), "the peer gives all it has");
        for output in std::mem::take(&mut outputs) {
            let Output::Transmit { code, payload, .. } = output else { continue };
            let bytes = payload.len();
            answers.extend(step(node, Input::Received { peer, code, payload: &payload }));
            outputs.extend(peers.handle(later(), Input::Written { peer, bytes }));
        }
        for answer in std::mem::take(&mut answers) {
            let Output::Transmit { code, payload, .. } = answer else { continue };
            outputs
                .extend(peers.handle(later(), Input::Received { peer, code, payload: &payload }));
            answers.extend(step(node, Input::Written { peer, bytes: payload.len() }));
        }
    }
    step(node, Input::Disconnected(peer));
}

/// One step of a node: every change is written, and then told.
fn step(node: &mut LedgerNode<Store>, input: Input<'_>) -> Vec<Output> {
    let outputs: Vec<Output> = node.handle(later(), input).collect();
    for output in &outputs {
        let Output::Event(Event::Chain(update)) = output else { continue };
        if !update.disconnected.is_empty() {
            tell("reorganises");
        }
        node.archive().write(update).unwrap();
        let newest = update.connected.last().and_then(|id| node.ledger().headers().get(id));
        if let Some(newest) = newest {
            tell(&format!("tip {:08} {}", newest.height, newest.id));
        }
    }
    outputs
}

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
}

/// Where the children below keep their chain.
const CHILD: &str = "WHISPER_TEST_LEDGER_CHILD";

/// What the test below kills.
#[test]
#[ignore = "runs until it is killed: the last test starts it"]
fn a_child_that_mines_and_reorganises() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let OpenChain { mut ledger, store, .. } = open(Path::new(&path)).unwrap();
    let mut dice = Dice::seed_from_u64(std::process::id().into());
    loop {
        branch_out(&mut ledger, &store, &mut dice, |ledger| {
            let tip = ledger.tip();
            tell(&format!("tip {:08} {}", tip.height, tip.id));
        });
    }
}

/// What the test below kills as well.
#[test]
#[ignore = "runs until it is killed: the last test starts it"]
fn a_child_that_follows_peers_from_chain_to_chain() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let OpenChain { ledger, store, .. } = open(Path::new(&path)).unwrap();
    let mut dice = Dice::seed_from_u64(std::process::id().into());
    let mut node = LedgerNode::new(ledger, store);
    for round in 0.. {
        let (base, len) = (node.ledger().clone(), 4 + dice.next_u32() % 12);
        let chains = [grown(&base, len, &mut dice), grown(&base, len + 1, &mut dice)];
        for (chain, peer) in chains.into_iter().zip(2 * round..) {
            follow(&mut node, PeerId::new(peer), chain);
        }
    }
}

/// Starts a child, kills it a moment after the first line that begins so, and gives what it told.
fn kill_one(path: &Path, child: &str, at: &str, moment: Duration) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([&format!("ledger::store::tests::{child}"), "--exact", "--ignored", "--nocapture"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    for line in lines.by_ref() {
        told.push(line);
        if told.last().is_some_and(|line| line.starts_with(at)) {
            break;
        }
    }
    std::thread::sleep(moment);
    child.kill().unwrap();
    child.wait().unwrap();
    told.extend(lines);
    told
}

#[test]
fn killed_at_any_moment_it_reopens_as_a_replay_of_its_blocks() {
    const MINES: &str = "a_child_that_mines_and_reorganises";
    const FOLLOWS: &str = "a_child_that_follows_peers_from_chain_to_chain";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let mut dice = Dice::from_seed([4; 32]);
    let (mut heights, mut within) = (Vec::new(), 0);
    for cycle in 0..60 {
        // While it mines, while it follows a peer, and in the step from one chain to another.
        let (child, at, longest) =
            [(MINES, "tip ", 60_000), (FOLLOWS, "tip ", 60_000), (FOLLOWS, "reorganises", 1_500)]
                [cycle % 3];
        let moment = Duration::from_micros((dice.next_u32() % longest).into());
        let told = kill_one(&path, child, at, moment);
        let OpenChain { ledger, store, .. } = open(&path).unwrap();
        // What was told is stored: it is the tip, or one change has come that was not told any more,
        // which adds a block or takes some back for a branch that is longer by one.
        let last = told.iter().rev().find_map(|line| read(line));
        let tip = ledger.tip();
        let before = heights.last().copied().unwrap_or(0);
        let (height, is_tip) =
            last.map_or((before, tip.height == before), |(height, id)| (height, tip.id == id));
        assert!(is_tip || tip.height == height + 1, "cycle {cycle}: {height} is lost");
        assert!(is_replay(&ledger, &store), "cycle {cycle}");
        within += usize::from(told.last().is_some_and(|line| line == "reorganises"));
        heights.push(tip.height);
    }
    assert!(heights.windows(2).all(|pair| pair[0] <= pair[1]), "{heights:?}");
    println!("60 kills, {within} while the chain changed, {} blocks", heights.last().unwrap());
}

/// A line of the child's, if it got to write all of it.
fn read(line: &str) -> Option<(u32, BlockId)> {
    let (height, id) = line.strip_prefix("tip ")?.split_once(' ')?;
    let mut bytes: [u8; 32] = hex::decode(id).ok()?.try_into().ok()?;
    bytes.reverse();
    Some((height.parse().ok()?, BlockId::new(bytes)))
}
