//! The heap of a target as play measures it. The allocator of this binary counts.

use hangup::bounds::Bounds;
use hangup::run::virtual_time::play;
use hangup::{Connection, Script, Target, heap, suite};
use std::future::Future;
use std::hint::black_box;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const MIB: u64 = 1 << 20;

/// The peak of a server that is played `script`.
fn peak<F: Future<Output: Send> + Send + 'static>(
    serve: impl Fn(Connection) -> F + Send + Sync + 'static,
    script: &str,
) -> u64 {
    let target: Arc<dyn Target> = Arc::new(suite(serve).into_target());
    let script: Script = script.parse().expect("a script");
    play(&target, &Bounds::default(), &script, 0).peak_heap.expect("it is counted")
}

/// Reads all there is, and keeps nothing.
async fn discards(mut conn: Connection) {
    let mut bytes = [0; 1024];
    while conn.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
}

/// Reads all there is, and keeps it.
async fn gathers(mut conn: Connection) {
    let mut bytes = Vec::new();
    let _ = conn.read_to_end(&mut bytes).await;
}

#[test]
fn the_peak_is_what_the_target_held_at_a_time_and_not_the_sum() {
    let small = |_| async {};
    assert!(peak(small, "fin\n") < MIB / 16);
    let one_by_one = |_| async {
        for _ in 0..10 {
            black_box(vec![0_u8; 1 << 20]);
        }
    };
    let found = peak(one_by_one, "fin\n");
    assert!((MIB..MIB + MIB / 16).contains(&found), "{found}");
    let all_at_once = |_| async {
        let kept: Vec<Vec<u8>> = (0..10).map(|_| vec![0; 1 << 20]).collect();
        black_box(kept);
    };
    let found = peak(all_at_once, "fin\n");
    assert!((10 * MIB..11 * MIB).contains(&found), "{found}");
}

#[test]
fn memory_taken_in_another_task_and_after_a_pause_counts_too() {
    let later = |conn: Connection| async move {
        let task = tokio::spawn(async {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            black_box(vec![0_u8; 1 << 20]);
        });
        let _ = task.await;
        drop(conn);
    };
    assert!(peak(later, "fin\n") >= MIB);
}

/// The link keeps all bytes for the exchange, the client encodes them: a megabyte of each.
#[test]
fn memory_that_hangup_itself_keeps_does_not_count() {
    let script = "binary 1MiB\nfin\n";
    let found = peak(discards, script);
    assert!(found < MIB / 16, "{found}");
    assert!(peak(gathers, script) >= MIB);
    let floods = |mut conn: Connection| async move {
        let chunk = [0; 1024];
        for _ in 0..1024 {
            let _ = conn.write_all(&chunk).await;
        }
    };
    let found = peak(floods, "wait 1s\nfin\n");
    assert!(found < MIB / 16, "{found}");
}

#[test]
fn two_plays_of_one_script_have_one_peak() {
    let script = "binary 64KiB\nfin\n";
    let first = peak(gathers, script);
    assert_eq!(peak(gathers, script), first);
}

#[test]
fn nothing_is_counted_in_a_pause_or_when_a_measure_has_ended() {
    let measure = heap::measure().expect("it is counted");
    let pause = heap::pause();
    let nested = heap::pause();
    black_box(vec![0_u8; 1000]);
    drop(nested);
    black_box(vec![0_u8; 1000]);
    drop(pause);
    assert_eq!(measure.peak(), 0);
    black_box(vec![0_u8; 300]);
    assert_eq!(measure.peak(), 300);
    drop(measure);
    let after = heap::pause();
    black_box(vec![0_u8; 5000]);
    drop(after);
    assert_eq!(heap::measure().map(|measure| measure.peak()), Some(0));
}
