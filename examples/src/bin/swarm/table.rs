//! What a person reads at the end.

use std::collections::BTreeMap;

use whisper_examples::say;

use crate::plan::Deed;
use crate::verdict::Verdict;
use crate::wire::Moment;

/// How often what was done.
pub(crate) fn deeds(plan: &[(Moment, Deed)]) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, deed) in plan {
        let name = match deed {
            Deed::Say { count: 1, .. } | Deed::Start { moves: false, .. } => continue,
            Deed::Thaw(_) | Deed::Speak { .. } | Deed::Clock { offset: 0, .. } => continue,
            Deed::Say { .. } => "bursts of 5 to 29 messages",
            Deed::Post { .. } => "posts for all",
            Deed::Kill(_) => "processes killed",
            Deed::Leave(_) => "processes told to leave",
            Deed::Start { .. } => "relays started at another port",
            Deed::Freeze(_) => "processes frozen",
            Deed::Silence { .. } => "links fallen silent",
            Deed::Roam(_) => "changes of address that leave connections half open",
            Deed::Clock { .. } => "clocks set wrong by up to a minute",
        };
        *counts.entry(name).or_default() += 1;
    }
    say!("\nwhat was done");
    for (name, count) in counts {
        say!("{count:>8}  {name}");
    }
}

impl Verdict {
    /// Prints it.
    pub(crate) fn print(&self) {
        say!("\nwhat came of it");
        say!("{:>8}  messages said, for {} readers", self.said, self.pairs);
        say!("{:>8}  had a reader within their time", self.due);
        say!("{:>8}  of these were not shown", self.lost.len());
        say!("{:>8}  were shown though nobody could expect it", self.shown_anyway);
        for (why, count) in &self.excused {
            say!("{count:>8}  were not shown: {why}");
        }
        for (why, count) in &self.refused {
            say!("{count:>8}  writers were told: {why}");
        }
        say!("{:>8}  shown twice", self.twice.len());
        say!("{:>8}  shown after a later one, which told that some were missing", self.overtaken);
        say!("{:>8}  out of order in another way", self.disordered.len());
        say!("{:>8}  without a reason", self.unexplained.len());
        say!("{:>8}  other faults", self.faults.len());
        let (median, most) = (at(&self.delays, 50), at(&self.delays, 99));
        say!(
            "where nothing was in the way, half arrived within {median} ms, 99 of 100 in {most} ms"
        );
        let (median, most) = (at(&self.returns, 50), at(&self.returns, 100));
        say!("after a change of address, half were back within {median} ms, all in {most} ms");
        for fault in self.all_faults().take(MOST_FAULTS) {
            say!("FAULT {fault}");
        }
    }

    pub(crate) fn all_faults(&self) -> impl Iterator<Item = &String> {
        let kinds = [&self.lost, &self.twice, &self.disordered, &self.unexplained, &self.faults];
        kinds.into_iter().flatten()
    }
}

/// The value that so many of a hundred do not exceed.
fn at(sorted: &[Moment], of_hundred: usize) -> Moment {
    let index = (sorted.len() * of_hundred / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or_default()
}

/// So many are printed; the trace has the rest.
const MOST_FAULTS: usize = 40;
