//! Where the lines of a picture stand: time to scale, with a break where it would take too much room.

use super::super::timeline::{Item, Kind, NEVER};
use crate::exchange::Time;

/// Where the first line stands, below the heads.
const TOP: i32 = 104;
/// From a line to the next one at the same time.
const ROW: i32 = 34;
/// The same before a line that says that the connection is still open, which has a large sign.
const OPEN_ROW: i32 = 56;
/// How long the bound is drawn; of a story without one, the longest pause.
const BOUND: f64 = 120.0;
/// What would be longer is drawn with a break.
const LONGEST: f64 = 300.0;
/// How long a break is drawn.
const BREAK: i32 = 96;

/// Time that passes between two lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// From where on it is drawn.
    pub from: i32,
    /// To where: the later line.
    pub to: i32,
    /// Since when.
    pub since: Time,
    /// Until when.
    pub until: Time,
    /// Whether it is longer than it is drawn.
    pub broken: bool,
}

/// The places of some lines.
#[derive(Debug)]
pub(super) struct Places {
    /// Where each stands.
    pub lines: Vec<i32>,
    /// The time between them.
    pub spans: Vec<Span>,
    /// The height of the picture.
    pub height: i32,
}

impl Places {
    pub(super) fn of(items: &[Item]) -> Self {
        let pixels = pixels_per_microsecond(items);
        let mut places = Self { lines: Vec::new(), spans: Vec::new(), height: 0 };
        let (mut y, mut last) = (TOP - ROW, Time::ZERO);
        for item in items {
            let at = time(item).unwrap_or(last).max(last);
            let row = if is_open(item) { OPEN_ROW } else { ROW };
            let lasting = at.0 - last.0;
            let long = lasting as f64 * pixels;
            let broken = at == NEVER || long > LONGEST;
            let drawn = if broken { BREAK } else { long.round() as i32 };
            y += drawn.max(row);
            places.lines.push(y);
            if lasting > 0 {
                let from = y - drawn.max(2);
                places.spans.push(Span { from, to: y, since: last, until: at, broken });
            }
            last = at;
        }
        places.height = y + 40;
        places
    }
}

fn is_open(item: &Item) -> bool {
    matches!(item, Item::Row(row) if matches!(row.kind, Kind::Open | Kind::Never))
}

/// When a line is; `None` of one that has no time.
pub(super) fn time(item: &Item) -> Option<Time> {
    match item {
        Item::Row(row) => Some(row.at),
        Item::Again { until, .. } => Some(*until),
        Item::LeftOut(_) => None,
    }
}

/// So that the bound, or else the longest pause, has the length of [`BOUND`].
fn pixels_per_microsecond(items: &[Item]) -> f64 {
    let bound = items.iter().find_map(|item| match item {
        Item::Row(row) => match row.kind {
            Kind::Deadline { since } => row.at.0.checked_sub(since.0),
            _ => None,
        },
        _ => None,
    });
    let times: Vec<u64> =
        items.iter().filter_map(time).filter(|at| *at != NEVER).map(|at| at.0).collect();
    let longest = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max();
    let whole = bound.filter(|bound| *bound > 0).or(longest).unwrap_or(0);
    if whole == 0 { 0.0 } else { BOUND / whole as f64 }
}

/// How long a span lasts; `None` of one without an end.
pub(super) fn lasting(span: Span) -> Option<String> {
    let micros = span.until.0.checked_sub(span.since.0).filter(|_| span.until != NEVER)?;
    Some(duration(micros))
}

/// A duration in microseconds, in one unit: `250 ms`, `5 s`, `12 h`.
pub(super) fn duration(micros: u64) -> String {
    let seconds = micros as f64 / 1e6;
    let (number, unit) = match seconds {
        ..1.0 => (seconds * 1e3, "ms"),
        ..120.0 => (seconds, "s"),
        ..7200.0 => (seconds / 60.0, "min"),
        ..172_800.0 => (seconds / 3600.0, "h"),
        ..63_072_000.0 => (seconds / 86_400.0, "days"),
        _ => (seconds / 31_557_600.0, "years"),
    };
    let digits = usize::from(number < 10.0 && (number - number.round()).abs() >= 0.05);
    format!("{number:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::super::super::timeline::{Lane, Row};
    use super::*;
    use crate::exchange::ConnectionId;

    fn row(at: u64, kind: Kind) -> Item {
        let (at, text) = (Time(at), String::new());
        let (connection, lane) = (ConnectionId::FIRST, Lane::Across);
        Item::Row(Row { at, connection, event: None, lane, kind, text, marked: false })
    }

    #[test]
    fn pauses_are_to_scale_and_long_ones_broken() {
        let deadline = row(5_000_000, Kind::Deadline { since: Time::ZERO });
        let places = Places::of(&[
            row(0, Kind::Other),
            row(0, Kind::Other),
            deadline,
            row(15_000_000, Kind::Other),
            row(43_200_000_000, Kind::Other),
            row(u64::MAX, Kind::Open),
        ]);
        let drawn: Vec<(i32, bool)> =
            places.spans.iter().map(|span| (span.to - span.from, span.broken)).collect();
        assert_eq!(drawn, [(120, false), (240, false), (BREAK, true), (BREAK, true)]);
        assert_eq!(places.lines[..3], [TOP, TOP + ROW, TOP + ROW + 120]);
        let said: Vec<_> = places.spans.iter().map(|span| lasting(*span)).collect();
        let said: Vec<_> = said.iter().map(Option::as_deref).collect();
        assert_eq!(said, [Some("5 s"), Some("10 s"), Some("12 h"), None]);
    }
}
