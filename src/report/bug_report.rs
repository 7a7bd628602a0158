//! A finding as an issue to paste where the server's maintainers read: Markdown that supposes no
//! knowledge of hangup.

use super::bound::bound_of;
use super::html::{RFC, harmless};
use super::markdown::{code, plain};
use super::quotes;
use super::text::with_legend;
use crate::finding::repro::Repro;
use crate::script::{Act, Command, ConnectionNumber, Piece, Setting};
use crate::verdict::{Invariant, Level, Symptom};
use crate::wire::Role;
use std::fmt::Write as _;

/// What an issue needs beside the finding.
#[derive(Clone, Copy, Debug)]
pub struct BugReport<'a> {
    /// The finding.
    pub repro: &'a Repro,
    /// The finding as a program in Python, or why there is none.
    pub python: Result<&'a str, &'a str>,
    /// What to name that program, and the picture, without an ending.
    pub name: &'a str,
    /// The name of the finding's file.
    pub file: &'a str,
    /// The commands of hangup that play it again, where one does on another machine, and draw it.
    pub commands: (Option<&'a str>, &'a str),
    /// Whether the first of them says, or hangup knows, which target to play: a test of a user's own has others.
    pub is_known: bool,
    /// The library and its version, where the finding does not say it: a probe sees a URL.
    pub seen_on: Option<&'a str>,
    /// The server that shows it: the name of its file, and its source.
    pub server: Option<(&'a str, &'a str)>,
}

/// The issue, ended by a newline. Its first line is the title.
pub fn bug_report(report: &BugReport<'_>) -> String {
    let BugReport { repro, python, name, file, commands, is_known, seen_on, server } = *report;
    let mut out = format!(
        "# {}\n\n{}\n\n",
        plain(&title(repro.identity.symptom(), repro.role, &repro.sentence)),
        plain(&in_words_for_strangers(&repro.sentence))
    );
    let (target, version) = &repro.target;
    let route = route(target);
    let _ = match (seen_on, route) {
        (Some(library), Some(route)) => {
            writeln!(out, "Seen on {}, over TCP, at `{}`.\n", plain(library), code_word(route))
        }
        (Some(library), None) => writeln!(out, "Seen on {}.\n", plain(library)),
        (None, Some(route)) if repro.is_over_tcp() => writeln!(
            out,
            "Seen on (fill in: the library and its version), over TCP, at `{}`.\n",
            code_word(route)
        ),
        (None, None) if repro.is_over_tcp() => writeln!(
            out,
            "Seen on (fill in: the library and its version), over TCP, by `{}`.\n",
            code_word(&without_folders(target))
        ),
        (None, _) => writeln!(out, "Seen on {} ({}).\n", plain(target), plain(version)),
    };
    let (subject, actor) = (repro.role, repro.role.other().word());
    demand(repro, &mut out);
    script(repro, &mut out);
    if let Some((file, source)) = server {
        folded(&format!("The {}: {file}", subject.word()), source, language(file), &mut out);
    }
    if let Some(seen) = &repro.seen {
        out.push_str("## What happens\n\n");
        code(&with_legend(&seen.timeline), "text", &mut out);
        folded("The bytes", &seen.wire, "text", &mut out);
    }
    out.push_str("## How to repeat it\n\n");
    match python {
        Ok(program) => {
            let how = match subject {
                Role::Server => {
                    let path = route.map_or_else(|| "/PATH".to_owned(), code_word);
                    format!("`python3 {name}.py ws://HOST:PORT{path}`")
                }
                Role::Client => format!(
                    "`python3 {name}.py 9001` waits for a client at `ws://127.0.0.1:9001/`, plays the \
                     script to it, and"
                ),
            };
            let subject = subject.word();
            let _ = writeln!(
                out,
                "This program needs nothing but Python 3. {how} exits with 1 if the {subject} shows \
                 this problem, with 0 if it does not, and with 2 if the test is inconclusive.{}\n",
                application(repro, route)
            );
            folded(&format!("{name}.py"), program, "python", &mut out);
        }
        Err(why) => {
            let _ = writeln!(out, "Not by a {actor} alone: {}.\n", plain(why));
            if repro.says_shutdown() {
                out.push_str(
                    "By hand: open the connections of the script, send the server's process the signal to end \
                     (SIGTERM), and see what each connection gets, when it ends, and when the process does.\n\n",
                );
            }
        }
    }
    let (replay, draw) = commands;
    let Some(replay) = replay else {
        let _ = writeln!(
            out,
            "hangup is a tool that tests how WebSocket servers and clients close connections. The file `{}`, attached to \
             this issue, has the script and what happened. With hangup {} and that file, this command draws the timeline:\n",
            code_word(file),
            plain(&repro.hangup)
        );
        code(draw, "sh", &mut out);
        return harmless(&out);
    };
    let runs_again = if is_known {
        "the first command runs the test again".to_owned()
    } else {
        format!("the first command plays the script to a {} that runs", subject.word())
    };
    let _ = writeln!(
        out,
        "hangup is a tool that tests how WebSocket servers and clients close connections. The file `{}`, attached to \
         this issue, has the script and what happened. With hangup {} and that file, {}; the second command draws the \
         timeline:\n",
        code_word(file),
        plain(&repro.hangup),
        runs_again
    );
    code(&format!("{replay}\n{draw}"), "sh", &mut out);
    harmless(&out)
}

/// What is asked, and where: by the RFC, and within which time.
fn demand(repro: &Repro, out: &mut String) {
    let rule = repro.identity.invariant().rule();
    let (subject, actor) = (repro.role, repro.role.other().word());
    let _ = writeln!(out, "{}\n", plain(&rule.says(Some(subject))));
    if let Some((section, quote)) = quotes::quote(repro.identity, &repro.sentence) {
        let _ = writeln!(out, "[RFC 6455, {section}]({RFC}{section}):\n\n> {}", plain(quote));
    } else {
        let _ = writeln!(out, "{}", plain(&quotes::without_quote(rule, repro.level, subject)));
    }
    if (rule.invariant, repro.level) == (Invariant::ReleasesInTime, Level::Should) {
        let _ = writeln!(
            out,
            "\nThe {} had sent its FIN by then, which ends the connection for the {actor}. That it lets go of its socket \
             too is asked of every {0} that is to close well.",
            subject.word()
        );
    }
    if let Some(bound) = bound_of(repro) {
        let _ = writeln!(
            out,
            "\nRFC 6455 gives no number of seconds. This test allows {} s.",
            bound.as_secs_f64()
        );
    }
}

/// What the application has to do for the program, where the script has it do something.
fn application(repro: &Repro, route: Option<&str>) -> String {
    let Some(all) = repro.asked_of_application() else { return String::new() };
    match repro.role {
        Role::Server => {
            let path =
                route.map_or_else(|| "PATH".to_owned(), |route| format!("`{}`", code_word(route)));
            format!(" At {path} the server's application {all}, as soon as the connection is open.")
        }
        Role::Client => {
            format!(" Start a client whose application {all}, as soon as the connection is open.")
        }
    }
}

/// A command without the folders of the machine that it ran on: whoever reads it has others.
pub fn without_folders(line: &str) -> String {
    let bare = |word: &str| match word.rsplit_once('/') {
        Some((_, name)) if !word.contains("://") && !name.is_empty() => {
            let quote = word.chars().next().filter(|first| matches!(first, '\'' | '"'));
            quote.map_or_else(String::new, String::from) + name
        }
        _ => word.to_owned(),
    };
    line.split(' ').map(bare).collect::<Vec<_>>().join(" ")
}

/// The script, and what its words mean.
fn script(repro: &Repro, out: &mut String) {
    let (subject, actor) = (repro.role, repro.role.other().word());
    out.push_str("\n## The script\n\n");
    if repro.script.steps.is_empty() {
        out.push_str(match subject {
            Role::Server => "The client connects, and does nothing.\n\n",
            Role::Client => "The server accepts the connection, and does nothing.\n\n",
        });
    } else {
        let app = repro.script.steps.iter().any(|step| matches!(step.act, Act::App(..)));
        let app = if app {
            format!(
                " A step `app ...` is done by the {}'s application, through its library.",
                subject.word()
            )
        } else {
            String::new()
        };
        let _ = writeln!(out, "The {actor} does this, a step a line.{app}\n");
        code(&repro.script_text(), "text", out);
        let words = words_of_scripts(repro);
        for said in &words {
            let _ = writeln!(out, "- {said}");
        }
        if !words.is_empty() {
            out.push('\n');
        }
    }
}

/// What those steps mean that do not say it themselves, each once.
fn words_of_scripts(repro: &Repro) -> Vec<String> {
    let (subject, actor) = (repro.role.word(), repro.role.other().word());
    let mut said = Vec::new();
    for step in &repro.script.steps {
        if step.joined {
            said.push(
                "`+`: at once with the step before; what both send is in one segment".to_owned(),
            );
        }
        match &step.act {
            Act::Set(setting, _) => {
                let (word, what) = match setting {
                    Setting::Window => ("window", format!("the {actor}'s receive buffer")),
                    Setting::SendBuffer => {
                        ("send buffer", format!("that of the {subject}'s socket, made so small"))
                    }
                    Setting::ReceiveBuffer => {
                        ("receive buffer", format!("that of the {subject}'s socket, made so small"))
                    }
                    Setting::Segment => {
                        ("segment", format!("the most that one read of the {subject}'s gets"))
                    }
                };
                said.push(format!("`{word} ..`: {what}"));
            }
            Act::Send(send) if send.piece != Piece::Whole => {
                said.push(
                    "`first .. of`, `rest after ..`: these bytes of it, and no others".to_owned(),
                );
            }
            Act::Cut => {
                said.push("`cut`: the network is cut, and nothing arrives any more".to_owned());
            }
            Act::App(Command::Keep, _) => {
                let keeps = format!("the {subject}'s application keeps a handle of the session");
                said.push(format!("`app keep`: {keeps} after the connection has ended"));
            }
            Act::App(Command::Shutdown, _) => {
                let how = if repro.is_over_tcp() {
                    "hangup sends the server's process the signal to end: SIGTERM, unless `--stop` named another"
                } else {
                    "the server is told to shut down, as by SIGTERM"
                };
                said.push(format!("`app shutdown`: {how}"));
            }
            Act::Drop => said.push(format!("`drop`: the {actor} closes its socket")),
            Act::Connect(_) => {
                said.push("`connect after ..`: so long after the script began".to_owned());
            }
            _ => {}
        }
        if step.connection != ConnectionNumber::FIRST {
            said.push(
                "`2: ..`: a step of connection 2, and so on; connection 1 has no number".to_owned(),
            );
        }
    }
    said.sort();
    said.dedup();
    said
}

/// A sentence with what those need who do not know hangup: where its proof holds.
fn in_words_for_strangers(sentence: &str) -> String {
    sentence.replace(" Proven: ", " Proven, in a simulation with virtual time: ")
}

/// What the server does, where the symptom says it as a sentence; else the first sentence, without its full
/// stop, and without when it was in this one play.
fn title(symptom: Option<Symptom>, subject: Role, sentence: &str) -> String {
    let does = |symptom: &&str| {
        ["accepts ", "refuses ", "ends on ", "resets on "]
            .iter()
            .any(|verb| symptom.starts_with(verb))
            // Which of them it was, the sentence says.
            && !symptom.contains(" one of ")
    };
    if let Some(symptom) = symptom.map(Symptom::id).filter(does) {
        return format!("The {} {symptom}", subject.word());
    }
    let first = sentence.split_once(". ").map_or(sentence, |(first, _)| first);
    let first = first.trim_end_matches('.');
    match first.strip_prefix("At ").and_then(|behind| behind.split_once(" s the ")) {
        Some((_, said)) => format!("The {said}"),
        None => first.to_owned(),
    }
}

/// The route of a running server's URL; `None` of a target in process.
pub fn route(target: &str) -> Option<&str> {
    let (_, behind) = target.split_once("://")?;
    Some(behind.find('/').map_or("/", |at| &behind[at..]))
}

/// A word in a line of code, which cannot end it.
fn code_word(text: &str) -> String {
    text.replace(['`', '\n', '\r', '<', '>'], " ")
}

/// How Markdown names the language of a file.
fn language(file: &str) -> &str {
    match file.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "rs" => "rust",
        "py" => "python",
        "js" => "js",
        "rb" => "ruby",
        "pl" => "perl",
        ending @ ("go" | "c" | "cpp" | "java") => ending,
        _ => "text",
    }
}

fn folded(summary: &str, text: &str, language: &str, out: &mut String) {
    let _ = write!(out, "<details><summary>{}</summary>\n\n", plain(summary));
    code(text, language, out);
    out.push_str("</details>\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_tells_no_time_of_one_play() {
        assert_eq!(
            title(None, Role::Server, "At 0.008 s the server sent a Close. More."),
            "The server sent a Close"
        );
        assert_eq!(
            title(Some(Symptom::OwnTimer), Role::Server, "The server has a timer. It did."),
            "The server has a timer"
        );
        assert_eq!(title(None, Role::Server, "At last it ended."), "At last it ended");
        let served = |subject| title(Some(Symptom::ServesMasked), subject, "At 0.008 s it did.");
        assert_eq!(served(Role::Server), "The server accepts a frame with a mask");
        assert_eq!(served(Role::Client), "The client accepts a frame with a mask");
    }

    #[test]
    fn a_route_is_what_stands_behind_the_port() {
        assert_eq!(route("ws://127.0.0.1:{port}/bye?a=b"), Some("/bye?a=b"));
        assert_eq!(route("wss://host"), Some("/"));
        assert_eq!(route("axum/docs"), None);
    }
}
