//! Compiles what asks valgrind.

fn main() {
    println!("cargo::rerun-if-changed=src/ask.c");
    cc::Build::new().file("src/ask.c").compile("ask");
}
