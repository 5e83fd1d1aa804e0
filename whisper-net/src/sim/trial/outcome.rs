//! What came of a trial.

use std::time::Duration;

use whisper_core::pow::Rating;

/// What came of a trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Each second of the attack.
    pub samples: Vec<Sample>,
    /// How many messages honest nodes published.
    pub sent: usize,
    /// The share of them that reached another honest node, over all messages and nodes: 1 is all.
    pub delivered: f64,
    /// How long half of the deliveries took at most.
    pub median: Duration,
    /// How long 99 of 100 deliveries took at most.
    pub p99: Duration,
    /// The most that one pool held at any second's end, in bytes.
    pub most_pool_bytes: usize,
    /// How many connections with adversaries were cut by honest nodes.
    pub adversaries_cut: usize,
    /// How many connections with honest nodes were cut by honest nodes.
    pub honest_cut: usize,
    /// The tries that an honest message took on average.
    pub tries: f64,
}

/// How things stand at the end of a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// The most that one pool holds, in bytes.
    pub pool_bytes: usize,
    /// The share of deliveries that were made, of messages published three seconds ago or earlier.
    pub delivered: f64,
    /// What honest messages hold of all pools: 1 is all.
    pub honest_share: f64,
    /// Of the messages that are alive and have been so for three seconds, the share that is in the
    /// pools: what is missing did not arrive, or was evicted.
    pub kept: f64,
    /// The highest rating that an honest node demands.
    pub demanded: Rating,
}
