//! The architecture: a module imports only from floors below its own, the towers do not know each
//! other, and what relays does not know what reads.

#[path = "support/modules.rs"]
mod modules;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use modules::Module;

/// The first tower without its ground.
const RELAY: [&str; 8] =
    ["envelope", "pool", "packet", "message", "session", "inbox", "node", "mailbox"];

#[test]
fn a_module_imports_only_from_floors_below_its_own() {
    let floors = modules::floors("whisper-core/src");
    assert_eq!(modules::climbs(&all(), &[], &floors), Vec::<String>::new());
}

#[test]
fn the_ledger_has_floors_too_and_no_circle_of_modules() {
    let floors = modules::floors("whisper-core/src/ledger");
    assert_eq!(modules::climbs(&all(), &["ledger"], &floors), Vec::<String>::new());
    assert_eq!(modules::circle(&all(), &["ledger"]), None);
}

#[test]
fn what_relays_does_not_know_what_reads() {
    let reads = ["message", "session", "inbox", "mailbox", "identity"];
    for (from, to) in imports(&all()) {
        let relays = ["node", "pool", "packet"].contains(&&*from);
        assert!(!(relays && reads.contains(&&*to)), "{from} imports {to}");
    }
}

#[test]
fn the_towers_do_not_know_each_other() {
    for (from, to) in imports(&all()) {
        let of_relay = [&from, &to].map(|module| RELAY.contains(&module.as_str()));
        let of_ledger = [&from, &to].map(|module| module == "ledger");
        let crosses = of_relay[0] && of_ledger[1] || of_ledger[0] && of_relay[1];
        assert!(!crosses, "{from} imports {to}");
    }
}

/// The modules of the crate. `spec` holds texts.
fn all() -> Vec<Module> {
    let mut all = modules::modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    all.retain(|module| module.path != ["spec"]);
    all
}

/// Which top module imports which.
fn imports(all: &[Module]) -> Vec<(String, String)> {
    let pairs = all.iter().flat_map(|module| {
        let imported = module.imports.iter().filter_map(|import| import.first());
        imported.map(|import| (module.path[0].clone(), import.clone()))
    });
    pairs.collect()
}

#[test]
fn every_file_that_the_architecture_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("the text");
    let names = text.split('`').skip(1).step_by(2).filter(|name| {
        let parts = ["whisper-core/", "whisper-net/", "bindings/", "examples/", "fuzz/"];
        parts.iter().any(|part| name.starts_with(part))
    });
    for name in names.chain(["CONTRIBUTING.md"]) {
        assert!(root.join(name).exists(), "{name} is named and not there");
    }
}

#[test]
fn files_and_functions_are_small() {
    for path in sources() {
        let text = fs::read_to_string(&path).expect("a source file");
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.len() <= 500, "{}: {} lines", path.display(), lines.len());
        for (start, line) in lines.iter().enumerate().filter(|(_, line)| opens_function(line)) {
            let first = lines[start..].iter().find(|line| line.ends_with(['{', ';']));
            if first.is_some_and(|line| line.ends_with(';')) {
                // A trait says what it is called, and no more.
                continue;
            }
            // rustfmt puts the closing brace below the first letter.
            let indent = line.len() - line.trim_start().len();
            let end = format!("{}}}", &line[..indent]);
            let length = lines[start..].iter().position(|line| **line == end).unwrap_or(0);
            assert!(length <= 60, "{}:{}: {length} lines", path.display(), start + 1);
        }
    }
}

fn opens_function(line: &str) -> bool {
    let words = line.split_whitespace().take_while(|word| !word.starts_with("//"));
    let mut before = words.take_while(|word| !word.contains('(')).peekable();
    before.any(|word| word == "fn") && !line.trim_end().ends_with(['}', ';'])
}

fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    files
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => walk(&path, files),
            false => files.push(path),
        }
    }
}
