//! `replay`, `shrink`, `show`: what is done with a file. What it makes a target do may
//! take a process down, so that it is played in a worker.

use super::args::{BoundOptions, File, MEMORY_MIB, Replay, Show};
use super::pages::{self, Drawn};
use super::patience::Patience;
use super::saved::save_shrunk;
use super::stop::Stop;
use super::{
    CLEAN, COULD_NOT, Done, FINDINGS, Trouble, export, output, roles, runs, start, what_matters,
};
use crate::bounds::Bounds;
use crate::excerpt;
use crate::exchange::{Exchange, Time};
use crate::finding::Finding;
use crate::finding::input;
use crate::finding::repro::Repro;
use crate::report::model::{FindingReport, ReplayReport, ReplayResult};
use crate::report::page;
use crate::report::{self, Scene, StepSays};
use crate::run::control_play::judge_and_decide;
use crate::run::virtual_time::PARKS;
use crate::run::workers::WorkerPool;
use crate::script::{Act, AppSteps, ParseError, Script};
use crate::shrink::WhatMatters;
use crate::target::{Deviation, NoTarget, Registry, Target, with_opening};
use crate::transport::memory::EVENTS;
use crate::verdict::{Identity, Invariant, Verdict, Violation};
use owo_colors::OwoColorize as _;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file, read, with the target that it is about.
struct Case {
    target: Arc<dyn Target>,
    bounds: Bounds,
    script: Script,
    runtime_seed: u64,
    /// The repro; `None` for a mere script.
    repro: Option<Repro>,
    pool: WorkerPool,
}

/// What a file has in it.
pub(super) enum Content {
    Repro(Box<Repro>),
    Script(Script),
}

/// Stands for standard input.
const STDIN: &str = "-";

/// What a file is called.
pub(super) fn named(file: &Path) -> String {
    if file == Path::new(STDIN) { "standard input".to_owned() } else { excerpt::path(file) }
}

fn bytes(file: &Path, most: u64) -> io::Result<Vec<u8>> {
    if file == Path::new(STDIN) {
        return input::bytes_of(io::stdin().lock(), most);
    }
    input::bytes(file, most)
}

/// A file's text, of at most so many bytes.
pub(super) fn text(file: &Path, most: u64) -> Result<String, Trouble> {
    let at = named(file);
    let bytes = bytes(file, most).map_err(|error| format!("{at}: {error}"))?;
    String::from_utf8(bytes).map_err(|_| format!("{at}: not a text file"))
}

/// Reads a file's repro, or the script that it is, as a fuzzer's artifact is one.
pub(super) fn read(file: &Path) -> Result<Content, Trouble> {
    let at = named(file);
    let text = text(file, input::REPRO)?;
    if looks_like_repro(&text) {
        let repro = Repro::parse(&text).map_err(|error| format!("{at}: {error}"))?;
        return Ok(Content::Repro(Box::new(repro.escaped())));
    }
    let script: Script = text.parse().map_err(|error: ParseError| {
        let is_step = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with('#');
        // Who has written a step means a script.
        if text.lines().take(error.line.saturating_sub(1)).any(|line| is_step(&line)) {
            format!("{at}, {error}")
        } else {
            format!("{at}: neither a repro (it has no `format`) nor a script: {error}")
        }
    })?;
    if script.steps.is_empty() {
        return Err(format!("{at}: has no steps"));
    }
    Ok(Content::Script(script))
}

impl Case {
    /// A file's repro, or the script that it is, as a fuzzer's artifact is one.
    fn open(registry: &Registry, options: &File, stop: &Stop) -> Result<Self, Trouble> {
        Self::of(registry, options, read(&options.file)?, stop)
    }

    fn of(
        registry: &Registry,
        options: &File,
        content: Content,
        stop: &Stop,
    ) -> Result<Self, Trouble> {
        let at = named(&options.file);
        let repro = match content {
            Content::Repro(repro) => *repro,
            Content::Script(script) => {
                let Some(name) = &options.target else {
                    return Err(format!(
                        "{at} is a script: say with --target, --url or --run what to play it against"
                    ));
                };
                let target = find(registry, name)?;
                roles::check_script(&at, &script, &*target)?;
                let bounds = options.bound_options.hold(target.bounds());
                let pool = pool(options, stop);
                return Ok(Self { target, bounds, script, runtime_seed: 0, repro: None, pool });
            }
        };
        let name = options.target.as_ref().unwrap_or(&repro.target.0);
        if name.contains("://") {
            // What has no port of its own was started by hangup.
            let run = if name.contains(start::PORT) { " with --run 'COMMAND'" } else { "" };
            return Err(format!(
                "{at} is about a running server: add --url {name}{run}, or --target for one in process"
            ));
        }
        if options.target.is_none() && repro.is_over_tcp() {
            let (line, tls) = (report::quoted(name), start::tls_of(name));
            return Err(format!(
                "{at} is about a client that hangup starts: add --run {line}{tls}"
            ));
        }
        let mut target = find(registry, name)?;
        roles::check_repro(&at, repro.role, &*target)?;
        // A file that says nothing of the opening is of a server that asked for nothing, or of one
        // that has moved since: its own request is the best guess.
        if !repro.opening.is_usual() {
            target = with_opening(target, &repro.opening);
        }
        let bounds = options.bound_options.hold(repro.bounds);
        let script = repro.script.clone();
        let (runtime_seed, repro, pool) = (repro.runtime_seed, Some(repro), pool(options, stop));
        Ok(Self { target, bounds, script, runtime_seed, repro, pool })
    }

    /// Says what it is at, where that takes long.
    fn patience(&self, at: &str, options: &File) -> Patience {
        let name = excerpt::clipped(self.target.name(), excerpt::MOST_OF_A_PATH);
        Patience::with(format!("{at} {} against {name}", named(&options.file)))
    }

    fn play(&mut self) -> Result<(Exchange, Verdict), Trouble> {
        let (bounds, seed) = (self.bounds, self.runtime_seed);
        let Self { pool, target, script, .. } = self;
        let mut play = |script: &Script| pool.play(target, bounds, script, seed);
        let mut exchange = play(script)?;
        exchange.work = pool.work_of(target, bounds, script)?;
        let mut play = |script: &Script| pool.play(target, bounds, script, seed);
        let verdict = judge_and_decide(&exchange, &bounds, script, &mut play)?;
        Ok((exchange, verdict))
    }

    /// What of the script matters for a problem to show, by plays.
    fn what_matters(&mut self, identity: Identity) -> Result<WhatMatters<String>, Trouble> {
        let Self { pool, target, script, bounds, runtime_seed, .. } = self;
        what_matters::find(pool, target, *bounds, (script, *runtime_seed), identity)
    }

    /// That nothing was broken says nothing where no WebSocket opens.
    fn has_to_open(&mut self) -> Result<(), Trouble> {
        let why = self.pool.could_not_test(&self.target, self.bounds)?;
        why.map_or(Ok(()), |why| Err(format!("{} could not be tested: {why}", self.target.name())))
    }

    /// The violation that this is about: the repro's, else the first that the target
    /// does not accept, else the first.
    fn violation(&self, verdict: &Verdict) -> Option<Violation> {
        let saved = self.repro.as_ref().and_then(|repro| verdict.find(repro.identity));
        let unaccepted = || self.unaccepted(verdict).next();
        saved.or_else(unaccepted).or(verdict.violations.first()).cloned()
    }

    /// The violations that the target does not accept.
    fn unaccepted<'a>(&self, verdict: &'a Verdict) -> impl Iterator<Item = &'a Violation> {
        let accepts = |violation: &Violation| {
            Deviation::accepting(self.target.deviations(), violation.identity).is_some()
        };
        verdict.violations.iter().filter(move |violation| !accepts(violation))
    }

    /// What a page tells of a violation; what can be pasted is about the file.
    fn told(&self, violation: Violation, exchange: Exchange, file: &File) -> FindingReport {
        let finding = self.finding(violation, exchange);
        // Standard input cannot be read again, and a script is no finding yet.
        let path = self.repro.as_ref().filter(|_| file.file != Path::new(STDIN));
        let path = path.map(|_| file.file.clone());
        let report = FindingReport::of(&*self.target, self.bounds, &finding, path);
        FindingReport { exports: export::can(&report.repro), ..report }
    }

    fn finding(&self, violation: Violation, exchange: Exchange) -> Finding {
        let (script, runtime_seed) = (self.script.clone(), self.runtime_seed);
        Finding {
            violation,
            script,
            shrunk: false,
            index: 0,
            runtime_seed,
            plays: 0,
            rate: 1.0,
            exchange,
            cut_short: false,
            dismissed: None,
        }
    }
}

/// Why not all of a play was watched, where that is so.
fn cut_short(exchange: &Exchange) -> Option<String> {
    let what = match () {
        () if !exchange.was_cut_short() => return None,
        () if exchange.events.len() > EVENTS => {
            format!("{} events, the most that are recorded", report::thousands(EVENTS as u64))
        }
        () => format!("{} turns of its runtime", report::thousands(u64::from(PARKS))),
    };
    Some(format!("watched no further than to {}: after {what}", last_time(exchange)))
}

fn last_time(exchange: &Exchange) -> Time {
    exchange.events.last().map_or(Time::ZERO, |event| event.at)
}

fn tell_cut_short(exchange: &Exchange) {
    if let Some(why) = cut_short(exchange) {
        output::note(&why);
    }
}

/// Says which commands of a script a target does not get.
fn tell_skipped(script: &Script, target: &dyn Target) {
    let mut skipped: Vec<String> = Vec::new();
    for step in &script.steps {
        let Act::App(command, _) = &step.act else { continue };
        if !target.obeys().contain(AppSteps::of(command)) {
            let step = Script { steps: vec![step.clone()] }.to_string();
            skipped.push(format!("`{}`", step.trim_end()));
        }
    }
    skipped.dedup();
    if !skipped.is_empty() {
        let skipped = skipped.join(", ");
        output::note(&format!("skipped: {skipped} ({} does not obey it)", target.name()));
    }
}

/// One worker is enough for one script.
fn pool(options: &File, stop: &Stop) -> WorkerPool {
    WorkerPool::new(1, u64::from(options.memory) << 20, &stop.interrupt)
}

/// A repro has keys; a script has none. Half of a repro must not be read as a script.
fn looks_like_repro(text: &str) -> bool {
    let line = |line: &str| {
        line.split_once('=').is_some_and(|(key, _)| {
            let key = key.trim();
            !key.is_empty()
                && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        })
    };
    text.lines().any(|text| line(text) || text.starts_with('['))
}

fn find(registry: &Registry, name: &str) -> Result<Arc<dyn Target>, Trouble> {
    registry.resolve(name).map_err(|error| match error {
        NoTarget::Unknown { .. } => format!(
            "{error}; choose one with --target, or run the binary or test that wrote the file"
        ),
        NoTarget::CannotCompose { .. } => error.to_string(),
    })
}

pub(super) fn replay(registry: &Registry, options: &Replay, stop: &Stop) -> Done {
    let file = &options.anywhere.file;
    let mut case = Case::open(registry, file, stop)?;
    let patience = case.patience("playing", file);
    let (exchange, verdict) = case.play()?;
    tell_skipped(&case.script, &*case.target);
    if verdict.is_clean() {
        case.has_to_open()?;
        if let Some(why) = cut_short(&exchange) {
            return Err(format!("{}: {why}", named(&file.file)));
        }
    }
    drop(patience);
    let report = match &case.repro {
        Some(repro) => {
            let replay = repro.compare(&verdict);
            ReplayReport::of(case.target.name(), repro, &replay, &exchange, false)
                .held_to(&case.bounds)
        }
        None => of_script(&case, &exchange, &verdict),
    };
    let broken = matches!(report.result, ReplayResult::Reproduced | ReplayResult::Different);
    let violation = broken.then(|| case.violation(&verdict)).flatten();
    let unproven = verdict.unproven().next();
    let scene = Scene::of(&exchange, unproven);
    let finding = violation.map(|violation| case.told(violation, exchange, file));
    let shown = finding.as_ref().ok_or(scene);
    let version = case.target.version();
    pages::html(
        options.html.as_deref(),
        || page::of_replay(&report, version, shown, output::program()),
        stop,
    )?;
    Ok(tell(&report))
}

/// A fuzzer's artifact says that a rule was broken, and not which.
fn of_script(case: &Case, exchange: &Exchange, verdict: &Verdict) -> ReplayReport {
    let broken: Vec<&Violation> = case.unaccepted(verdict).collect();
    let unproven = verdict.unproven().next();
    ReplayReport::of_script(case.target.name(), &broken, unproven, exchange).held_to(&case.bounds)
}

/// Prints a replay; the exit code says whether anything is broken.
pub(super) fn tell(report: &ReplayReport) -> u8 {
    output::print(&report::replay(report, output::style()));
    match report.result {
        ReplayResult::Fixed | ReplayResult::Dismissed => CLEAN,
        ReplayResult::Reproduced | ReplayResult::Different => FINDINGS,
        ReplayResult::Unproven => COULD_NOT,
    }
}

pub(super) fn shrink(registry: &Registry, options: &File, stop: &Stop) -> Done {
    let mut case = Case::open(registry, options, stop)?;
    let patience = case.patience("shrinking", options);
    let (exchange, verdict) = case.play()?;
    tell_cut_short(&exchange);
    let Some(violation) = case.violation(&verdict) else {
        case.has_to_open()?;
        if verdict.unproven().next().is_some() {
            return Ok(tell(&of_script(&case, &exchange, &verdict)));
        }
        output::line(&format!(
            "nothing to shrink: {} breaks no rule with this script",
            case.target.name()
        ));
        return Ok(CLEAN);
    };
    if violation.identity.invariant() == Invariant::LinearWork {
        output::line("nothing to shrink: a script that is measured is in its simplest form");
        return Ok(FINDINGS);
    }
    let (bounds, script) = (case.bounds, case.script.clone());
    let finding =
        case.pool.investigate(&case.target, bounds, script, violation, case.runtime_seed)?;
    let repro = report::repro(&*case.target, case.bounds, &finding);
    drop(patience);
    output::print(&finding.script.to_string());
    output::note(&format!(
        "{} to {} in {} plays",
        report::count(case.script.steps.len(), "step"),
        report::count(finding.script.steps.len(), "step"),
        finding.plays,
    ));
    if finding.cut_short {
        output::note("shrinking stopped at its limit; to continue, shrink the saved file");
    }
    if finding.is_flaky() {
        output::note(&format!("flaky: {:.0} % of replays show it", finding.rate * 100.0));
    }
    save_shrunk(&options.file, &repro)?;
    Ok(FINDINGS)
}

/// The repro of a server that only another binary or test knows, where a file is that.
fn elsewhere<'a>(registry: &Registry, options: &File, content: &'a Content) -> Option<&'a Repro> {
    let Content::Repro(repro) = content else { return None };
    (options.target.is_none() && registry.resolve(&repro.target.0).is_err()).then_some(repro)
}

pub(super) fn show(registry: &Registry, show: &Show, stop: &Stop) -> Done {
    let options = &show.anywhere.file;
    let content = read(&options.file)?;
    if let Some(repro) = elsewhere(registry, options, &content) {
        let scene = Scene::saved(repro);
        let title = report::headline(repro);
        let drawn = Drawn { scene: &scene, title: &title, about: &repro.sentence, broken: true };
        pages::svg(show.svg.as_deref(), &drawn, stop)?;
        pages::html(
            show.html.as_deref(),
            || {
                let file = runs::saved(registry, options.file.clone(), repro.clone());
                page::of_file(&file, output::program())
            },
            stop,
        )?;
        let (name, version) = &repro.target;
        output::line(&report::wrap(&format!(
            "{name} ({version}), as it was seen when it was saved"
        )));
        output::print(&report::saved(repro, None, output::style()));
        match report::as_seen(repro) {
            Some(seen) => output::print(&seen),
            None => output::note(&report::wrap(
                "No timeline: an older hangup wrote the file, and this binary does not know the \
                 server. The binary or the test that wrote the file does.",
            )),
        }
        return Ok(CLEAN);
    }
    let mut case = Case::of(registry, options, content, stop)?;
    let patience = case.patience("playing", options);
    let (exchange, verdict) = case.play()?;
    drop(patience);
    tell_cut_short(&exchange);
    tell_skipped(&case.script, &*case.target);
    let name = case.target.name();
    let version = case.target.version();
    output::line(&format!("{} ({version})", name.bold()));
    let violation = case.violation(&verdict);
    let broken = violation.as_ref().map(|violation| violation.identity);
    let broken = broken.filter(|identity| !what_matters::takes_long(*identity, &case.script));
    let matters = match broken {
        Some(identity) => {
            let patience = case.patience("looking for what matters in", options);
            let matters = case.what_matters(identity)?;
            drop(patience);
            Some(matters)
        }
        None => None,
    };
    let says = matters.as_ref().map(|matters| report::step_says(&case.script, matters));
    let seen = Seen {
        exchange: &exchange,
        violation: violation.as_ref(),
        unproven: verdict.unproven().next(),
        matters: says.unwrap_or_default(),
    };
    draw(&case, show, seen, stop)?;
    match violation {
        Some(violation) => {
            let others = case.unaccepted(&verdict);
            let others = others.filter(|other| other.identity != violation.identity);
            let others = others.map(|other| report::broken_too(other, &exchange));
            let others: Vec<String> = others.collect();
            let finding = case.finding(violation, exchange);
            let repro = report::repro(&*case.target, case.bounds, &finding);
            output::print(&report::finding(
                &repro,
                &finding,
                &case.target.bounds(),
                output::style(),
            ));
            if let Some(matters) = matters {
                let told = report::what_matters(&case.script, &matters, output::style().width);
                output::print(&format!(
                    "\nwhat matters, and with which other values the problem shows too:\n\n{told}"
                ));
            }
            for other in others {
                output::line(&other);
            }
        }
        None if verdict.unproven().next().is_some() => {
            output::print(&report::timeline(&exchange, verdict.unproven().next()));
            return Ok(tell(&of_script(&case, &exchange, &verdict)));
        }
        None => {
            if let Some(repro) = &case.repro {
                output::line(&report::wrap(&format!("Not broken any more: {}", repro.sentence)));
            }
            output::line(&format!("the {} breaks no rule\n", exchange.subject.word()));
            output::print(&report::timeline(&exchange, None));
        }
    }
    Ok(CLEAN)
}

/// A finding's play as a capture, where its target is in this process.
pub(super) fn capture(
    registry: &Registry,
    file: &Path,
    repro: Repro,
    stop: &Stop,
) -> Result<Vec<u8>, Trouble> {
    let at = named(file);
    if repro.target.0.contains("://") {
        return Err(format!(
            "{at} is from a running server: capture real TCP with tcpdump or Wireshark"
        ));
    }
    let about = format!("{}\n\n{}\n{}", report::headline(&repro), repro.sentence, repro.script);
    let (target, bound_options, memory) = (None, BoundOptions::own(), MEMORY_MIB);
    let options = File { file: file.to_owned(), target, bound_options, memory };
    let mut case = Case::of(registry, &options, Content::Repro(Box::new(repro)), stop)?;
    let patience = case.patience("playing", &options);
    let (exchange, _) = case.play()?;
    drop(patience);
    tell_cut_short(&exchange);
    Ok(report::pcapng(&exchange, &about))
}

/// What `show` saw.
struct Seen<'a> {
    exchange: &'a Exchange,
    violation: Option<&'a Violation>,
    unproven: Option<&'a Violation>,
    /// What matters in the script, where something is broken.
    matters: Vec<StepSays>,
}

/// Writes the files with pictures that `show` was asked for.
fn draw(case: &Case, show: &Show, seen: Seen<'_>, stop: &Stop) -> Result<(), Trouble> {
    let Seen { exchange, violation, unproven, matters } = seen;
    if show.svg.is_none() && show.html.is_none() {
        return Ok(());
    }
    let target = (case.target.name(), case.target.version());
    let told = violation
        .map(|violation| case.told(violation.clone(), exchange.clone(), &show.anywhere.file))
        .map(|told| FindingReport { matters, ..told });
    let scene = Scene::of(exchange, violation.or(unproven));
    let (title, about) = match &told {
        Some(told) => (report::headline(&told.repro), told.repro.sentence.clone()),
        None => (target.0.to_owned(), kept(unproven, exchange)),
    };
    let broken = violation.or(unproven).is_some();
    let drawn = Drawn { scene: &scene, title: &title, about: &about, broken };
    pages::svg(show.svg.as_deref(), &drawn, stop)?;
    pages::html(
        show.html.as_deref(),
        || {
            let shown = told.as_ref().ok_or(scene.clone());
            let notes = told.as_ref().map_or_else(|| vec![about.clone()], |_| Vec::new());
            let (subject, is_judged) = (exchange.subject, unproven.is_none());
            page::of_shown(target, subject, shown, is_judged, notes, output::program())
        },
        stop,
    )
}

/// What is said of a script that breaks no rule, as far as that is known.
fn kept(unproven: Option<&Violation>, exchange: &Exchange) -> String {
    match unproven {
        Some(violation) => report::sentence(violation, exchange),
        None => format!("The {} breaks no rule.", exchange.subject.word()),
    }
}
