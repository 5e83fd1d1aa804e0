//! The inputs of the fuzz targets that concern this crate, without a fuzzer.

mod forge;
#[path = "../../fuzz/bodies/ledger_block.rs"]
mod ledger_block;
#[path = "../../fuzz/bodies/ledger_header.rs"]
mod ledger_header;
#[path = "../../fuzz/bodies/ledger_imports.rs"]
mod ledger_imports;
#[path = "../../fuzz/bodies/ledger_proofs.rs"]
mod ledger_proofs;
#[path = "../../fuzz/bodies/ledger_sync.rs"]
mod ledger_sync;
#[path = "../../fuzz/bodies/ledger_tx.rs"]
mod ledger_tx;
#[path = "../../fuzz/bodies/message_open.rs"]
mod message_open;
#[path = "../../fuzz/bodies/node.rs"]
mod node;
#[path = "../../fuzz/bodies/packet.rs"]
mod packet;
#[path = "../../fuzz/replay.rs"]
mod replay;
#[path = "../../fuzz/bodies/rlp_envelopes.rs"]
mod rlp_envelopes;
#[path = "../../fuzz/bodies/rules.rs"]
mod rules;
#[path = "../../fuzz/bodies/session_full.rs"]
mod session_full;
#[path = "../../fuzz/bodies/session_seed.rs"]
mod session_seed;
#[path = "../../fuzz/bodies/tree.rs"]
mod tree;
#[path = "../../fuzz/bodies/world.rs"]
mod world;

use replay::replay;

#[test]
fn envelopes_of_the_corpus_are_read_as_ever() {
    replay("rlp_envelopes", 56, rlp_envelopes::run);
}

#[test]
fn packets_of_the_corpus_are_read_as_ever() {
    replay("packet", 60, packet::run);
}

#[test]
fn messages_of_the_corpus_are_opened_as_ever() {
    replay("message_open", 33, message_open::run);
}

#[test]
fn sessions_of_the_corpus_keep_their_rules() {
    replay("session_seed", 63, session_seed::run);
}

#[test]
fn full_sessions_of_the_corpus_keep_their_rules() {
    replay("session_full", 40, session_full::run);
}

#[test]
fn nodes_of_the_corpus_obey_their_laws() {
    replay("node", 60, node::run);
}

#[test]
fn headers_of_the_corpus_are_judged_as_ever() {
    replay("ledger_header", 50, ledger_header::run);
}

#[test]
fn transactions_of_the_corpus_are_judged_as_ever() {
    replay("ledger_tx", 60, ledger_tx::run);
}

#[test]
fn blocks_of_the_corpus_are_judged_as_ever() {
    replay("ledger_block", 62, ledger_block::run);
}

#[test]
fn proofs_of_the_corpus_prove_as_ever() {
    replay("ledger_proofs", 61, ledger_proofs::run);
}

#[test]
fn ledgers_of_the_corpus_keep_up_with_their_peers() {
    replay("ledger_sync", 60, ledger_sync::run);
}

#[test]
fn ledgers_of_the_corpus_import_what_the_model_does() {
    replay("ledger_imports", 61, ledger_imports::run);
}
