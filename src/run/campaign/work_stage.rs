//! What bytes cost, once a campaign: a few scripts of their own, measured and not shrunk.
//!
//! How a script is played and timed is the caller's business: in this process, or in a worker.

use super::Campaign;
use crate::bounds::Bounds;
use crate::exchange::{Exchange, Work};
use crate::finding::Finding;
use crate::judge::judge;
use crate::run::virtual_time::play;
use crate::run::work::{WorkScript, look, time};
use crate::script::Script;
use crate::target::Target;
use crate::verdict::Invariant;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// Plays scripts, and times them.
pub(crate) trait WorkPlayer<E> {
    /// What a play takes of a processor's time; `None` where nobody can say.
    fn time(&mut self, script: &Script) -> Result<Option<Duration>, E>;

    /// What happens in a play.
    fn play(&mut self, script: &Script) -> Result<Exchange, E>;
}

/// Plays in this process.
pub(crate) struct PlaysHere<'a>(pub &'a Arc<dyn Target>, pub Bounds);

impl WorkPlayer<Infallible> for PlaysHere<'_> {
    fn time(&mut self, script: &Script) -> Result<Option<Duration>, Infallible> {
        Ok(time(self.0, &self.1, script))
    }

    fn play(&mut self, script: &Script) -> Result<Exchange, Infallible> {
        Ok(play(self.0, &self.1, script, 0))
    }
}

impl Campaign {
    /// Looks for work that is out of proportion to the bytes, in this process. Unlike all else it
    /// measures, and so depends on the machine. [`run`](Self::run) does not.
    pub fn look_at_work(&self, target: &Arc<dyn Target>) -> Vec<Finding> {
        let Ok(findings) = self.work_findings(&mut PlaysHere(target, self.bounds));
        findings
    }

    /// The same, by anybody's plays.
    pub(crate) fn work_findings<E>(
        &self,
        player: &mut dyn WorkPlayer<E>,
    ) -> Result<Vec<Finding>, E> {
        let mut findings = Vec::new();
        for smallest in WorkScript::of_campaign(self.seed) {
            let found = look(smallest, &mut |script: &Script| player.time(script))?;
            let Some(work) = found else { continue };
            // What depends on the machine is in the figures alone.
            let script = smallest.typical().script();
            let mut exchange = player.play(&script)?;
            exchange.work = Some(work);
            let violations = judge(&exchange, &self.bounds).violations;
            let is_work = |invariant| invariant == Invariant::LinearWork;
            let found =
                violations.into_iter().find(|violation| is_work(violation.identity.invariant()));
            findings.extend(found.map(|violation| Finding {
                violation,
                script,
                shrunk: true,
                index: 0,
                runtime_seed: 0,
                plays: 0,
                rate: 1.0,
                exchange,
                cut_short: false,
                dismissed: None,
            }));
        }
        Ok(findings)
    }
}

/// The figures of a script that is one of those that are measured, where they show work out of
/// proportion.
pub(crate) fn work_of<E>(
    script: &Script,
    player: &mut dyn WorkPlayer<E>,
) -> Result<Option<Work>, E> {
    match WorkScript::of(script) {
        Some(script) => look(script, &mut |script: &Script| player.time(script)),
        None => Ok(None),
    }
}
