//! The modules of a crate and what each imports, read from its files: the tests of the architecture
//! of both crates build on it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// A module: its path below the crate, and the modules that its code names.
pub(crate) struct Module {
    pub(crate) path: Vec<String>,
    pub(crate) imports: BTreeSet<Vec<String>>,
}

/// The modules of the crate whose sources lie in `src`, without `lib.rs` and without unit tests.
pub(crate) fn modules(src: &Path) -> Vec<Module> {
    let mut files = Vec::new();
    walk(src, &mut files);
    let texts: BTreeMap<Vec<String>, String> =
        files.iter().filter_map(|file| Some((path_of(src, file)?, code_of(file)))).collect();
    let modules = texts.iter().map(|(path, text)| {
        let named = text.lines().flat_map(|line| named(path, line));
        let imports = named.map(|name| resolve(&texts, &name)).filter(|import| import != path);
        Module { path: path.clone(), imports: imports.collect() }
    });
    modules.collect()
}

/// A circle among the modules below `root`, if there is one. Siblings are held against each other,
/// each with all that lies below it; what a module and its own children share is their affair.
pub(crate) fn circle(modules: &[Module], root: &[&str]) -> Option<Vec<String>> {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for module in modules.iter().filter(|module| starts_with(&module.path, root)) {
        for import in &module.imports {
            let shared = module.path.iter().zip(import).take_while(|(a, b)| a == b).count();
            if shared >= root.len() && shared < module.path.len().min(import.len()) {
                let [from, to] = [&module.path, import].map(|path| path[..=shared].join("::"));
                edges.entry(from).or_default().insert(to);
            }
        }
    }
    // What imports nothing that is left lies in no circle.
    while let Some(free) = edges
        .iter()
        .find(|(_, to)| !to.iter().any(|to| edges.contains_key(to)))
        .map(|(from, _)| from)
    {
        let free = free.clone();
        edges.remove(&free);
    }
    let mut way = vec![edges.keys().next()?.clone()];
    loop {
        let next = edges[&way[way.len() - 1]].iter().find(|to| edges.contains_key(*to))?.clone();
        if let Some(begin) = way.iter().position(|module| *module == next) {
            return Some(way.split_off(begin));
        }
        way.push(next);
    }
}

/// The floors that ARCHITECTURE.md draws of a folder of sources, each with its modules: after the
/// number of the floor, up to a point in the middle of the line.
pub(crate) fn floors(folder: &str) -> Vec<Vec<String>> {
    let begin = format!("```text {folder}\n");
    let (_, rest) =
        ARCHITECTURE.split_once(&begin).unwrap_or_else(|| panic!("{folder} has no picture"));
    let (picture, _) = rest.split_once("```").expect("the picture ends");
    let mut floors = BTreeMap::<usize, Vec<String>>::new();
    for line in picture.lines() {
        let mut words = line.split_whitespace().take_while(|word| *word != "·");
        if let Some(Ok(number)) = words.next().map(str::parse) {
            floors.entry(number).or_default().extend(words.map(ToOwned::to_owned));
        }
    }
    floors.into_values().collect()
}

const ARCHITECTURE: &str = include_str!("../../../ARCHITECTURE.md");

/// The imports below `root` that do not lead to a lower one of its `floors`, and what stands on no
/// floor or is drawn and not there.
pub(crate) fn climbs(modules: &[Module], root: &[&str], floors: &[Vec<String>]) -> Vec<String> {
    let depth = root.len();
    let floor = |path: &[String]| floors.iter().position(|floor| floor.contains(&path[depth]));
    let inside = |path: &[String]| path.len() > depth && starts_with(path, root);
    let mut climbs = Vec::new();
    for drawn in floors.iter().flatten() {
        if !modules.iter().any(|module| inside(&module.path) && module.path[depth] == *drawn) {
            climbs.push(format!("{drawn} is drawn and not there"));
        }
    }
    for module in modules.iter().filter(|module| inside(&module.path)) {
        if floor(&module.path).is_none() {
            climbs.push(format!("{} stands on no floor", module.path.join("::")));
        }
        for import in module.imports.iter().filter(|import| inside(import)) {
            let own = module.path[depth] == import[depth];
            if !own && floor(import) >= floor(&module.path) {
                climbs.push(format!("{} imports {}", module.path.join("::"), import.join("::")));
            }
        }
    }
    climbs
}

fn starts_with(path: &[String], root: &[&str]) -> bool {
    path.len() >= root.len() && path.iter().zip(root).all(|(own, other)| own == other)
}

/// The paths behind `crate::` and `super::` in a line, below the crate.
fn named(path: &[String], line: &str) -> Vec<Vec<String>> {
    let mut named = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        if !line[..at].ends_with("in ") {
            named.push(segments(&line[at + "crate::".len()..]));
        }
    }
    for (at, _) in line.match_indices("super::") {
        if line[..at].ends_with("super::") {
            continue;
        }
        let rest = line[at..].trim_start_matches("super::");
        let ups = (line[at..].len() - rest.len()) / "super::".len();
        if let Some(above) = path.len().checked_sub(ups) {
            named.push([&path[..above], &segments(rest)].concat());
        }
    }
    named
}

fn segments(text: &str) -> Vec<String> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    let path = &text[..end.unwrap_or(text.len())];
    path.split("::").filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect()
}

/// The module that a path leads to, through whatever names it is exported again.
fn resolve(texts: &BTreeMap<Vec<String>, String>, name: &[String]) -> Vec<String> {
    let long = (0..=name.len()).rev().find(|len| texts.contains_key(&name[..*len])).unwrap_or(0);
    let (module, rest) = name.split_at(long);
    let (Some(item), Some(text)) = (rest.first(), texts.get(module)) else {
        return module.to_vec();
    };
    let exports = text.lines().filter_map(|line| {
        let line = line.trim_start_matches("pub(super) ").trim_start_matches("pub ");
        line.strip_prefix("use ")?.strip_suffix(&format!("::{item};"))
    });
    let own = exports.map(|from| [module, &segments(from)].concat());
    let mut children = own.filter(|path| texts.contains_key(path));
    children.next().unwrap_or_else(|| module.to_vec())
}

/// The path of a file's module below the crate; nothing for the crate itself and for unit tests.
fn path_of(src: &Path, file: &Path) -> Option<Vec<String>> {
    let inside = file.strip_prefix(src).ok()?.with_extension("");
    let mut path: Vec<String> =
        inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    path.pop_if(|last| last == "mod");
    let is_code = path != ["lib"] && path.last().is_some_and(|last| last != "tests");
    is_code.then_some(path)
}

/// A file's text without comments and unit tests, which stand last.
fn code_of(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a source file");
    let code = text.lines().take_while(|line| *line != "mod tests {");
    let code = code.filter(|line| !line.trim_start().starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
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
