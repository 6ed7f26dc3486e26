//! The checked-in loops are what the generator writes.

use super::generate::{fixed_memory, fixed_registers, rolled_memory, rolled_registers};
use std::{fs, path::Path};

fn loops() -> [(&'static str, String); 4] {
    [
        ("rolled_memory.s", rolled_memory()),
        ("rolled_registers.s", rolled_registers()),
        ("fixed_memory.s", fixed_memory()),
        ("fixed_registers.s", fixed_registers()),
    ]
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/thread/sha256d/assembly")
}

#[test]
fn loops_are_what_the_generator_writes() {
    for (name, text) in loops() {
        let checked_in = fs::read_to_string(folder().join(name)).unwrap();
        // The first difference says more than two texts of a thousand lines.
        let difference = checked_in.lines().zip(text.lines()).position(|(old, new)| old != new);
        assert_eq!(
            difference, None,
            "{name} differs; `cargo test -p mujina-dataplane write_loops -- --ignored` writes it"
        );
        assert_eq!(checked_in.len(), text.len(), "{name}");
    }
}

#[test]
#[ignore = "writes the files that are compiled; run it after a change of the generator"]
fn write_loops() {
    for (name, text) in loops() {
        fs::write(folder().join(name), text).unwrap();
    }
}
