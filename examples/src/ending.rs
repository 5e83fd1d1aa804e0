//! The ways out of a program.

use std::io;

/// Listens from now on, and gives what waits until the program is to end: by Ctrl-C, by SIGTERM, or
/// because its terminal is gone. Under `nohup` the end of the terminal is not the end of the program.
///
/// # Errors
/// When the system lets nobody listen for that.
pub fn asked_for() -> io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::SignalKind;
        use tokio::signal::unix::signal;

        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = match hang_up_is_ignored() {
            true => None,
            false => Some(signal(SignalKind::hangup())?),
        };
        Ok(async move {
            let gone = async {
                match &mut hang_up {
                    Some(signal) => signal.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = gone => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// Whether the program was started with SIGHUP turned off. Linux tells; elsewhere it is not known.
#[cfg(unix)]
pub fn hang_up_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok());
    // Signals count from 1, and SIGHUP is the first.
    mask.is_some_and(|mask| mask & 1 == 1)
}
