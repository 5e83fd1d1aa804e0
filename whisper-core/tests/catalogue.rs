//! Each test that is named after a row of the attack catalogue can be looked up there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

#[test]
fn every_test_named_after_a_row_has_its_row() {
    let catalogue = include_str!("../spec/attacks.md");
    let rows = catalogue.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next());
    let rows: BTreeSet<_> = rows.map(str::to_lowercase).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "../whisper-net", "../examples", "../bindings"] {
        walk(&root.join(folder), &mut files);
    }
    let mut found = 0;
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        for name in tests(&text) {
            for label in labels(name) {
                assert!(rows.contains(label), "{}: {name}: no row {label}", file.display());
                found += 1;
            }
        }
    }
    assert!(found > 100, "{found} rows are named");
}

/// The names of functions behind a test attribute.
fn tests(text: &str) -> impl Iterator<Item = &str> {
    let mut marked = false;
    text.lines().filter_map(move |line| {
        let line = line.trim_start();
        let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        match name {
            Some(name) => std::mem::take(&mut marked).then(|| name.split('(').next())?,
            None => {
                marked |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
                None
            }
        }
    })
}

/// The rows at the beginning of a name: letters and a number each.
fn labels(name: &str) -> impl Iterator<Item = &str> {
    name.split('_').take_while(|word| {
        let number = word.trim_start_matches(|c: char| c.is_ascii_lowercase());
        let letters = word.len() - number.len();
        (1..=2).contains(&letters) && number.parse::<u32>().is_ok()
    })
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => walk(&path, files),
            false if path.extension().is_some_and(|end| end == "rs") => files.push(path),
            false => {}
        }
    }
}
