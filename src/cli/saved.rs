//! Findings that were saved at once, for the report at the end.

use super::output;
use crate::finding::repro::Repro;
use crate::finding::save::{self, SaveError};
use crate::report::headline;
use crate::verdict::Identity;
use std::path::{Path, PathBuf};

/// Repros in the order in which they were found, and where each was saved.
#[derive(Default)]
pub(super) struct Saved(Vec<(Repro, Option<Result<PathBuf, SaveError>>)>);

impl Saved {
    /// Saves one at once: what comes later must not lose it.
    pub fn save(&mut self, directory: &Path, repro: Repro) {
        let path = save::repro(directory, &repro);
        self.0.push((repro, Some(path)));
    }

    /// Remembers one that is no finding: it is told of, and no file is kept.
    pub fn dismiss(&mut self, repro: Repro) {
        self.0.push((repro, None));
    }

    /// The repro of a finding, and its file where it could be saved.
    pub fn find(&self, identity: Identity) -> Option<(&Repro, Option<&Path>)> {
        let (repro, path) = self.0.iter().find(|(repro, _)| repro.identity == identity)?;
        Some((repro, path.as_ref().and_then(|path| path.as_deref().ok())))
    }

    /// All of them.
    pub fn repros(&self) -> impl Iterator<Item = &Repro> {
        self.0.iter().map(|(repro, _)| repro)
    }

    /// Whether all could be saved.
    pub fn is_whole(&self) -> bool {
        self.0.iter().flat_map(|(_, path)| path).all(Result::is_ok)
    }

    /// Says which could not be saved, and why.
    pub fn tell_failures(&self) {
        for (repro, path) in &self.0 {
            if let Some(Err(error)) = path {
                output::error(&format!("not saved: {}: {error}", headline(repro)));
            }
        }
    }
}
