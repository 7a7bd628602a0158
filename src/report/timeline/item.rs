//! The rows of a timeline as they are laid out: what repeats stands once, with a count.

use super::{Row, Timeline, cycle};
use crate::exchange::Time;

/// A line of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A row.
    Row(Row),
    /// The rows before it once more.
    Again {
        /// How many rows.
        rows: usize,
        /// How many times more.
        times: usize,
        /// When the last of them happened.
        until: Time,
    },
    /// So many lines that are not shown.
    LeftOut(usize),
}

impl Timeline {
    /// The rows, with what repeats in a row told once.
    pub fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        let mut rest = self.rows.as_slice();
        while !rest.is_empty() {
            let (length, times) = cycle(rest);
            items.extend(rest[..length].iter().cloned().map(Item::Row));
            if times > 1 {
                let until = rest[length * times - 1].at;
                items.push(Item::Again { rows: length, times: times - 1, until });
            }
            rest = &rest[length * times..];
        }
        items
    }

    /// As [`items`](Self::items), without the middle of a long story: at most `first` and `last`
    /// of them, and between them how many are left out.
    pub fn bounded_items(&self, (first, last): (usize, usize)) -> Vec<Item> {
        let mut items = self.items();
        let Some(left_out) = items.len().checked_sub(first + last + 1).filter(|left| *left > 0)
        else {
            return items;
        };
        let end = items.len() - last;
        items.splice(first..end, [Item::LeftOut(left_out + 1)]);
        items
    }
}
