//! Worker processes that were lost through no fault of the target: in words, and for machines.

use super::text::thousands;
use crate::run::campaign::{LostWorkers, MemoryLeft};
#[cfg(feature = "cli")]
use serde::Serialize;
use std::fmt::Write as _;

/// That so many were killed or stopped, what memory there was, and what to do.
pub(super) fn lost_workers(lost: &LostWorkers) -> String {
    let LostWorkers { killed, stopped, hung, memory } = *lost;
    let how = [
        (killed, "killed by a signal"),
        (stopped, "stopped by a signal"),
        (hung, "hung in hangup's own code"),
    ];
    let how = how.into_iter().filter(|(count, _)| *count > 0);
    let how: Vec<String> = how.map(|(count, how)| format!("{count} {how}")).collect();
    let mut text = format!(
        "lost {}: {}. Not the server's doing: their scripts were played again.",
        match lost.count() {
            1 => "1 worker process".to_owned(),
            more => format!("{} worker processes", thousands(more)),
        },
        how.join(", "),
    );
    if let Some(MemoryLeft { machine, worker }) = memory {
        let mib = |bytes: u64| bytes >> 20;
        let _ = write!(
            text,
            " When one was last seen it had {} MiB, and the machine {} MiB left.",
            mib(worker),
            mib(machine)
        );
    }
    if killed > 0 {
        text += " If the system is short of memory, take fewer --jobs, or less --memory.";
    }
    text
}

/// The same for machines: bytes, and none of them where no memory was seen.
#[cfg(feature = "cli")]
#[derive(Serialize)]
pub(super) struct JsonLostWorkers {
    killed: u64,
    stopped: u64,
    hung: u64,
    worker_bytes: Option<u64>,
    machine_bytes_left: Option<u64>,
}

#[cfg(feature = "cli")]
impl JsonLostWorkers {
    /// `None` where none was lost.
    pub fn of(lost: &LostWorkers) -> Option<Self> {
        let LostWorkers { killed, stopped, hung, memory } = *lost;
        (lost.count() > 0).then_some(Self {
            killed,
            stopped,
            hung,
            worker_bytes: memory.map(|memory| memory.worker),
            machine_bytes_left: memory.map(|memory| memory.machine),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_is_told_with_the_memory_that_there_was() {
        let memory = Some(MemoryLeft { machine: 3 << 20, worker: 700 << 20 });
        let two = LostWorkers { killed: 2, stopped: 1, hung: 0, memory };
        assert_eq!(
            lost_workers(&two),
            "lost 3 worker processes: 2 killed by a signal, 1 stopped by a signal. Not the server's \
             doing: their scripts were played again. When one was last seen it had 700 MiB, and the \
             machine 3 MiB left. If the system is short of memory, take fewer --jobs, or less --memory."
        );
        let hung = LostWorkers { hung: 1, ..LostWorkers::default() };
        assert_eq!(
            lost_workers(&hung),
            "lost 1 worker process: 1 hung in hangup's own code. Not the server's doing: their scripts \
             were played again."
        );
    }

    #[test]
    #[cfg(feature = "cli")]
    fn for_machines_it_is_there_only_where_one_was_lost() {
        assert!(JsonLostWorkers::of(&LostWorkers::default()).is_none());
        let stopped = LostWorkers { stopped: 1, ..LostWorkers::default() };
        let json = serde_json::to_value(JsonLostWorkers::of(&stopped)).expect("JSON");
        assert_eq!(
            (&json["stopped"], &json["worker_bytes"]),
            (&1.into(), &serde_json::Value::Null)
        );
    }
}
