//! Kotlin and Python.

fn main() {
    uniffi::uniffi_bindgen_main();
}
