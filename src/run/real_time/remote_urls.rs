//! A server somewhere, and what its application does on which URL.
//!
//! Over TCP nobody can command an application. Its URLs stand for commands: one where
//! it closes on open, one where it sends unasked, one where it answers with what it
//! gets. A script is played on the URL that does what it needs, and a script that
//! needs what no URL does is not drawn.

use super::play::SETTLE;
use crate::bounds::Bounds;
use crate::generate::Grammar;
use crate::script::{
    Act, Command, Content, Frame, Kind, Millis, Pace, Piece, Script, Send, Setting, Size, Step,
    Unit,
};
use crate::target::AppSteps;
use crate::transport::tcp::endpoint::Endpoint;
use std::time::Duration;

/// A message on an echoing URL that is to fill all buffers on the way back: so many of
/// so many bytes, which is more than Linux grows a send buffer to.
const FILLS: (u32, Size) = (12, Size(512 << 10));
/// From this size on a drawn message is meant to fill buffers.
const LARGE: usize = 10_000;

/// What an application does by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Nothing that scripts count on.
    Plain,
    /// It closes as soon as the connection is open.
    Bye,
    /// It answers messages with what they are.
    Echo,
    /// It sends messages unasked.
    Push,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Bye, Self::Echo, Self::Push];

    /// What is not tested where no URL has this part.
    pub const fn lack(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bye => "how the server closes on its own (--bye URL)",
            Self::Echo => "closing with output that the client asked for under way (--echo URL)",
            Self::Push => "closing with output of its own under way (--push URL)",
        }
    }

    /// The step that stands in scripts for what the application does by itself.
    fn step(self) -> Option<Act> {
        let command = match self {
            Self::Plain | Self::Echo => return None,
            Self::Bye => Command::Close(None, Content::Empty),
            Self::Push => Command::SendText(Content::Empty),
        };
        Some(Act::App(command, Pace::Once))
    }

    /// The scripts that no campaign should be without: the client closes, also with output
    /// under way that it does not read; where the application closes, the client says
    /// nothing more, or goes on sending.
    fn usual(self, bounds: &Bounds) -> Vec<Script> {
        let opening = Send { piece: Piece::Whole, unit: Unit::Upgrade(None), pace: Pace::Once };
        let frame = |kind, pace| {
            let unit = Unit::Frame(Frame::new(kind));
            Act::Send(Send { piece: Piece::Whole, unit, pace })
        };
        let begin: Vec<Act> =
            [Some(Act::Send(opening)), self.step()].into_iter().flatten().collect();
        let fifth = Millis((bounds.close / 5).as_millis() as u32);
        let half = Millis((bounds.close / 2).as_millis() as u32);
        let close = frame(Kind::Close(Some(1000), Content::Empty), Pace::Once);
        let (times, size) = FILLS;
        let fill = frame(Kind::Binary(Content::Fill(size)), Pace::Times(times, Millis(0)));
        let ends: Vec<Vec<Act>> = match self {
            Self::Plain => vec![vec![close]],
            Self::Bye => {
                vec![vec![], vec![frame(Kind::Ping(Content::Empty), Pace::Times(6, fifth))]]
            }
            Self::Echo => vec![vec![close.clone()], vec![Act::StopReading, fill, close]],
            Self::Push => {
                vec![vec![close.clone()], vec![Act::StopReading, Act::Wait(half), close]]
            }
        };
        let script = |end: Vec<Act>| Script {
            steps: begin.iter().cloned().chain(end).map(Step::from).collect(),
        };
        ends.into_iter().map(script).collect()
    }

    /// Whether `script` can be played on a URL with this part: what its application is
    /// told is what it does anyway.
    pub fn suits(self, script: &Script) -> bool {
        let mut told = script.steps.iter().enumerate();
        let told = told.by_ref().filter(|(_, step)| matches!(step.act, Act::App(..)));
        match self.step() {
            None => told.count() == 0,
            Some(own) => {
                let told: Vec<_> = told.collect();
                opens(script) && matches!(told[..], [(1, step)] if *step == Step::from(own))
            }
        }
    }

    /// The part that a script needs; `None` where no URL can do what it asks for.
    pub fn of(script: &Script) -> Option<Self> {
        [Self::Plain, Self::Bye, Self::Push].into_iter().find(|part| part.suits(script))
    }
}

/// A server by its URLs.
#[derive(Clone, Debug)]
pub struct Server {
    parts: Vec<(Part, Endpoint)>,
}

impl Server {
    /// A server whose application does nothing on `plain` that scripts count on.
    pub fn new(plain: Endpoint) -> Self {
        Self { parts: vec![(Part::Plain, plain)] }
    }

    /// Adds the URL where it does `part`.
    pub fn with(mut self, part: Part, endpoint: Endpoint) -> Self {
        self.parts.push((part, endpoint));
        self.parts.sort_by_key(|(part, _)| *part);
        self
    }

    /// The parts that it has.
    pub fn parts(&self) -> impl Iterator<Item = (Part, &Endpoint)> {
        self.parts.iter().map(|(part, endpoint)| (*part, endpoint))
    }

    /// The URL for `part`.
    pub(super) fn endpoint(&self, part: Part) -> Option<&Endpoint> {
        self.parts().find(|(own, _)| *own == part).map(|(_, endpoint)| endpoint)
    }

    /// The parts that it lacks.
    pub fn lacks(&self) -> impl Iterator<Item = Part> {
        Part::ALL.into_iter().filter(|part| self.endpoint(*part).is_none())
    }

    /// The script at `index` of the campaign with `seed`, and the part that it is for:
    /// first what is most usual on each, then whatever is drawn.
    pub fn nth(&self, bounds: &Bounds, seed: u64, index: u64) -> (Part, Script) {
        let parts = self.parts.len() as u64;
        let part = self.parts[(index % parts) as usize].0;
        if let Some(usual) = part.usual(bounds).into_iter().nth((index / parts) as usize) {
            return (part, usual);
        }
        let app = if part == Part::Echo { AppSteps::SEND } else { AppSteps::NONE };
        let mut script = Grammar { bounds: *bounds, app }.nth(seed, index);
        script.steps.retain(|step| is_ours(&step.act));
        if part == Part::Echo {
            script.steps.iter_mut().for_each(ask_for_it);
        }
        if let Some(own) = part.step() {
            insert(&mut script, own);
        }
        (part, fitted(script, longest_script(bounds)))
    }
}

/// How long a script may take by its own pauses: a little more than the longest bound.
/// What is owed at its end is watched for another bound.
pub fn longest_script(bounds: &Bounds) -> Duration {
    bounds.longest() + bounds.longest() / 4
}

/// How long a script takes by its own pauses.
pub fn pauses(script: &Script) -> Duration {
    script.steps.iter().map(|step| step_pauses(&step.act)).sum()
}

/// Of the buffers on the way only the client's own can be set from here.
fn is_ours(act: &Act) -> bool {
    !matches!(act, Act::Set(setting, _) if *setting != Setting::Window)
}

/// Whether the script begins with a whole request, and what comes next finds the
/// connection open.
fn opens(script: &Script) -> bool {
    let whole = |step: &Step| match &step.act {
        Act::Send(send) => {
            matches!(send.unit, Unit::Upgrade(_))
                && send.piece == Piece::Whole
                && send.pace == Pace::Once
        }
        _ => false,
    };
    script.steps.first().is_some_and(whole)
}

/// Puts what the application does by itself behind the opening, which is made whole.
fn insert(script: &mut Script, own: Act) {
    if !opens(script) {
        let upgrade = Send { piece: Piece::Whole, unit: Unit::Upgrade(None), pace: Pace::Once };
        let begins = script.steps.first().is_some_and(|step| match &step.act {
            Act::Send(send) => matches!(send.unit, Unit::Upgrade(_) | Unit::Raw(_)),
            _ => false,
        });
        if begins {
            script.steps.remove(0);
        }
        script.steps.insert(0, Act::Send(upgrade).into());
    }
    if let Some(next) = script.steps.get_mut(1) {
        next.joined = false;
    }
    script.steps.insert(1, own.into());
}

/// On an echoing URL the application sends what it is sent.
fn ask_for_it(step: &mut Step) {
    let Act::App(command, pace) = &step.act else { return };
    let frame = |kind| Unit::Frame(Frame::new(kind));
    let (unit, length) = match command {
        Command::SendText(content) => (frame(Kind::Text(content.clone())), content.len()),
        Command::SendBinary(content) => (frame(Kind::Binary(content.clone())), content.len()),
        _ => return,
    };
    let (unit, pace) = match *pace {
        Pace::Once if length >= LARGE => {
            let (times, size) = FILLS;
            (frame(Kind::Binary(Content::Fill(size))), Pace::Times(times, Millis(0)))
        }
        pace => (unit, pace),
    };
    step.act = Act::Send(Send { piece: Piece::Whole, unit, pace });
}

fn step_pauses(act: &Act) -> Duration {
    match act {
        Act::Wait(time) => time.duration(),
        Act::Send(send) => {
            let (times, every) = match send.pace {
                Pace::Once => return Duration::ZERO,
                Pace::Times(times, every) => (times, every),
                Pace::Pieces(size, every) => {
                    let mut bytes = Vec::new();
                    send.unit.encode(&mut bytes);
                    (send.piece.of(&bytes).len().div_ceil(size.max(1) as usize) as u32, every)
                }
            };
            // Each goes out by itself, and the server is given time to read it.
            every.duration().max(SETTLE) * times.saturating_sub(1)
        }
        Act::App(_, Pace::Times(times, every)) => every.duration() * times.saturating_sub(1),
        _ => Duration::ZERO,
    }
}

/// The script with pauses of at most `limit`: a step that would go beyond is repeated
/// less often where it repeats, and left out where it does not.
fn fitted(script: Script, limit: Duration) -> Script {
    let mut left = limit;
    let fit = |mut step: Step| {
        let pauses = step_pauses(&step.act);
        if pauses > left {
            step.act = shortened(step.act, left)?;
        }
        left = left.saturating_sub(step_pauses(&step.act));
        Some(step)
    };
    Script { steps: script.steps.into_iter().filter_map(fit).collect() }
}

/// The repetitions of `act` for which there is time.
fn shortened(act: Act, time: Duration) -> Option<Act> {
    let fits =
        |every: Millis| 1 + (time.as_millis() / every.duration().max(SETTLE).as_millis()) as u32;
    match act {
        Act::Send(Send { piece, unit, pace: Pace::Times(_, every) }) => {
            Some(Act::Send(Send { piece, unit, pace: Pace::Times(fits(every), every) }))
        }
        Act::Send(Send { unit, pace: Pace::Pieces(size, every), .. }) => {
            let piece = Piece::First(fits(every).saturating_mul(size.max(1)));
            Some(Act::Send(Send { piece, unit, pace: Pace::Pieces(size, every) }))
        }
        Act::App(command, Pace::Times(_, every)) => {
            Some(Act::App(command, Pace::Times(fits(every), every)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tcp::endpoint::Asking;

    fn server() -> Server {
        let endpoint = |path: &str| {
            let url = format!("ws://127.0.0.1:1{path}");
            Endpoint::resolve(&url, &Asking::default()).expect("a URL")
        };
        Server::new(endpoint("/"))
            .with(Part::Push, endpoint("/push"))
            .with(Part::Bye, endpoint("/bye"))
            .with(Part::Echo, endpoint("/echo"))
    }

    fn drawn(count: u64) -> Vec<(Part, Script)> {
        (0..count).map(|index| server().nth(&Bounds::default(), 3, index)).collect()
    }

    #[test]
    fn every_script_suits_the_part_that_it_is_drawn_for() {
        for (part, script) in drawn(8_000) {
            assert!(part.suits(&script), "{part:?}:\n{script}");
        }
    }

    #[test]
    fn what_is_most_usual_comes_first() {
        let first: Vec<String> =
            drawn(8).iter().map(|(part, script)| format!("{part:?} {script}")).collect();
        assert_eq!(first[0], "Plain upgrade\nclose 1000\n");
        assert_eq!(first[1], "Bye upgrade\napp close\n");
        assert_eq!(first[2], "Echo upgrade\nclose 1000\n");
        assert_eq!(first[3], "Push upgrade\napp send text\nclose 1000\n");
        assert_eq!(first[5], "Bye upgrade\napp close\nping x 6 every 1s\n");
        let filled = "upgrade\nstop reading\nbinary 512KiB x 12\nclose 1000\n";
        assert_eq!(first[6], format!("Echo {filled}"));
        let pushed = "upgrade\napp send text\nstop reading\nwait 2500ms\nclose 1000\n";
        assert_eq!(first[7], format!("Push {pushed}"));
    }

    #[test]
    fn no_script_pauses_for_longer_than_it_may() {
        let longest = longest_script(&Bounds::default());
        let pauses: Vec<Duration> = drawn(8_000).iter().map(|(_, script)| pauses(script)).collect();
        assert!(pauses.iter().all(|pauses| *pauses <= longest));
        let close = Bounds::default().close;
        assert!(pauses.iter().filter(|pauses| **pauses > close).count() > 500, "some go beyond it");
    }

    #[test]
    fn a_script_tells_which_part_it_needs() {
        for (text, part) in [
            ("upgrade\nclose\n", Some(Part::Plain)),
            ("upgrade\napp close\nstop reading\n", Some(Part::Bye)),
            ("upgrade\napp send text\n", Some(Part::Push)),
            ("upgrade\nping\napp close\n", None),
            ("upgrade\napp close 1001\n", None),
            ("upgrade\napp close\napp send text\n", None),
            ("first 9 bytes of upgrade\napp close\n", None),
            ("upgrade\napp ping\n", None),
        ] {
            assert_eq!(Part::of(&text.parse().expect(text)), part, "{text}");
        }
    }

    #[test]
    fn only_an_echoing_url_is_asked_to_fill_the_buffers() {
        let fills = |wanted: Part| {
            drawn(8_000)
                .iter()
                .filter(|(part, script)| *part == wanted && script.volume() > 4 << 20)
                .count()
        };
        assert!(fills(Part::Echo) > 20, "{}", fills(Part::Echo));
        assert_eq!(fills(Part::Plain) + fills(Part::Bye) + fills(Part::Push), 0);
    }

    #[test]
    fn a_step_too_long_is_repeated_less_or_left_out() {
        let fit =
            |text: &str| fitted(text.parse().expect(text), Duration::from_secs(6)).to_string();
        assert_eq!(fit("wait 4s\nwait 4s\nping\n"), "wait 4s\nping\n");
        assert_eq!(fit("ping x 12 every 1s\nwait 1s\n"), "ping x 7 every 1s\n");
        assert_eq!(
            fit("upgrade in pieces of 9 bytes every 1s\n"),
            "first 63 bytes of upgrade in pieces of 9 bytes every 1s\n"
        );
        // Pieces without a pause are given a moment each.
        let many = "close 1000 70000B in pieces of 5 bytes\n";
        assert_eq!(fit(many), "first 6005 bytes of close 1000 70000B in pieces of 5 bytes\n");
    }
}
