//! What the README shows is what the tests of Kotlin and Swift compile and run.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

use std::fs;
use std::path::Path;

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// The lines between two marks, without what all of them are indented by.
fn between(text: &str, begin: &str, end: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .skip_while(|line| line.trim() != begin)
        .skip(1)
        .take_while(|line| line.trim() != end)
        .collect();
    let indent = lines.first().map_or(0, |line| line.len() - line.trim_start().len());
    lines.iter().map(|line| line.get(indent..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_readme_shows_what_is_tested() {
    let readme = read("README.md");
    let sources = [
        ("```kotlin", "kotlin/whisper/src/test/kotlin/whisper/FirstMessageTest.kt"),
        ("```swift", "swift/Tests/WhisperTests/ReadmeTests.swift"),
    ];
    for (fence, source) in sources {
        let shown = between(&readme, fence, "```");
        assert_eq!(shown, between(&read(source), "// readme:begin", "// readme:end"), "{source}");
        assert!((3..=10).contains(&shown.lines().count()), "{source}");
    }
}
