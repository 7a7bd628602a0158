//! One script has one exchange, in any process, and leaves no memory behind.

use crate::run::virtual_time::{HOUR, alone, dropping_after, holding, play, server};
use hangup::target::Target;
use hangup::target::reference::Reference;
use std::collections::BTreeSet;
use std::sync::Arc;

const BUSY_SCRIPT: &str = "upgrade\napp send text 100KiB\nping \"a\" x 30 every 1s\n\
    first 3 bytes of close 1000\nstop reading";

#[test]
fn one_script_has_one_digest_in_a_thousand_plays_and_in_another_process() {
    let reference: Arc<dyn Target> = Arc::new(Reference::HONEST);
    let digests: BTreeSet<_> =
        (0..1_000).map(|_| play(&reference, BUSY_SCRIPT).exchange.digest()).collect();
    assert_eq!(digests.len(), 1);
    let printed = alone(module_path!(), "prints_a_digest");
    assert!(digests.iter().all(|digest| printed.contains(digest)), "{digests:?}: {printed}");
}

#[test]
#[ignore = "run by the test above, in another process"]
fn prints_a_digest() {
    let reference: Arc<dyn Target> = Arc::new(Reference::HONEST);
    println!("{}", play(&reference, BUSY_SCRIPT).exchange.digest());
}

/// Without the flag the runtime cannot be seeded.
#[cfg(tokio_unstable)]
#[test]
fn a_seed_fixes_the_order_of_an_unbiased_select() {
    use crate::run::virtual_time::play_seeded;
    use tokio::io::AsyncWriteExt as _;

    let target = server(|mut io| async move {
        for _ in 0..16 {
            let chosen = tokio::select! {
                () = std::future::ready(()) => b"a",
                () = std::future::ready(()) => b"b",
            };
            io.write_all(chosen).await.expect("an open connection");
        }
    });
    let digests = |seeds: &mut dyn Iterator<Item = u64>| -> BTreeSet<_> {
        seeds.map(|seed| play_seeded(&target, "fin", seed).exchange.digest()).collect()
    };
    assert_eq!(digests(&mut std::iter::repeat_n(7, 1_000)).len(), 1);
    assert!(digests(&mut (0..100)).len() > 50, "an order that no seed moves proves nothing");
}

#[cfg(target_os = "linux")]
#[test]
fn twenty_thousand_plays_leak_nothing() {
    alone(module_path!(), "plays_twenty_thousand_times");
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by the test above, in a process of its own, whose memory it measures"]
fn plays_twenty_thousand_times() {
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let size = line.and_then(|line| line.trim().strip_suffix(" kB"));
        size.and_then(|size| size.parse::<u64>().ok()).expect("a size in kB")
    };
    let panicking = server(|_io| async { panic!("each time") });
    let targets = [holding(), dropping_after(12 * HOUR), Arc::new(Reference::HONEST), panicking];
    let plays = |times| {
        for _ in 0..times {
            for target in &targets {
                play(target, "upgrade\napp close 1000\nfin");
            }
        }
    };
    plays(500);
    let before = resident();
    plays(5_000);
    let grown = resident().saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB more after 20,000 plays");
}
