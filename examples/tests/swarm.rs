//! A network of real processes in trouble, as `swarm` runs it, for 90 seconds.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

use std::process::Command;

#[test]
#[ignore = "takes two minutes of a machine that has nothing else to do"]
fn nothing_is_lost_or_shown_twice_while_processes_die_and_clocks_jump() {
    let mut swarm = Command::new(env!("CARGO_BIN_EXE_swarm"));
    let output = swarm.args(["--minutes", "1.5", "--seed", "1"]).output().unwrap();
    let [said, failed] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    println!("{said}{failed}");
    assert!(output.status.success());
}
