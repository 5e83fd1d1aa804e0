//! What the programs print: lines that a thread of its own writes, so that output which nobody reads
//! stops nothing.

use std::fmt;
use std::io;
use std::io::Write;
use std::sync::LazyLock;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

/// Prints a line, as `println!`. A closed pipe is no error, and lines that do not fit into a full one
/// are left out.
#[macro_export]
macro_rules! say {
    ($($arguments:tt)*) => { $crate::screen::line(format_args!($($arguments)*)) };
}

/// What [`say!`] calls.
pub fn line(text: fmt::Arguments<'_>) {
    let _ = WRITER.try_send(Job::Line(text.to_string()));
}

/// Waits until all lines are written, or nobody has read any for a second.
pub fn flush() {
    let (written, done) = mpsc::sync_channel(1);
    if WRITER.try_send(Job::Flush(written)).is_ok() {
        let _ = done.recv_timeout(PATIENCE);
    }
}

/// What peers say, fit for a screen: on one line, not endless, and without characters that move the
/// cursor, turn the direction of writing or cannot be seen.
pub fn printable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut visible = text.chars().filter(|char| !plays_with_screens(*char));
    let shown: String = visible.by_ref().take(LONGEST).collect();
    match visible.count() {
        0 => shown,
        more => format!("{shown}… (and {more} characters more)"),
    }
}

/// Control characters, marks and overrides of direction, what has no width, separators of lines.
fn plays_with_screens(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

enum Job {
    Line(String),
    Flush(SyncSender<()>),
}

static WRITER: LazyLock<SyncSender<Job>> = LazyLock::new(|| {
    let (writer, jobs) = mpsc::sync_channel(WAITING);
    std::thread::spawn(move || write(&jobs));
    writer
});

/// Goes on when a write fails, so that what is said later does not wait.
fn write(jobs: &Receiver<Job>) {
    for job in jobs {
        match job {
            Job::Line(line) => {
                let _ = writeln!(io::stdout(), "{line}");
            }
            Job::Flush(written) => {
                let _ = io::stdout().flush();
                let _ = written.try_send(());
            }
        }
    }
}

/// So many lines wait for a reader.
const WAITING: usize = 1_024;
/// How long the end of a program waits for one.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many characters of a stranger's text are shown.
const LONGEST: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_plays_no_tricks_with_the_screen() {
        let tricks = "a\u{202e}b\u{2066}c\u{200b}d\u{200d}e\u{2028}f\u{2029}g\u{feff}h\u{1b}[2Ji\rj\u{e0041}k\nl";
        assert_eq!(printable(tricks.as_bytes()), "abcdefgh[2Jijkl");
        assert_eq!(printable("grüße, 世界 🙂".as_bytes()), "grüße, 世界 🙂");
        assert_eq!(printable(b"\xff\xfe!"), "\u{fffd}\u{fffd}!");
    }

    #[test]
    fn a_strangers_text_does_not_fill_the_screen() {
        let shown = printable("x".repeat(65_536).as_bytes());
        assert_eq!(shown, format!("{}… (and 63536 characters more)", "x".repeat(2_000)));
    }
}
