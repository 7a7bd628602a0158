//! Where no worker processes can be: everything in this one.

use crate::bounds::Bounds;
use crate::exchange::Exchange;
use crate::finding::Finding;
use crate::run::campaign::{Campaign, Outcome, Progress};
use crate::run::virtual_time::play;
use crate::script::Script;
use crate::target::{Registry, Target};
use crate::verdict::Violation;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Stands for the crew of worker processes.
#[derive(Debug)]
pub(crate) struct Crew;

impl Crew {
    pub fn new(_: usize, _: u64) -> Self {
        Self
    }

    pub fn run(
        &mut self,
        campaign: &Campaign,
        target: &Arc<dyn Target>,
        watch: impl FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<Outcome, String> {
        Ok(campaign.run(target, watch))
    }

    pub fn play(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
        script: &Script,
        runtime_seed: u64,
    ) -> Result<Exchange, String> {
        Ok(play(target, &bounds, script, runtime_seed))
    }

    pub fn look_into(
        &mut self,
        target: &Arc<dyn Target>,
        bounds: Bounds,
        script: Script,
        first: Violation,
        runtime_seed: u64,
    ) -> Result<Finding, String> {
        let campaign = Campaign { bounds, seed: 0, scripts: None };
        let mut again =
            |script: &Script| Ok::<_, Infallible>(play(target, &bounds, script, runtime_seed));
        let Ok(finding) = campaign.finding(script, runtime_seed, first, &mut again, &|| false);
        Ok(finding)
    }
}

/// Nobody starts a worker here.
pub(crate) fn serve(_: &Registry, _: u64, _: impl FnOnce() + Send + 'static) -> Result<(), String> {
    Err("there are no worker processes on this system".to_owned())
}
