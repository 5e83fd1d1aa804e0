//! What the READMEs show is what the tests of the three languages run.

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
        ("```kotlin", "//", "kotlin/whisper/src/test/kotlin/whisper/FirstMessageTest.kt"),
        ("```swift", "//", "swift/Tests/WhisperTests/ReadmeTests.swift"),
        ("```python", "#", "python/samples/hello.py"),
    ];
    for (fence, mark, source) in sources {
        let shown = between(&readme, fence, "```");
        let (begin, end) = (format!("{mark} readme:begin"), format!("{mark} readme:end"));
        assert_eq!(shown, between(&read(source), &begin, &end), "{source}");
        assert!((3..=10).contains(&shown.lines().count()), "{source}");
    }
}

#[test]
fn the_readme_of_python_shows_a_program_and_lines_that_are_tested() {
    let readme = read("python/README.md");
    let program = between(&readme, "```python", "```");
    assert_eq!(program, read("python/samples/hello.py").trim_end());
    let (_, rest) = readme.split_once(&program).unwrap();
    let test = between(&read("python/test_events.py"), "# readme:begin", "# readme:end");
    assert_eq!(between(rest, "```python", "```"), test);
}

#[test]
fn all_packages_are_of_one_version() {
    let version = env!("CARGO_PKG_VERSION");
    let xml = format!("<version>{version}</version>");
    for (file, place) in [
        ("python/pyproject.toml", format!("version = \"{version}\"")),
        ("kotlin/pom.xml", format!("<artifactId>whisper-parent</artifactId>\n  {xml}")),
        ("kotlin/whisper/pom.xml", format!("<artifactId>whisper-parent</artifactId>\n    {xml}")),
        ("kotlin/samples/pom.xml", format!("<artifactId>whisper-parent</artifactId>\n    {xml}")),
        ("kotlin/outside/pom.xml", format!("<artifactId>whisper</artifactId>\n      {xml}")),
        ("kotlin/README.md", format!("<artifactId>whisper</artifactId>\n  {xml}")),
        ("README.md", format!("`whisper:whisper:{version}`")),
    ] {
        assert!(read(file).contains(&place), "{file} is not of version {version}");
    }
}
