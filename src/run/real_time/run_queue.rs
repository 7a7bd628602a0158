//! How long the server's threads waited for a processor: what a busy machine took from it, and no
//! deadline of its own is to blame for.
//!
//! Linux counts that for every thread (`/proc/PID/task/TID/schedstat`, its second number, in
//! nanoseconds). Between two looks the thread that waited longest counts. Where the server is
//! elsewhere, or another system's, nothing is known and nothing is taken off.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// The most looks that are kept: a quarter of an hour's.
const MAX_KEPT: usize = 40_000;
/// The most threads of one process that are looked at: those that began first, which are the ones that
/// serve.
const MAX_THREADS: usize = 64;

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct RunQueue {
    /// What each thread had waited, at the last look.
    waited: BTreeMap<(i32, i32), Duration>,
    /// When, and by how much more the thread waited that waited longest.
    looks: VecDeque<(Instant, Duration)>,
}

impl RunQueue {
    /// Looks at the threads of these processes.
    pub fn look(&mut self, processes: &BTreeSet<i32>, now: Instant) {
        let waited: BTreeMap<_, _> = processes.iter().flat_map(|pid| threads(*pid)).collect();
        self.add(waited, now);
    }

    /// Takes in how long each thread has waited in all.
    fn add(&mut self, waited: BTreeMap<(i32, i32), Duration>, now: Instant) {
        // What a thread waited before the first look at it, nobody knows the time of.
        let more = waited.iter().filter_map(|(thread, now)| {
            self.waited.get(thread).map(|before| now.saturating_sub(*before))
        });
        let most = more.max().unwrap_or_default();
        self.waited = waited;
        if !most.is_zero() {
            self.looks.push_back((now, most));
            let surplus = self.looks.len().saturating_sub(MAX_KEPT);
            self.looks.drain(..surplus);
        }
    }

    /// How long a thread of the server's waited since `start`, at most.
    pub fn since(&self, start: Instant) -> Duration {
        let looks = self.looks.iter().rev().take_while(|(at, _)| *at >= start);
        looks.map(|(_, waited)| *waited).sum()
    }
}

/// What the threads of a process have waited in all; none where that is not told.
fn threads(process: i32) -> Vec<((i32, i32), Duration)> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let waited = |thread: i32| {
        let text = std::fs::read_to_string(format!("/proc/{process}/task/{thread}/schedstat"));
        let nanos = text.ok()?.split_whitespace().nth(1)?.parse().ok()?;
        Some(((process, thread), Duration::from_nanos(nanos)))
    };
    let mut threads: Vec<i32> =
        tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()).collect();
    threads.sort_unstable();
    threads.truncate(MAX_THREADS);
    threads.into_iter().filter_map(waited).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[tokio::test(start_paused = true)]
    async fn the_thread_that_waited_longest_counts_at_each_look_from_the_first_on() {
        let began = Instant::now();
        let mut queue = RunQueue::default();
        let looks = [
            [(1, 900), (2, 0)],
            // The first waited 5 ms, the second 20.
            [(1, 905), (2, 20)],
            [(1, 935), (2, 21)],
            // A thread that begins brings nothing from before.
            [(1, 935), (3, 500)],
        ];
        for (at, look) in looks.into_iter().enumerate() {
            let waited = look.map(|(thread, waited)| ((7, thread), millis(waited)));
            queue.add(BTreeMap::from(waited), began + millis(25 * at as u64));
        }
        assert_eq!(queue.since(began), millis(50));
        assert_eq!(queue.since(began + millis(30)), millis(30));
        assert_eq!(queue.since(began + millis(60)), Duration::ZERO);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_threads_of_a_process_are_told_with_their_waits() {
        let own = i32::try_from(std::process::id()).expect("a number");
        let told = threads(own);
        assert!(told.iter().any(|((process, thread), _)| process == thread), "{told:?}");
        assert_eq!(threads(-1), []);
    }
}
