//! The processes of a group, as `/proc` shows them: which there are, and what they hold.
//!
//! Linux only: elsewhere nothing is seen. It starts and stops nothing.

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
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let all = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Self(all.filter(|process| is_member(*process, group)).collect())
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The resident memory of the largest, in bytes.
    pub fn largest(&self) -> Option<u64> {
        self.0.iter().filter_map(|process| Some(status(*process)?.memory)).max()
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

/// Whether a process belongs to a group, and has not ended.
#[cfg(target_os = "linux")]
fn is_member(process: i32, group: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Its name, in parentheses, may have any character: state, parent and group stand behind it.
    let Some((_, behind)) = stat.rsplit_once(')') else { return false };
    let mut words = behind.split_whitespace();
    let runs = words.next().is_some_and(|state| !matches!(state, "Z" | "X"));
    runs && words.nth(1).and_then(|own| own.parse().ok()) == Some(group)
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
impl Members {
    pub fn of(_: i32) -> Self {
        Self(Vec::new())
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn largest(&self) -> Option<u64> {
        self.0.iter().map(|_| 0).max()
    }

    pub fn holdings(&self) -> Option<Holdings> {
        self.0.iter().map(|_| Holdings::default()).next()
    }
}
