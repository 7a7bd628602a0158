//! What matters in a minimal script, found by plays in a worker: with which other values, and without
//! which steps, the same problem shows. What is tried, `shrink` decides; in words, `report`.

use super::Trouble;
use crate::bounds::Bounds;
use crate::exchange::Exchange;
use crate::run::control_play::judge_and_decide;
use crate::run::workers::WorkerPool;
use crate::script::Script;
use crate::shrink::{MOST_BYTES, PLAYS, What, WhatMatters, what_matters};
use crate::target::Target;
use crate::verdict::{Identity, Invariant, Violation};
use std::cell::Cell;
use std::sync::Arc;

/// What it may cost, and what each play costs beside its events: below a second in all.
const MOST_COST: u64 = 200_000;
const PLAY_COST: u64 = 50;

/// Whether plays of it take long: what stalls, is measured, or sends a lot.
pub(super) fn takes_long(identity: Identity, script: &Script) -> bool {
    matches!(identity.invariant(), Invariant::NoSpin | Invariant::LinearWork)
        || script.max_bytes_sent() > MOST_BYTES
}

/// What of a script matters for a problem to show, by plays with this seed of the runtime.
pub(super) fn find(
    pool: &mut WorkerPool,
    target: &Arc<dyn Target>,
    bounds: Bounds,
    (script, seed): (&Script, u64),
    identity: Identity,
) -> Result<WhatMatters<String>, Trouble> {
    let (mut trouble, cost) = (None, Cell::new(0));
    let mut judged = |script: &Script| -> Result<What<String>, Trouble> {
        let mut play = |script: &Script| -> Result<Exchange, Trouble> {
            let exchange = pool.play(target, bounds, script, seed)?;
            cost.set(cost.get() + exchange.cost() + PLAY_COST);
            Ok(exchange)
        };
        let exchange = play(script)?;
        let verdict = judge_and_decide(&exchange, &bounds, script, &mut play)?;
        let is_same = |violation: &Violation| violation.identity.problem() == identity.problem();
        Ok(if verdict.violations.iter().any(is_same) {
            What::Same
        } else if let Some(other) = verdict.violations.first() {
            What::Other(format!("another problem shows: {}", other.identity.problem()))
        } else if verdict.unproven().next().is_some() {
            What::Other("nothing can be proven".to_owned())
        } else {
            What::Other(format!("the {} breaks no rule", exchange.subject.word()))
        })
    };
    let matters = what_matters(script, PLAYS, |script| {
        if cost.get() > MOST_COST {
            return None;
        }
        judged(script).map_err(|why| trouble = Some(why)).ok()
    });
    trouble.map_or(Ok(matters), Err)
}
