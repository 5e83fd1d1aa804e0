//! The laws, over many runs: repeatable, bounded, ahead, commit on success.

use alloc::format;

use proptest::prelude::*;

use super::*;

/// What happens next.
#[derive(Debug)]
enum Act {
    Say(bool),
    Invite(bool),
    /// Delivers the n-th of what is on its way, and keeps it there, to come again.
    Deliver(prop::sample::Index),
    /// A message of a stranger.
    Foreign(u8, bool),
    /// An invitation of one.
    Stranger(bool, u8),
    Pause(bool),
    Resume(bool),
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => any::<bool>().prop_map(Act::Say),
        1 => any::<bool>().prop_map(Act::Invite),
        9 => any::<prop::sample::Index>().prop_map(Act::Deliver),
        2 => (any::<u8>(), any::<bool>()).prop_map(|(topic, class)| Act::Foreign(topic, class)),
        2 => (any::<bool>(), 10..14_u8).prop_map(|(who, seed)| Act::Stranger(who, seed)),
        1 => any::<bool>().prop_map(Act::Pause),
        1 => any::<bool>().prop_map(Act::Resume),
        2 => (1..2_000_u64).prop_map(Act::Wait),
    ];
    proptest::collection::vec(act, 0..60)
}

/// Two parties, what is on its way to each, and what each has heard.
struct World {
    parties: [Party; 2],
    sent: Vec<(usize, Envelope)>,
    now: Timestamp,
    said: u32,
    heard: [Vec<String>; 2],
}

impl World {
    fn new(persists: bool) -> Self {
        let mut parties = [1, 2].map(|seed| Party::new(seed, persists));
        let [a, b] = [parties[0].key, parties[1].key];
        parties[0].befriend(NOW, b);
        parties[1].befriend(NOW, a);
        Self { parties, sent: Vec::new(), now: NOW, said: 0, heard: [Vec::new(), Vec::new()] }
    }

    fn act(&mut self, act: &Act) {
        let now = self.now;
        match act {
            Act::Say(who) => {
                let data = self.text().into();
                self.step((*who).into(), |peer| Step::Send { peer, data });
            }
            Act::Invite(who) => {
                let (text, options) = (self.text(), InviteOptions::default());
                self.step((*who).into(), |peer| Step::Invite { peer, options, text });
            }
            Act::Deliver(which) if !self.sent.is_empty() => {
                self.deliver(which.index(self.sent.len()));
            }
            Act::Deliver(_) => (),
            Act::Foreign(topic, class) => {
                let length = if *class { CLASS } else { 900 };
                let envelope = foreign(now, (*topic).into(), length, (*topic).into());
                for who in 0..2 {
                    let said = self.parties[who].hear(now, &envelope);
                    assert!(said.sent.is_empty() && said.delivered == 0);
                    self.note(who, said);
                }
            }
            Act::Stranger(who, seed) => self.invite((*who).into(), *seed),
            Act::Pause(who) => {
                let party = &mut self.parties[usize::from(*who)];
                party.mailbox.pause(&party.key);
            }
            Act::Resume(who) => self.resume((*who).into()),
            Act::Wait(seconds) => self.wait(*seconds),
        }
    }

    fn text(&mut self) -> String {
        self.said += 1;
        format!("{}", self.said)
    }

    fn step(&mut self, who: usize, step: impl FnOnce(PublicKey) -> Step) {
        let step = step(self.parties[1 - who].key);
        let party = &mut self.parties[who];
        if let Ok(outputs) = party.mailbox.step(self.now, &party.key, step, &mut party.rng) {
            let said = party.store(self.now, outputs);
            self.note(who, said);
        }
    }

    /// Has a stranger invite many times over, so that there is no time for all.
    fn invite(&mut self, who: usize, seed: u8) {
        let mut stranger = Party::new(seed, false);
        for _ in 0..6 {
            for envelope in stranger.invite(self.now, self.parties[who].key, "").sent {
                let said = self.parties[who].hear(self.now, &envelope);
                self.note(who, said);
            }
        }
    }

    fn deliver(&mut self, at: usize) {
        let (to, envelope) = self.sent[at].clone();
        let said = self.parties[to].hear(self.now, &envelope);
        self.note(to, said);
    }

    fn resume(&mut self, who: usize) {
        let said = self.parties[who].resume(self.now);
        self.note(who, said);
    }

    fn wait(&mut self, seconds: u64) {
        let until = self.now.saturating_add(Duration::from_secs(seconds));
        for who in 0..2 {
            let mut steps = 0;
            let mut last = self.now;
            while let Some(due) =
                self.parties[who].mailbox.poll_timeout().filter(|due| *due <= until)
            {
                let now = last.max(due);
                let said = self.parties[who].timeout(now);
                self.note(who, said);
                let next = self.parties[who].mailbox.poll_timeout();
                assert!(next.is_none_or(|next| next > now), "the host would spin");
                (last, steps) = (now, steps + 1);
                assert!(steps < 2_000, "it comes to rest");
            }
        }
        self.now = until;
    }

    fn note(&mut self, who: usize, said: Said) {
        self.heard[who].extend(said.texts());
        self.sent.extend(said.sent.into_iter().map(|sent| (1 - who, sent)));
    }

    /// All that can be seen.
    fn state(&self) -> String {
        let sessions = self.parties.each_ref().map(|party| party.mailbox.sessions(&party.key));
        format!("{sessions:?} {:?} {:?}", self.heard, self.sent)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Also *ahead* and *bounded*, which are looked at in each wait.
    #[test]
    fn repeatable_the_same_acts_end_in_the_same_state(acts in acts(), persists: bool) {
        let mut worlds = [(); 2].map(|()| World::new(persists));
        for act in &acts {
            worlds.iter_mut().for_each(|world| world.act(act));
        }
        prop_assert_eq!(worlds[0].state(), worlds[1].state());
    }

    #[test]
    fn whatever_is_paused_repeated_or_late_each_text_is_heard_once(acts in acts(), persists: bool) {
        let mut world = World::new(persists);
        world.act(&Act::Invite(false));
        world.act(&Act::Invite(true));
        for act in &acts {
            world.act(act);
        }
        // All arrives in the end, and readers take it.
        for _ in 0..3 {
            (0..2).for_each(|who| world.resume(who));
            (0..world.sent.len()).for_each(|at| world.deliver(at));
            world.wait(70);
        }
        let mut heard: Vec<u32> =
            world.heard.iter().flatten().map(|text| text.parse().unwrap()).collect();
        let count = heard.len();
        heard.sort_unstable();
        heard.dedup();
        prop_assert_eq!(heard.len(), count, "nothing twice");
    }

    #[test]
    fn commit_on_success_what_opens_nowhere_changes_no_session(
        acts in acts(), topic: u32, class: bool, persists: bool,
    ) {
        let mut world = World::new(persists);
        for act in &acts {
            world.act(act);
        }
        let before = world.state();
        let length = if class { CLASS } else { 77 };
        let envelope = foreign(world.now, topic, length, 7);
        let party = &mut world.parties[0];
        party.mailbox.receive(world.now, arrival(&envelope), &mut party.rng);
        prop_assert_eq!(world.state(), before);
    }
}
