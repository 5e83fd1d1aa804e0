//! The architecture: a module imports only from floors below its own, the towers do not know each
//! other, and what relays does not know what reads.

#[path = "support/modules.rs"]
mod modules;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// A folder is one module.
const FLOORS: [&[&str]; 6] = [
    &["time", "hash", "hex", "rlp", "peer"],
    &["crypto"],
    &["identity", "topic", "pow"],
    &["envelope", "message"],
    &["pool", "packet", "inbox", "session", "ledger"],
    &["node"],
];
/// The floors inside the second tower.
const LEDGER: [&[&str]; 9] = [
    &["hash", "read"],
    &["pow", "tree"],
    &["block"],
    &["rules"],
    &["headers"],
    &["chain"],
    &["light", "mining"],
    &["sync"],
    &["analysis"],
];
/// The first tower without its ground.
const RELAY: [&str; 7] = ["envelope", "pool", "packet", "message", "session", "inbox", "node"];

#[test]
fn a_module_imports_only_from_floors_below_its_own() {
    for (module, path) in sources() {
        for import in imports(&path, &module) {
            assert!(floor(&import) < floor(&module), "{}: crate::{import}", path.display());
        }
    }
}

#[test]
fn what_relays_does_not_know_what_reads() {
    for (module, path) in
        sources().filter(|(module, _)| ["node", "pool", "packet"].contains(&&**module))
    {
        for import in imports(&path, &module) {
            let reads = ["message", "session", "inbox", "identity"].contains(&&*import);
            assert!(!reads, "{}: crate::{import}", path.display());
        }
    }
}

#[test]
fn the_towers_do_not_know_each_other() {
    for (module, path) in sources() {
        for import in imports(&path, &module) {
            let (from, to) = (&&*module, &&*import);
            let crosses =
                from == &"ledger" && RELAY.contains(to) || RELAY.contains(from) && to == &"ledger";
            assert!(!crosses, "{}: crate::{import}", path.display());
        }
    }
}

#[test]
fn the_ledger_has_floors_too_and_no_circle_of_modules() {
    let modules = modules::modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert_eq!(modules::climbs(&modules, &["ledger"], &LEDGER), Vec::<String>::new());
    assert_eq!(modules::circle(&modules, &["ledger"]), None);
}

#[test]
fn files_and_functions_are_small() {
    for (_, path) in sources() {
        let text = fs::read_to_string(&path).expect("a source file");
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.len() <= 500, "{}: {} lines", path.display(), lines.len());
        for (start, line) in lines.iter().enumerate().filter(|(_, line)| opens_function(line)) {
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

fn floor(module: &str) -> usize {
    let on = |floor: &&[&str]| floor.contains(&module);
    FLOORS.iter().position(on).unwrap_or_else(|| panic!("{module} stands on no floor"))
}

/// The other modules that a file names behind `crate::`, comments left out.
fn imports(path: &Path, own: &str) -> Vec<String> {
    let text = fs::read_to_string(path).expect("a source file");
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .filter(|module| module != own)
        .collect()
}

/// Every source file but `lib.rs`, with the module it belongs to.
fn sources() -> impl Iterator<Item = (String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.into_iter().filter_map(move |path| {
        let first = path.strip_prefix(&root).ok()?.iter().next()?.to_str()?;
        let module = first.strip_suffix(".rs").unwrap_or(first).to_owned();
        (module != "lib").then_some((module, path))
    })
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
