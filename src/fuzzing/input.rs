//! What a fuzz target is given: a script, or one of the files that are left beside a crash.
//!
//! Text in, a script out; nothing is played here.

use crate::finding::repro::Repro;
use crate::script::Script;

/// A script to play.
#[derive(Debug, PartialEq)]
pub(super) struct Input {
    pub script: Script,
    /// The seed of the runtime's own choices.
    pub runtime_seed: u64,
    /// Whether it is of a finding that was saved.
    pub is_saved: bool,
}

impl Input {
    /// A script of the fuzzer's own.
    pub(super) const fn drawn(script: Script) -> Self {
        Self { script, runtime_seed: 0, is_saved: false }
    }

    /// A script in the notation, or that of a saved file; `None` where it is neither.
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let script = std::str::from_utf8(data).ok()?.parse().ok().map(Self::drawn);
        script.or_else(|| Self::saved(data))
    }

    /// The script of a repro, or of the report beside one.
    pub(super) fn saved(data: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(data).ok()?;
        let repro = text.contains("format = ").then(|| Repro::parse(text).ok()).flatten();
        match repro {
            Some(Repro { script, runtime_seed, .. }) => {
                Some(Self { script, runtime_seed, is_saved: true })
            }
            None => {
                let script = of_report(text)?;
                Some(Self { script, runtime_seed: 0, is_saved: true })
            }
        }
    }
}

/// The script of a report: the indented lines below `script, 2 steps:`.
fn of_report(text: &str) -> Option<Script> {
    let mut lines = text.lines().skip_while(|line| !is_heading(line)).skip(2);
    let script: Vec<&str> = lines.by_ref().map_while(|line| line.strip_prefix("    ")).collect();
    let script: Script = script.join("\n").parse().ok()?;
    (!script.steps.is_empty()).then_some(script)
}

fn is_heading(line: &str) -> bool {
    line.starts_with("script, ") && (line.ends_with(" step:") || line.ends_with(" steps:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_a_repro_and_a_report_are_inputs_and_nothing_else() {
        let script: Script = "upgrade\napp close\n".parse().expect("a script");
        let read = |text: &str| Input::read(text.as_bytes());
        assert_eq!(read("upgrade\napp close\n"), Some(Input::drawn(script.clone())));
        let report =
            "mine: no-spin\nIt spins.\n\nscript, 2 steps:\n\n    upgrade\n    app close\n\n  x\n";
        let saved = Input { script, runtime_seed: 0, is_saved: true };
        assert_eq!(read(report), Some(saved));
        for text in ["format = 2\n", "script, 1 step:\n\n    frob\n", "script, 0 steps:\n", "\u{7}"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
