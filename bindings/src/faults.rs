//! Faults on purpose, so that tests can show what a defect does to an app.

/// Panics if the file that `WHISPER_PANIC_FILE` names says `name`. The file is removed: the next call
/// goes through. Only a build for debugging looks.
#[cfg(debug_assertions)]
pub(crate) fn enter(name: &str) {
    let Some(path) = std::env::var_os("WHISPER_PANIC_FILE") else { return };
    let asked = std::fs::read_to_string(&path).unwrap_or_default();
    if asked.trim() == name {
        // If it stays, the test sees a second panic and says so.
        let _ = std::fs::remove_file(&path);
        // As a panic, but for the message on the terminal: a run of the tests has hundreds.
        std::panic::resume_unwind(Box::new(format!("injected into {name}")));
    }
}

/// Does nothing in a library that is shipped.
#[cfg(not(debug_assertions))]
pub(crate) const fn enter(_name: &str) {}
