//! What peers accept, and what that leaves to choose for a post.

use std::time::Duration;

use whisper_core::node::Direction;
use whisper_core::node::PeerInfo;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;

use super::intake::Submission;
use super::state::PostError;

/// What peers accept.
pub(crate) struct PeerDemand {
    /// The least rating that this node takes.
    pub(crate) own: Rating,
    /// What an envelope should be rated to find a place.
    pub(crate) advised: Rating,
    pub(crate) peers: Vec<PeerInfo>,
}

/// The work that is worth doing for a post.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) target: Rating,
    /// How long the work takes on average.
    pub(super) expected: Duration,
    /// The takers that demand more than the target.
    pub(super) left_out: Vec<PeerId>,
}

impl PeerDemand {
    /// Whether a ready peer takes the topic of a submission.
    pub(super) fn has_taker(&self, submission: &Submission) -> bool {
        self.takers(submission).next().is_some()
    }

    /// The target for a submission; nothing while no ready peer takes its topic. `cost` is how long
    /// the work for a rating takes on average.
    ///
    /// # Errors
    /// [`PostError`] if the target that was asked for reaches nobody, or every one needs more work
    /// than the submission has patience for.
    pub(super) fn choose(
        &self,
        submission: &Submission,
        cost: impl Fn(Rating) -> Duration,
    ) -> Option<Result<Choice, PostError>> {
        let named = submission.target.is_some();
        let cost = |rating| cost(if named { rating } else { on_ladder(rating) });
        let takers: Vec<&PeerInfo> = self.takers(submission).collect();
        let lowest = takers.iter().map(|peer| peer.min_rating).min()?.max(self.own);
        let patience = submission.patience;
        let target = match submission.target {
            Some(target) if target < lowest => {
                let expected = cost(lowest);
                return Some(Err(PostError::RatedTooLow { lowest, expected }));
            }
            Some(target) => target,
            None => on_ladder(self.target(&takers, patience, &cost).unwrap_or(lowest)),
        };
        let expected = cost(target);
        if expected > patience {
            return Some(Err(PostError::TooMuchWork { target, expected }));
        }
        let left_out = takers.iter().filter(|peer| peer.min_rating > target);
        Some(Ok(Choice { target, expected, left_out: left_out.map(|peer| peer.peer).collect() }))
    }

    /// The rating to work for where every ready peer takes the topic; nothing if none is worth the
    /// patience.
    pub(crate) fn for_all(
        &self,
        patience: Duration,
        cost: impl Fn(Rating) -> Duration,
    ) -> Option<Rating> {
        let ready: Vec<&PeerInfo> = self.peers.iter().filter(|peer| peer.ready).collect();
        let cost = |rating| cost(on_ladder(rating));
        self.target(&ready, patience, &cost).map(on_ladder)
    }

    fn takers(&self, submission: &Submission) -> impl Iterator<Item = &PeerInfo> {
        let topic = submission.draft.topic();
        let takes = move |peer: &&PeerInfo| {
            peer.ready && peer.bloom.is_none_or(|bloom| bloom.admits(topic))
        };
        self.peers.iter().filter(takes)
    }

    /// The rating to work for; nothing if none is worth the patience.
    ///
    /// Anybody may connect to this node and demand anything, so peers that it chose itself decide
    /// where there are any. Light nodes keep what they get to themselves: where others are, those
    /// decide.
    fn target(
        &self,
        takers: &[&PeerInfo],
        patience: Duration,
        cost: &impl Fn(Rating) -> Duration,
    ) -> Option<Rating> {
        let is_worth = |rating: &Rating| cost(*rating) <= patience;
        let demands = |decides: &dyn Fn(&PeerInfo) -> bool| {
            let decisive = takers.iter().filter(|peer| decides(peer));
            let demands = decisive.map(|peer| peer.min_rating.max(self.own)).filter(is_worth);
            let mut demands: Vec<Rating> = demands.collect();
            demands.sort_unstable();
            (!demands.is_empty()).then_some(demands)
        };
        let is_chosen = |peer: &PeerInfo| peer.direction == Direction::Outbound || peer.trusted;
        let chosen = demands(&|peer| is_chosen(peer) && !peer.light);
        // Of those, half may lie. Of strangers nearly all may.
        let half = chosen.as_ref().and_then(|all| all.get(all.len().saturating_sub(1) / 2));
        let half = half.copied();
        let all = chosen.or_else(|| demands(&|peer| !peer.light)).or_else(|| demands(&|_| true))?;
        let cheap = all.iter().rev().find(|rating| cost(**rating) <= CHEAP);
        let least = all.first().copied()?;
        let reached = cheap.copied().into_iter().chain(half).max().unwrap_or(least);
        Some(Some(self.advised).filter(is_worth).map_or(reached, |advised| advised.max(reached)))
    }
}

/// The rating itself or the next above of those that all nodes work for: what our neighbours demand
/// would tell the envelopes of one neighbourhood from others.
fn on_ladder(rating: Rating) -> Rating {
    let wanted = rating.as_f64();
    if wanted <= 0.0 {
        return rating;
    }
    let mut rung = Rating::DEFAULT_MINIMUM.as_f64();
    while rung < wanted {
        rung *= STEP;
    }
    if rung.is_infinite() {
        return rating;
    }
    while rung / STEP >= wanted {
        rung /= STEP;
    }
    Rating::new(rung).unwrap_or(rating)
}

/// What one rung of the ladder is above the last: less would tell more, more would cost more.
const STEP: f64 = 4.0;
/// Work that is done for every peer that asks for it: nobody notices it, and it reaches honest peers
/// among any number of others.
const CHEAP: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_rounded_up_to_what_all_nodes_work_for() {
        let rounded = |value| on_ladder(Rating::new(value).expect("a rating")).as_f64();
        let same = [0.0, 0.0125, 0.05, 0.2, 0.8, 3.2, 1.5e308, f64::MAX];
        assert_eq!(same.map(rounded), same);
        assert_eq!(
            [0.000_1, 0.01, 0.21, 0.79, 0.81].map(rounded),
            [0.2 / 1_024.0, 0.0125, 0.8, 0.8, 3.2]
        );
    }
}
