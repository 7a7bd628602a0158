//! Shrinking one script in rounds of plays side by side: which candidates the next round has, and
//! what the results make of the script.
//!
//! Nothing is played here and no clock is read: the time that is left is an argument. Several
//! scripts are shrunk at once by as many [`Rounds`], each with its share of the connections.

use super::candidates::{next_candidates, size, without_all};
use super::player::MAX_TRIES;
use crate::script::Script;
use std::collections::BTreeMap;

/// The fewest and the most candidates of one script in play at once, while our own process is on
/// time.
const WIDTHS: std::ops::RangeInclusive<usize> = 4..=64;

/// So many bytes, and the candidates of one script keep a server from everything else: no more at
/// once, but for a single one.
const BYTES_AT_ONCE: u64 = 16 << 20;

/// How many scripts that send so much as `script` are played at once beside others.
pub(super) fn at_once_by_weight(script: &Script) -> usize {
    usize::try_from(BYTES_AT_ONCE / script.max_bytes_sent().max(1)).unwrap_or(usize::MAX).max(1)
}

/// What a candidate's play came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// It breaks the rule in the same way.
    Yes,
    /// It does not.
    No,
    /// Our own process was late, or there was no connection: the play proves nothing.
    NotJudged,
}

/// One script on its way to a smaller one.
#[derive(Debug)]
pub(super) struct Rounds {
    best: Script,
    /// Whether it fails, of what was played and judged.
    known: BTreeMap<Script, bool>,
    /// How often a candidate was played and not judged.
    tries: BTreeMap<Script, u32>,
    guess: Option<Script>,
    plays: u32,
    budget: u32,
    /// How many may be in play at once, after plays that were not judged.
    at_once: usize,
    minimal: bool,
}

impl Rounds {
    /// Begins with `script`, which fails; at most `budget` candidates are played.
    pub fn new(script: Script, budget: u32) -> Self {
        Self {
            best: script,
            known: BTreeMap::new(),
            tries: BTreeMap::new(),
            guess: None,
            plays: 0,
            budget,
            at_once: *WIDTHS.end(),
            minimal: false,
        }
    }

    /// The candidates of the next round, with a share of `width` connections: those that suit and
    /// for which there is time. None where nothing smaller is left to be tried, where the time does
    /// not suffice, or where the budget is used up.
    pub fn next(
        &mut self,
        width: usize,
        suits: &dyn Fn(&Script) -> bool,
        has_time: &dyn Fn(&Script) -> bool,
    ) -> Vec<Script> {
        let left = (self.budget - self.plays) as usize;
        let width = width.clamp(*WIDTHS.start(), *WIDTHS.end()).min(self.at_once);
        let width = width.min(at_once_by_weight(&self.best));
        let both = |script: &Script| suits(script) && has_time(script);
        let mut batch = next_candidates(&self.best, &both, &self.known, width.min(left));
        let known = &self.known;
        let guess = self.guess.take().filter(|guess| !known.contains_key(guess) && has_time(guess));
        batch.extend(guess.filter(|guess| left > width && !batch.contains(guess)));
        self.plays += batch.len() as u32;
        self.minimal =
            batch.is_empty() && next_candidates(&self.best, suits, &self.known, 1).is_empty();
        batch
    }

    /// Takes in what a round showed. It goes on from the smallest that failed. Where a play was
    /// not judged, fewer are in play at once from then on, and more again once all are judged.
    pub fn tell(&mut self, played: Vec<(Script, Shown)>, suits: &dyn Fn(&Script) -> bool) {
        let failed: Vec<&Script> = played
            .iter()
            .filter(|(_, shown)| *shown == Shown::Yes)
            .map(|(script, _)| script)
            .collect();
        self.guess = without_all(&self.best, failed.iter().copied()).filter(suits);
        if let Some(smallest) = failed.into_iter().min_by_key(|script| size(script)) {
            self.best = smallest.clone();
        }
        let all_judged = played.iter().all(|(_, shown)| *shown != Shown::NotJudged);
        self.at_once = if all_judged { self.at_once * 2 } else { played.len() / 4 };
        self.at_once = self.at_once.clamp(1, *WIDTHS.end());
        for (script, shown) in played {
            if shown == Shown::NotJudged {
                let tries = self.tries.entry(script.clone()).or_insert(0);
                *tries += 1;
                if *tries < MAX_TRIES {
                    continue;
                }
            }
            self.known.insert(script, shown == Shown::Yes);
        }
    }

    /// The smallest script so far, how many candidates were played, and whether nothing smaller
    /// is left to be tried.
    pub fn into_result(self) -> (Script, u32, bool) {
        (self.best, self.plays, self.minimal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::real_time::remote_subject::pauses;
    use std::time::Duration;

    const ANY: &dyn Fn(&Script) -> bool = &|_| true;

    fn script(text: &str) -> Script {
        text.parse().expect(text)
    }

    fn long() -> Script {
        script("upgrade\nping\nwait 3s\ntext \"a\"\nping\nclose 1000\nwait 2s\npong\nfin\n")
    }

    /// Plays rounds of `width` until there are none; how many that were.
    fn play(rounds: &mut Rounds, width: usize, shows: impl Fn(&Script) -> Shown) -> u32 {
        for round in 0..200 {
            let batch = rounds.next(width, ANY, ANY);
            if batch.is_empty() {
                return round;
            }
            let played = batch.into_iter().map(|script| (script.clone(), shows(&script)));
            rounds.tell(played.collect(), ANY);
        }
        panic!("it never ends");
    }

    fn holds_a_close(script: &Script) -> Shown {
        let closes = script.steps.iter().any(|step| step.to_string().starts_with("close"));
        if closes { Shown::Yes } else { Shown::No }
    }

    #[test]
    fn a_wide_round_comes_to_the_same_script_in_fewer_rounds() {
        let shrunk = |width| {
            let mut rounds = Rounds::new(long(), 1000);
            let count = play(&mut rounds, width, holds_a_close);
            (rounds.into_result(), count)
        };
        let ((narrow, _, minimal), many) = shrunk(4);
        let ((wide, _, _), few) = shrunk(32);
        assert_eq!((narrow.to_string(), minimal), ("close\n".to_owned(), true));
        assert_eq!(narrow, wide);
        assert!(few < many && few <= 5, "{few} and {many}");
    }

    #[test]
    fn no_round_has_more_candidates_than_its_share_and_a_guess() {
        let mut rounds = Rounds::new(long(), 1000);
        loop {
            let batch = rounds.next(7, ANY, ANY);
            if batch.is_empty() {
                return;
            }
            assert!(batch.len() <= 8, "{}", batch.len());
            rounds.tell(batch.into_iter().map(|s| (s.clone(), holds_a_close(&s))).collect(), ANY);
        }
    }

    #[test]
    fn scripts_that_send_much_are_played_few_at_once() {
        let width = |text: &str| Rounds::new(script(text), 1000).next(64, ANY, ANY).len();
        let steps = "stop reading\nping\nwait 3s\ntext \"a\"\npong\nclose 1000\n";
        assert!(width(&format!("upgrade\nbinary 1KiB x 12\n{steps}")) > 20);
        assert_eq!(width(&format!("upgrade\nbinary 512KiB x 12\n{steps}")), 2);
        assert_eq!(width(&format!("upgrade\nbinary 2MiB x 12\n{steps}")), 1);
    }

    #[test]
    fn where_little_time_is_left_only_short_scripts_are_tried_and_the_result_is_not_minimal() {
        let mut rounds = Rounds::new(long(), 1000);
        let short = |script: &Script| pauses(script) < Duration::from_secs(2);
        let batch = rounds.next(32, ANY, &short);
        assert!(batch.iter().all(short), "{batch:?}");
        assert!(rounds.next(32, ANY, &|_| false).is_empty());
        let (best, _, minimal) = rounds.into_result();
        assert_eq!((best, minimal), (long(), false));
    }

    #[test]
    fn the_budget_of_plays_ends_it_and_the_best_so_far_is_kept() {
        let mut rounds = Rounds::new(long(), 10);
        play(&mut rounds, 8, holds_a_close);
        let (best, plays, minimal) = rounds.into_result();
        assert!(best.steps.len() < long().steps.len());
        assert_eq!((plays, minimal), (10, false));
    }

    #[test]
    fn what_is_not_judged_is_played_again_with_fewer_at_once() {
        let mut rounds = Rounds::new(long(), 1000);
        let first = rounds.next(32, ANY, ANY);
        rounds.tell(first.iter().map(|s| (s.clone(), Shown::NotJudged)).collect(), ANY);
        let second = rounds.next(32, ANY, ANY);
        assert!(first.len() > 8 && second.len() == first.len() / 4, "{}", second.len());
        assert_eq!(second[..], first[..second.len()], "the same come again");
        rounds.tell(second.into_iter().map(|s| (s, Shown::No)).collect(), ANY);
        let third = rounds.next(32, ANY, ANY);
        assert_eq!(third.len(), first.len() / 4 * 2, "more again once all are judged");
    }

    #[test]
    fn what_is_never_judged_counts_as_not_shown_in_the_end() {
        let mut rounds = Rounds::new(script("upgrade\nclose\n"), 1000);
        play(&mut rounds, 32, |_| Shown::NotJudged);
        let (best, plays, minimal) = rounds.into_result();
        assert_eq!((best, minimal), (script("upgrade\nclose\n"), true));
        assert_eq!(plays % MAX_TRIES, 0);
    }
}
