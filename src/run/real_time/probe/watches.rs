//! Connections that are watched on while other things are played, and whose they are.

use crate::run::real_time::play::Played;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use tokio::task::{AbortHandle, Id, JoinSet};

/// What is being watched, by the places of findings.
#[derive(Default)]
pub(super) struct Watches {
    tasks: JoinSet<Option<Played>>,
    places: BTreeMap<Id, (usize, AbortHandle)>,
    all: BTreeSet<usize>,
}

impl Watches {
    /// Begins to watch something of the finding at `place`.
    pub fn watch(
        &mut self,
        place: usize,
        watching: impl Future<Output = Option<Played>> + Send + 'static,
    ) {
        let handle = self.tasks.spawn(watching);
        self.places.insert(handle.id(), (place, handle));
        self.all.insert(place);
    }

    /// The findings of which something was watched.
    pub fn places(&self) -> BTreeSet<usize> {
        self.all.clone()
    }

    /// Watches nothing of such findings any more.
    pub fn abort(&self, whose: &dyn Fn(usize) -> bool) {
        for (_, handle) in self.places.values().filter(|(place, _)| whose(*place)) {
            handle.abort();
        }
    }

    /// What was watched to its end next, and what it came to; `None` where that was aborted.
    pub async fn next(&mut self) -> Option<(usize, Option<Played>)> {
        let (id, played) = match self.tasks.join_next_with_id().await? {
            Ok((id, played)) => (id, played),
            Err(error) => (error.id(), None),
        };
        let (place, _) = self.places.remove(&id)?;
        Some((place, played))
    }

    /// Whether nothing of this finding is watched any more.
    pub fn is_over(&self, place: usize) -> bool {
        self.places.values().all(|(other, _)| *other != place)
    }

    /// Of how many findings nothing is watched any more.
    pub fn over(&self) -> usize {
        self.all.iter().filter(|place| self.is_over(**place)).count()
    }
}
