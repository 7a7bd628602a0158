//! The generator: one grammar of misbehaviour, written once against `rand`'s [`Rng`].
//!
//! Three doors lead here: a seeded generator drives campaigns, proptest's own drives
//! `hangup::scripts()`, and fuzzer input drives `impl Arbitrary for Script`.
//!
//! Every script is drawn under a profile of its own, as in swarm testing (Groce et
//! al., ISSTA 2012): about half of the kinds of steps are off, the rest unevenly
//! weighted, so that rare combinations come up and a script is often about one thing.

#[cfg(feature = "arbitrary")]
mod bytes;
mod draft;
mod profile;

use self::draft::Draft;
use self::profile::Profile;
use crate::bounds::Bounds;
use crate::script::AppSteps;
use crate::script::{Script, Step};
use rand::{Rng, RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

/// One script in so many has a flood: it takes fifty times as long as another.
const FLOODS: u32 = 400;

/// What scripts are drawn for: durations cluster around the bounds, and the
/// application is only told what it obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grammar {
    /// The target's promises.
    pub bounds: Bounds,
    /// What its application obeys.
    pub app: AppSteps,
}

impl Default for Grammar {
    /// The default bounds, and every command.
    fn default() -> Self {
        Self { bounds: Bounds::default(), app: AppSteps::ALL }
    }
}

impl Grammar {
    /// The script at `index` of the campaign with `seed`. Equal on every machine.
    pub fn nth(&self, seed: u64, index: u64) -> Script {
        let mixed = (u128::from(seed) << 64) | u128::from(index);
        // Neighbouring states of the generator are correlated in their first draws.
        let spread = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        self.draw(&mut Pcg64Mcg::from_seed((spread ^ (spread >> 64)).to_le_bytes()))
    }

    /// Draws a script.
    pub fn draw<R: Rng + ?Sized>(&self, rng: &mut R) -> Script {
        let mut draft = self.draft(rng);
        draft.opening();
        let steps = draft.length();
        let flood = draft.once_in(FLOODS).then(|| draft.rng.random_range(0..steps));
        for step in 0..steps {
            if flood == Some(step) {
                draft.flood();
            }
            draft.any();
        }
        Script { steps: draft.steps }
    }

    fn draft<'a, R: Rng + ?Sized>(&self, rng: &'a mut R) -> Draft<'a, R> {
        Draft {
            bounds: self.bounds,
            app: self.app,
            profile: Profile::draw(rng, self.app),
            room: 0,
            deaf: false,
            steps: Vec::with_capacity(16),
            rng,
        }
    }

    /// Draws one of the generator's moves: mostly one step, sometimes the few that
    /// belong together. What a mutator puts into a script.
    pub(crate) fn draw_steps<R: Rng + ?Sized>(&self, rng: &mut R) -> Vec<Step> {
        let mut draft = self.draft(rng);
        match draft.rng.random_range(0..FLOODS) {
            0 => draft.flood(),
            1..=25 => draft.opening(),
            _ => draft.any(),
        }
        draft.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Act;
    use std::collections::BTreeSet;

    #[test]
    fn every_generated_script_prints_and_parses_back_to_itself() {
        for index in 0..20_000 {
            let script = Grammar::default().nth(1, index);
            let text = script.to_string();
            assert_eq!(text.parse::<Script>().as_ref(), Ok(&script), "{text}");
        }
    }

    #[test]
    fn a_seed_and_an_index_name_one_script_for_ever() {
        let first: String =
            (0..4).map(|index| Grammar::default().nth(7, index).to_string()).collect();
        let again: String =
            (0..4).map(|index| Grammar::default().nth(7, index).to_string()).collect();
        assert_eq!(first, again);
        let distinct: BTreeSet<Script> =
            (0..1000).map(|index| Grammar::default().nth(7, index)).collect();
        assert!(distinct.len() > 900, "{} distinct scripts of 1000", distinct.len());
    }

    #[test]
    fn an_application_is_only_told_what_it_obeys() {
        let grammar = Grammar { app: AppSteps::CLOSE, ..Grammar::default() };
        for index in 0..5_000 {
            for step in grammar.nth(3, index).steps {
                if let Act::App(command, _) = step.act {
                    assert_eq!(AppSteps::of(&command), AppSteps::CLOSE);
                }
            }
        }
    }

    /// Each behaviour that the field's bugs need comes up.
    #[test]
    fn every_kind_of_step_is_generated() {
        let mut words = BTreeSet::new();
        for index in 0..20_000 {
            for step in Grammar::default().nth(5, index).steps {
                words.extend(step.to_string().split(' ').map(str::to_owned));
            }
        }
        let expected = "+ upgrade with header raw first rest after text binary continuation ping pong \
            close opcode unmasked unfinished rsv 16-bit 64-bit hex x every pieces wait await end message \
            stop resume fin reset drop cut window segment send receive app return";
        for word in expected.split_whitespace() {
            assert!(words.contains(word), "no script has `{word}`");
        }
    }
}
