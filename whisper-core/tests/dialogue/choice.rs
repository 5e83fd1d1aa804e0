//! Vectors V13: which session is current, on each side, after each event.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use whisper_core::session::Role;
use whisper_core::session::SessionId;
use whisper_core::session::dialogue::*;
use whisper_core::time::Timestamp;

use crate::model::DAY;
use crate::model::HOUR;
use crate::model::Mail;
use crate::model::Party;
use crate::model::START;
use crate::model::Store;

/// Two parties, what is on its way, and what has happened.
struct Trace {
    now: Timestamp,
    parties: [Party; 2],
    mail: Vec<(usize, Mail)>,
    events: Vec<Value>,
    said: u32,
}

impl Trace {
    /// Two contacts who have each other's cards.
    fn new() -> Self {
        let mut parties = [71, 72].map(|seed| Party::new(seed, START));
        let cards = [parties[1].card(), parties[0].card()];
        for (party, card) in parties.iter_mut().zip(cards) {
            party.store.card = Some(card);
            party.store.dialogue.greet(START, 365 * DAY, &mut party.rng);
        }
        Self { now: START, parties, mail: Vec::new(), events: Vec::new(), said: 0 }
    }

    /// They have heard each other.
    fn talking() -> Self {
        let mut trace = Self::new();
        trace.say(0);
        trace.deliver();
        trace.say(1);
        trace.deliver();
        trace
    }

    fn post(&mut self, from: usize, out: Vec<Mail>) {
        self.mail.extend(out.into_iter().map(|mail| (1 - from, mail)));
    }

    fn say(&mut self, who: usize) {
        self.mutter(who);
        self.note(&format!("{} says {}", NAMES[who], self.said));
    }

    fn mutter(&mut self, who: usize) {
        self.said += 1;
        let out = self.parties[who].say(self.now, self.said);
        self.post(who, out);
    }

    fn take(&mut self, to: usize, mail: &Mail) {
        let out = self.parties[to].take(self.now, mail);
        self.post(to, out);
    }

    /// All that is on its way arrives, in order.
    fn deliver(&mut self) {
        while !self.mail.is_empty() {
            let (to, mail) = self.mail.remove(0);
            self.take(to, &mail);
        }
        self.note("all arrives");
    }

    fn lose(&mut self) {
        self.mail.clear();
        self.note("all is lost");
    }

    /// Lets time pass; what is sent meanwhile arrives at once, or is lost.
    fn wait(&mut self, span: Duration, arrives: bool) {
        let until = self.now.saturating_add(span);
        loop {
            let due = self.parties.each_ref().map(Party::poll_timeout);
            let next = due[0].min(due[1]).max(self.now);
            if next > until {
                break;
            }
            self.now = next;
            let who = usize::from(due[0] > due[1]);
            let scanned = self.parties[1 - who].card();
            let out = self.parties[who].tick(next, scanned);
            self.post(who, out);
            while !self.mail.is_empty() {
                let (to, mail) = self.mail.remove(0);
                if arrives {
                    self.take(to, &mail);
                }
            }
        }
        self.now = until;
        let how = if arrives { "what is sent arrives" } else { "what is sent is lost" };
        self.note(&format!("{} s pass, {how}", span.as_secs()));
    }

    fn wipe(&mut self, who: usize, backup: bool) {
        self.parties[who].wipe(self.now, backup);
        let what = if backup { "is restored from a backup" } else { "is wiped" };
        self.note(&format!("{} {what}", NAMES[who]));
    }

    fn roll_back(&mut self, who: usize, store: Store, seen: bool) {
        self.parties[who].roll_back(self.now, store, seen);
        let how = if seen { "and knows" } else { "and does not know" };
        self.note(&format!("{} goes on from an earlier state {how}", NAMES[who]));
    }

    fn note(&mut self, what: &str) {
        let sides = self.parties.iter().zip(NAMES).map(|(party, name)| {
            let dialogue = &party.store.dialogue;
            let mut sessions: Vec<_> = dialogue.sessions(self.now).collect();
            sessions.sort_unstable_by_key(|listing| (listing.created_at, listing.session));
            let sessions: Vec<_> = sessions.iter().map(describe).collect();
            let current = dialogue.current().map(short);
            let waits = match dialogue.obstacle() {
                Some(Obstacle::Peer) => json!("peer"),
                Some(Obstacle::Card { .. }) => json!("card"),
                _ => Value::Null,
            };
            let side = json!({ "sessions": sessions, "current": current, "awaits": waits });
            (name.to_owned(), side)
        });
        let after = self.now.saturating_since(START).as_secs();
        let mut event = json!({ "what": what, "after": after });
        event.as_object_mut().expect("an object").extend(sides);
        self.events.push(event);
    }

    fn current(&self) -> [Option<String>; 2] {
        self.parties
            .each_ref()
            .map(|party| party.store.dialogue.current().map(|session| session.to_string()))
    }
}

fn describe(listing: &Listing) -> Value {
    let stage = match listing.stage {
        Stage::Inviting => "inviting",
        Stage::Pending => "pending",
        Stage::Unconfirmed => "unconfirmed",
        Stage::Confirmed => "confirmed",
        Stage::Stale => "stale",
        Stage::Suspect => "suspect",
        Stage::Closing => "closing",
        _ => panic!("a stage without a word"),
    };
    let role = match listing.role {
        Role::Initiator => "initiator",
        Role::Responder => "responder",
    };
    json!({
        "session": short(listing.session),
        "made": listing.created_at.saturating_since(START).as_secs(),
        "role": role,
        "stage": stage,
    })
}

fn both_invite() -> Trace {
    let mut trace = Trace::new();
    trace.say(0);
    trace.say(1);
    trace.say(1);
    trace.deliver();
    trace.say(0);
    trace.deliver();
    trace
}

fn both_invite_in_one_second_and_answers_cross() -> Trace {
    let mut trace = Trace::new();
    for who in [0, 1, 0, 1, 0] {
        trace.say(who);
    }
    trace.mail.reverse();
    trace.deliver();
    trace.say(1);
    trace.say(0);
    trace.mail.reverse();
    trace.deliver();
    trace
}

fn wiped_and_found_again() -> Trace {
    let mut trace = Trace::talking();
    trace.wait(HOUR, true);
    trace.wipe(1, false);
    trace.say(0);
    trace.deliver();
    trace.wait(DAY, true);
    trace.say(0);
    trace.deliver();
    trace.wait(3 * HOUR, true);
    trace.say(0);
    trace.wait(DAY, true);
    trace.say(0);
    trace.deliver();
    trace.wait(3 * HOUR, true);
    trace.say(1);
    trace.deliver();
    trace
}

fn restored_from_a_backup() -> Trace {
    let mut trace = Trace::talking();
    trace.wipe(1, true);
    trace.wait(DAY, true);
    trace.say(0);
    trace.deliver();
    trace.say(1);
    trace.deliver();
    trace
}

fn rolled_back(seen: bool) -> Trace {
    let mut trace = Trace::talking();
    let store = trace.parties[0].store.clone();
    for who in [0, 1, 0, 1] {
        trace.say(who);
        trace.deliver();
    }
    trace.roll_back(0, store, seen);
    for _ in 0..3 {
        trace.say(0);
        trace.say(1);
        trace.deliver();
        trace.wait(DAY, true);
    }
    trace
}

fn stale_and_answered() -> Trace {
    let mut trace = Trace::talking();
    trace.say(0);
    trace.lose();
    trace.wait(DAY, false);
    trace.say(0);
    trace.lose();
    trace.wait(DAY, false);
    trace.say(0);
    trace.deliver();
    trace.say(1);
    trace.deliver();
    trace
}

fn ten_invitations_of_which_eight_stay() -> Trace {
    let mut trace = Trace::new();
    for _ in 0..10 {
        trace.mutter(0);
        trace.now = trace.now.saturating_add(Duration::from_secs(1));
    }
    trace.note("A has said 10 texts, one a second");
    trace.deliver();
    trace.say(1);
    trace.deliver();
    trace
}

fn forty_invitations_to_one_who_is_away() -> Trace {
    let mut trace = Trace::new();
    for _ in 0..40 {
        trace.mutter(0);
        trace.now = trace.now.saturating_add(Duration::from_secs(1));
    }
    trace.note("A has said 40 texts, one a second");
    trace.lose();
    trace.wait(DAY, false);
    trace.wait(2 * DAY, true);
    trace.say(1);
    trace.deliver();
    trace
}

fn a_one_time_key_that_is_used_up() -> Trace {
    let mut trace = Trace::new();
    trace.parties[1].store.one_time = None;
    trace.say(0);
    trace.deliver();
    trace.wait(DAY, true);
    trace.say(1);
    trace.deliver();
    trace
}

fn a_card_that_is_owed_and_one_that_is_awaited() -> Trace {
    let mut trace = Trace::new();
    trace.parties[1].store.card = None;
    trace.say(1);
    trace.say(0);
    trace.deliver();
    trace.wait(2 * HOUR, true);
    trace.wait(16 * DAY, false);
    trace.say(0);
    trace.deliver();
    trace.wait(DAY, true);
    trace
}

/// The bytes of a name that the model draws; the others are zero.
fn short(session: SessionId) -> String {
    session.to_string()[..16].to_owned()
}

type Script = (&'static str, fn() -> Trace);

const SCRIPTS: [Script; 11] = [
    ("both-invite", both_invite),
    ("both-invite-crossed", both_invite_in_one_second_and_answers_cross),
    ("reinstall", wiped_and_found_again),
    ("restore", restored_from_a_backup),
    ("rollback", || rolled_back(false)),
    ("rollback-seen", || rolled_back(true)),
    ("stale", stale_and_answered),
    ("eviction", ten_invitations_of_which_eight_stay),
    ("forty-invitations", forty_invitations_to_one_who_is_away),
    ("one-time-key-burnt", a_one_time_key_that_is_used_up),
    ("card-owed-and-awaited", a_card_that_is_owed_and_one_that_is_awaited),
];

#[test]
fn at_the_end_of_every_trace_both_sides_have_the_same_session() {
    for (id, script) in SCRIPTS {
        let [one, other] = script().current();
        assert!(one.is_some() && one == other, "{id}: {one:?} {other:?}");
    }
}

#[test]
fn the_committed_traces_are_those_of_this_code() {
    let cases = SCRIPTS.map(|(id, script)| {
        let events = script().events.into_iter().map(|event| event.to_string());
        let events: Vec<_> = events.collect();
        format!("{{\"id\":\"{id}\",\"events\":[\n{}\n]}}", events.join(",\n"))
    });
    let source = "made by whisper-core/tests/dialogue/choice.rs; times in seconds";
    let cases = cases.join(",\n");
    let text = format!("{{\"source\":\"{source}\",\"cases\":[\n{cases}\n]}}\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    if std::env::var_os("WHISPER_WRITE_VECTORS").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, &text).expect("a file");
    }
    let committed = fs::read_to_string(&path).expect("the vectors");
    assert!(committed == text, "{FILE} differs: look why before you write it anew");
}

#[test]
fn in_every_trace_the_current_session_is_the_usable_one_made_last_of_equals_the_lowest_name() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let file: Value = serde_json::from_slice(&fs::read(path).expect("the vectors")).expect("JSON");
    let mut looked = 0;
    for case in file["cases"].as_array().expect("cases") {
        for event in case["events"].as_array().expect("events") {
            for name in NAMES {
                let side = &event[name];
                let sessions = side["sessions"].as_array().expect("sessions");
                let usable = sessions.iter().filter(|session| {
                    let stage = session["stage"].as_str().expect("a stage");
                    ["unconfirmed", "confirmed", "stale"].contains(&stage)
                });
                let made = |session: &&Value| session["made"].as_u64();
                let newest = usable.clone().filter_map(|session| made(&session)).max();
                let of_newest = usable.filter(|session| made(session) == newest);
                let lowest = of_newest.filter_map(|session| session["session"].as_str()).min();
                assert_eq!(side["current"].as_str(), lowest, "{}: {event}", case["id"]);
                looked += 1;
            }
        }
    }
    assert_eq!((file["cases"].as_array().map(Vec::len), looked), (Some(11), COUNT));
}

const NAMES: [&str; 2] = ["A", "B"];
const FILE: &str = "tests/vectors/session/choice.json";
/// Events of all traces, seen from both sides.
const COUNT: usize = 262;
