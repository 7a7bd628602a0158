//! The text of a timeline of several connections: up to three of them in a column each, more as a table.
//!
//! A cell begins with what it is: `>` on its way to the server, `<` to the client, `x` where it did
//! not get there; what either end does by itself has its name before it. What is about both ends, or
//! about the whole server, stands across all columns, as in the timeline of one connection.

#[cfg(feature = "cli")]
use super::TIME;
#[cfg(feature = "cli")]
use super::saved::{counted, kind, time_of};
use super::{Item, Lane, NEVER, Row, Timeline, across, again, clip, short};
use crate::exchange::{ConnectionId, Time};
use std::fmt::Write as _;

/// So many connections have a column each.
const COLUMNS: usize = 3;
/// Between two columns.
const GAP: usize = 2;
/// How wide the numbers of a table's connections are, with the gap behind them.
const NUMBERS: usize = 12;
/// The heads of a column and of a table's numbers.
const COLUMN: &str = "connection ";
const TABLE: &str = "connection";
/// How far a cell's second line is indented.
const INDENT: usize = 2;

/// Lays rows of several connections out, behind the times, in lines of `lanes` columns.
pub(super) fn text(timeline: &Timeline, connections: &[ConnectionId], lanes: usize) -> String {
    let mut page = Page { out: String::new(), lanes, last: None };
    if connections.len() <= COLUMNS {
        let count = connections.len();
        let width = (lanes - GAP * (count - 1)) / count;
        let heads = connections
            .iter()
            .map(|connection| format!("{COLUMN}{}", connection_number(*connection)));
        let heads: Vec<String> = heads.map(|head| format!("{head:width$}")).collect();
        page.line(' ', "time", heads.join(&" ".repeat(GAP)).trim_end());
        for item in timeline.items() {
            match item {
                Item::Row(row) => match cell(&row) {
                    Some(text) => {
                        let place = connections.iter().position(|one| *one == row.connection);
                        let margin = place.unwrap_or(0) * (width + GAP);
                        page.cell(&row, &text, &" ".repeat(margin), width);
                    }
                    None => page.across(&row),
                },
                Item::Again { rows, times, until } => page.again(rows, times, until),
                Item::LeftOut(_) => {}
            }
        }
        return page.out;
    }
    page.line(' ', "time", TABLE);
    for (numbers, row) in together(&timeline.rows) {
        match cell(row) {
            Some(text) => {
                let numbers = format!("{:width$} ", numbers, width = NUMBERS - 1);
                page.cell(row, &text, &numbers, lanes - NUMBERS);
            }
            None => page.across(row),
        }
    }
    page.out
}

/// The connection's number in scripts.
pub(in crate::report) fn connection_number(connection: ConnectionId) -> u32 {
    u32::from(connection.0) + 1
}

/// What a row says in its connection's column; `None` of what stands across all.
fn cell(row: &Row) -> Option<String> {
    let text = row.text.replace(char::is_control, " ");
    Some(match row.lane {
        Lane::ToServer => format!("> {text}"),
        Lane::ToClient(true) => format!("< {text}"),
        Lane::ToClient(false) => format!("x {text}"),
        Lane::Client => format!("client: {text}"),
        Lane::Server if text.starts_with("application: ") => text,
        Lane::Server => format!("server: {text}"),
        Lane::Across | Lane::Whole => return None,
    })
}

/// The rows of a table, each with the numbers of its connections: those that do the same at the
/// same time stand in one line.
fn together(rows: &[Row]) -> Vec<(String, &Row)> {
    let mut out = Vec::new();
    for moment in rows.chunk_by(|one, next| one.at == next.at && is_cell(one) && is_cell(next)) {
        let mut stories: Vec<(Vec<ConnectionId>, Vec<&Row>)> = Vec::new();
        for row in moment {
            match stories.iter_mut().find(|(connections, _)| connections[0] == row.connection) {
                Some((_, story)) => story.push(row),
                None => stories.push((vec![row.connection], vec![row])),
            }
        }
        let mut told: Vec<(Vec<ConnectionId>, Vec<&Row>)> = Vec::new();
        for (connections, story) in stories {
            let is_alike = |(_, other): &&mut (Vec<ConnectionId>, Vec<&Row>)| {
                other.len() == story.len()
                    && other.iter().zip(&story).all(|(one, other)| is_same(one, other))
            };
            match told.iter_mut().find(is_alike) {
                Some((others, _)) => others.extend(connections),
                None => told.push((connections, story)),
            }
        }
        for (mut connections, story) in told {
            connections.sort_unstable();
            let numbers = numbers(&connections);
            out.extend(story.into_iter().map(|row| (numbers.clone(), row)));
        }
    }
    out
}

const fn is_cell(row: &Row) -> bool {
    !matches!(row.lane, Lane::Across | Lane::Whole)
}

fn is_same(one: &Row, other: &Row) -> bool {
    (one.lane, &one.text, one.marked) == (other.lane, &other.text, other.marked)
}

/// `1`, `2-5`, `1,3-8`.
fn numbers(connections: &[ConnectionId]) -> String {
    let runs = connections.chunk_by(|one, next| one.0 + 1 == next.0);
    let words = runs.map(|run| match run {
        [one] => connection_number(*one).to_string(),
        [one, other] => format!("{},{}", connection_number(*one), connection_number(*other)),
        [first, .., last] => format!("{}-{}", connection_number(*first), connection_number(*last)),
        [] => String::new(),
    });
    words.collect::<Vec<_>>().join(",")
}

/// What is written so far.
struct Page {
    out: String,
    lanes: usize,
    last: Option<Time>,
}

impl Page {
    fn line(&mut self, mark: char, time: &str, text: &str) {
        let _ = writeln!(self.out, "{}", format!("{mark}{time:>12}  {text}").trim_end());
    }

    fn row(&mut self, row: &Row, text: &str) {
        let time = match self.last {
            _ if row.at == NEVER => "for ever".to_owned(),
            Some(last) if last == row.at => String::new(),
            _ => short(row.at),
        };
        self.last = Some(row.at);
        self.line(if row.marked { '!' } else { ' ' }, &time, text);
    }

    /// A cell, in as many lines as it takes.
    fn cell(&mut self, row: &Row, text: &str, margin: &str, width: usize) {
        let mut lines = wrapped(text, width).into_iter();
        if let Some(first) = lines.next() {
            self.row(row, &format!("{margin}{first}"));
        }
        let margin = " ".repeat(margin.chars().count());
        for line in lines {
            self.line(if row.marked { '!' } else { ' ' }, "", &format!("{margin}{line}"));
        }
    }

    fn across(&mut self, row: &Row) {
        let text = row.text.replace(char::is_control, " ");
        let text = match row.lane {
            Lane::Whole => text,
            _ => format!("{COLUMN}{}: {text}", connection_number(row.connection)),
        };
        let text = across(&text, self.lanes);
        self.row(row, &text);
    }

    fn again(&mut self, rows: usize, times: usize, until: Time) {
        self.out.push_str(&again(rows, times, until));
        self.last = Some(until);
    }
}

/// A cell's text in lines of at most `width` columns, all but the first indented; a word that is
/// longer is cut.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let word = clip(word, width - INDENT);
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            Some(_) => lines.push(format!("{:INDENT$}{word}", "")),
            None => lines.push(word),
        }
    }
    lines
}

/// How a timeline of several connections was laid out, as its first line tells.
#[cfg(feature = "cli")]
pub(super) enum Layout {
    /// In columns, which begin so far behind the time.
    Columns(Vec<usize>),
    /// As a table.
    Table,
}

#[cfg(feature = "cli")]
impl Layout {
    /// The layout that this first line tells of; `None` where it is that of one connection.
    pub fn of(head: &str) -> Option<Self> {
        let head = head.get(TIME..)?;
        if head == TABLE {
            return Some(Self::Table);
        }
        let starts: Vec<usize> = head.match_indices(COLUMN).map(|(at, _)| at).collect();
        (starts.len() > 1).then_some(Self::Columns(starts))
    }

    /// The lines of a text that is laid out so, as far as they are lines of a timeline.
    pub fn items(&self, text: &str) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        let mut last = Time::ZERO;
        // How many connections the line before is of.
        let mut together = 0;
        for line in text.lines().skip(1) {
            let margin: String = line.chars().take(TIME).collect();
            let said: String = line.chars().skip(TIME).collect();
            if let Some(said) = said.strip_prefix("... ") {
                items.extend(counted(said, &mut last));
                continue;
            }
            let time = margin.get(1..).unwrap_or_default().trim();
            if !time.is_empty() {
                let Some(time) = time_of(time) else { continue };
                last = time;
            }
            let marked = margin.starts_with('!');
            let row = |connection, lane, text: &str| {
                let (at, kind, text) = (last, kind(lane, text), text.to_owned());
                Item::Row(Row { at, connection, event: None, lane, kind, text, marked })
            };
            if said.starts_with("==") || said.starts_with("= ") {
                let text = said.trim_matches('=').trim();
                items.push(match of_connection(text) {
                    Some((connection, text)) => row(connection, Lane::Across, text),
                    None => row(ConnectionId::FIRST, Lane::Whole, text),
                });
                continue;
            }
            let Some((connections, cell)) = self.cell(&said) else { continue };
            match lane_of(&cell) {
                Some((lane, text)) => {
                    together = connections.len();
                    items.extend(connections.iter().map(|connection| row(*connection, lane, text)));
                }
                // The second line of a cell.
                None => {
                    for item in items.iter_mut().rev().take(together) {
                        let Item::Row(row) = item else { continue };
                        row.text.push(' ');
                        row.text.push_str(cell.trim());
                        row.kind = kind(row.lane, &row.text);
                    }
                }
            }
        }
        items
    }

    /// Whose cell a line has, and the cell.
    fn cell(&self, said: &str) -> Option<(Vec<ConnectionId>, String)> {
        match self {
            Self::Columns(starts) => {
                let indent = said.chars().take_while(|character| *character == ' ').count();
                let place = starts.iter().rposition(|start| *start <= indent)?;
                let cell = said.chars().skip(starts[place]).collect();
                Some((vec![ConnectionId(place as u16)], cell))
            }
            Self::Table if said.starts_with(' ') => Some((Vec::new(), said.to_owned())),
            Self::Table => {
                let (numbers, cell) = said.split_once(' ')?;
                Some((connections_of(numbers)?, cell.trim_start().to_owned()))
            }
        }
    }
}

/// What a cell shows, and in which words; `None` where it goes on with the line before.
#[cfg(feature = "cli")]
fn lane_of(cell: &str) -> Option<(Lane, &str)> {
    let signs = [
        ("> ", Lane::ToServer),
        ("< ", Lane::ToClient(true)),
        ("x ", Lane::ToClient(false)),
        ("client: ", Lane::Client),
        ("server: ", Lane::Server),
    ];
    let sign = signs.into_iter().find_map(|(sign, lane)| Some((lane, cell.strip_prefix(sign)?)));
    sign.or_else(|| cell.starts_with("application: ").then_some((Lane::Server, cell)))
}

/// `connection 2: text`
#[cfg(feature = "cli")]
fn of_connection(text: &str) -> Option<(ConnectionId, &str)> {
    let (number, text) = text.strip_prefix(COLUMN)?.split_once(": ")?;
    Some((id(number)?, text))
}

#[cfg(feature = "cli")]
fn id(number: &str) -> Option<ConnectionId> {
    number.parse::<u16>().ok()?.checked_sub(1).map(ConnectionId)
}

/// `1,3-8`
#[cfg(feature = "cli")]
fn connections_of(numbers: &str) -> Option<Vec<ConnectionId>> {
    let mut connections = Vec::new();
    for run in numbers.split(',') {
        let (first, last) = run.split_once('-').unwrap_or((run, run));
        let (ConnectionId(first), ConnectionId(last)) = (id(first)?, id(last)?);
        // A stranger may have written it.
        connections.extend((first..=last).take(64).map(ConnectionId));
    }
    Some(connections)
}
