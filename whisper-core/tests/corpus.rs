//! The inputs of the fuzz targets that concern this crate, without a fuzzer.

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
#[path = "../../fuzz/bodies/session_seed.rs"]
mod session_seed;

use replay::replay;

#[test]
fn envelopes_of_the_corpus_are_read_as_ever() {
    replay("rlp_envelopes", rlp_envelopes::run);
}

#[test]
fn packets_of_the_corpus_are_read_as_ever() {
    replay("packet", packet::run);
}

#[test]
fn messages_of_the_corpus_are_opened_as_ever() {
    replay("message_open", message_open::run);
}

#[test]
fn sessions_of_the_corpus_keep_their_rules() {
    replay("session_seed", session_seed::run);
}

#[test]
fn nodes_of_the_corpus_obey_their_laws() {
    replay("node", node::run);
}
