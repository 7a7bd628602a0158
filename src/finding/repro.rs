//! The repro file: a saved minimal script with its target, bounds, verdict, the digest of its
//! exchange, and what that looked like. TOML; `docs/repro.md` describes it.
//!
//! Text in, text out: files are the faces' business.

use crate::bounds::Bounds;
use crate::excerpt;
use crate::script::{Act, Command, Content, Pace, Script, Step};
use crate::verdict::{
    Ending, Identity, Invariant, Level, Problem, Variant, Verdict, Violation, slug,
};
use crate::wire::{Opening, Role};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};

/// The format that this version writes. It reads [`FORMAT_UNSEEN`] too.
pub const FORMAT: u32 = 2;

/// The format of files without [`Repro::seen`].
pub const FORMAT_UNSEEN: u32 = 1;

/// What stands in the place of a library's version of a target over TCP, which goes by its URL or command.
pub const OVER_TCP: &str = "over TCP";

/// What stands above the first line, for those who have never heard of hangup: what it is, and the
/// commands that work with this file.
fn header(repro: &Repro) -> String {
    let (what, actor) = match repro.role {
        Role::Server => ("server", "client"),
        Role::Client => ("client", "server"),
    };
    let rule = repro.identity.invariant().id();
    let mut text = format!(
        "\
# A WebSocket {what} that breaks a rule of closing, {rule}: a repro of hangup's.
# hangup plays a misbehaving {actor} against a {what} and judges how connections end.
# The script below is the shortest that was found to show it with this cause and condition; at
# the end of the file stands what happened, drawn and as bytes. To see it, and to play it again:
#
#     hangup show FILE
"
    );
    let is_over_tcp = repro.is_over_tcp();
    if !is_over_tcp {
        text.push_str("#     hangup replay FILE\n");
    }
    let plays_over_tcp = repro.plays_over_tcp();
    text.push_str(match repro.role {
        _ if !plays_over_tcp => "",
        Role::Server if repro.says_shutdown() => {
            "#     hangup replay FILE --run 'COMMAND {port}' --stop TERM   (a server that hangup starts)\n"
        }
        Role::Server => "#     hangup replay FILE --url URL        (a running server)\n",
        Role::Client => {
            "#     hangup replay FILE --run 'node client.js {url}'   (a client of any language)\n"
        }
    });
    text.push_str(match repro.role {
        Role::Server => {
            "\
#     hangup export FILE --as python      (a program for those without hangup, where a client
#                                          alone can tell)
"
        }
        Role::Client => {
            "\
#     hangup export FILE --as python      (a server to play it for those without hangup, where
#                                          a server alone can tell)
"
        }
    });
    if !is_over_tcp {
        let option = match repro.role {
            Role::Server if repro.says_shutdown() => "--run",
            Role::Server => "--url",
            Role::Client => "--run",
        };
        let (without, with) = if plays_over_tcp {
            (format!(" without {option}"), format!("with {option}, or\n# run "))
        } else {
            (String::new(), "run\n# ".to_owned())
        };
        let _ = write!(
            text,
            "\
#
# `replay`{without} plays a {what} that `hangup targets` lists. Others: {with}\
the `cargo test` that wrote this file again, which plays it first.
"
        );
    }
    if let Some(all) = repro.asked_of_application().filter(|_| plays_over_tcp) {
        let who = match repro.role {
            Role::Server => "URL has to be one on which the application",
            Role::Client => "the client has to be one whose application",
        };
        let _ = write!(
            text,
            "\
#
# Nobody can command an application over TCP: {who}
# {all}, as soon as the connection is open.
"
        );
    }
    text
}

/// A saved finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Repro {
    /// The version of hangup that wrote it.
    pub hangup: String,
    /// The target's name and the version of what it runs on.
    pub target: (String, String),
    /// Which end the target is.
    pub role: Role,
    /// The opening request that it was sent.
    pub opening: Opening,
    /// What the target was held to.
    pub bounds: Bounds,
    /// Which rule was broken, why and under what condition.
    pub identity: Identity,
    /// How strongly the RFC asks for it.
    pub level: Level,
    /// How the connection ended: [`Ending::kind`].
    pub ending: String,
    /// When, in seconds since accept, where the ending has a time.
    pub at_seconds: Option<f64>,
    /// One plain sentence.
    pub sentence: String,
    /// The minimal script.
    pub script: Script,
    /// The seed of the runtime's own choices.
    pub runtime_seed: u64,
    /// The digest of the exchange that was judged.
    pub digest: String,
    /// Whether it was decided that it is a finding. A long run saves what it has found at
    /// once, and may be cut short before it has played the controls.
    pub confirmed: bool,
    /// What was seen when it was saved; `None` in files of older versions.
    pub seen: Option<Seen>,
}

/// What was seen on the connection when a repro was saved, for readers that do not have the
/// server, or have no hangup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The timeline, in at most 80 columns; never empty.
    pub timeline: String,
    /// The bytes of both directions, decoded; never empty.
    pub wire: String,
}

/// Why a text is no repro that this version can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReproError {
    /// Not TOML, or half of it.
    NotToml(String),
    /// TOML, but no repro: `format` is missing.
    Foreign,
    /// Written by a newer hangup.
    Newer(u64),
    /// A field is unknown, missing or has an impossible value.
    Field(String),
    /// The script does not parse.
    Script(crate::script::ParseError),
    /// The script is against the other role than this one, which the file says; and why.
    Role(Role, String),
}

impl fmt::Display for ReproError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotToml(error) => write!(f, "neither a script nor a whole TOML file: {error}"),
            Self::Foreign => f.write_str("not a hangup repro: it has no `format`"),
            Self::Newer(format) => {
                write!(
                    f,
                    "written in format {format}; this hangup reads format {FORMAT}: install a newer hangup"
                )
            }
            Self::Field(error) => f.write_str(error),
            Self::Script(error) => write!(f, "its script: {error}"),
            Self::Role(role, why) => {
                let (role, other) = (role.word(), role.other().word());
                write!(
                    f,
                    "its role is {role}, and its script is not: {why}; a file about a {other} has the line \
                     role = \"{other}\""
                )
            }
        }
    }
}

impl std::error::Error for ReproError {}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    hangup: String,
    script: String,
    digest: String,
    #[serde(rename = "runtime-seed", default)]
    runtime_seed: u64,
    /// Only written of a client.
    #[serde(default, skip_serializing_if = "is_server")]
    role: Role,
    target: FileTarget,
    /// Only written where it is not the usual one.
    #[serde(default, skip_serializing_if = "Opening::is_usual")]
    opening: Opening,
    bounds: Bounds,
    violation: FileViolation,
    // Last, and always there in format 2: a file that was cut is never whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<Seen>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTarget {
    name: String,
    version: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileViolation {
    #[serde(flatten)]
    problem: Problem,
    level: Level,
    #[serde(flatten)]
    variant: Variant,
    #[serde(rename = "at-seconds", default, skip_serializing_if = "Option::is_none")]
    at_seconds: Option<f64>,
    /// Only written where it is false.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    confirmed: bool,
    ending: String,
    sentence: String,
}

impl Repro {
    /// Reads a repro.
    ///
    /// # Errors
    ///
    /// [`ReproError`] says what is wrong with `text`; an unknown field and a newer
    /// format are errors, so that nothing is silently passed over.
    pub fn parse(text: &str) -> Result<Self, ReproError> {
        let table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| ReproError::NotToml(one_line(&error)))?;
        if table.is_empty() {
            return Err(ReproError::NotToml("it is empty".to_owned()));
        }
        match table.get("format").map(toml::Value::as_integer) {
            None => return Err(ReproError::Foreign),
            Some(Some(format)) if format > i64::from(FORMAT) => {
                return Err(ReproError::Newer(format.unsigned_abs()));
            }
            Some(Some(format)) if format >= i64::from(FORMAT_UNSEEN) => {}
            Some(_) => {
                return Err(ReproError::Field("`format` is no format of hangup's".to_owned()));
            }
        }
        let has_seen = format_of(&table) != Some(i64::from(FORMAT_UNSEEN));
        let file: File = table
            .try_into()
            .map_err(|error| ReproError::Field(at_its_line(text, &one_line(&error))))?;
        let script: Script = file.script.parse().map_err(ReproError::Script)?;
        if let Some(why) = script.is_not_against(file.role) {
            return Err(ReproError::Role(file.role, why));
        }
        // What reads the opening's fields does not know the notation.
        let preamble = file.opening.preamble().to_owned();
        let opening = file.opening.with_preamble(&preamble);
        let opening =
            opening.map_err(|error| ReproError::Field(format!("its opening: {error}")))?;
        let FileViolation { problem, level, variant, at_seconds, confirmed, ending, sentence } =
            file.violation;
        if !Ending::KINDS.contains(&ending.as_str()) {
            let ending = excerpt::excerpt(&ending);
            let known = excerpt::nearest(&ending, Ending::KINDS).join(", ");
            return Err(ReproError::Field(format!(
                "no ending `{ending}`; expected one of: {known}"
            )));
        }
        // Cut behind the second of three quotes, text reads as none.
        if sentence.is_empty() {
            return Err(ReproError::Field("`sentence` is empty: the file was cut".to_owned()));
        }
        let is_cut = |seen: &Seen| seen.timeline.is_empty() || seen.wire.is_empty();
        if file.seen.as_ref().map_or(has_seen, is_cut) {
            return Err(ReproError::Field(
                "`seen` is missing or empty: the file was cut".to_owned(),
            ));
        }
        Ok(Self {
            hangup: file.hangup,
            target: (file.target.name, file.target.version),
            role: file.role,
            opening,
            bounds: file.bounds,
            identity: Identity::of(problem, variant).of_subject(file.role),
            level,
            ending,
            at_seconds,
            sentence,
            script,
            runtime_seed: file.runtime_seed,
            digest: file.digest,
            confirmed,
            seen: file.seen,
        })
    }

    /// The same with all of its text fit for a terminal: a stranger may have written it.
    #[must_use]
    pub fn escaped(mut self) -> Self {
        let (name, version) = &mut self.target;
        for text in [&mut self.hangup, name, version, &mut self.sentence, &mut self.digest] {
            *text = excerpt::escaped(text);
        }
        if let Some(Seen { timeline, wire }) = &mut self.seen {
            (*timeline, *wire) = (excerpt::escaped_lines(timeline), excerpt::escaped_lines(wire));
        }
        self
    }

    /// The repro as a file's text.
    ///
    /// # Panics
    ///
    /// Never: strings and finite numbers always make TOML.
    pub fn to_text(&self) -> String {
        let file = File {
            format: if self.seen.is_some() { FORMAT } else { FORMAT_UNSEEN },
            hangup: self.hangup.clone(),
            script: self.script.to_string(),
            digest: self.digest.clone(),
            runtime_seed: self.runtime_seed,
            role: self.role,
            violation: FileViolation {
                problem: self.identity.problem(),
                level: self.level,
                variant: self.identity.of_subject(self.role).variant(),
                at_seconds: self.at_seconds,
                confirmed: self.confirmed,
                ending: self.ending.clone(),
                sentence: self.sentence.clone(),
            },
            target: FileTarget { name: self.target.0.clone(), version: self.target.1.clone() },
            opening: self.opening.clone(),
            bounds: self.bounds,
            seen: self.seen.clone(),
        };
        let body = toml::to_string_pretty(&file).expect("strings and numbers make TOML");
        let header = header(self);
        format!("{header}\n{body}")
    }

    /// Whether it was found over TCP.
    pub fn is_over_tcp(&self) -> bool {
        self.target.1 == OVER_TCP
    }

    /// Whether the server is told to shut down in the script.
    pub fn says_shutdown(&self) -> bool {
        let says = |step: &Step| matches!(step.act, Act::App(Command::Shutdown, _));
        self.script.steps.iter().any(says)
    }

    /// Whether the script can be played to a server or a client of another process: nobody can command its
    /// application, which at most closes, or sends messages, as soon as the connection is open. What work
    /// costs, and what a connection leaves behind, is seen in process alone.
    pub fn plays_over_tcp(&self) -> bool {
        let steps = self.script.steps.iter().enumerate();
        let commands: Vec<_> = steps.filter(|(_, step)| matches!(step.act, Act::App(..))).collect();
        let by_itself = [Command::Close(None, Content::Empty), Command::SendText(Content::Empty)]
            .map(|command| Step::from(Act::App(command, Pace::Once)));
        let can_do = match &commands[..] {
            [] => true,
            [(1, step)] => by_itself.contains(step),
            _ => false,
        };
        !matches!(self.identity.invariant(), Invariant::LinearWork | Invariant::NoLeak)
            && (can_do || self.script.connections() > 1 || self.says_shutdown())
    }

    /// What the subject's application does in the script, as what it has to do by itself where nobody
    /// commands it: `closes by itself`. `None` where it does nothing.
    pub fn asked_of_application(&self) -> Option<String> {
        let told = self.script.steps.iter().filter_map(|step| match &step.act {
            Act::App(Command::Close(None, Content::Empty), _) => {
                Some("closes by itself".to_owned())
            }
            Act::App(Command::Shutdown, _) => None,
            Act::App(command, _) => {
                let alone = Script { steps: vec![Step::from(step.act.clone())] }.to_string();
                Some(match command {
                    Command::Close(..) => format!("closes by itself as by `{}`", alone.trim_end()),
                    _ => format!("does by itself what `{}` says", alone.trim_end()),
                })
            }
            _ => None,
        });
        let all = told.collect::<Vec<_>>().join(", then ");
        (!all.is_empty()).then_some(all)
    }

    /// The script, below its preamble as a comment where it has one: what a reader needs to see.
    pub fn script_text(&self) -> String {
        let preamble = self.opening.preamble();
        let mut text = String::new();
        if !preamble.is_empty() {
            text.push_str("# preamble, after the opening:\n");
            text.extend(preamble.lines().map(|line| format!("#   {line}\n")));
        }
        text + &self.script.to_string()
    }

    /// A name for the file, made of what problems are told apart by: target, rule and symptom.
    pub fn file_name(&self) -> String {
        file_name(&self.target.0, self.identity.problem())
    }

    /// A name for the file of one variant among others of its problem.
    pub fn variant_file_name(&self) -> String {
        named(&self.target.0, self.identity.slug())
    }

    /// What a verdict over the replayed script says of this repro.
    pub fn compare(&self, verdict: &Verdict) -> Replay {
        match verdict.find(self.identity) {
            Some(violation) => Replay::Reproduced(violation.clone()),
            None if verdict.acquitted(self.identity).is_some() => Replay::Dismissed,
            None if verdict.is_clean() => match verdict.unproven().next() {
                Some(suspicion) => Replay::Unproven(suspicion.clone()),
                None => Replay::Fixed,
            },
            None => Replay::Different(verdict.violations.clone()),
        }
    }
}

/// What a replay showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The same rule is broken for the same cause under the same condition.
    Reproduced(Violation),
    /// It looks the same, and a control acquits the server: it is no finding.
    Dismissed,
    /// Nothing is broken any more.
    Fixed,
    /// Something else is broken.
    Different(Vec<Violation>),
    /// It cannot be judged in virtual time: other threads are at work.
    Unproven(Violation),
}

fn format_of(table: &toml::Table) -> Option<i64> {
    table.get("format")?.as_integer()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with this type")]
const fn is_server(role: &Role) -> bool {
    matches!(role, Role::Server)
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with this type")]
const fn is_true(value: &bool) -> bool {
    *value
}

/// How many bytes of a target's name go into a file's: with the longest problem and variant, file
/// systems take it.
const TARGET_BYTES: usize = 96;

/// The name of the file for this problem of `target`.
pub(crate) fn file_name(target: &str, problem: Problem) -> String {
    named(target, problem.slug())
}

fn named(target: &str, what: String) -> String {
    let mut target = slug(target);
    target.truncate(TARGET_BYTES);
    // A name without an ASCII letter or digit leaves nothing, and the rule comes first.
    let target = Some(target).filter(|target| !target.is_empty());
    let parts: Vec<String> = target.into_iter().chain([what]).collect();
    format!("{}.toml", parts.join("--"))
}

/// What `Ending` and its time look like in a file.
pub(crate) fn ending_fields(ending: Ending) -> (String, Option<f64>) {
    (ending.kind().to_owned(), ending.at().map(crate::exchange::Time::seconds))
}

/// A TOML error without the excerpt of the file that comes with it.
/// An error behind the line that it is about, where that can be told: the first with the name or the value
/// that it quotes.
fn at_its_line(text: &str, error: &str) -> String {
    let quoted = error.split('`').nth(1).unwrap_or_default();
    let is_it = |line: &str| {
        let (key, value) = line.split_once('=').unwrap_or_default();
        !quoted.is_empty() && (key.trim() == quoted || value.trim().trim_matches('"') == quoted)
    };
    match text.lines().position(is_it) {
        Some(index) => format!("line {}: {error}", index + 1),
        None => error.to_owned(),
    }
}

fn one_line(error: &toml::de::Error) -> String {
    excerpt::tidy(error.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIOLATION: &str = "\
invariant = \"ends-in-time\"
level = \"should\"
cause = \"the server's own Close\"
condition = \"silent\"
at-seconds = 6.0
ending = \"late\"
sentence = \"It ended.\"
";

    #[test]
    fn a_violation_has_the_parts_of_its_identity_as_fields_and_no_others() {
        let read = |text: &str| toml::from_str::<FileViolation>(text);
        let whole = read(VIOLATION).expect(VIOLATION);
        assert_eq!(toml::to_string(&whole).expect("TOML"), VIOLATION);
        for (line, what) in [
            ("symptoms = \"unknown\"\n", "unknown field `symptoms`"),
            ("invariant = \"no-spin\"\n", "duplicate key"),
        ] {
            let error = read(&format!("{line}{VIOLATION}")).err().expect("an error");
            assert!(error.message().contains(what), "{error}");
        }
        let no_condition = VIOLATION.replace("condition = \"silent\"\n", "");
        let without = read(&no_condition).expect(&no_condition);
        assert_eq!(toml::to_string(&without).expect("TOML"), no_condition);
        for (name, what) in
            [("invariant", "missing field `invariant`"), ("level", "missing field `level`")]
        {
            let cut = VIOLATION.lines().filter(|line| !line.starts_with(name));
            let error = read(&cut.collect::<Vec<_>>().join("\n")).err().expect("an error");
            assert!(error.message().contains(what), "{error}");
        }
    }

    #[test]
    fn every_problem_has_a_file_name_of_its_own_that_file_systems_take() {
        use crate::verdict::{Cause, Condition, Invariant};
        let mut names = std::collections::BTreeSet::new();
        let target = "a/target of a stranger's ".repeat(40);
        for invariant in Invariant::ALL {
            for symptom in invariant.rule().symptoms {
                let problem = Problem::of(*invariant).with_symptom(*symptom);
                assert!(names.insert(file_name(&target, problem)), "{problem}");
                let (cause, condition) = (Cause::ClientViolation, Condition::HalfSent);
                let longest =
                    Identity::liveness(*invariant, cause, condition).with_symptom(*symptom);
                let name = named(&target, longest.slug());
                assert!(name.len() <= 255, "{} bytes: {name}", name.len());
            }
        }
    }
}
