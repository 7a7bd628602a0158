//! Worker processes that something else than the target ended or stopped: plain data.

/// How many workers of a campaign were lost through no fault of the target. What they played was
/// played again by others, and nothing is held against the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LostWorkers {
    /// A signal that others send (SIGKILL, SIGTERM) ended so many, and did not when another worker played
    /// the same script by itself.
    pub killed: u64,
    /// So many were stopped (SIGSTOP), and nobody had them go on.
    pub stopped: u64,
    /// So many made no progress in hangup's own code.
    pub hung: u64,
    /// The memory when one of them was last seen, of the one at which the least was left.
    pub memory: Option<MemoryLeft>,
}

/// Memory at one moment, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemoryLeft {
    /// How much the machine had left for programs.
    pub machine: u64,
    /// How much the worker had.
    pub worker: u64,
}

impl LostWorkers {
    /// How many there are.
    pub const fn count(&self) -> u64 {
        self.killed + self.stopped + self.hung
    }

    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.killed += other.killed;
        self.stopped += other.stopped;
        self.hung += other.hung;
        self.memory = match (self.memory, other.memory) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_that_of_the_moment_at_which_the_least_was_left() {
        let at = |machine| Some(MemoryLeft { machine, worker: 1 });
        let mut lost = LostWorkers { stopped: 1, ..LostWorkers::default() };
        for machine in [7, 3, 5] {
            lost.add(LostWorkers { killed: 1, memory: at(machine), ..LostWorkers::default() });
        }
        assert_eq!(lost, LostWorkers { killed: 3, stopped: 1, hung: 0, memory: at(3) });
        assert_eq!(lost.count(), 4);
    }
}
