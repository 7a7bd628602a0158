//! What is asked of a server over real TCP, checked: its URLs, TLS, manners; and
//! `replay --url`, `shrink --url`.

use super::args::{Anywhere, Reach};
use super::files::{self, Content};
use super::saved::make_directory;
use super::{CLEAN, Done, FINDINGS, Trouble, output, probe_report};
use crate::bounds::Bounds;
use crate::exchange::Exchange;
use crate::finding::repro::{Replay, Repro};
use crate::finding::save;
use crate::report;
use crate::report::model::ReplayReport;
use crate::run::real_time::{
    PlayLimits, Player, ProbeFinding, REMOTE_BUDGET, RemoteServer, RemoteShrunk, UrlRole,
};
use crate::script::{Millis, Script};
use crate::transport::tcp::endpoint::{Endpoint, RequestOptions};
use crate::transport::tcp::tls;
use crate::verdict::{Identity, Invariant, Verdict, Violation};
use crate::wire::Opening;
use std::path::Path;
use std::time::Duration;

/// How many connections `shrink` has open at once.
const AT_ONCE: usize = 32;
/// Descriptors that are open beside connections.
const SPARE: u64 = 64;
/// The most that an ending in virtual time is waited for.
const WATCH: Duration = Duration::from_mins(1);
/// How often a script is played before it counts as fixed.
const REPLAYS: u32 = 2;

/// How a server is asked; with TLS where one of its URLs wants it.
pub(super) fn asking(reach: &Reach, urls: &[&str]) -> Result<RequestOptions, Trouble> {
    let secure = urls.iter().any(|url| url.starts_with("wss://"));
    let tls = match (&reach.ca, reach.insecure) {
        _ if !secure => None,
        (_, true) => Some(tls::trusting()?),
        (None, false) => Some(tls::verifying(None)?),
        (Some(file), false) => {
            let at = file.display();
            let pem = std::fs::read(file).map_err(|error| format!("{at}: {error}"))?;
            Some(tls::verifying(Some(&pem)).map_err(|error| format!("{at}: {error}"))?)
        }
    };
    Ok(RequestOptions {
        headers: reach.header.clone(),
        subprotocols: reach.subprotocol.clone(),
        host: reach.host.clone(),
        tls,
    })
}

/// A URL of a server that may be tested.
pub(super) fn endpoint(
    url: &str,
    asking: &RequestOptions,
    reach: &Reach,
) -> Result<Endpoint, Trouble> {
    let endpoint = Endpoint::resolve(url, asking)?;
    match endpoint.public_address().filter(|_| !reach.i_may_test_this_host) {
        None => Ok(endpoint),
        Some(address) => Err(format!(
            "{url} is at {address}, neither on this machine nor in a private network; with \
             --i-may-test-this-host you say that you may test it"
        )),
    }
}

/// Has so many connections allowed by the system.
pub(super) fn allow(connections: usize) -> Result<(), Trouble> {
    let needed = connections as u64 + SPARE;
    let allowed = rlimit::increase_nofile_limit(needed).unwrap_or(u64::MAX);
    if allowed < needed {
        let most = allowed.saturating_sub(SPARE);
        return Err(format!(
            "--concurrency {connections} needs {needed} open files, and the system allows {allowed}: \
             raise that (ulimit -n), or take --concurrency {most}"
        ));
    }
    Ok(())
}

/// A runtime in real time.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Trouble> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| format!("no runtime: {error}"))
}

/// A script to be played on one URL.
struct Case {
    endpoint: Endpoint,
    part: UrlRole,
    script: Script,
    limits: PlayLimits,
    repro: Option<Repro>,
}

impl Case {
    fn open(url: &str, options: &Anywhere) -> Result<Self, Trouble> {
        let at = options.file.file.display();
        let (script, own, repro) = match files::read(&options.file.file)? {
            Content::Repro(repro) => (repro.script.clone(), repro.bounds, Some(*repro)),
            Content::Script(script) => (script, Bounds::default(), None),
        };
        let is_measured = |repro: &Repro| repro.identity.invariant() == Invariant::WorkInProportion;
        if repro.as_ref().is_some_and(is_measured) {
            return Err(format!(
                "{at}: what a server's work costs is measured in process, and not over TCP: play it \
                 without --url"
            ));
        }
        let part = UrlRole::of(&script).ok_or_else(|| {
            format!(
                "{at}: nobody can tell an application over TCP what to do; of `app` steps there may \
                 be one, `app close` or `app send text`, right behind `upgrade`, for a URL that does it"
            )
        })?;
        let asking = asking(&options.reach, &[url])?;
        let opening = repro.as_ref().map_or(Opening::usual(), |repro| &repro.opening);
        let asking = asking_as_saved(asking, opening);
        let endpoint = endpoint(url, &asking, &options.reach)?;
        let bounds = own.held_to(options.file.close_within.map(Millis::duration));
        let slack = options.reach.slack.duration();
        let repro = repro.map(|repro| Repro { identity: repro.identity.over_tcp(), ..repro });
        let horizon = repro.as_ref().map_or(Duration::ZERO, watched_for).max(bounds.longest() * 2);
        let limits = PlayLimits { bounds, slack, horizon, watch: horizon };
        Ok(Self { endpoint, part, script, limits, repro })
    }

    async fn meet(&self) -> Result<Player, Trouble> {
        // What the URL does is looked at as well.
        let server = RemoteServer::new(self.endpoint.clone());
        let server = match self.part {
            UrlRole::Plain => server,
            part => server.with(part, self.endpoint.clone()),
        };
        Player::preflight(&server, self.limits, AT_ONCE).await
    }

    /// Plays until a rule is broken as saved, or broken at all where nothing is saved,
    /// twice at most.
    async fn play(&self, player: &Player) -> Result<(Exchange, Verdict), Trouble> {
        let wanted = |verdict: &Verdict| match &self.repro {
            Some(repro) => verdict.find(repro.identity).is_some(),
            None => !verdict.is_clean(),
        };
        let mut played = player.play(&self.endpoint, &self.script).await?;
        for _ in 1..REPLAYS {
            if !wanted(&played.1) {
                played = player.play(&self.endpoint, &self.script).await?;
            }
        }
        Ok(played)
    }
}

/// With the headers and subprotocols of a file, but for those that are given anew. The URL has the
/// path, and the host.
fn asking_as_saved(mut asking: RequestOptions, opening: &Opening) -> RequestOptions {
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let given: Vec<String> = asking.headers.iter().map(|line| name(line)).collect();
    let saved =
        opening.headers().iter().filter(|(own, _)| !given.contains(&own.to_ascii_lowercase()));
    asking.headers.extend(saved.map(|(name, value)| format!("{name}: {value}")));
    if asking.subprotocols.is_empty() {
        asking.subprotocols = opening.subprotocols().to_vec();
    }
    asking
}

/// For how long a connection has to be watched to see what was saved: whether the server ends it
/// by itself, or leaves it open.
fn watched_for(repro: &Repro) -> Duration {
    let seconds = repro.at_seconds.filter(|seconds| seconds.is_finite() && *seconds > 0.0);
    let seconds = seconds.filter(|_| ["late", "open"].contains(&repro.ending.as_str()));
    let watched = Duration::from_secs_f64(seconds.unwrap_or_default().min(1e6));
    // In virtual time twelve hours are nothing.
    if probe_report::is_over_tcp(repro) { watched + watched / 10 } else { watched.min(WATCH) }
}

pub(super) fn replay(url: &str, options: &Anywhere) -> Done {
    let case = Case::open(url, options)?;
    let Some(repro) = &case.repro else {
        let at = options.file.file.display();
        return Err(format!(
            "{at}: a script has no verdict to compare with; `{} shrink {} --url {}{}` plays it, and saves \
             what it finds",
            output::program(),
            report::pasteable(&options.file.file),
            report::quoted(url),
            options
                .reach
                .words()
                .iter()
                .fold(String::new(), |words, word| { words + " " + &report::quoted(word) }),
        ));
    };
    let (exchange, verdict) = runtime()?.block_on(async {
        let player = case.meet().await?;
        case.play(&player).await
    })?;
    let replay = repro.compare(&verdict);
    let code = files::tell(&ReplayReport::of(url, repro, &replay, &exchange, true));
    let shown = match &replay {
        Replay::Reproduced(violation) => Some(violation),
        Replay::Dismissed | Replay::Fixed | Replay::Unproven(_) => None,
        Replay::Different(violations) => violations.first(),
    };
    if let Some(violation) = shown {
        output::print(&format!("\n{}", report::timeline(&exchange, Some(violation))));
    }
    Ok(code)
}

pub(super) fn shrink(url: &str, options: &Anywhere) -> Done {
    let case = Case::open(url, options)?;
    allow(AT_ONCE)?;
    let found = runtime()?.block_on(async {
        let player = case.meet().await?;
        let (_, verdict) = case.play(&player).await?;
        let saved = case.repro.as_ref().and_then(|repro| verdict.find(repro.identity));
        let Some(violation) = saved.or(verdict.violations.first()) else { return Ok(None) };
        let identity = violation.identity;
        output::note(&format!("shrinking {identity}: at most {REMOTE_BUDGET} plays, many at once"));
        minimal(&case, &player, identity).await.map(Some)
    })?;
    let Some(found) = found else {
        output::line(&format!("nothing to shrink: {url} keeps every rule here"));
        return Ok(CLEAN);
    };
    let repro = probe_report::repro(&found, case.limits.bounds);
    output::print(&found.script.to_string());
    let steps = |script: &Script| report::count(script.steps.len(), "step");
    output::note(&format!(
        "{} to {} in {} plays",
        steps(&case.script),
        steps(&found.script),
        found.plays
    ));
    make_directory(Path::new(save::DIRECTORY));
    let saved = save::repro(Path::new(save::DIRECTORY), &repro);
    let path =
        saved.map_err(|error| format!("not saved: {}: {error}", report::headline(&repro)))?;
    output::note(&format!("saved as {}", path.display()));
    Ok(FINDINGS)
}

/// The minimal script, and what it shows.
async fn minimal(
    case: &Case,
    player: &Player,
    identity: Identity,
) -> Result<ProbeFinding, Trouble> {
    let Case { endpoint, part, script, .. } = case;
    let RemoteShrunk { script, plays, is_minimal } =
        player.shrink(endpoint, *part, identity, script.clone(), AT_ONCE).await;
    let (mut replays, mut shown): (u32, Option<(Violation, Exchange)>) = (0, None);
    while shown.is_none() {
        if replays > REPLAYS {
            return Err("what was shrunk does not show again: the finding is flaky".to_owned());
        }
        replays += 1;
        let (exchange, verdict) = player.play(endpoint, &script).await?;
        shown =
            verdict.find_at_the_deadline(identity).cloned().map(|violation| (violation, exchange));
    }
    let (violation, exchange) = shown.expect("the loop has ended");
    let url = endpoint.url.clone();
    let (index, shown, dismissed) = (0, 1, None);
    let shrunk = true;
    Ok(ProbeFinding {
        violation,
        script,
        shrunk,
        cut_short: !is_minimal,
        url,
        index,
        plays,
        replays,
        shown,
        dismissed,
        exchange,
    })
}

/// A duration as people say it.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_of_the_opening_is_sent_but_for_what_is_given_anew() {
        let saved = Opening::new()
            .with_path("/ws")
            .and_then(|saved| saved.with_header("Authorization", "old"))
            .and_then(|saved| saved.with_header("X-Version", "2"))
            .and_then(|saved| saved.with_subprotocol("chat"))
            .expect("legal");
        let asked = |asking| asking_as_saved(asking, &saved);
        let plain = asked(RequestOptions::default());
        assert_eq!(plain.headers, ["Authorization: old", "X-Version: 2"]);
        assert_eq!((plain.subprotocols, plain.host), (vec!["chat".to_owned()], None));
        let anew = asked(RequestOptions {
            headers: vec!["authorization: new".to_owned()],
            subprotocols: vec!["other".to_owned()],
            ..RequestOptions::default()
        });
        assert_eq!(anew.headers, ["authorization: new", "X-Version: 2"]);
        assert_eq!(anew.subprotocols, ["other"]);
    }
}
