//! Two parties, and a network that does what a test wants.

use std::collections::BTreeMap;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::Rng;
use chacha20::rand_core::SeedableRng;
use whisper_core::time::Timestamp;

use crate::party::Mail;
use crate::party::Party;

pub(crate) const START: Timestamp = Timestamp::from_secs(1_750_000_000);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

pub(crate) struct Couple {
    pub(crate) now: Timestamp,
    pub(crate) parties: [Party; 2],
    pub(crate) mail: BTreeMap<(Timestamp, u64), (usize, Mail)>,
    /// All that was ever sent, by whom.
    pub(crate) recorded: Vec<(usize, Mail)>,
    /// Of a thousand.
    pub(crate) loss: u64,
    pub(crate) repeats: u64,
    pub(crate) delay: Duration,
    pub(crate) rng: ChaCha20Rng,
}

impl Couple {
    /// Alice has Bob's card, with a one-time key; Bob knows nothing of Alice.
    pub(crate) fn new(seed: u64) -> Self {
        let mut parties = [1, 2].map(|who| Party::new(seed * 4 + who, START));
        let card = parties[1].card_by_hand();
        parties[0].hear_card(START, card);
        Self {
            now: START,
            parties,
            mail: BTreeMap::new(),
            recorded: Vec::new(),
            loss: 0,
            repeats: 0,
            delay: Duration::from_secs(1),
            rng: ChaCha20Rng::seed_from_u64(seed),
        }
    }

    /// Each has heard the other.
    pub(crate) fn talking(seed: u64) -> Self {
        let mut couple = Self::new(seed);
        couple.say(0, b"hello");
        couple.wait(HOUR);
        couple.accept(1);
        couple.say(1, b"hi");
        couple.wait(HOUR);
        assert_eq!(couple.shown(), [vec![b"hi".to_vec()], vec![b"hello".to_vec()]]);
        couple
    }

    pub(crate) fn post(&mut self, from: usize, out: Vec<Mail>) {
        for mail in out {
            self.recorded.push((from, mail.clone()));
            let copies = 1 + usize::from(self.rng.next_u64() % 1_000 < self.repeats);
            for _ in 0..copies {
                if self.rng.next_u64() % 1_000 >= self.loss {
                    let most = u64::try_from(self.delay.as_millis()).expect("a short time");
                    let delay = Duration::from_millis(1 + self.rng.next_u64() % most);
                    let count = u64::try_from(self.recorded.len()).expect("a small number");
                    let at = (self.now.saturating_add(delay), count * 4 + self.mail_count());
                    self.mail.insert(at, (1 - from, mail.clone()));
                }
            }
        }
    }

    fn mail_count(&mut self) -> u64 {
        self.rng.next_u64() % 4
    }

    pub(crate) fn say(&mut self, who: usize, text: &[u8]) {
        let out = self.parties[who].say(self.now, text);
        self.post(who, out);
    }

    pub(crate) fn accept(&mut self, who: usize) {
        let out = self.parties[who].accept(self.now);
        self.post(who, out);
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, span: Duration) {
        let until = self.now.saturating_add(span);
        loop {
            let first = self.mail.first_key_value().map(|((at, _), _)| *at);
            let due = self.parties.each_ref().map(Party::poll_timeout);
            let next = due[0].min(due[1]).min(first.unwrap_or(until));
            if next >= until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next);
            let (who, out) = match self.mail.first_entry() {
                Some(entry) if entry.key().0 <= next => {
                    let (to, mail) = entry.remove();
                    (to, self.parties[to].take(self.now, &mail))
                }
                _ => {
                    let who = usize::from(due[0] > due[1]);
                    (who, self.parties[who].tick(self.now))
                }
            };
            self.post(who, out);
        }
    }

    pub(crate) fn shown(&mut self) -> [Vec<Vec<u8>>; 2] {
        self.parties.each_mut().map(Party::shown)
    }
}
