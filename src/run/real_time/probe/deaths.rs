//! A server that dies under a campaign: the campaign goes on where hangup can start the server
//! again, and one script is named.

use super::campaign::RawFinding;
use super::finding::ProbeFinding;
use super::outcome::{ProbeOutcome, ProbeProgress};
use super::{OnProgress, Probe};
use crate::exchange::{Death, Exchange};
use crate::finding::problem::Sighting;
use crate::run::real_time::deaths::{Kill, NotedDeath};
use crate::run::real_time::play_log::Suspect;
use crate::run::real_time::player::Player;
use crate::run::real_time::remote_subject::UrlRole;
use crate::run::real_time::subject::Subject;
use crate::script::Script;
use crate::verdict::{Identity, Verdict, Violation};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many scripts are named where none is proven to take the server down.
const NAMED: usize = 3;
/// How many are played one by one to prove it.
const ALONE: usize = 4;
/// How many more are played all at once, and in halves.
const TOGETHER: usize = 256;
/// How many deaths are looked into until a script is found.
const LOOKED_INTO: usize = 2;
/// What a play gets on top of the time after which the server had died.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the script that takes the server down is played again.
const REPLAYS: u32 = 2;

impl Probe {
    /// The server is gone, and hangup does not start it: takes back what only shows that. In one
    /// line, what happened.
    pub(super) fn take_gone(
        player: &Player,
        outcome: &mut ProbeOutcome,
        raw_findings: &mut BTreeMap<Identity, RawFinding>,
    ) -> String {
        let ended = player.note_gone();
        let show_that = |raw: &RawFinding| ended.contains(&raw.sources[0].script);
        let taken: Vec<Identity> =
            raw_findings.iter().filter(|(_, raw)| show_that(raw)).map(|(key, _)| *key).collect();
        for key in taken {
            raw_findings.remove(&key);
            outcome.sightings.remove(key);
        }
        format!(
            "the server died in the middle, after {} scripts: nothing answers any more",
            outcome.scripts
        )
    }

    /// Where the server died, and hangup starts it: the script that takes it down alone, where one
    /// does.
    pub(super) async fn look_into_deaths(
        &self,
        player: &Player,
        outcome: &mut ProbeOutcome,
        on_progress: OnProgress<'_>,
    ) -> Option<ProbeFinding> {
        if outcome.trouble.is_some() {
            // What died last may not be seen yet, or not be noted.
            player.died_since(player.starts()).await;
            if player.deaths().is_empty() && player.is_gone(self.subject.first()).await {
                Self::take_gone(player, outcome, &mut BTreeMap::new());
            }
        }
        // Of the resets at the end of what was played it may still die.
        if let Err(trouble) = player.settle().await {
            outcome.trouble.get_or_insert(trouble);
        }
        player.process()?;
        let mut plays = 0;
        for death in player.deaths().iter().take(LOOKED_INTO) {
            match self.killer(player, death, &mut plays, on_progress).await {
                Ok(None) => {}
                Ok(Some(found)) => return Some(found),
                Err(trouble) => {
                    outcome.trouble.get_or_insert(trouble);
                    return None;
                }
            }
        }
        None
    }

    /// Where the server died: the finding that says so, of the script that takes it down alone,
    /// or else of the likeliest.
    pub(super) fn tell_deaths(
        &self,
        player: &Player,
        outcome: &mut ProbeOutcome,
        killer: Option<ProbeFinding>,
    ) -> Option<ProbeFinding> {
        let deaths = player.deaths();
        let first = deaths.first()?;
        outcome.deaths.died = true;
        outcome.deaths.seen = deaths.iter().filter_map(|death| death.seen).collect();
        outcome.deaths.proven = killer.is_some();
        let finding = match killer {
            Some(killer) => killer,
            None => {
                let how = first.seen.map_or(Death::Unseen, |seen| seen.how);
                let named = first.suspects.iter().take(NAMED);
                let mut named = named.filter_map(|suspect| self.suspected(player, suspect, how));
                let likeliest = named.next()?;
                outcome.deaths.suspects = named.collect();
                likeliest
            }
        };
        let (first, scripts) = (finding.index, deaths.len() as u64);
        let level = finding.violation.level;
        outcome.sightings.add(finding.violation.identity, Sighting { first, scripts, level });
        Some(finding)
    }

    /// The script of a death that takes the server down alone, shrunk.
    async fn killer(
        &self,
        player: &Player,
        death: &NotedDeath,
        plays: &mut u32,
        on_progress: OnProgress<'_>,
    ) -> Result<Option<ProbeFinding>, String> {
        let mut kill = None;
        for suspect in death.suspects.iter().take(ALONE) {
            *plays += 1;
            on_progress(ProbeProgress::Dying(*plays));
            kill = self.killed_by(player, suspect).await?;
            if kill.is_some() {
                break;
            }
        }
        if kill.is_none() {
            let rest = death.suspects.iter().skip(ALONE).take(TOGETHER).collect();
            kill = self.killer_among(player, rest, plays, on_progress).await?;
        }
        let Some((subject, kill)) = kill else { return Ok(None) };
        self.shrunk(player, &subject, kill, plays, on_progress).await.map(Some)
    }

    /// The one of these that takes the server down alone: they are played all at once, and then in
    /// halves, of which the one under which it dies is looked into.
    async fn killer_among(
        &self,
        player: &Player,
        mut group: Vec<&Suspect>,
        plays: &mut u32,
        on_progress: OnProgress<'_>,
    ) -> Result<Option<(Subject, Kill)>, String> {
        let mut deadly = async |group: &[&Suspect]| {
            *plays += group.len() as u32;
            on_progress(ProbeProgress::Dying(*plays));
            let lived = group.iter().map(|suspect| suspect.lived).max().unwrap_or_default();
            let script = |one: &&Suspect| Some((self.at(&one.url)?.1.clone(), one.drawn.clone()));
            let together = group.iter().filter_map(script).collect();
            let died = player.deadly(together, Some(lived + PATIENCE)).await?;
            Ok::<bool, String>(!died.is_empty())
        };
        if group.is_empty() || !deadly(&group).await? {
            return Ok(None);
        }
        while group.len() > 1 {
            let other = group.split_off(group.len() / 2);
            // A busy machine may make the server die too late, once.
            if deadly(&group).await? {
                continue;
            }
            if deadly(&other).await? {
                group = other;
            } else if !deadly(&group).await? {
                return Ok(None);
            }
        }
        self.killed_by(player, group[0]).await
    }

    /// What a suspect comes to alone, in about the time that the server had lived, where it takes
    /// the server down.
    async fn killed_by(
        &self,
        player: &Player,
        suspect: &Suspect,
    ) -> Result<Option<(Subject, Kill)>, String> {
        let Some((_, subject)) = self.at(&suspect.url) else { return Ok(None) };
        let limit = suspect.lived + PATIENCE;
        let kill = player.kills_twice(subject, &suspect.drawn, limit).await?;
        Ok(kill.map(|kill| (subject.clone(), kill)))
    }

    /// Shrinks a script that takes the server down, and plays it again.
    async fn shrunk(
        &self,
        player: &Player,
        subject: &Subject,
        kill: Kill,
        plays: &mut u32,
        on_progress: OnProgress<'_>,
    ) -> Result<ProbeFinding, String> {
        let index = self.index_of(&kill.script);
        let role = self.at(subject.name()).map_or(UrlRole::Plain, |(role, _)| role);
        on_progress(ProbeProgress::Dying(*plays));
        let (kill, shrunk) = player.shrink_kill(subject, role, kill).await?;
        *plays += shrunk.plays;
        let mut shown = 0;
        for _ in 0..REPLAYS {
            shown += u32::from(player.kills(subject, &kill.script, None).await?.is_some());
            *plays += 1;
            on_progress(ProbeProgress::Dying(*plays));
        }
        let violation = violation(&kill.verdict).ok_or("a death that breaks no rule")?;
        let url = subject.name().to_owned();
        Ok(ProbeFinding {
            shrunk: true,
            cut_short: !shrunk.is_minimal,
            index,
            plays: shrunk.plays,
            replays: REPLAYS,
            shown,
            ..ProbeFinding::seen(violation, kill.exchange, kill.script, url)
        })
    }

    /// A finding of a script that is not proven to take the server down; it is not dismissed:
    /// the server died.
    fn suspected(&self, player: &Player, suspect: &Suspect, how: Death) -> Option<ProbeFinding> {
        let (exchange, verdict) = player.gone_after(Exchange::new(false), how);
        let (script, url) = (suspect.script.clone(), suspect.url.clone());
        Some(ProbeFinding {
            index: self.index_of(&suspect.drawn),
            ..ProbeFinding::seen(violation(&verdict)?, exchange, script, url)
        })
    }

    /// The URL of this name, and its role.
    fn at(&self, url: &str) -> Option<(UrlRole, &Subject)> {
        self.subject.parts().find(|(_, subject)| subject.name() == url)
    }

    /// The index of a script of the campaign; 0 of one that is none of it.
    fn index_of(&self, script: &Script) -> u64 {
        let is_it = |index: &u64| {
            let (_, drawn) = self.subject.nth(&self.limits.bounds, self.seed, *index);
            script.steps.starts_with(&drawn.steps) && script.steps.len() <= drawn.steps.len() + 1
        };
        (0..self.scripts).find(is_it).unwrap_or_default()
    }
}

fn violation(verdict: &Verdict) -> Option<Violation> {
    verdict.violations.first().cloned()
}
