//! No session is dead for ever: whatever is wiped, rolled back, reinstalled, or begun by both.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::Rng;
use chacha20::rand_core::SeedableRng;
use whisper_core::session::dialogue::*;
use whisper_core::time::Timestamp;

use crate::model::DAY;
use crate::model::HOUR;
use crate::model::Mail;
use crate::model::Party;
use crate::model::START;
use crate::model::Store;

/// What happens to two people who talk.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Case {
    /// Both invite at once, up to five times each.
    BothInvite,
    /// One loses everything, and has no backup.
    Wiped,
    /// One loses everything but a backup of contacts and cards.
    Reinstalled,
    /// One goes on from an earlier state, and does not know.
    RolledBack,
    /// One goes on from an earlier state, and its store shows it.
    Suspect,
    /// Each of the two suffers one of these within a day.
    BothAtOnce,
}

/// Two parties, and what is on its way.
struct World {
    now: Timestamp,
    parties: [Party; 2],
    /// Snapshots of each.
    kept: [Vec<Store>; 2],
    mail: BTreeMap<(Timestamp, u64), (usize, Mail)>,
    /// What is lost and repeated of a thousand, and how long it may take.
    loss: u64,
    repeats: u64,
    delay: Duration,
    rng: ChaCha20Rng,
    count: u64,
    /// Texts by number: who said it, when.
    said: Vec<(usize, Timestamp)>,
    shown: [BTreeMap<u32, usize>; 2],
    /// When each state was last set back.
    broken: [Timestamp; 2],
    steps: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let parties = [1, 2].map(|who| Party::new(seed.wrapping_mul(4) + who, START));
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut world = Self {
            now: START,
            parties,
            kept: [Vec::new(), Vec::new()],
            mail: BTreeMap::new(),
            loss: rng.next_u64() % 601,
            repeats: rng.next_u64() % 200,
            delay: Duration::from_secs(1 + rng.next_u64() % (30 * 3_600)),
            rng,
            count: 0,
            said: Vec::new(),
            shown: [BTreeMap::new(), BTreeMap::new()],
            broken: [START; 2],
            steps: 0,
        };
        let cards = [world.parties[1].card(), world.parties[0].card()];
        for (party, card) in world.parties.iter_mut().zip(cards) {
            party.store.card = Some(card);
            party.checks_storage = seed.is_multiple_of(10);
            let rng = &mut party.rng;
            party.store.dialogue.greet(START, 365 * DAY, rng);
        }
        world
    }

    fn draw(&mut self, most: u64) -> u64 {
        self.rng.next_u64() % most
    }

    fn post(&mut self, from: usize, out: Vec<Mail>) {
        for mail in out {
            let copies = 1 + usize::from(self.draw(1_000) < self.repeats);
            for _ in 0..copies {
                if self.draw(1_000) < self.loss {
                    continue;
                }
                let longest = u64::try_from(self.delay.as_millis()).expect("a number that fits");
                let delay = Duration::from_millis(1 + self.draw(longest));
                self.count += 1;
                let at = (self.now.saturating_add(delay), self.count);
                self.mail.insert(at, (1 - from, mail.clone()));
            }
        }
        self.note();
    }

    /// Notes what was shown.
    fn note(&mut self) {
        for (party, shown) in self.parties.iter_mut().zip(&mut self.shown) {
            for event in party.events.drain(..) {
                if let DialogueEvent::Message { data, .. } = event {
                    let text = u32::from_be_bytes(data.try_into().expect("four bytes"));
                    *shown.entry(text).or_default() += 1;
                }
            }
        }
    }

    fn say(&mut self, who: usize) {
        let text = u32::try_from(self.said.len()).expect("a number that fits");
        self.said.push((who, self.now));
        let out = self.parties[who].say(self.now, text);
        self.post(who, out);
    }

    /// Lets time pass.
    fn run(&mut self, until: Timestamp) {
        loop {
            let first = self.mail.first_key_value().map(|((at, _), _)| *at);
            let due = self.parties.each_ref().map(Party::poll_timeout);
            let next = due[0].min(due[1]).min(first.unwrap_or(until));
            if next >= until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next);
            self.steps += 1;
            if first.is_some_and(|at| at <= next) {
                let (_, (to, mail)) = self.mail.pop_first().expect("what comes first");
                let out = self.parties[to].take(self.now, &mail);
                self.post(to, out);
                continue;
            }
            let who = usize::from(due[0] > due[1]);
            let scanned = self.parties[1 - who].card();
            let out = self.parties[who].tick(self.now, scanned);
            self.post(who, out);
            let next = self.parties[who].poll_timeout();
            assert!(next > self.now, "a deadline that has passed: {who} {next:?}");
        }
    }

    /// People talk for some days, and their devices are saved now and then.
    fn talk(&mut self, days: u32) {
        let end = self.now.saturating_add(DAY * days);
        while self.now < end {
            let who = usize::from(self.draw(2) == 0);
            self.say(who);
            if self.draw(4) == 0 {
                let who = usize::from(self.draw(2) == 0);
                let store = self.parties[who].store.clone();
                self.kept[who].push(store);
            }
            let pause = Duration::from_secs(60 + self.draw(12 * 3_600));
            self.run(self.now.saturating_add(pause));
        }
    }

    fn suffer(&mut self, who: usize, case: Case) {
        let now = self.now;
        match case {
            Case::BothInvite => {
                let count = 1 + self.draw(5);
                for _ in 0..count {
                    self.say(who);
                    let pause = Duration::from_secs(self.draw(30));
                    self.run(self.now.saturating_add(pause));
                }
                return;
            }
            Case::Wiped => {
                self.parties[who].wipe(now, false);
                if self.draw(2) == 0 {
                    // The user meets the other again.
                    self.parties[who].store.card = Some(self.parties[1 - who].card());
                }
            }
            Case::Reinstalled => self.parties[who].wipe(now, true),
            Case::RolledBack | Case::Suspect => {
                if self.kept[who].is_empty() {
                    return;
                }
                let count = u64::try_from(self.kept[who].len()).expect("a number that fits");
                let at = usize::try_from(self.draw(count)).expect("a number that fits");
                let store = self.kept[who][at].clone();
                self.parties[who].roll_back(now, store, case == Case::Suspect);
            }
            Case::BothAtOnce => {
                for who in [who, 1 - who] {
                    let cases = [Case::Wiped, Case::Reinstalled, Case::RolledBack, Case::Suspect];
                    let case = cases[usize::try_from(self.draw(4)).expect("a number that fits")];
                    self.suffer(who, case);
                    let pause = Duration::from_secs(self.draw(86_400));
                    self.run(self.now.saturating_add(pause));
                }
                return;
            }
        }
        self.broken[who] = self.now;
        self.note();
    }

    /// The network works, and both speak now and then: after some days each is heard.
    fn heal(&mut self) {
        (self.loss, self.repeats, self.delay) = (0, 0, Duration::from_secs(10));
        for _ in 0..8 {
            for who in [0, 1] {
                self.say(who);
                let pause = HOUR * u32::try_from(1 + self.draw(11)).expect("a number that fits");
                self.run(self.now.saturating_add(pause));
            }
            self.run(self.now.saturating_add(HOUR * 6));
        }
        self.run(self.now.saturating_add(2 * DAY));
    }

    /// What is wrong at the end, if anything.
    fn verdict(&self, case: Case) -> Result<(), String> {
        let current = self.parties.each_ref().map(|party| party.store.dialogue.current());
        if current[0].is_none() || current[0] != current[1] {
            return Err(format!("current: {current:?}"));
        }
        let unheard = |text: &u32| {
            let (who, at) = self.said[usize::try_from(*text).expect("a number that fits")];
            let kept = at > self.broken[who];
            kept && !self.shown[1 - who].contains_key(text)
        };
        let texts = 0..u32::try_from(self.said.len()).expect("a number that fits");
        let unheard: Vec<_> = texts.filter(unheard).collect();
        if !unheard.is_empty() {
            return Err(format!("never shown: {unheard:?}"));
        }
        let twice: BTreeSet<_> =
            self.shown.iter().flatten().filter(|(_, times)| **times > 1).collect();
        if case == Case::BothInvite && !twice.is_empty() {
            return Err(format!("shown twice: {twice:?}"));
        }
        Ok(())
    }
}

fn live(case: Case, seed: u64) -> Result<usize, String> {
    let mut world = World::new(seed);
    if case == Case::BothInvite {
        world.suffer(0, case);
        world.suffer(1, case);
        world.talk(3);
    } else {
        world.talk(5);
        let who = usize::from(world.draw(2) == 0);
        world.suffer(who, case);
        world.talk(5);
    }
    world.heal();
    world.verdict(case).map(|()| world.steps)
}

fn run(case: Case, runs: u64) {
    // Of a run that failed: its seed.
    let first = std::env::var("WHISPER_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = first.map_or(0..runs, |first: u64| first..first + 1);
    let mut dead = Vec::new();
    let mut steps = 0;
    for seed in seeds {
        match live(case, seed) {
            Ok(count) => steps += count,
            Err(why) => dead.push((seed, why)),
        }
    }
    println!("{case:?}: {} of {runs} dead, {steps} steps", dead.len());
    assert!(dead.is_empty(), "{case:?}: {} dead: {:#?}", dead.len(), &dead[..dead.len().min(5)]);
}

const CASES: [Case; 6] = [
    Case::BothInvite,
    Case::Wiped,
    Case::Reinstalled,
    Case::RolledBack,
    Case::Suspect,
    Case::BothAtOnce,
];

#[test]
fn e4_e16_no_session_is_dead_for_ever() {
    CASES.into_iter().for_each(|case| run(case, 60));
}

#[test]
#[ignore = "minutes: 30,000 runs of each case"]
fn e4_e16_no_session_is_dead_for_ever_in_30000_runs_of_each_case() {
    CASES.into_iter().for_each(|case| run(case, 30_000));
}
