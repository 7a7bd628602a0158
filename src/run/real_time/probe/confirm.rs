//! Findings are played again before they are reported, side by side: those that send much after
//! the others, since such scripts keep some servers from everything else. What there was no time for
//! is left as it is: its problem is told only where another play of it showed it again.
//!
//! What did not show again at all is played so often that what is rare does, as far as there is time.
//!
//! What showed only while the server was busy is played once more, in halves, until the server is
//! not busy or a finding is alone.

use super::finding::ProbeFinding;
use super::groups::Groups;
use super::investigate::{Candidate, CandidateState};
use super::outcome::ProbeProgress;
use super::replay::{Again, Replays, is_light};
use super::{Clock, OnProgress, Probe};
use crate::run::real_time::player::Player;
use crate::verdict::Reason;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout_at};

/// The pause between the first plays of two findings: a server that opens many connections at once is
/// busy with that alone.
const PACE: Duration = Duration::from_millis(10);

/// Findings that are being played again, with their places.
type Playing = JoinSet<(usize, Result<Option<Again>, String>)>;

impl Probe {
    /// Plays what was found again. Reports those that are not being watched.
    pub(super) async fn confirm_all(
        &self,
        player: &Player,
        found: &mut [Candidate],
        watched: &BTreeSet<usize>,
        clock: Clock,
        on_progress: OnProgress<'_>,
    ) -> Option<String> {
        let replays = Replays::new(self, player);
        let confirmed = confirm(&replays, found, clock, on_progress).await;
        if let Err(error) = confirmed {
            return Some(format!("{error}; the server died while findings were played again"));
        }
        for (place, one) in found.iter_mut().enumerate() {
            let is_whole = !watched.contains(&place) || one.finding.is_dismissed();
            if one.state == CandidateState::Pending && is_whole && one.has_shown_again() {
                one.report(on_progress);
            }
        }
        None
    }
}

/// Plays all that is pending again.
async fn confirm(
    replays: &Replays,
    found: &mut [Candidate],
    clock: Clock,
    on_progress: OnProgress<'_>,
) -> Result<(), String> {
    let is_pending = |place: &usize| found[*place].state == CandidateState::Pending;
    let places: Vec<usize> = (0..found.len()).filter(is_pending).collect();
    let (light, heavy): (Vec<usize>, Vec<usize>) =
        places.iter().partition(|place| is_light(&found[**place].finding.script));
    let mut confirmed = 0;
    for group in [light, heavy] {
        replays.at_leisure().await;
        let mut playing = Playing::new();
        for (order, place) in group.into_iter().enumerate() {
            let (replays, finding) = (replays.clone(), found[place].finding.clone());
            playing.spawn(async move {
                sleep(PACE * order as u32).await;
                (place, replays.decide_and_play(finding).await.map(Some))
            });
        }
        let on_each = &mut || {
            confirmed += 1;
            on_progress(ProbeProgress::Confirming(confirmed, places.len()));
        };
        settle(replays, playing, found, clock, on_each).await?;
    }
    let mut playing = Playing::new();
    for place in places.iter().copied().filter(|place| never_showed_again(&found[*place])) {
        let Candidate { finding, sources, .. } = &found[place];
        let (replays, finding, sources) = (replays.clone(), finding.clone(), sources.clone());
        playing.spawn(async move { (place, replays.play_another(&finding, &sources).await) });
    }
    settle(replays, playing, found, clock, &mut || {}).await?;
    for place in rare(found, &places) {
        if clock.has_time_to_confirm(&found[place].finding.script) {
            replays.at_leisure().await;
            let (replays, finding) = (replays.clone(), found[place].finding.clone());
            let mut playing = Playing::new();
            playing.spawn(async move { (place, replays.play_often(finding).await.map(Some)) });
            take_in(playing, found, clock, &mut || {}).await?;
        }
    }
    Ok(())
}

/// Of each problem that no play again showed, what most scripts had shown: it may be rare.
fn rare(found: &[Candidate], places: &[usize]) -> Vec<usize> {
    let problem = |one: &Candidate| one.finding.violation.identity.problem();
    let shown = found.iter().filter(|one| one.has_shown_again() && !one.finding.is_dismissed());
    let shown: BTreeSet<_> = shown.map(problem).collect();
    let mut rare: BTreeMap<_, usize> = BTreeMap::new();
    for place in places.iter().copied().filter(|place| never_showed_again(&found[*place])) {
        let one = &found[place];
        if shown.contains(&problem(one)) || !is_light(&one.finding.script) {
            continue;
        }
        let most = rare.entry(problem(one)).or_insert(place);
        if found[*most].scripts.len() < one.scripts.len() {
            *most = place;
        }
    }
    rare.into_values().collect()
}

/// Whether none of the plays again showed what a finding says.
fn never_showed_again(one: &Candidate) -> bool {
    matches!(one.finding.dismissed, Some(Reason::NotRepeated { .. }))
}

/// Takes in what is played again, as far as there is time, and what showed only while the server
/// was busy once it was played with less beside it.
async fn settle(
    replays: &Replays,
    playing: Playing,
    found: &mut [Candidate],
    clock: Clock,
    on_each: &mut (dyn FnMut() + Send),
) -> Result<(), String> {
    let mut groups = Groups::default();
    let busy = take_in(playing, found, clock, on_each).await?;
    groups.add(&busy.into_keys().collect::<Vec<_>>());
    while let Some(group) = groups.next() {
        if !group.iter().all(|place| clock.has_time_to_confirm(&found[*place].finding.script)) {
            continue;
        }
        replays.at_leisure().await;
        let mut playing = Playing::new();
        for place in group.iter().copied() {
            let (replays, finding) = (replays.clone(), found[place].finding.clone());
            playing.spawn(async move { (place, replays.play(finding).await.map(Some)) });
        }
        let busy = take_in(playing, found, clock, &mut || {}).await?;
        if group.len() > 1 {
            groups.add(&busy.into_keys().collect::<Vec<_>>());
        } else {
            // Nothing else can be the reason.
            for (place, alone) in busy {
                found[place].finding = alone;
            }
        }
    }
    Ok(())
}

/// Takes in what is played again, as far as there is time. What showed only while the server was
/// busy is not confirmed by that; it is returned.
async fn take_in(
    mut playing: Playing,
    found: &mut [Candidate],
    clock: Clock,
    on_each: &mut (dyn FnMut() + Send),
) -> Result<BTreeMap<usize, ProbeFinding>, String> {
    let mut busy = BTreeMap::new();
    while let Ok(Some(Ok((place, again)))) =
        timeout_at(clock.confirmed(), playing.join_next()).await
    {
        on_each();
        let Some(Again { finding, was_busy }) = again? else { continue };
        found[place].finding = finding.clone();
        if was_busy {
            (found[place].finding.replays, found[place].finding.shown) = (0, 0);
            busy.insert(place, finding);
        }
    }
    Ok(busy)
}
