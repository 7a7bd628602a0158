//! The URLs of a server under test, or the commands of a client, the role of each, and the scripts
//! that suit them.
//!
//! Over TCP hangup cannot command an application. A server's URLs stand for that, and the commands that
//! start a client: on one the application closes on open, on one it sends messages, on one it echoes. A
//! script is played where the application has the role that it needs. A script that no role suits is not
//! drawn.
//!
//! This file opens no connection.

use super::play::SETTLE;
use super::server_process::ServerProcess;
use super::subject::Subject;
use crate::bounds::Bounds;
use crate::generate::GeneratorConfig;
use crate::script::{
    Accept, Act, Answer, Command, Content, DeclaredLength, Frame, Kind, Millis, Pace, Piece,
    Script, Send, Setting, Size, Step, Unit,
};
use crate::target::AppSteps;
use crate::wire::Role;
use std::time::Duration;

/// A message on an echoing URL that is to fill all buffers on the way back: so many of
/// so many bytes, which is more than Linux grows a send buffer to.
const FILLING_MESSAGES: (u32, Size) = (12, Size(512 << 10));
/// From this size on a drawn message is meant to fill buffers.
const FILLING_SIZE: usize = 10_000;

/// What the application does by itself on a server's URL, or where a command starts the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UrlRole {
    /// Nothing that scripts count on.
    Plain,
    /// It closes as soon as the connection is open.
    Bye,
    /// It answers each message with the same message.
    Echo,
    /// It sends messages unasked.
    Push,
}

/// A frame that must not be accepted, a Close inside a message, and one right behind another frame.
const PLAIN_TO_SERVERS: &[&str] = &[
    "upgrade\nunmasked ping\n",
    "upgrade\ntext hex ff\n",
    "upgrade\nunfinished text\nclose 1000\n",
    "upgrade\nping\n+ close 1000\n",
];
/// The same to a client, one that is left alone, and answers that open no WebSocket.
const PLAIN_TO_CLIENTS: &[&str] = &[
    "",
    "accept wrong key\nclose 1000\n",
    "accept unasked protocol\nclose 1000\n",
    "accept\nmasked ping\n",
    "accept\ntext hex ff\n",
    "accept\nunfinished text\nclose 1000\n",
    "accept\nping\n+ close 1000\n",
];

impl UrlRole {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Bye, Self::Echo, Self::Push];

    /// What is not tested of a subject of this role where no URL, or no command, has this one; `None`
    /// where there is nothing like that.
    pub const fn untested_without(self, subject: Role) -> Option<&'static str> {
        let what = match (self, subject) {
            (Self::Push, Role::Client) => return None,
            (Self::Plain, Role::Client) => {
                "a close that the server starts, and what it sends a client that keeps the connection \
                 (needs --run COMMAND)"
            }
            (Self::Bye, Role::Client) => "a close that the client starts (needs --closes COMMAND)",
            (Self::Echo, Role::Client) => {
                "a close while the client sends what it was asked for (needs --echoes COMMAND)"
            }
            (Self::Plain, _) => return None,
            (Self::Bye, _) => "a close that the server starts (needs --bye URL)",
            (Self::Echo, _) => {
                "a close while the server sends what the client asked for (needs --echo \
                 URL)"
            }
            (Self::Push, _) => {
                "a close while the server sends messages of its own (needs --push URL)"
            }
        };
        Some(what)
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

    /// The scripts that no campaign should be without: the actor closes, also with output
    /// under way that it does not read; where the application closes, the actor says
    /// nothing more, or goes on sending. A client is also left alone with its request, and with a
    /// connection on which both Closes are there. Of what many get wrong, and a short campaign may not draw,
    /// there is one of each.
    fn fixed_scripts(self, subject: Role, bounds: &Bounds) -> Vec<Script> {
        let frame = |kind, pace| {
            let unit = Unit::Frame(Frame::new(kind));
            Act::Send(Send { piece: Piece::Whole, unit, pace })
        };
        let begin: Vec<Act> = [Some(opening(subject)), self.step()].into_iter().flatten().collect();
        let fifth = Millis((bounds.close / 5).as_millis() as u32);
        let half = Millis((bounds.close / 2).as_millis() as u32);
        let close = frame(Kind::Close(Some(1000), Content::Empty), Pace::Once);
        let (times, size) = FILLING_MESSAGES;
        let fill = frame(Kind::Binary(Content::Fill(size)), Pace::Times(times, Millis(0)));
        let mut ends: Vec<Vec<Act>> = match self {
            Self::Plain => {
                // The longest length there is: sums with it overflow.
                let declared = |kind| {
                    let declares = Some(DeclaredLength(u64::MAX));
                    let unit = Unit::Frame(Frame { declares, ..Frame::new(kind) });
                    vec![Act::Send(Send { piece: Piece::Whole, unit, pace: Pace::Once })]
                };
                vec![
                    vec![close.clone()],
                    declared(Kind::Text(Content::Empty)),
                    declared(Kind::Ping(Content::Empty)),
                ]
            }
            Self::Bye => {
                vec![vec![], vec![frame(Kind::Ping(Content::Empty), Pace::Times(6, fifth))]]
            }
            Self::Echo => vec![vec![close.clone()], vec![Act::StopReading, fill, close.clone()]],
            Self::Push => {
                vec![vec![close.clone()], vec![Act::StopReading, Act::Wait(half), close.clone()]]
            }
        };
        if self == Self::Bye && subject == Role::Client {
            ends.push(vec![close]);
        }
        let script = |end: Vec<Act>| Script {
            steps: begin.iter().cloned().chain(end).map(Step::from).collect(),
        };
        let own: &[&str] = match (self, subject) {
            (Self::Plain, Role::Server) => PLAIN_TO_SERVERS,
            (Self::Plain, Role::Client) => PLAIN_TO_CLIENTS,
            _ => &[],
        };
        let own = own.iter().map(|text| text.parse().expect("a script"));
        ends.into_iter().map(script).chain(own).collect()
    }

    /// Whether `script` can be played where the application has this role: its application commands are what
    /// the application does there by itself.
    pub fn suits(self, script: &Script) -> bool {
        let mut commands = script.steps.iter().enumerate();
        let commands = commands.by_ref().filter(|(_, step)| matches!(step.act, Act::App(..)));
        match self.step() {
            None => commands.count() == 0,
            Some(own) => {
                let commands: Vec<_> = commands.collect();
                begins_with_opening(script)
                    && matches!(commands[..], [(1, step)] if *step == Step::from(own))
            }
        }
    }

    /// The role that a script needs; `None` where no application can do what it asks for.
    pub fn of(script: &Script) -> Option<Self> {
        [Self::Plain, Self::Bye, Self::Push].into_iter().find(|role| role.suits(script))
    }
}

/// A server by its URLs, or a client by its commands.
#[derive(Clone, Debug)]
pub struct RemoteSubject {
    parts: Vec<(UrlRole, Subject)>,
    /// The server's process, where hangup starts it.
    process: Option<ServerProcess>,
}

impl RemoteSubject {
    /// One whose application does nothing on `plain` that scripts count on.
    pub fn new(plain: impl Into<Subject>) -> Self {
        Self::with_role(UrlRole::Plain, plain)
    }

    /// One whose application has this role on its only URL, or by its only command.
    pub fn with_role(role: UrlRole, subject: impl Into<Subject>) -> Self {
        Self { parts: vec![(role, subject.into())], process: None }
    }

    /// The same of a server that hangup starts: before it is played first, and after each death.
    pub fn started_by(self, process: ServerProcess) -> Self {
        Self { process: Some(process), ..self }
    }

    /// Whether hangup starts the server.
    pub fn is_started(&self) -> bool {
        self.process.is_some()
    }

    /// The server's process, where hangup starts it.
    pub(super) fn process(&self) -> Option<&ServerProcess> {
        self.process.as_ref()
    }

    /// Adds the URL, or the command, where it does `role`.
    pub fn with(mut self, role: UrlRole, subject: impl Into<Subject>) -> Self {
        self.parts.push((role, subject.into()));
        self.parts.sort_by_key(|(role, _)| *role);
        self
    }

    /// Which end of a connection it is.
    pub fn role(&self) -> Role {
        self.first().role()
    }

    /// The parts that it has.
    pub fn parts(&self) -> impl Iterator<Item = (UrlRole, &Subject)> {
        self.parts.iter().map(|(role, subject)| (*role, subject))
    }

    /// The first part: the plain one, where there is one.
    pub fn first(&self) -> &Subject {
        &self.parts[0].1
    }

    /// The part for `role`.
    pub(super) fn part(&self, role: UrlRole) -> Option<&Subject> {
        self.parts().find(|(own, _)| *own == role).map(|(_, subject)| subject)
    }

    /// Whether its application closes where it has the role for that.
    pub fn closes_by_itself(&self) -> bool {
        self.part(UrlRole::Bye).is_some()
    }

    /// The parts that it lacks.
    pub fn missing_roles(&self) -> impl Iterator<Item = UrlRole> {
        UrlRole::ALL.into_iter().filter(|role| self.part(*role).is_none())
    }

    /// Whether the script at `index` of every campaign is one of the most usual.
    pub(super) fn is_usual(&self, bounds: &Bounds, index: u64) -> bool {
        let roles = self.parts.len() as u64;
        let role = self.parts[(index % roles) as usize].0;
        index / roles < role.fixed_scripts(self.role(), bounds).len() as u64
    }

    /// The script at `index` of the campaign with `seed`, and the role that it is for:
    /// first what is most usual on each, then whatever is drawn.
    pub fn nth(&self, bounds: &Bounds, seed: u64, index: u64) -> (UrlRole, Script) {
        let roles = self.parts.len() as u64;
        let role = self.parts[(index % roles) as usize].0;
        if let Some(fixed) =
            role.fixed_scripts(self.role(), bounds).into_iter().nth((index / roles) as usize)
        {
            return (role, fixed);
        }
        let app = if role == UrlRole::Echo { AppSteps::SEND } else { AppSteps::NONE };
        let subject = self.role();
        let config =
            GeneratorConfig { bounds: *bounds, app, subject, ..GeneratorConfig::default() };
        let mut script = config.nth(seed, index);
        script.steps.retain(|step| can_be_set_here(&step.act));
        if role == UrlRole::Echo {
            script.steps.iter_mut().for_each(ask_for_echo);
        }
        if let Some(own) = role.step() {
            insert_after_opening(&mut script, subject, own);
        }
        (role, shortened_to(script, longest_script(bounds)))
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
fn can_be_set_here(act: &Act) -> bool {
    !matches!(act, Act::Set(setting, _) if *setting != Setting::Window)
}

/// The opening, as the actor plays it against a subject in this role.
fn opening(subject: Role) -> Act {
    let unit = match subject {
        Role::Server => Unit::Upgrade(None),
        Role::Client => Unit::Accept(Accept::USUAL),
    };
    Act::Send(Send { piece: Piece::Whole, unit, pace: Pace::Once })
}

/// Whether the script begins with a whole request, or a whole answer that opens, and what comes next
/// finds the connection open.
fn begins_with_opening(script: &Script) -> bool {
    let whole = |step: &Step| match &step.act {
        Act::Send(Send { piece: Piece::Whole, unit, pace: Pace::Once }) => match unit {
            Unit::Upgrade(_) => true,
            Unit::Accept(accept) => accept.answer == Answer::Opens,
            _ => false,
        },
        _ => false,
    };
    script.steps.first().is_some_and(whole)
}

/// Puts what the application does by itself behind the opening, which is made whole.
fn insert_after_opening(script: &mut Script, subject: Role, own: Act) {
    if !begins_with_opening(script) {
        let is_raw = |unit: &Unit| matches!(unit, Unit::Raw(_));
        let begins = script.steps.first().is_some_and(|step| match &step.act {
            Act::Send(send) => matches!(send.unit, Unit::Upgrade(_)) || is_raw(&send.unit),
            _ => false,
        });
        if begins {
            script.steps.remove(0);
        }
        // A second answer would be no frame.
        let answers =
            |act: &Act| matches!(act, Act::Send(send) if matches!(send.unit, Unit::Accept(_)));
        script.steps.retain(|step| !answers(&step.act));
        script.steps.insert(0, opening(subject).into());
    }
    if let Some(next) = script.steps.get_mut(1) {
        next.joined = false;
    }
    script.steps.insert(1, own.into());
}

/// On an echoing URL the application sends what it is sent.
fn ask_for_echo(step: &mut Step) {
    let Act::App(command, pace) = &step.act else { return };
    let frame = |kind| Unit::Frame(Frame::new(kind));
    let (unit, length) = match command {
        Command::SendText(content) => (frame(Kind::Text(content.clone())), content.len()),
        Command::SendBinary(content) => (frame(Kind::Binary(content.clone())), content.len()),
        _ => return,
    };
    let (unit, pace) = match *pace {
        Pace::Once if length >= FILLING_SIZE => {
            let (times, size) = FILLING_MESSAGES;
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
fn shortened_to(script: Script, limit: Duration) -> Script {
    let mut left = limit;
    let fit = |mut step: Step| {
        let pauses = step_pauses(&step.act);
        if pauses > left {
            step.act = fewer_repetitions(step.act, left)?;
        }
        left = left.saturating_sub(step_pauses(&step.act));
        Some(step)
    };
    Script { steps: script.steps.into_iter().filter_map(fit).collect() }
}

/// The repetitions of `act` for which there is time.
fn fewer_repetitions(act: Act, time: Duration) -> Option<Act> {
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
    use crate::run::real_time::{ClientCommand, ClientStarts};
    use crate::transport::tcp::endpoint::{Endpoint, RequestOptions};

    fn server() -> RemoteSubject {
        let endpoint = |path: &str| {
            let url = format!("ws://127.0.0.1:1{path}");
            Endpoint::resolve(&url, &RequestOptions::default()).expect("a URL")
        };
        RemoteSubject::new(endpoint("/"))
            .with(UrlRole::Push, endpoint("/push"))
            .with(UrlRole::Bye, endpoint("/bye"))
            .with(UrlRole::Echo, endpoint("/echo"))
    }

    fn client() -> RemoteSubject {
        let starts = ClientStarts::new("client.log".into(), Duration::from_secs(1), None);
        let command = |line: &str| Subject::Client(ClientCommand::new(line.to_owned(), &starts));
        RemoteSubject::new(command("client"))
            .with(UrlRole::Bye, command("client closes"))
            .with(UrlRole::Echo, command("client echoes"))
    }

    #[test]
    fn scripts_for_a_client_are_a_servers_and_suit_its_commands() {
        let mut late = 0;
        for index in 0..6_000 {
            let (role, script) = client().nth(&Bounds::default(), 3, index);
            assert!(role.suits(&script), "{role:?}:\n{script}");
            let text = script.to_string();
            assert!(!text.contains("upgrade"), "{text}");
            let answers = text.matches("accept").count();
            assert!(role != UrlRole::Bye || answers == 1, "{role:?}:\n{text}");
            late += u32::from(role == UrlRole::Plain && text.starts_with("wait "));
        }
        assert!(late > 10, "{late} answer late");
    }

    #[test]
    fn a_client_is_first_closed_then_closes_and_is_left_alone_with_its_request() {
        let first: Vec<String> = (0..12)
            .map(|index| client().nth(&Bounds::default(), 3, index))
            .map(|(role, script)| format!("{role:?} {script}"))
            .collect();
        assert_eq!(first[0], "Plain accept\nclose 1000\n");
        assert_eq!(first[1], "Bye accept\napp close\n");
        assert_eq!(first[2], "Echo accept\nclose 1000\n");
        assert_eq!(first[4], "Bye accept\napp close\nping x 6 every 1s\n");
        assert_eq!(first[7], "Bye accept\napp close\nclose 1000\n");
        assert_eq!(first[9], "Plain ");
    }

    fn drawn(count: u64) -> Vec<(UrlRole, Script)> {
        (0..count).map(|index| server().nth(&Bounds::default(), 3, index)).collect()
    }

    #[test]
    fn every_script_suits_the_role_that_it_is_drawn_for() {
        for (role, script) in drawn(8_000) {
            assert!(role.suits(&script), "{role:?}:\n{script}");
        }
    }

    #[test]
    fn the_fixed_scripts_of_each_role_come_first() {
        let first: Vec<String> =
            drawn(8).iter().map(|(role, script)| format!("{role:?} {script}")).collect();
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
    fn no_script_pauses_longer_than_the_limit() {
        let longest = longest_script(&Bounds::default());
        let pauses: Vec<Duration> = drawn(8_000).iter().map(|(_, script)| pauses(script)).collect();
        assert!(pauses.iter().all(|pauses| *pauses <= longest));
        let close = Bounds::default().close;
        assert!(pauses.iter().filter(|pauses| **pauses > close).count() > 500, "some go beyond it");
    }

    #[test]
    fn the_application_steps_of_a_script_decide_its_role() {
        for (text, role) in [
            ("upgrade\nclose\n", Some(UrlRole::Plain)),
            ("upgrade\napp close\nstop reading\n", Some(UrlRole::Bye)),
            ("upgrade\napp send text\n", Some(UrlRole::Push)),
            ("accept\nclose\n", Some(UrlRole::Plain)),
            ("accept\napp close\nping\n", Some(UrlRole::Bye)),
            ("accept 404\napp close\n", None),
            ("upgrade\nping\napp close\n", None),
            ("upgrade\napp close 1001\n", None),
            ("upgrade\napp close\napp send text\n", None),
            ("first 9 bytes of upgrade\napp close\n", None),
            ("upgrade\napp ping\n", None),
        ] {
            assert_eq!(UrlRole::of(&text.parse().expect(text)), role, "{text}");
        }
    }

    #[test]
    fn only_scripts_for_an_echoing_url_fill_the_buffers() {
        let fills = |wanted: UrlRole| {
            drawn(8_000)
                .iter()
                .filter(|(role, script)| *role == wanted && script.max_bytes_sent() > 4 << 20)
                .count()
        };
        assert!(fills(UrlRole::Echo) > 20, "{}", fills(UrlRole::Echo));
        assert_eq!(fills(UrlRole::Plain) + fills(UrlRole::Bye) + fills(UrlRole::Push), 0);
    }

    #[test]
    fn a_step_that_takes_too_long_is_repeated_less_or_left_out() {
        let fit = |text: &str| {
            shortened_to(text.parse().expect(text), Duration::from_secs(6)).to_string()
        };
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
