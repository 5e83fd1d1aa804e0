//! The architecture of this crate, as ARCHITECTURE.md draws it.

#[path = "../../whisper-core/tests/support/modules.rs"]
#[allow(dead_code, reason = "each test program uses its own part of this")]
mod modules;

use std::path::Path;

use modules::Module;

#[test]
fn a_module_imports_only_from_floors_below_its_own() {
    let floors = modules::floors("whisper-net/src");
    assert_eq!(modules::climbs(&all(), &[], &floors), Vec::<String>::new());
}

#[test]
fn no_modules_within_a_folder_import_each_other_in_a_circle() {
    for module in ["conversation", "driver", "ledger", "posting", "worker"] {
        assert_eq!(modules::circle(&all(), &[module]), None);
    }
}

fn all() -> Vec<Module> {
    modules::modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}
