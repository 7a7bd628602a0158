//! Findings are played again before they are reported.

use super::finding::ProbeFinding;
use super::investigate::{Candidate, CandidateState};
use super::outcome::ProbeProgress;
use super::{OnProgress, Probe};
use crate::judge::not_repeated;
use crate::run::real_time::play::Watching;
use crate::run::real_time::player::Player;
use std::collections::BTreeSet;
use tokio::task::JoinSet;

/// How often a finding is played again.
const REPLAYS: u32 = 2;
/// How often one that did not show every time.
const MORE_REPLAYS: u32 = 5;

impl Probe {
    /// Plays what was found again: what was shrunk alone, or else the first of each problem; then
    /// the other variants, all together. Reports those that are not being watched.
    pub(super) async fn confirm_all(
        &self,
        player: &Player,
        found: &mut [Candidate],
        watched: &BTreeSet<usize>,
        on_progress: OnProgress<'_>,
    ) -> Option<String> {
        let died = |error| format!("{error}; the server died while findings were played again");
        let pending = |place: &usize| found[*place].state == CandidateState::Pending;
        let places: Vec<usize> = (0..found.len()).filter(pending).collect();
        let all = places.len();
        let problem = |place: usize| found[place].key.problem();
        let is_first = |at: usize| at == 0 || problem(places[at - 1]) != problem(places[at]);
        let is_alone = |at: &usize| {
            if self.all_variants { is_first(*at) } else { found[places[*at]].finding.shrunk }
        };
        let (firsts, others): (Vec<usize>, Vec<usize>) = (0..all).partition(is_alone);
        let mut confirmed = 0;
        for place in firsts.into_iter().map(|at| places[at]) {
            if let Err(error) = self.confirm(player, &mut found[place].finding).await {
                return Some(died(error));
            }
            confirmed += 1;
            on_progress(ProbeProgress::Confirming(confirmed, all));
            if !watched.contains(&place) {
                found[place].report(on_progress);
            }
        }
        let mut confirming = JoinSet::new();
        for place in others.into_iter().map(|at| places[at]) {
            let (probe, player) = (self.clone(), player.clone());
            let mut one = found[place].finding.clone();
            confirming.spawn(async move {
                let confirmed = probe.confirm(&player, &mut one).await;
                (place, confirmed.map(|()| one))
            });
        }
        while let Some(Ok((place, one))) = confirming.join_next().await {
            match one {
                Ok(one) => found[place].finding = one,
                Err(error) => return Some(died(error)),
            }
            confirmed += 1;
            on_progress(ProbeProgress::Confirming(confirmed, all));
            if !watched.contains(&place) {
                found[place].report(on_progress);
            }
        }
        None
    }

    /// Plays the minimal script again.
    async fn confirm(&self, player: &Player, found: &mut ProbeFinding) -> Result<(), String> {
        let endpoint = self.url(self.role_of(found));
        let decided = player
            .decide(endpoint, &found.script, found.violation.clone(), &found.exchange)
            .await?;
        (found.violation, found.dismissed) = decided.into_parts();
        let (mut replays, mut shown) = (0, 0);
        while replays < if shown == replays { REPLAYS } else { MORE_REPLAYS } {
            let played =
                player.play_until_on_time(endpoint, &found.script, Watching::ToDeadline).await?;
            replays += 1;
            let identity = found.violation.identity;
            let shows = player.shows(endpoint, &found.script, played, identity).await;
            shown += u32::from(shows);
        }
        (found.replays, found.shown) = (replays, shown);
        found.dismissed = found.dismissed.or(not_repeated(shown, replays));
        Ok(())
    }
}
