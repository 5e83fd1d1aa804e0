//! Demands what nobody can pay.

use whisper_core::node::Input;
use whisper_core::node::Output;
use whisper_core::packet::Status;
use whisper_core::packet::code;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;

use crate::sim::Actor;

/// Says that it takes nothing that is rated below its demand, and does nothing else.
#[derive(Debug)]
pub struct Liar {
    demand: Rating,
}

impl Liar {
    /// One that demands so much.
    pub const fn new(demand: Rating) -> Self {
        Self { demand }
    }
}

impl Actor for Liar {
    fn handle(&mut self, _: Timestamp, input: Input<'_>) -> Vec<Output> {
        let Input::Connected { peer, .. } = input else { return Vec::new() };
        let status = Status {
            min_rating: self.demand,
            bloom: None,
            light: false,
            acknowledges: false,
            stems: false,
        };
        vec![Output::Transmit { peer, code: code::STATUS, payload: status.encode() }]
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }
}
