//! What is stored of a dialogue, and what is read of it.

use std::collections::BTreeMap;

use whisper_core::identity::PublicKey;
use whisper_core::session::RecordKey;
use whisper_core::session::RestoreError;

use super::*;
use crate::model::PEER;

/// A store, as its host keeps it.
struct Disk {
    records: BTreeMap<RecordKey, Vec<u8>>,
    peer: PublicKey,
    last: Dialogue,
}

impl Disk {
    fn new() -> Self {
        let peer = PublicKey::from_compressed(&PEER).expect("a point");
        Self { records: BTreeMap::new(), peer, last: Dialogue::new() }
    }

    /// Stores a step; how many records it wrote and removed.
    fn store(&mut self, dialogue: &Dialogue) -> [usize; 2] {
        let mut counts = [0; 2];
        for record in dialogue.records(&self.peer, Some(&self.last)) {
            match record.state() {
                Some(state) => {
                    self.records.insert(record.key(), state.to_vec());
                    counts[0] += 1;
                }
                None => {
                    assert!(self.records.remove(&record.key()).is_some(), "what is stored");
                    counts[1] += 1;
                }
            }
        }
        self.last = dialogue.clone();
        counts
    }
}

#[test]
fn a_step_writes_what_it_changes_and_removes_what_is_gone() {
    let (mut side, mut disk) = (Side::invited(), Disk::new());
    assert_eq!(disk.store(&side.dialogue), [1, 0]);
    side.say(START, "one");
    assert_eq!(disk.store(&side.dialogue), [2, 0]);
    side.say(START, &"x".repeat(150_000));
    assert_eq!(disk.store(&side.dialogue), [4, 0]);
    let names = side.desk.sealed.iter().map(|(_, _, name)| *name).collect();
    side.hears(START, session(1), 1, Some(Content::Ack(names)));
    assert_eq!(disk.store(&side.dialogue), [1, 4]);
    let chunk = |index| Chunk { id: [1; 8], index, total: 2, data: b"x"[..].into() };
    let part = |index| Some(Content::Part(Part::Chunk(chunk(index))));
    side.hears(START, session(1), 2, part(0));
    assert_eq!(disk.store(&side.dialogue), [2, 0]);
    side.hears(START, session(1), 3, part(1));
    assert_eq!(disk.store(&side.dialogue), [1, 1]);
    for number in 4..300 {
        side.hears(START, session(1), number, Some(Content::Cover));
    }
    assert_eq!(disk.store(&side.dialogue), [2, 0]);
    assert_eq!(Dialogue::restore(disk.records.values()).unwrap(), side.dialogue);
}

#[test]
fn all_that_can_be_is_restored() {
    let (mut side, mut disk) = (Side::new(), Disk::new());
    side.dialogue.card_renewed(START, 6, &mut side.rng);
    let contents = [
        Some(Content::Part(part("a"))),
        Some(Content::Ack(vec![name(5), name(6)])),
        Some(Content::Resend { name: name(7), sent_at: START, part: part("b") }),
        Some(Content::Cover),
        Some(Content::Close),
        Some(Content::Card),
        None,
    ];
    for (number, content) in (1..).zip(contents) {
        side.arrives(at(secs(number)), number, at(secs(number)), content, false);
    }
    disk.store(&side.dialogue);
    assert_eq!(Dialogue::restore(disk.records.values()).unwrap(), side.dialogue);
    let Side { dialogue, desk, rng, .. } = &mut side;
    dialogue.accept(at(HOUR), desk, rng).unwrap();
    dialogue.set_verified(true);
    assert!(dialogue.forked(at(HOUR)).is_some());
    side.say(at(HOUR), "one");
    side.desk.no_seal = Some(SealFailure::HourFull { until: at(3 * DAY) });
    side.say(at(HOUR), "two");
    side.wait(at(2 * DAY));
    disk.store(&side.dialogue);
    assert_eq!(Dialogue::restore(disk.records.values()).unwrap(), side.dialogue);
    let _ = side.dialogue.key_changed();
    side.desk.no_invite = Some(InviteFailure::CardExpired);
    side.dialogue.greet(at(2 * DAY), DAY, &mut side.rng);
    disk.store(&side.dialogue);
    assert_eq!(Dialogue::restore(disk.records.values()).unwrap(), side.dialogue);
}

#[test]
fn a_record_that_is_damaged_twice_there_or_of_a_later_version_is_refused() {
    let (mut side, mut disk) = (Side::invited(), Disk::new());
    side.say(START, "one");
    side.hears_invitation(at(secs(1)), 2, at(secs(1)), "more");
    disk.store(&side.dialogue);
    let states: Vec<_> = disk.records.into_values().collect();
    assert_eq!(Dialogue::restore([&states[0], &states[1]]).unwrap(), side.dialogue);
    let none: [&[u8]; 0] = [];
    assert_eq!(Dialogue::restore(none), Err(RestoreError::Corrupt));
    // Contact: 3.
    let main = states.iter().find(|state| state[1] == 3).unwrap();
    assert_eq!(Dialogue::restore([main, main]), Err(RestoreError::Repeated));
    for state in &states {
        let with = |changed: &[u8]| {
            let others = states.iter().filter(|other| *other != state).map(Vec::as_slice);
            Dialogue::restore(others.chain([changed]))
        };
        for length in 0..state.len() {
            assert!(with(&state[..length]).is_err(), "{length}");
        }
        assert!(with(&[&state[..], &[0]].concat()).is_err());
        let mut later = state.clone();
        later[0] = 2;
        assert_eq!(with(&later), Err(RestoreError::Version { found: 2, known: 1 }));
    }
}
