//! What is judged as what.

use crate::history::Connection;
use crate::history::History;
use crate::history::Message;
use crate::plan::Size;
use crate::verdict::Verdict;
use crate::verdict::judge;
use crate::wire::Moment;
use crate::wire::Number;
use crate::wire::Report;
use crate::wire::Stage;
use crate::wire::What;

const SIZE: Size = Size { relays: 3, people: 2, span: END };
const END: Moment = 400_000;
/// The writer and the reader, who share a relay.
const WRITER: Number = 3;
const READER: Number = 4;
const RELAY: Number = 0;

/// A history in which the writer reaches the reader over a relay from the first second on, and says
/// something after a minute.
fn history() -> History {
    let mut history = History::new(SIZE.members());
    (0..SIZE.members()).for_each(|number| _ = history.begins(0, number, 0));
    for (one, other) in [(WRITER, RELAY), (READER, RELAY)] {
        connect(&mut history, one, other);
    }
    history.end = END;
    history
}

fn connect(history: &mut History, one: Number, other: Number) {
    for (life, other) in [(one, other), (other, one)] {
        let connection = Connection { other, ready: Some(1_000), gone: None };
        history.lives[life].connections.insert(other as u64, connection);
    }
}

/// The writer's message of this number is published at a moment.
fn say(history: &mut History, id: u32, at: Moment) {
    history.messages.insert(id, Message::new(WRITER, WRITER, Some(READER), 60_000, at));
    let session = Some("s".to_owned());
    note(history, WRITER, at, What::Said { id, session, envelopes: 1 });
    note(history, WRITER, at, What::Stage { id, envelope: 0, stage: Stage::Published });
}

fn show(history: &mut History, id: u32, at: Moment, missing: u32) {
    let order = u64::from(id);
    note(history, READER, at, What::Shown { id, session: "s".to_owned(), order, missing });
}

fn note(history: &mut History, life: usize, at: Moment, what: What) {
    history.note(life, &Report { at, what });
}

fn verdict(history: &History) -> Verdict {
    judge(history, SIZE)
}

fn excused(history: &History) -> Vec<String> {
    let verdict = verdict(history);
    assert_eq!(verdict.lost, Vec::<String>::new());
    verdict.excused.into_keys().collect()
}

#[test]
fn what_had_a_reader_and_is_not_shown_is_lost() {
    let mut history = history();
    say(&mut history, 1, 60_000);
    say(&mut history, 2, 61_000);
    show(&mut history, 2, 61_100, 1);
    let verdict = verdict(&history);
    assert_eq!((verdict.due, verdict.lost.len()), (2, 1), "{verdict:?}");
    assert!(verdict.lost[0].starts_with("message 1 "), "{verdict:?}");
}

#[test]
fn who_left_was_frozen_or_not_reached_in_time_was_no_reader() {
    let mut left = history();
    say(&mut left, 1, 60_000);
    left.ends(65_000, READER);
    assert_eq!(excused(&left), ["no way led to its reader in time"]);

    let mut frozen = history();
    frozen.freezes(59_000, RELAY);
    say(&mut frozen, 1, 60_000);
    frozen.thaws(110_000, RELAY);
    assert_eq!(excused(&frozen), ["no way led to its reader in time"]);

    let mut silent = history();
    silent.falls_silent(59_000, (RELAY, READER));
    say(&mut silent, 1, 60_000);
    silent.is_heard(110_000, (READER, RELAY));
    assert_eq!(excused(&silent), ["no way led to its reader in time"]);
}

#[test]
fn a_pause_that_ends_in_time_excuses_nothing() {
    let mut history = history();
    history.falls_silent(59_000, (RELAY, READER));
    say(&mut history, 1, 60_000);
    history.is_heard(80_000, (READER, RELAY));
    assert_eq!(verdict(&history).lost.len(), 1);
}

#[test]
fn a_wrong_clock_excuses_what_it_makes_others_refuse() {
    for (member, offset) in [(WRITER, 30_000), (RELAY, -30_000), (READER, 55_000)] {
        let mut history = history();
        history.sets_clock(50_000, member, offset);
        say(&mut history, 1, 60_000);
        assert_eq!(excused(&history), ["a clock was wrong"], "{member}");
    }
    let mut history = history();
    history.sets_clock(50_000, READER, 3_000);
    say(&mut history, 1, 60_000);
    assert_eq!(verdict(&history).lost.len(), 1, "three seconds are nothing");
}

#[test]
fn who_began_after_a_session_did_is_not_its_reader() {
    let mut history = history();
    say(&mut history, 1, 30_000);
    show(&mut history, 1, 30_100, 0);
    history.ends(40_000, READER);
    let life = history.begins(41_000, READER, 0);
    let connection = Connection { other: RELAY, ready: Some(42_000), gone: None };
    history.lives[life].connections.insert(9, connection.clone());
    let back = Connection { other: READER, ..connection };
    history.lives[RELAY].connections.insert(9, back);
    say(&mut history, 2, 60_000);
    assert_eq!(excused(&history), ["its reader had begun anew"]);
}

#[test]
fn a_repeat_and_an_order_that_is_not_announced_are_faults() {
    let mut history = history();
    for id in 1..=3 {
        say(&mut history, id, 60_000 + Moment::from(id));
    }
    show(&mut history, 2, 61_000, 1);
    show(&mut history, 1, 61_100, 0);
    show(&mut history, 3, 61_200, 0);
    let fine = verdict(&history);
    assert_eq!((fine.overtaken, fine.disordered.len() + fine.twice.len()), (1, 0), "{fine:?}");
    show(&mut history, 3, 61_300, 0);
    assert_eq!(verdict(&history).twice.len(), 1);

    let mut silent = self::history();
    say(&mut silent, 1, 60_000);
    say(&mut silent, 2, 60_001);
    show(&mut silent, 2, 61_000, 0);
    show(&mut silent, 1, 61_100, 0);
    assert_eq!(verdict(&silent).disordered.len(), 1);
}

#[test]
fn a_connection_that_is_missing_for_long_and_a_clock_that_is_wrong_must_be_told() {
    let mut history = history();
    let all = verdict(&history).unexplained.len();
    // The writer dials a second relay, and never reached it.
    let second = SIZE.dialled_by(WRITER)[1];
    history.lives[WRITER].unreached.push((10_000, second));
    assert_eq!(verdict(&history).unexplained.len(), all - 1);

    history.sets_clock(100_000, READER, 45_000);
    assert_eq!(verdict(&history).unexplained.len(), all);
    note(&mut history, READER, 130_000, What::ClockSuspect { ahead: false, by: 45 });
    assert_eq!(verdict(&history).unexplained.len(), all, "that is the wrong direction");
    note(&mut history, READER, 140_000, What::ClockSuspect { ahead: true, by: 45 });
    assert_eq!(verdict(&history).unexplained.len(), all - 1);
}
