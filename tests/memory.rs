//! The process's memory. Another test beside it would be counted too, the debug symbols
//! that a panic loads above all: so it has a process of its own.

use hangup::bounds::Bounds;
use hangup::sim::play;
use hangup::{Registry, Script};
use std::sync::Arc;

/// A night is four hundred million plays.
#[test]
#[cfg(target_os = "linux")]
fn plays_leave_nothing_behind() {
    let pages = || {
        let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
        text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("a number")
    };
    let registry = Registry::built_in();
    let script: Script = "upgrade\napp close\n".parse().expect("a script");
    for name in ["reference", "reference/no-deadline"] {
        let target = Arc::clone(registry.find(name).expect(name));
        let some_plays = || {
            for _ in 0..4_000 {
                play(&target, &Bounds::default(), &script, 0);
            }
        };
        some_plays();
        let before = pages();
        some_plays();
        let grown = pages().saturating_sub(before) * 4096;
        assert!(grown < 4 << 20, "{name}: {grown} bytes more after 4,000 plays");
    }
}
