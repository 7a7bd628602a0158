//! Which findings are played again side by side, once it showed that the server is busy beside some
//! of them: halves, and halves of those. Plain data.

use std::collections::VecDeque;

/// Groups of findings that still have to be played, by their places.
#[derive(Debug, Default)]
pub(super) struct Groups(VecDeque<Vec<usize>>);

impl Groups {
    /// The next group.
    pub fn next(&mut self) -> Option<Vec<usize>> {
        self.0.pop_front()
    }

    /// Of a group that was played the server was busy beside these: their halves come next.
    pub fn add(&mut self, busy: &[usize]) {
        let (one, other) = busy.split_at(busy.len() / 2);
        let halves = [one, other].into_iter().filter(|half| !half.is_empty());
        self.0.extend(halves.map(<[usize]>::to_vec));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Plays groups where the `busy` ones disturb; which were settled in which group, and how many
    /// groups there were.
    fn play(all: usize, busy: &[usize]) -> (Vec<Vec<usize>>, usize) {
        let mut groups = Groups::default();
        groups.add(&(0..all).collect::<Vec<_>>());
        let (mut settled, mut plays) = (Vec::new(), 0);
        while let Some(group) = groups.next() {
            plays += 1;
            let disturbed = group.iter().any(|place| busy.contains(place));
            if disturbed && group.len() > 1 {
                groups.add(&group);
            } else {
                settled.push(group);
            }
        }
        (settled, plays)
    }

    #[test]
    fn every_finding_is_settled_once_and_one_that_disturbs_is_alone_in_the_end() {
        let cases = [(0, vec![]), (1, vec![0]), (2, vec![1]), (9, vec![4]), (48, vec![0, 47])];
        for (all, busy) in cases {
            let (settled, _) = play(all, &busy);
            let flat: Vec<usize> = settled.iter().flatten().copied().collect();
            assert_eq!(flat.len(), all);
            assert_eq!(flat.into_iter().collect::<BTreeSet<_>>(), (0..all).collect());
            for group in settled.iter().filter(|group| group.iter().any(|at| busy.contains(at))) {
                assert_eq!(group.len(), 1, "{settled:?}");
            }
        }
    }

    #[test]
    fn one_that_disturbs_costs_as_many_groups_as_its_number_has_bits_and_not_one_each() {
        let (_, plays) = play(48, &[17]);
        assert!(plays <= 12, "{plays}");
    }
}
