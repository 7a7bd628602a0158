//! The processes of groups, as `/proc` shows them: which there are, and what they hold.
//!
//! Linux only: elsewhere nothing is seen. It starts and stops nothing.

use std::collections::BTreeMap;

/// The processes of a group, as far as they are seen.
pub(super) struct Members(Vec<i32>);

/// What the processes of a group hold together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
    /// Resident memory in bytes.
    pub memory: u64,
}

#[cfg(target_os = "linux")]
impl Members {
    /// Those that have not ended; one that nobody has waited for yet has.
    pub fn of(group: i32) -> Self {
        Self(all().filter(|process| group_of(*process) == Some(group)).collect())
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The resident memory of the largest, in bytes.
    pub fn largest(&self) -> Option<u64> {
        self.0.iter().filter_map(|process| Some(status(*process)?.memory)).max()
    }

    /// Whether one of them runs, or waits for a disk.
    pub fn are_busy(&self) -> bool {
        let is_busy =
            |process: &i32| state_of(*process).is_some_and(|(state, _)| "RD".contains(state));
        self.0.iter().any(is_busy)
    }

    /// Whether one of them has loaded a Java or a .NET machine.
    pub fn collect_late(&self) -> bool {
        let maps = |process: &i32| std::fs::read_to_string(format!("/proc/{process}/maps"));
        let is_late = |maps: String| LATE_COLLECTORS.iter().any(|library| maps.contains(library));
        self.0.iter().any(|process| maps(process).is_ok_and(is_late))
    }

    /// What they hold together; `None` where their descriptors are not seen, as those of another
    /// user.
    pub fn holdings(&self) -> Option<Holdings> {
        let mut all = Holdings::default();
        for process in &self.0 {
            let held = status(*process)?;
            let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).ok()?;
            all.descriptors += descriptors.count() as u64;
            all.threads += held.threads;
            all.memory += held.memory;
        }
        (!self.is_empty()).then_some(all)
    }
}

/// The libraries of runtimes that use a quarter of the machine's memory, or more, before they collect.
#[cfg(target_os = "linux")]
const LATE_COLLECTORS: [&str; 2] = ["/libjvm.so", "/libcoreclr.so"];

/// All processes that have not ended, by their groups.
#[cfg(target_os = "linux")]
pub(super) fn by_group() -> BTreeMap<i32, Vec<i32>> {
    let mut groups = BTreeMap::<i32, Vec<i32>>::new();
    for process in all() {
        if let Some(group) = group_of(process) {
            groups.entry(group).or_default().push(process);
        }
    }
    groups
}

#[cfg(target_os = "linux")]
fn all() -> impl Iterator<Item = i32> {
    let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The group of a process that has not ended.
#[cfg(target_os = "linux")]
fn group_of(process: i32) -> Option<i32> {
    state_of(process).filter(|(state, _)| !"ZX".contains(*state)).map(|(_, group)| group)
}

/// The state of a process, as a letter, and its group.
#[cfg(target_os = "linux")]
fn state_of(process: i32) -> Option<(char, i32)> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Its name, in parentheses, may have any character: state, parent and group stand behind it.
    let (_, behind) = stat.rsplit_once(')')?;
    let mut words = behind.split_whitespace();
    let state = words.next()?.chars().next()?;
    Some((state, words.nth(1)?.parse().ok()?))
}

/// The threads and the resident memory of a process.
#[cfg(target_os = "linux")]
fn status(process: i32) -> Option<Holdings> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some(Holdings { descriptors: 0, threads: field("Threads:")?, memory: field("VmRSS:")? * 1024 })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn by_group() -> BTreeMap<i32, Vec<i32>> {
    BTreeMap::new()
}

#[cfg(not(target_os = "linux"))]
impl Members {
    pub fn of(_: i32) -> Self {
        Self(Vec::new())
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub const fn are_busy(&self) -> bool {
        !self.0.is_empty()
    }

    pub fn largest(&self) -> Option<u64> {
        self.0.iter().map(|_| 0).max()
    }

    pub const fn collect_late(&self) -> bool {
        !self.0.is_empty()
    }

    pub fn holdings(&self) -> Option<Holdings> {
        self.0.iter().map(|_| Holdings::default()).next()
    }
}
