//! Settings from outside: environment variables that replace a suite's defaults. What the code sets
//! by itself wins.

use super::{Suite, name};
use crate::excerpt::excerpt;
use crate::report;
use std::env::VarError;
use std::fmt::Write as _;
use std::path::PathBuf;

/// How many scripts `check` plays.
const SCRIPTS: &str = "HANGUP_SCRIPTS";
/// Which scripts it plays.
const SEED: &str = "HANGUP_SEED";
/// Where repro files are written and looked for.
const FINDINGS: &str = "HANGUP_FINDINGS";

/// How a variable is looked up: tests have their own way.
type Lookup<'a> = &'a dyn Fn(&str) -> Result<String, VarError>;

/// What the code has set, and the environment does not replace.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Explicit {
    pub seed: bool,
    pub scripts: bool,
    pub directory: bool,
}

impl Suite {
    /// The suite as the environment sets it; else what is wrong with a variable, in a sentence.
    pub(super) fn with_environment(&self) -> Result<Self, String> {
        self.with_variables(&|name| std::env::var(name))
    }

    fn with_variables(&self, lookup: Lookup<'_>) -> Result<Self, String> {
        let mut suite = self.clone();
        let Explicit { seed, scripts, directory } = suite.explicit;
        if let Some(value) = number(SEED, 0, lookup)?.filter(|_| !seed) {
            suite.seed = value;
        }
        if let Some(value) = number(SCRIPTS, 1, lookup)?.filter(|_| !scripts) {
            suite.scripts = value;
        }
        if let Some(value) = text(FINDINGS, lookup)?.filter(|_| !directory) {
            suite.directory = PathBuf::from(value);
        }
        Ok(suite)
    }

    /// How to play the same again: the variables that make a default another one, and the test.
    pub(super) fn again(&self) -> Option<String> {
        let test = name::test_name()?;
        let mut line = String::from("again:\n\n    ");
        let Explicit { seed, scripts, .. } = self.explicit;
        if !seed && self.seed != super::SEED {
            let _ = write!(line, "{SEED}={} ", self.seed);
        }
        if !scripts && self.scripts != super::SCRIPTS {
            let _ = write!(line, "{SCRIPTS}={} ", self.scripts);
        }
        line.push_str(&report::test_command(&test));
        Some(line)
    }
}

/// A variable's text; `None` where it is not set, or empty.
fn text(name: &str, lookup: Lookup<'_>) -> Result<Option<String>, String> {
    match lookup(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(format!("the environment variable {name} is no text in UTF-8"))
        }
    }
}

/// A variable's number, `least` or more.
fn number(name: &str, least: u64, lookup: Lookup<'_>) -> Result<Option<u64>, String> {
    let Some(value) = text(name, lookup)? else { return Ok(None) };
    match value.parse() {
        Ok(number) if number >= least => Ok(Some(number)),
        _ => Err(format!(
            "the environment variable {name} is `{}`: it takes a whole number from {least} to {}",
            excerpt(&value),
            u64::MAX
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::path::Path;

    fn suite() -> Suite {
        crate::suite(|_| async {})
    }

    fn set(suite: &Suite, variable: (&str, &str)) -> Result<Suite, String> {
        suite.with_variables(&|name| {
            Some(variable.1.to_owned()).filter(|_| name == variable.0).ok_or(VarError::NotPresent)
        })
    }

    #[test]
    fn the_environment_replaces_defaults_and_nothing_that_the_code_sets() {
        let seen = |suite: &Suite, variable| {
            let suite = set(suite, variable).expect("a good value");
            (suite.seed, suite.scripts, suite.directory.display().to_string())
        };
        let default = (0, 5_000, "hangup-findings".to_owned());
        assert_eq!(seen(&suite(), ("HANGUP_OTHER", "7")), default);
        assert_eq!(seen(&suite(), ("HANGUP_SEED", "7")), (7, 5_000, default.2.clone()));
        assert_eq!(seen(&suite(), ("HANGUP_SCRIPTS", "7")), (0, 7, default.2.clone()));
        assert_eq!(seen(&suite(), ("HANGUP_FINDINGS", "a/b")), (0, 5_000, "a/b".to_owned()));
        assert_eq!(seen(&suite(), ("HANGUP_SCRIPTS", "")), default);
        let own = suite().seed(0).scripts(9).findings_in(Path::new("own"));
        for variable in [("HANGUP_SEED", "7"), ("HANGUP_SCRIPTS", "7"), ("HANGUP_FINDINGS", "a")] {
            assert_eq!(seen(&own, variable), (0, 9, "own".to_owned()), "{variable:?}");
        }
    }

    #[test]
    fn a_bad_value_is_said_by_the_variables_name() {
        for (name, value) in [
            ("HANGUP_SEED", "-1"),
            ("HANGUP_SEED", "soon"),
            ("HANGUP_SCRIPTS", "0"),
            ("HANGUP_SCRIPTS", "1e6"),
            ("HANGUP_SCRIPTS", "99999999999999999999"),
        ] {
            let error = set(&suite(), (name, value)).expect_err("a bad value");
            assert!(error.contains(name) && error.contains(&format!("`{value}`")), "{error}");
            assert!(set(&suite().seed(1).scripts(1), (name, value)).is_err(), "{name}");
        }
        let no_text = |_: &str| Err(VarError::NotUnicode(OsString::from("x")));
        let error = suite().with_variables(&no_text).expect_err("no text");
        assert!(error.contains("HANGUP_SEED is no text"), "{error}");
    }
}
