//! A report in the form that JUnit made common: one case for each problem, and one
//! for each rule that was kept, or skipped, since it could not be judged.

use super::model::ProblemReport;
use super::text::{problem_headline, variants};
use crate::verdict::Invariant;
use std::fmt::Write as _;

/// How many columns the table of a problem may have.
const WIDTH: usize = 100;

/// The report on `server`: its `problems` after so many scripts, which rules were `judged`, and
/// why testing ended early, where it did.
pub fn junit(
    server: &str,
    problems: &[ProblemReport<'_>],
    scripts: u64,
    judged: &dyn Fn(Invariant) -> bool,
    trouble: Option<&str>,
    seconds: f64,
) -> String {
    let broken =
        |rule: &Invariant| problems.iter().any(|problem| problem.problem.invariant() == *rule);
    let kept: Vec<_> = Invariant::ALL.iter().filter(|rule| !broken(rule)).collect();
    let tests = problems.len() + kept.len() + usize::from(trouble.is_some());
    let server = escaped(server);
    let skipped = kept.iter().filter(|rule| !judged(***rule)).count();
    let counts = format!(
        "tests=\"{tests}\" failures=\"{}\" errors=\"{}\" skipped=\"{skipped}\" time=\"{seconds:.3}\"",
        problems.len(),
        usize::from(trouble.is_some()),
    );
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"hangup\" {counts}>\n  \
         <testsuite name=\"{server}\" {counts}>\n"
    );
    for problem in problems {
        let headline = escaped(&problem_headline(problem));
        let repro = &problem.headline.repro;
        let variants = variants(problem, scripts, WIDTH);
        let body = escaped(&format!("{}\n\n{}\n{variants}", repro.sentence, repro.script));
        let _ = write!(
            out,
            "    <testcase classname=\"{server}\" name=\"{headline}\">\n      \
             <failure type=\"{}\" message=\"{headline}\">{body}</failure>\n    </testcase>\n",
            repro.identity.invariant(),
        );
    }
    for rule in kept {
        let case = format!("    <testcase classname=\"{server}\" name=\"{rule}\"");
        let _ = if judged(*rule) {
            writeln!(out, "{case}/>")
        } else {
            writeln!(out, "{case}>\n      <skipped/>\n    </testcase>")
        };
    }
    if let Some(trouble) = trouble {
        let trouble = escaped(trouble);
        let _ = write!(
            out,
            "    <testcase classname=\"{server}\" name=\"tested to the end\">\n      \
             <error message=\"{trouble}\"/>\n    </testcase>\n"
        );
    }
    out + "  </testsuite>\n</testsuites>\n"
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
        let judged = |rule| rule != Invariant::NoSpin;
        let out = junit("ws://[::1]/?a&b", &[], 0, &judged, Some("it <died>"), 2.0);
        for rule in Invariant::ALL {
            let end = if judged(*rule) { "/>" } else { ">\n      <skipped/>" };
            assert!(out.contains(&format!("name=\"{rule}\"{end}")), "{out}");
        }
        assert!(out.contains("classname=\"ws://[::1]/?a&amp;b\""), "{out}");
        assert!(out.contains("<error message=\"it &lt;died&gt;\"/>"), "{out}");
        let tests = Invariant::ALL.len() + 1;
        assert!(
            out.contains(&format!("tests=\"{tests}\" failures=\"0\" errors=\"1\" skipped=\"1\"")),
            "{out}"
        );
    }

    #[test]
    fn what_xml_does_not_take_is_replaced() {
        assert_eq!(escaped("a\u{1}\"b\"\n\u{ffff}"), "a\u{fffd}&quot;b&quot;\n\u{fffd}");
    }
}
