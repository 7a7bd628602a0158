//! Messages that went in at one end, against those that came out at the other: which were lost,
//! cut, out of order, or came twice.
//!
//! It compares two lists. Whose they are, and which of them were owed, is its rules' business.

use std::time::Duration;

/// What a server may hold a message back for, to send it or to hand it on with others. What it
/// had for longer than this when something happened, it had before that.
pub(super) const HELD_BACK: Duration = Duration::from_secs(1);

/// So many pairs are compared, at the most, of two lists that differ.
const MOST_PAIRS: usize = 1 << 22;

/// Of so many messages, at the most, equal ones that came in each other's place are looked for.
const MOST_SWAPPED: usize = 256;

/// Which message that came is which of those that were sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pairs {
    /// Of each that was sent: whether it came, be it in another order.
    pub came: Vec<bool>,
    /// Of each that came: whether it is one that was sent, the first time that it comes.
    pub known: Vec<bool>,
    /// One that was sent, as it came, out of its order.
    pub displaced: Vec<(usize, usize)>,
}

/// Pairs two lists by `same`, in their order as far as possible. `None` where they are too long
/// to say.
pub(super) fn pair(sent: usize, came: usize, same: impl Fn(usize, usize) -> bool) -> Option<Pairs> {
    let mut pairs =
        Pairs { came: vec![false; sent], known: vec![false; came], displaced: Vec::new() };
    let prefix = (0..sent.min(came)).take_while(|index| same(*index, *index)).count();
    pairs.came[..prefix].fill(true);
    pairs.known[..prefix].fill(true);
    let (left, right) = (sent - prefix, came - prefix);
    if left.saturating_mul(right) > MOST_PAIRS {
        return None;
    }
    // The longest common subsequence: `longest[i][j]` is that of what is left from i and j on.
    let width = right + 1;
    let mut longest = vec![0_u32; (left + 1) * width];
    for i in (0..left).rev() {
        for j in (0..right).rev() {
            longest[i * width + j] = if same(prefix + i, prefix + j) {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let mut mates: Vec<Option<usize>> = (0..sent).map(|i| (i < prefix).then_some(i)).collect();
    let (mut i, mut j) = (0, 0);
    while i < left && j < right {
        if same(prefix + i, prefix + j) {
            pairs.came[prefix + i] = true;
            pairs.known[prefix + j] = true;
            mates[prefix + i] = Some(prefix + j);
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    // Of equal ones an earlier one may have come in its place, and that one's mate be free for a
    // later one, up to this one.
    let swapped = |i: usize, j: usize| {
        let mut free = j;
        for k in (0..i).filter(|_| sent <= MOST_SWAPPED) {
            if let Some(mate) = mates[k].filter(|mate| same(k, free) && *mate > free) {
                free = mate;
            }
        }
        free != j && same(i, free)
    };
    for i in prefix..sent {
        let is_its = |j: &usize| !pairs.known[*j] && (same(i, *j) || swapped(i, *j));
        if !pairs.came[i]
            && let Some(j) = (prefix..came).find(is_its)
        {
            (pairs.came[i], pairs.known[j]) = (true, true);
            pairs.displaced.push((i, j));
        }
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(sent: &str, came: &str) -> Pairs {
        let (sent, came) = (sent.as_bytes(), came.as_bytes());
        pair(sent.len(), came.len(), |i, j| sent[i] == came[j]).expect("short lists")
    }

    /// The letters that never came, that came out of order, and that were not expected.
    fn differences(sent: &str, came: &str) -> [String; 3] {
        let pairs = pairs(sent, came);
        let unpaired = |all: &str, paired: &[bool]| {
            all.chars().zip(paired).filter(|(_, paired)| !**paired).map(|(one, _)| one).collect()
        };
        let displaced = pairs.displaced.iter().map(|(i, _)| char::from(sent.as_bytes()[*i]));
        [unpaired(sent, &pairs.came), displaced.collect(), unpaired(came, &pairs.known)]
    }

    #[test]
    fn lists_are_paired_in_their_order_as_far_as_possible() {
        let all = |sent, came| differences(sent, came).join(",");
        assert_eq!(all("", ""), ",,");
        assert_eq!(all("abc", "abc"), ",,");
        assert_eq!(all("abc", "ac"), "b,,");
        assert_eq!(all("abc", "ab"), "c,,");
        assert_eq!(all("ab", "ba"), ",a,");
        assert_eq!(all("ab", "abb"), ",,b");
        assert_eq!(all("ab", "abz"), ",,z");
        // The first `a` is lost, and nothing is out of order.
        assert_eq!(all("aba", "ba"), "a,,");
        assert_eq!(pairs("aba", "ba").came, [false, true, true]);
        // An own word that equals one that is sent later.
        assert_eq!(all("hx", "xhx"), ",,x");
    }

    #[test]
    fn equal_messages_stand_for_each_other_where_one_could_not_have_come_yet() {
        // Two long ones and three equal short ones, the first of which overtakes the long ones;
        // each comes before the next is sent.
        let (sent, came) = (b"LLsss", b"sLLss");
        let earliest = [1, 1, 0, 3, 4];
        let same = |i: usize, j: usize| sent[i] == came[j] && earliest[i] <= j;
        let pairs = pair(5, 5, same).expect("short lists");
        assert_eq!((&pairs.came[..], pairs.displaced.len()), (&[true; 5][..], 1));
        // Without the last it is lost.
        let pairs = pair(5, 4, same).expect("short lists");
        assert_eq!(pairs.came.iter().filter(|came| !**came).count(), 1);
    }

    #[test]
    fn lists_that_agree_may_have_any_length_and_others_not() {
        let long = 10_000;
        assert!(pair(long, long, |i, j| i == j).is_some());
        assert!(pair(long, long - 1, |i, j| i == j + 1).is_none());
    }
}
