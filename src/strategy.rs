//! `hangup::scripts()`: scripts as a proptest strategy.
//!
//! The generator draws them from proptest's randomness. The shrinker shrinks them: the
//! [`ValueTree`] walks its candidates. This file plays nothing.

use crate::generate::GeneratorConfig;
use crate::script::Script;
use crate::shrink::Shrinker;
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// Scripts of the default [`GeneratorConfig`]: a bound of 5 s, and an application that obeys
/// every command. `.for_config(suite.generator_config())` fits them to a server.
pub fn scripts() -> Scripts {
    Scripts { config: GeneratorConfig::default() }
}

/// The strategy that [`scripts`] makes.
#[derive(Clone, Copy, Debug)]
pub struct Scripts {
    config: GeneratorConfig,
}

impl Scripts {
    /// Scripts for another configuration of the generator.
    pub const fn for_config(self, config: GeneratorConfig) -> Self {
        Self { config }
    }

    /// The old name of [`for_config`](Self::for_config).
    #[doc(hidden)]
    pub const fn for_grammar(self, config: GeneratorConfig) -> Self {
        self.for_config(config)
    }
}

impl Strategy for Scripts {
    type Tree = ScriptTree;
    type Value = Script;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        Ok(ScriptTree::new(self.config.draw(runner.rng())))
    }
}

/// A script that proptest shrinks.
#[derive(Clone, Debug)]
pub struct ScriptTree {
    shrinker: Shrinker,
    current: Script,
}

impl ScriptTree {
    fn new(script: Script) -> Self {
        Self { shrinker: Shrinker::new(script.clone()), current: script }
    }

    /// Moves to the next candidate. Where there is none, returns to the best script and returns
    /// false.
    fn advance(&mut self) -> bool {
        match self.shrinker.candidate() {
            Some(candidate) => {
                self.current = candidate.clone();
                true
            }
            None => {
                self.current = self.shrinker.best().clone();
                false
            }
        }
    }
}

impl ValueTree for ScriptTree {
    type Value = Script;

    fn current(&self) -> Script {
        self.current.clone()
    }

    /// Called after the current script failed.
    fn simplify(&mut self) -> bool {
        self.shrinker.tell(true);
        self.advance()
    }

    /// Called after the current script did not fail.
    fn complicate(&mut self) -> bool {
        self.shrinker.tell(false);
        self.advance()
    }
}
