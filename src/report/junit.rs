//! A report in the form that JUnit made common: one case for each problem, and one
//! for each rule that was kept, or skipped, since it could not be judged.

use super::model::ProblemReport;
use super::text::{problem_headline, variants};
use crate::verdict::Invariant;
use crate::wire::Role;
use std::fmt::Write as _;

/// How many columns the table of a problem may have.
const WIDTH: usize = 100;

/// What is told of one server.
pub struct Suite<'a> {
    /// The server: a target's name, or a URL.
    pub server: &'a str,
    /// Which end it is: no rule of the other is a case.
    pub subject: Role,
    /// Its problems, each a failure.
    pub problems: Vec<ProblemReport<'a>>,
    /// After how many scripts.
    pub scripts: u64,
    /// Why a rule was not judged, where it was not: then it is skipped. `None` where no server was tested.
    pub skipped: Option<&'a dyn Fn(Invariant) -> Option<&'static str>>,
    /// What is accepted, by its rule: no failure, and told with the rule's case.
    pub accepted: Vec<(Invariant, String)>,
    /// What else fails the run: an accepted deviation that is stale, or shows too often.
    pub failures: Vec<String>,
    /// Why it was not fully tested, where it was not.
    pub trouble: Option<String>,
    /// How long it took, where that is known of this server alone.
    pub seconds: Option<f64>,
}

/// What a suite, or all of them, counts.
#[derive(Clone, Copy, Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Counts {
    fn attributes(self, seconds: Option<f64>) -> String {
        let Self { tests, failures, errors, skipped } = self;
        let time = seconds.map_or_else(String::new, |time| format!(" time=\"{time:.3}\""));
        format!(
            "tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" \
             skipped=\"{skipped}\"{time}"
        )
    }

    const fn and(self, other: Self) -> Self {
        Self {
            tests: self.tests + other.tests,
            failures: self.failures + other.failures,
            errors: self.errors + other.errors,
            skipped: self.skipped + other.skipped,
        }
    }
}

/// The report on some servers, which took so long together.
pub fn junit(suites: &[Suite<'_>], seconds: f64) -> String {
    let all = suites.iter().map(Suite::counts).fold(Counts::default(), Counts::and);
    let counts = all.attributes(Some(seconds));
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"hangup\" {counts}>\n"
    );
    for suite in suites {
        suite.write(&mut out);
    }
    out + "</testsuites>\n"
}

impl Suite<'_> {
    /// What kept a run from testing a server, or from testing the next one.
    pub const fn of_trouble(trouble: String) -> Self {
        Self {
            server: "hangup",
            subject: Role::Server,
            problems: Vec::new(),
            scripts: 0,
            skipped: None,
            accepted: Vec::new(),
            failures: Vec::new(),
            trouble: Some(trouble),
            seconds: None,
        }
    }

    /// The rules that were not seen to be broken, and why each was not judged, where it was not.
    fn kept(&self) -> impl Iterator<Item = (Invariant, Option<&'static str>)> {
        let broken = |rule: &Invariant| {
            self.problems.iter().any(|problem| problem.problem.invariant() == *rule)
        };
        let rules = self
            .skipped
            .iter()
            // Of a whole server, only what is broken is told: most targets are none.
            .flat_map(|skipped| {
                let is_its = |rule: &&Invariant| {
                    !rule.is_of_a_whole_server() && rule.rule().asked_of.includes(self.subject)
                };
                let rules = Invariant::ALL.iter().filter(is_its);
                rules.map(|rule| (*rule, skipped(*rule)))
            });
        rules.filter(move |(rule, _)| !broken(rule))
    }

    fn counts(&self) -> Counts {
        let failures = self.problems.len() + self.failures.len();
        let errors = usize::from(self.trouble.is_some());
        Counts {
            tests: failures + self.kept().count() + errors,
            failures,
            errors,
            skipped: self.kept().filter(|(_, skipped)| skipped.is_some()).count(),
        }
    }

    fn write(&self, out: &mut String) {
        let server = escaped(self.server);
        let counts = self.counts().attributes(self.seconds);
        let _ = writeln!(out, "  <testsuite name=\"{server}\" {counts}>");
        self.cases(&server, out);
        out.push_str("  </testsuite>\n");
    }

    fn cases(&self, server: &str, out: &mut String) {
        for problem in &self.problems {
            let headline = escaped(&problem_headline(problem));
            let repro = &problem.headline.repro;
            let variants = variants(problem, self.scripts, WIDTH);
            let body =
                escaped(&format!("{}\n\n{}\n{variants}", repro.sentence, repro.script_text()));
            let _ = write!(
                out,
                "    <testcase classname=\"{server}\" name=\"{headline}\">\n      \
                 <failure type=\"{}\" message=\"{headline}\">{body}</failure>\n    </testcase>\n",
                repro.identity.invariant(),
            );
        }
        for (index, failure) in self.failures.iter().enumerate() {
            let failure = escaped(failure);
            let _ = write!(
                out,
                "    <testcase classname=\"{server}\" name=\"accepted deviations, {}\">\n      \
                 <failure message=\"{failure}\"/>\n    </testcase>\n",
                index + 1,
            );
        }
        for (rule, skipped) in self.kept() {
            let case = format!("    <testcase classname=\"{server}\" name=\"{rule}\"");
            let accepted = self.accepted.iter().filter(|(of, _)| *of == rule);
            let accepted: Vec<&str> = accepted.map(|(_, text)| text.as_str()).collect();
            let inside = match skipped {
                Some(why) => format!("<skipped message=\"{}\"/>", escaped(why)),
                None if accepted.is_empty() => {
                    let _ = writeln!(out, "{case}/>");
                    continue;
                }
                None => format!("<system-out>{}</system-out>", escaped(&accepted.join("\n"))),
            };
            let _ = writeln!(out, "{case}>\n      {inside}\n    </testcase>");
        }
        if let Some(trouble) = &self.trouble {
            let trouble = escaped(trouble);
            let _ = write!(
                out,
                "    <testcase classname=\"{server}\" name=\"tested to the end\">\n      \
                 <error message=\"{trouble}\"/>\n    </testcase>\n"
            );
        }
    }
}

/// Text as XML takes it; what it takes in no form is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(character),
            control if control.is_control() => out.push('\u{fffd}'),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_a_case_and_trouble_an_error() {
        for subject in [Role::Server, Role::Client] {
            is_told(subject);
        }
    }

    fn is_told(subject: Role) {
        let suite = Suite {
            server: "ws://[::1]/?a&b",
            subject,
            problems: Vec::new(),
            scripts: 0,
            skipped: Some(&|rule| (rule == Invariant::NoSpin).then_some("nobody sees it")),
            accepted: vec![(Invariant::NoPanic, "accepted: it is <known>".to_owned())],
            failures: vec!["it is \"stale\"".to_owned()],
            trouble: Some("it <died>".to_owned()),
            seconds: Some(2.0),
        };
        let out = junit(&[suite], 2.5);
        // Those of whole servers are cases where one was broken.
        let is_listed = |rule: &&Invariant| {
            !rule.is_of_a_whole_server() && rule.rule().asked_of.includes(subject)
        };
        assert_eq!(out.contains("\"connects-in-time\""), subject == Role::Client);
        assert_eq!(out.contains("\"handshake-in-time\""), subject == Role::Server);
        let rules = || Invariant::ALL.iter().filter(is_listed);
        for rule in rules() {
            let end = match rule {
                Invariant::NoSpin => ">\n      <skipped message=\"nobody sees it\"/>",
                Invariant::NoPanic => {
                    ">\n      <system-out>accepted: it is &lt;known&gt;</system-out>"
                }
                _ => "/>",
            };
            assert!(out.contains(&format!("name=\"{rule}\"{end}")), "{out}");
        }
        assert!(out.contains("classname=\"ws://[::1]/?a&amp;b\""), "{out}");
        assert!(out.contains("<error message=\"it &lt;died&gt;\"/>"), "{out}");
        assert!(out.contains("<failure message=\"it is &quot;stale&quot;\"/>"), "{out}");
        let tests = rules().count() + 2;
        for time in ["2.000", "2.500"] {
            let counts = "failures=\"1\" errors=\"1\" skipped=\"1\"";
            let counts = format!("tests=\"{tests}\" {counts} time=\"{time}\"");
            assert_eq!(out.matches(&counts).count(), 1, "{out}");
        }
    }

    #[test]
    fn what_xml_does_not_take_is_replaced() {
        assert_eq!(escaped("a\u{1}\"b\"\n\u{ffff}"), "a\u{fffd}&quot;b&quot;\n\u{fffd}");
    }
}
