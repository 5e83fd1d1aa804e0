//! The laws, over many runs.

use alloc::format;
use alloc::string::String;

use proptest::prelude::*;

use super::*;

/// What happens next.
#[derive(Debug)]
enum Act {
    Say(bool),
    Invite(bool),
    /// Delivers the n-th of what is on its way, and keeps it there, to come again.
    Deliver(prop::sample::Index),
    Lose(prop::sample::Index),
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        5 => any::<bool>().prop_map(Act::Say),
        1 => any::<bool>().prop_map(Act::Invite),
        8 => any::<prop::sample::Index>().prop_map(Act::Deliver),
        1 => any::<prop::sample::Index>().prop_map(Act::Lose),
        2 => (1..900_u64).prop_map(Act::Wait),
    ];
    proptest::collection::vec(act, 0..50)
}

/// Two parties, and what is on its way to each.
struct World {
    parties: [Party; 2],
    sent: Vec<(usize, Envelope)>,
    now: Timestamp,
    said: u32,
    heard: [Vec<String>; 2],
}

impl World {
    fn new() -> Self {
        let mut parties = [1, 2].map(Party::new);
        let [a, b] = [parties[0].key(), parties[1].key()];
        parties[0].befriend(b);
        parties[1].befriend(a);
        Self { parties, sent: vec![], now: NOW, said: 0, heard: [vec![], vec![]] }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Say(who) => self.say((*who).into()),
            Act::Invite(who) => self.invite((*who).into()),
            Act::Deliver(which) if !self.sent.is_empty() => {
                let at = which.index(self.sent.len());
                self.deliver(at);
            }
            Act::Lose(which) if !self.sent.is_empty() => {
                _ = self.sent.swap_remove(which.index(self.sent.len()));
            }
            Act::Wait(seconds) => self.wait(*seconds),
            Act::Deliver(_) | Act::Lose(_) => (),
        }
    }

    fn say(&mut self, who: usize) {
        let peer = self.parties[1 - who].key();
        let text = format!("{}", self.said);
        self.said += 1;
        let party = &mut self.parties[who];
        let step = party.sessions.send(self.now, &peer, text.as_bytes(), &mut party.rng);
        if let Ok(step) = step {
            let (sent, _) = party.run(self.now, step);
            self.sent.extend(sent.into_iter().map(|sent| (1 - who, sent)));
        }
    }

    fn invite(&mut self, who: usize) {
        let peer = self.parties[1 - who].key();
        let text = format!("{}", self.said);
        self.said += 1;
        let sent = self.parties[who].invite(self.now, peer, &text);
        self.sent.extend(sent.into_iter().map(|sent| (1 - who, sent)));
    }

    /// A restart makes the same sessions, and goes on with them.
    fn restart(&mut self) {
        for party in &mut self.parties {
            let restored = party.restored(self.now);
            assert_eq!(restored, party.sessions);
            party.sessions = restored;
        }
    }

    fn deliver(&mut self, at: usize) {
        let (to, envelope) = &self.sent[at];
        let events = self.parties[*to].hear(self.now, envelope);
        self.heard[*to].extend(texts(&events).into_iter().map(Into::into));
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.saturating_add(Duration::from_secs(seconds));
        for who in 0..2 {
            let (sent, _) = self.parties[who].tick(self.now);
            self.sent.extend(sent.into_iter().map(|sent| (1 - who, sent)));
            if let Some(due) = self.parties[who].sessions.poll_timeout() {
                assert!(due > self.now, "the driver would spin");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_is_lost_repeated_or_late_no_message_is_shown_twice(acts in acts()) {
        let mut world = World::new();
        for act in &acts {
            world.act(act);
        }
        // All that was not lost arrives in the end, and again, and again.
        for _ in 0..3 {
            (0..world.sent.len()).for_each(|at| world.deliver(at));
        }
        for heard in &mut world.heard {
            let count = heard.len();
            heard.sort_unstable();
            heard.dedup();
            prop_assert_eq!(heard.len(), count);
        }
    }

    #[test]
    fn the_same_seeds_and_acts_make_the_same_state(acts in acts()) {
        let mut worlds = [(); 2].map(|()| World::new());
        for act in &acts {
            worlds.iter_mut().for_each(|world| world.act(act));
        }
        let [one, other] = worlds;
        prop_assert!(one.parties.iter().zip(&other.parties).all(|(a, b)| a.sessions == b.sessions));
        prop_assert_eq!(one.sent, other.sent);
    }

    #[test]
    fn in_any_order_all_that_arrives_in_time_is_shown(
        order in Just((0..60_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let [mut alice, mut bob] = talking();
        let sent: Vec<_> = (0..60).map(|n| alice.say(NOW, bob.key(), &format!("{n}"))).collect();
        let mut heard: Vec<String> = vec![];
        // What is out of reach at first is looked back for after each success.
        for _ in 0..3 {
            for at in &order {
                let events = bob.open(NOW, &sent[*at]).unwrap_or_default();
                heard.extend(texts(&events).into_iter().map(Into::into));
            }
        }
        heard.sort_by_key(|text| text.parse::<u32>().unwrap());
        prop_assert_eq!(heard, (0..60).map(|n| format!("{n}")).collect::<Vec<_>>());
    }

    #[test]
    fn no_data_makes_opening_panic(
        at: usize, bytes in proptest::collection::vec(any::<u8>(), 0..1_200),
    ) {
        let [mut alice, mut bob] = talking();
        let envelope = alice.say(NOW, bob.key(), "x");
        let mut data = envelope.data().to_vec();
        let start = at % data.len();
        data.splice(start.., bytes);
        let ttl = Duration::from_secs(600);
        let draft = crate::envelope::Draft::new(NOW, ttl, envelope.topic(), data).unwrap();
        prop_assert!(bob.open(NOW, &draft.seal(0)).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn after_a_restart_at_every_step_all_goes_on_as_it_was(acts in acts()) {
        let mut world = World::new();
        for act in &acts {
            world.act(act);
            world.restart();
        }
        let count: usize = world.heard.iter().map(Vec::len).sum();
        let all: alloc::collections::BTreeSet<_> = world.heard.iter().flatten().collect();
        prop_assert_eq!(all.len(), count, "shown twice");
    }
}
