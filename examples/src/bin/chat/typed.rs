//! The lines that are typed, or come from another program.

use std::io;
use std::io::BufRead;

use tokio::sync::mpsc;

/// What one line is.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Line {
    /// Text, without the newline.
    Text(String),
    /// Bytes that are not text.
    NotUtf8,
    /// It was longer than any message, and is left out.
    TooLong,
}

/// The lines of standard input. A thread of its own waits for them: the program can end while it does,
/// which a task of the runtime would hold up until the next line.
pub(crate) fn lines() -> mpsc::Receiver<io::Result<Line>> {
    let (typed, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(line) = next(&mut input).transpose() {
            let is_over = line.is_err();
            if typed.blocking_send(line).is_err() || is_over {
                return;
            }
        }
    });
    lines
}

/// The next line, or what is left of one at the end of the input.
fn next(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    io::Read::take(&mut *input, LONGEST as u64 + 1).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.pop_if(|last| *last == b'\n').is_none() && line.len() > LONGEST {
        input.skip_until(b'\n')?;
        return Ok(Some(Line::TooLong));
    }
    Ok(Some(String::from_utf8(line).map_or(Line::NotUtf8, Line::Text)))
}

/// No message is longer.
pub(crate) const LONGEST: usize = 65_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut input: &[u8]) -> Vec<Line> {
        std::iter::from_fn(|| next(&mut input).unwrap()).collect()
    }

    fn text(line: &str) -> Line {
        Line::Text(line.to_owned())
    }

    #[test]
    fn a_line_without_an_end_is_a_line() {
        assert_eq!(all(b"one\n\ntwo"), [text("one"), text(""), text("two")]);
        assert_eq!(all(b""), []);
    }

    #[test]
    fn what_is_not_text_is_told_and_ends_nothing() {
        assert_eq!(all(b"one\n\xff\xfe\ntwo\n"), [text("one"), Line::NotUtf8, text("two")]);
    }

    #[test]
    fn a_line_that_does_not_end_takes_no_memory() {
        let long = [vec![b'x'; 300_000], b"\nnext\n".to_vec(), vec![b'y'; 300_000]].concat();
        assert_eq!(all(&long), [Line::TooLong, text("next"), Line::TooLong]);
        let just = vec![b'x'; LONGEST];
        assert_eq!(all(&just), [Line::Text("x".repeat(LONGEST))]);
    }
}
