//! Writes the seed corpora and dictionaries of hangup's fuzz targets:
//! `cargo run --example fuzz_seeds`.
//!
//! They go to `fuzz/seeds/TARGET/NAME` and `fuzz/dictionaries/TARGET.dict`; what else
//! lies there is removed.

use hangup::fuzzing::{Seed, dictionaries, seeds};
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let root = emptied(fuzz.join("seeds"))?;
    let seeds = seeds();
    for Seed { target, name, bytes } in &seeds {
        let directory = root.join(target);
        std::fs::create_dir_all(&directory)?;
        std::fs::write(directory.join(name), bytes)?;
    }
    let root = emptied(fuzz.join("dictionaries"))?;
    for (target, text) in dictionaries() {
        std::fs::write(root.join(format!("{target}.dict")), text)?;
    }
    println!("{} seeds in fuzz/seeds, dictionaries in fuzz/dictionaries", seeds.len());
    Ok(())
}

fn emptied(directory: PathBuf) -> io::Result<PathBuf> {
    if directory.exists() {
        std::fs::remove_dir_all(&directory)?;
    }
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}
