//! Findings and campaigns in words and pictures; only the command line prints.
//!
//! What is said is data (`model`, and `page` for what has pictures), and the rest lays it out: `text`
//! and `html` for people, `markdown` and `github` where CI shows it, `drawing` as a picture, `json` and
//! `junit` for machines.

mod bound;
#[cfg(feature = "cli")]
mod bug_report;
#[cfg(feature = "cli")]
mod capture;
#[cfg(feature = "cli")]
pub mod comparison;
mod deaths;
#[cfg(feature = "cli")]
mod drawing;
#[cfg(feature = "cli")]
mod github;
#[cfg(feature = "cli")]
pub mod glossary;
mod holdings_chart;
#[cfg(feature = "cli")]
mod html;
#[cfg(feature = "cli")]
mod json;
#[cfg(feature = "cli")]
mod junit;
mod lost_workers;
#[cfg(feature = "cli")]
mod markdown;
#[cfg(feature = "cli")]
mod markdown_survey;
pub mod model;
#[cfg(feature = "cli")]
pub mod page;
#[cfg(feature = "cli")]
mod quotes;
mod reach;
mod scene;
mod sentence;
#[cfg(feature = "cli")]
mod survey;
mod table;
mod text;
mod timeline;
mod what_matters;
mod whole_server;
mod wire_log;
#[cfg(feature = "cli")]
mod wire_saved;
mod work;

#[cfg(feature = "cli")]
pub use bound::{Since, close_option};
#[cfg(feature = "cli")]
pub use bug_report::{BugReport, bug_report, route, without_folders};
#[cfg(feature = "cli")]
pub use capture::pcapng;
pub use deaths::{DeathSeen, ServerDeaths, SuspectFile, printed};
#[cfg(feature = "cli")]
pub use drawing::{Picture, svg};
#[cfg(feature = "cli")]
pub use github::{annotations, guarded};
#[cfg(feature = "cli")]
pub use html::html;
#[cfg(feature = "cli")]
pub use json::json;
#[cfg(feature = "cli")]
pub use junit::{Suite, junit};
#[cfg(feature = "cli")]
pub use markdown::markdown;
#[cfg(feature = "cli")]
pub use quotes::quote;
pub(crate) use reach::no_effect;
pub use scene::Scene;
#[cfg(feature = "cli")]
pub use sentence::broken_too;
pub use sentence::sentence;
pub use text::{
    Style, accepted, as_seen, cannot_judge, count, finding, first_seen, headline, jump, of_scripts,
    pasteable, percent, problem_headline, quoted, recapitulation, replay, saved, stale, summary,
    target, test_command, thousands, variants, with_legend, wrap, wrap_to,
};
pub use timeline::{Item, Kind, Lane, Row, Sort, Timeline, timeline};
pub use what_matters::{StepSays, step_says, what_matters};
pub use wire_log::{WireLine, wire_lines, wire_log};
pub use work::figures;

use crate::bounds::Bounds;
use crate::exchange::Exchange;
use crate::finding::Finding;
use crate::finding::repro::{Repro, Seen, ending_fields};
use crate::script::Script;
use crate::target::Target;
use crate::verdict::Violation;
use crate::wire::Opening;
use std::fmt::Write as _;

/// What is said of a file that is no report in JSON.
#[cfg(feature = "cli")]
fn not_a_report(why: &str) -> String {
    format!("not a report of `hangup test`, `probe` or `listen` with `--format json`: {why}")
}

/// How many lines of a timeline go into a repro file: the first ones, and the last.
const TIMELINE_LINES: (usize, usize) = (60, 20);
/// The same of the wire log.
const WIRE_LINES: (usize, usize) = (80, 40);

/// The repro of a finding.
pub fn repro(target: &dyn Target, bounds: Bounds, finding: &Finding) -> Repro {
    let Finding { violation, script, exchange, runtime_seed, .. } = finding;
    let shown = Shown { violation, script, exchange, runtime_seed: *runtime_seed };
    let mut repro = shown.repro((target.name(), target.version()), target.opening(), bounds);
    if finding.is_flaky() {
        let share = finding.rate * 100.0;
        let _ = write!(repro.sentence, " Not each time: {share:.0} % of replays show it.");
    }
    repro
}

/// What a repro is made of, wherever it was played.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The violation, as the script shows it.
    pub violation: &'a Violation,
    /// The minimal script.
    pub script: &'a Script,
    /// The script's exchange.
    pub exchange: &'a Exchange,
    /// The seed of the runtime's own choices; 0 in real time.
    pub runtime_seed: u64,
}

impl Shown<'_> {
    /// The repro of something that `target`, a name and a version, showed when it was sent this
    /// `opening`.
    pub fn repro(&self, target: (&str, &str), opening: &Opening, bounds: Bounds) -> Repro {
        let Self { violation, script, exchange, runtime_seed } = *self;
        let (ending, at_seconds) = ending_fields(violation.ending);
        Repro {
            hangup: env!("CARGO_PKG_VERSION").to_owned(),
            target: (target.0.to_owned(), target.1.to_owned()),
            role: exchange.subject,
            opening: opening.clone(),
            bounds,
            identity: violation.identity,
            level: violation.level,
            ending,
            at_seconds,
            sentence: numbered_sentence(violation, exchange),
            script: script.clone(),
            runtime_seed,
            digest: exchange.digest(),
            confirmed: violation.doubts.is_empty(),
            // Nothing was seen where a run was interrupted before the script was played again.
            seen: Some(Seen {
                timeline: bounded(&timeline(exchange, Some(violation)), TIMELINE_LINES),
                wire: bounded(&wire_log(exchange), WIRE_LINES),
            })
            .filter(|seen| !seen.timeline.is_empty() && !seen.wire.is_empty()),
        }
    }
}

/// What a violation is, with the number of its connection where there are several.
fn numbered_sentence(violation: &Violation, exchange: &Exchange) -> String {
    match connection_of(violation, exchange) {
        Some(number) => format!("Connection {number}: {}", sentence(violation, exchange)),
        None => sentence(violation, exchange),
    }
}

/// Which of several connections a violation is about, by its number in the script; `None` where it is
/// the whole server, or where there is one only.
fn connection_of(violation: &Violation, exchange: &Exchange) -> Option<u32> {
    let is_whole = violation.identity.invariant().is_told_of_the_whole_server();
    let several = exchange.connections().count() > 1;
    (several && !is_whole).then(|| timeline::connection_number(violation.connection))
}

/// The first lines and the last ones of a text, with a word on what is left out between them.
fn bounded(text: &str, (first, last): (usize, usize)) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let Some(left_out) = lines.len().checked_sub(first + last + 1).filter(|left_out| *left_out > 0)
    else {
        return text.to_owned();
    };
    let left_out = left_out + 1;
    let word = format!("{:15}... {} left out ...", "", count(left_out, "line"));
    let word = word.as_str();
    let (first, last) = (&lines[..first], &lines[lines.len() - last..]);
    let kept = first.iter().chain([&word]).chain(last);
    kept.flat_map(|line| [*line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_connections_it_is_said_which_one_a_violation_is_about() {
        let registry = crate::target::Registry::built_in();
        let target = registry.find("tungstenite/no-deadline").expect("built in");
        let told = |text: &str| {
            let script: Script = text.parse().expect(text);
            let bounds = target.bounds();
            let (exchange, verdict) =
                crate::run::virtual_time::play_and_judge(target, &bounds, &script, 0);
            let violation = verdict.violations.first().expect("it hangs");
            let (script, exchange) = (&script, &exchange);
            let shown = Shown { violation, script, exchange, runtime_seed: 0 };
            let repro = shown.repro((target.name(), ""), &Opening::usual().clone(), bounds);
            let scene = Scene::of(exchange, Some(violation));
            let read = Repro::parse(&repro.to_text()).expect("it reads back");
            assert_eq!(read, repro);
            (repro.sentence.split(' ').take(2).collect::<Vec<_>>().join(" "), scene.connection)
        };
        assert_eq!(told("upgrade\napp close\n"), ("The server".to_owned(), None));
        let second = told("upgrade\n2: upgrade\n2: app close\n");
        assert_eq!(second, ("Connection 2:".to_owned(), Some(2)));
    }

    #[test]
    fn a_long_text_keeps_its_ends_and_says_how_much_is_left_out() {
        let text = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let word = |count| format!("{:15}... {count} lines left out ...", "");
        assert_eq!(bounded(text, (2, 1)), format!("1\n2\n{}\n9\n", word(6)));
        assert_eq!(bounded(text, (5, 2)), format!("1\n2\n3\n4\n5\n{}\n8\n9\n", word(2)));
        assert_eq!(bounded(text, (6, 2)), text, "a line is not worth a word");
    }
}
