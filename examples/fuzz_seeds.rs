//! Writes the seed corpora of hangup's fuzz targets: `cargo run --example fuzz_seeds`.
//!
//! Each goes to `fuzz/seeds/TARGET/NAME`, and what lies there and is no seed any more
//! is removed.

use hangup::fuzzing::{Seed, seeds};
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    if root.exists() {
        std::fs::remove_dir_all(&root)?;
    }
    let seeds = seeds();
    for Seed { target, name, bytes } in &seeds {
        let directory = root.join(target);
        std::fs::create_dir_all(&directory)?;
        std::fs::write(directory.join(name), bytes)?;
    }
    println!("{} seeds in fuzz/seeds", seeds.len());
    Ok(())
}
