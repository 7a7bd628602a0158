//! The connections of a script: their numbers, what is one connection's of a script of several,
//! and the order that such a script has.

use super::{Script, Step};
use std::fmt;

/// The number of a connection in a script, from 1 to [`MOST`](Self::MOST).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionNumber(u8);

impl ConnectionNumber {
    /// The first connection; most scripts have no other one.
    pub const FIRST: Self = Self(1);

    /// The highest number, and so how many connections a script may have.
    pub const MOST: u8 = 8;

    /// The connection with this number; `None` for 0 and for more than there may be.
    pub const fn new(number: u8) -> Option<Self> {
        if number == 0 || number > Self::MOST { None } else { Some(Self(number)) }
    }

    /// The first `count` numbers, in order; all of them where `count` is higher.
    pub fn first(count: u8) -> impl Iterator<Item = Self> {
        (1..=count.min(Self::MOST)).map(Self)
    }

    /// The number, from 1.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for ConnectionNumber {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for ConnectionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Script {
    /// The script with these steps: those of each connection stand together, in the order in which
    /// they are given, and the connections that have steps are numbered from 1 without a gap, in
    /// the order of their numbers. Steps of one connection stay as they are.
    ///
    /// A `connect` that is not its connection's first step is left out: nothing can come of it.
    pub fn of_steps(mut steps: Vec<Step>) -> Self {
        if steps.iter().any(|step| step.connection != ConnectionNumber::FIRST) {
            order(&mut steps);
            renumber(&mut steps);
        }
        let mut before = None;
        steps.retain(|step| {
            let is_first = before.replace(step.connection) != Some(step.connection);
            is_first || !step.connects()
        });
        Self { steps }
    }

    /// How many connections it has; one where it has no steps.
    pub fn connections(&self) -> u8 {
        self.steps.last().map_or(1, |last| last.connection.get())
    }

    /// What the connection with this number does, as a script of its own: of connection 1 alone.
    /// It has no steps where there is no such connection.
    pub fn of(&self, number: ConnectionNumber) -> Self {
        let its = self.steps.iter().filter(|step| step.connection == number);
        let first = |step: &Step| Step { connection: ConnectionNumber::FIRST, ..step.clone() };
        Self { steps: its.map(first).collect() }
    }

    /// One script of several, each on a connection of its own: the inverse of [`each`](Self::each).
    /// What is beyond [`ConnectionNumber::MOST`] is left out, and so is who does nothing.
    pub fn together(scripts: &[Self]) -> Self {
        let numbers = ConnectionNumber::first(ConnectionNumber::MOST);
        let steps = numbers.zip(scripts).flat_map(|(connection, script)| {
            script.steps.iter().map(move |step| Step { connection, ..step.clone() })
        });
        Self::of_steps(steps.collect())
    }

    /// The scripts of all its connections, in order, each as [`of`](Self::of) gives it.
    pub fn each(&self) -> Vec<Self> {
        ConnectionNumber::first(self.connections()).map(|number| self.of(number)).collect()
    }
}

/// Puts the steps of each connection together.
pub(super) fn order(steps: &mut [Step]) {
    if !steps.is_sorted_by_key(|step| step.connection) {
        steps.sort_by_key(|step| step.connection);
    }
}

/// Numbers the connections of steps that are in order from 1, without a gap.
fn renumber(steps: &mut [Step]) {
    let (mut number, mut before) = (0, None);
    for step in steps {
        if before.replace(step.connection) != Some(step.connection) {
            number += 1;
        }
        step.connection = ConnectionNumber(number);
    }
}

/// A number that is left out below another one that is in use, of steps in order: the one above.
pub(super) fn above_a_gap(steps: &[Step]) -> Option<ConnectionNumber> {
    let mut highest = 0;
    let mut numbers = steps.iter().map(|step| step.connection);
    numbers.find(|number| {
        let follows = number.0 <= highest + 1;
        highest = highest.max(number.0);
        !follows
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Script {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn error(text: &str) -> String {
        text.parse::<Script>().expect_err(text).to_string()
    }

    fn number(number: u8) -> ConnectionNumber {
        ConnectionNumber::new(number).expect("a number")
    }

    #[test]
    fn steps_of_other_connections_say_so_and_are_put_together() {
        let text = "1: upgrade\n3: connect after 2s\n2: upgrade\n3: fin\n2: + close 1000\nping\n\
                    2: + app broadcast text 64KiB x 3 every 1s\napp shutdown\n";
        let printed = "upgrade\nping\napp shutdown\n2: upgrade\n2: + close 1000\n\
                       2: + app broadcast text 64KiB x 3 every 1s\n3: connect after 2s\n3: fin\n";
        assert_eq!(script(text).to_string(), printed);
        assert_eq!(script(printed), script(text));
        assert_eq!(script(text).connections(), 3);
        assert_eq!(script("").connections(), 1);
        assert_eq!(script("1:upgrade\n  2:+ fin").to_string(), "upgrade\n2: + fin\n");
        let eight =
            (1..=8).map(|number| format!("{number}: upgrade")).collect::<Vec<_>>().join("\n");
        assert_eq!(script(&eight).connections(), 8);
    }

    #[test]
    fn one_connection_of_several_is_a_script_of_its_own() {
        let whole = script("upgrade\n2: connect after 1s\n2: + fin\n3: cut\napp shutdown\n");
        let texts = whole.each().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts, ["upgrade\napp shutdown\n", "connect after 1s\n+ fin\n", "cut\n"]);
        assert_eq!(Script::together(&whole.each()), whole);
        assert_eq!(whole.of(number(4)), Script::default());
        let [one, idle] = [script("upgrade\n"), Script::default()];
        let texts = "upgrade\n2: upgrade\n";
        assert_eq!(Script::together(&[one.clone(), idle, one.clone()]), script(texts));
        assert_eq!(Script::together(&vec![one; 9]).connections(), 8);
        assert_eq!(script("upgrade\n+ fin\n").each(), [script("upgrade\n+ fin\n")]);
        assert_eq!(Script::default().each(), [Script::default()]);
    }

    #[test]
    fn what_no_connection_can_be_is_an_error_with_its_place() {
        assert_eq!(
            error("upgrade\n9: upgrade"),
            "line 2, column 1: found `9:`, expected the number of a connection from 1 to 8"
        );
        for odd in ["0: upgrade", "02: upgrade", "99999999999: upgrade", "256: upgrade"] {
            assert!(error(odd).contains("column 1: found `"), "{odd}");
            assert!(error(odd).ends_with("the number of a connection from 1 to 8"), "{odd}");
        }
        assert_eq!(error("2:"), "line 1, column 3: the line ends, expected a step");
        assert!(error("2: upgrde").starts_with("line 1, column 4: found `upgrde`, expected one"));
        assert!(error("2: 2: upgrade").starts_with("line 1, column 4: found `2:`, expected one"));
        assert!(error("+ 2: upgrade").starts_with("line 1, column 3: found `2:`, expected one"));
        assert_eq!(
            error("4: fin\nupgrade\n2: upgrade\n4: cut\n"),
            "line 1, column 1: found `4:`, expected the next number: connections are 1, 2, 3 and \
             so on, none left out"
        );
        assert!(error("# all\n2: upgrade\n").starts_with("line 2, column 1: found `2:`"));
        assert_eq!(
            error("upgrade\n2: fin\n2: connect after 1s\n"),
            "line 3, column 4: found `connect`, expected `connect` as the first step of its \
             connection"
        );
        assert_eq!(error("connect 1s"), "line 1, column 9: found `1s`, expected after");
        assert!(error("connect after 1").contains("expected a time up to 1193h"));
        assert!(error("app shutdown 1000").contains("found `1000`, expected the line's end"));
        assert_eq!(error("app broadcast 3B"), "line 1, column 15: found `3B`, expected text");
    }

    #[test]
    fn a_script_may_be_so_long_with_all_its_connections_together() {
        let text =
            |times| format!("ping x {times}\n").repeat(5) + "2: ping x 10000\n".repeat(5).as_str();
        assert_eq!(script(&text(10_000)).acts(), 100_000);
        let one_more = format!("{}2: ping\n", text(10_000));
        assert!(error(&one_more).starts_with("line 11, column 1: found `2:`"));
        assert!(error(&one_more).ends_with("at most 100000 steps, repetitions and pieces in all"));
        // It may go to all eight.
        assert!(error("app broadcast text 4200KiB").contains("at most 32 MiB in all"));
        assert!(script("app broadcast text 4000KiB").max_bytes_sent() > 8 * 4_000 * 1024);
    }

    #[test]
    fn of_any_steps_a_script_is_made_that_reads_back() {
        let steps = |texts: &[(u8, &str)]| {
            let step = |(connection, text): &(u8, &str)| {
                let step = script(text).steps.remove(0);
                Step { connection: number(*connection), ..step }
            };
            Script::of_steps(texts.iter().map(step).collect())
        };
        let made =
            steps(&[(5, "fin"), (2, "connect after 1s"), (5, "connect after 2s"), (2, "cut")]);
        assert_eq!(made.to_string(), "connect after 1s\ncut\n2: fin\n");
        assert_eq!(made.to_string().parse(), Ok(made));
        let one = steps(&[(1, "fin"), (1, "upgrade")]);
        assert_eq!(one.to_string(), "fin\nupgrade\n");
    }
}
