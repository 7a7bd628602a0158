//! How far the scripts of a campaign got, counted; and which part of the grammar had no effect.
//!
//! Plain data, so that it is the same for any number of workers. How it is said is the reports'
//! business.

use crate::exchange::Exchange;
use crate::script::{Act, AppSteps, ConnectionNumber, Script, Step};
use crate::verdict::{Cause, Reached};
use crate::wire::Role;
use serde::{Deserialize, Serialize};

/// Of fewer scripts, none may have got far by chance.
const ENOUGH: u64 = 100;

/// The same of scripts that give a command: some of those come after the connection's end.
const ENOUGH_COMMANDS: u64 = 20;

/// Where fewer than one script in so many opens, hardly anything is tested. Six in seven open
/// where every polite request is answered.
const FEW: u64 = 10;

/// Where an application that is told when to close closes by itself in at least this share of what
/// opens, what tells it is gone. One in two does where the server has a short idle time-out.
const NEARLY_ALL: (u64, u64) = (4, 5);

/// The commands that are known to be taken when they are.
const COMMANDS: [AppSteps; 3] = [AppSteps::CLOSE, AppSteps::RETURN, AppSteps::SEND];

/// How far scripts got. Those that were passed over are not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Which end they were played against.
    pub subject: Role,
    /// The scripts that were played and judged.
    pub scripts: u64,
    /// In how many of them a WebSocket was open.
    pub opened: u64,
    /// In how many a Close was sent, by either end.
    pub closed: u64,
    /// In how many the connection ended with nothing owed.
    pub ended_unowed: u64,
    /// In how many it stayed open with nothing owed.
    pub open_unowed: u64,
    /// In how many it ended, by what obliged the server to: in the order of [`Cause::ALL`].
    ended: [u64; Cause::ALL.len()],
    /// In how many each of the commands was given while a WebSocket was open.
    given: [u64; COMMANDS.len()],
    /// In how many it was taken.
    taken: [u64; COMMANDS.len()],
    /// In how many the server closed first, though nothing told its application to.
    closed_unasked: u64,
}

/// A part of the grammar that had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoEffect {
    /// Hardly any script opens a WebSocket: so many of so many.
    HardlyOpens(u64, u64),
    /// No script of so many reached a Close.
    NoClose(u64),
    /// The application never took a command that it is said to obey, which so many scripts gave.
    NeverTaken(AppSteps, u64),
    /// An application that is said to close when it is told closes by itself, in so many scripts
    /// of so many that open.
    ClosesUnasked(u64, u64),
}

impl Reach {
    /// That of one script, as its exchange was judged.
    pub(crate) fn of(script: &Script, exchange: &Exchange, reached: Reached) -> Self {
        let Reached { opened, closed, ended, cause, took_close, took_return, took_send } = reached;
        let mut reach = Self {
            subject: exchange.subject,
            scripts: 1,
            opened: opened.into(),
            closed: closed.into(),
            taken: [took_close, took_return, took_send].map(u64::from),
            closed_unasked: (cause == Some(Cause::OwnClose) && !took_close).into(),
            ..Self::default()
        };
        match cause {
            Some(cause) if ended => reach.ended[cause as usize] = 1,
            None if ended => reach.ended_unowed = 1,
            None => reach.open_unowed = 1,
            Some(_) => {}
        }
        if opened {
            let begun = exchange.steps.map_or(script.steps.len(), |steps| steps as usize);
            // It is connection 1 that is counted, and its steps come first.
            let its = |step: &&Step| step.connection == ConnectionNumber::FIRST;
            for step in script.steps.iter().take(begun).take_while(its) {
                let Act::App(command, _) = &step.act else { continue };
                let place = COMMANDS.iter().position(|one| *one == AppSteps::of(command));
                if let Some(place) = place {
                    reach.given[place] = 1;
                }
            }
        }
        reach
    }

    /// That of so many scripts that got nowhere.
    #[cfg(all(test, feature = "cli", unix))]
    pub(crate) fn of_scripts(scripts: u64) -> Self {
        Self { scripts, ..Self::default() }
    }

    /// Adds the counts of other scripts against the same target.
    pub fn add(&mut self, other: &Self) {
        if self.scripts == 0 {
            self.subject = other.subject;
        }
        self.scripts += other.scripts;
        self.opened += other.opened;
        self.closed += other.closed;
        self.ended_unowed += other.ended_unowed;
        self.open_unowed += other.open_unowed;
        self.closed_unasked += other.closed_unasked;
        let pairs = [
            (&mut self.ended[..], &other.ended[..]),
            (&mut self.given[..], &other.given[..]),
            (&mut self.taken[..], &other.taken[..]),
        ];
        for (sums, counts) in pairs {
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
    }

    /// In how many scripts the connection ended for each cause, where any did.
    pub fn ended(&self) -> impl Iterator<Item = (Cause, u64)> {
        let all = Cause::ALL.iter().copied().zip(self.ended);
        all.filter(|(_, scripts)| *scripts > 0)
    }

    /// In how many it did not end although something obliged the subject to end it.
    pub fn open_owed(&self) -> u64 {
        let ended = self.ended().map(|(_, scripts)| scripts).sum::<u64>();
        self.scripts.saturating_sub(ended + self.ended_unowed + self.open_unowed)
    }

    /// What had no effect, though enough scripts were played to see one, against a target whose
    /// application `obeys` these commands.
    pub fn without_effect(&self, obeys: AppSteps) -> Vec<NoEffect> {
        let Self { scripts, opened, closed, closed_unasked, .. } = *self;
        let mut found = Vec::new();
        if scripts >= ENOUGH && opened * FEW < scripts {
            found.push(NoEffect::HardlyOpens(opened, scripts));
        } else if opened >= ENOUGH && closed == 0 {
            found.push(NoEffect::NoClose(scripts));
        }
        for (place, command) in COMMANDS.into_iter().enumerate() {
            let (given, taken) = (self.given[place], self.taken[place]);
            if obeys.contain(command) && given >= ENOUGH_COMMANDS && taken == 0 {
                found.push(NoEffect::NeverTaken(command, given));
            }
        }
        let (part, whole) = NEARLY_ALL;
        if obeys.contain(AppSteps::CLOSE)
            && opened >= ENOUGH
            && closed_unasked * whole >= opened * part
        {
            found.push(NoEffect::ClosesUnasked(closed_unasked, opened));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(script: &str, reached: Reached) -> Reach {
        Reach::of(&script.parse().expect("a script"), &Exchange::new(true), reached)
    }

    #[test]
    fn counts_add_up_and_a_command_counts_as_given_where_a_websocket_was_open() {
        let open = Reached { opened: true, ..Reached::default() };
        let mut sum = Reach::default();
        sum.add(&reach("app close", Reached::default()));
        assert_eq!((sum.scripts, sum.given), (1, [0; 3]));
        sum.add(&reach("upgrade\napp close\napp close", open));
        let ended = Reached { ended: true, closed: true, took_close: true, ..open };
        sum.add(&reach("upgrade\napp send text\napp close", ended));
        sum.add(&reach("upgrade\nfin", Reached { cause: Some(Cause::ClientFin), ..ended }));
        assert_eq!((sum.scripts, sum.opened, sum.closed, sum.ended_unowed), (4, 3, 2, 1));
        assert_eq!((sum.open_unowed, sum.open_owed()), (2, 0));
        sum.add(&reach("upgrade\nclose", Reached { cause: Some(Cause::ClientClose), ..open }));
        assert_eq!((sum.open_unowed, sum.open_owed()), (2, 1), "all scripts are accounted for");
        assert_eq!((sum.given, sum.taken), ([2, 0, 1], [2, 0, 0]));
        assert_eq!(sum.ended().collect::<Vec<_>>(), [(Cause::ClientFin, 1)]);
    }

    #[test]
    #[cfg(feature = "cli")]
    fn counts_pass_between_processes() {
        let mut sum = Reach::default();
        let open = Reached { opened: true, cause: Some(Cause::ClientFin), ..Reached::default() };
        sum.add(&reach("upgrade\napp close", open));
        let text = serde_json::to_string(&sum).expect("JSON");
        assert_eq!(serde_json::from_str::<Reach>(&text).expect("JSON"), sum);
    }

    #[test]
    fn what_has_no_effect_is_named_once_enough_was_played() {
        let all = AppSteps::ALL;
        let of = |scripts, opened, closed| Reach { scripts, opened, closed, ..Reach::default() };
        assert_eq!(of(99, 0, 0).without_effect(all), []);
        assert_eq!(of(100, 9, 9).without_effect(all), [NoEffect::HardlyOpens(9, 100)]);
        assert_eq!(of(100, 10, 1).without_effect(all), []);
        assert_eq!(of(120, 99, 0).without_effect(all), []);
        assert_eq!(of(120, 100, 0).without_effect(all), [NoEffect::NoClose(120)]);
        let mut deaf = Reach { given: [20, 19, 20], taken: [0, 0, 1], ..of(100, 100, 50) };
        let never = NoEffect::NeverTaken(AppSteps::CLOSE, 20);
        assert_eq!(deaf.without_effect(all), [never]);
        assert_eq!(deaf.without_effect(AppSteps::SEND), [], "it is not said to obey");
        deaf.taken[0] = 1;
        assert_eq!(deaf.without_effect(all), []);
        let hasty = |closed_unasked| Reach { closed_unasked, ..of(150, 125, 125) };
        assert_eq!(hasty(99).without_effect(all), []);
        assert_eq!(hasty(100).without_effect(all), [NoEffect::ClosesUnasked(100, 125)]);
        assert_eq!(hasty(125).without_effect(AppSteps::SEND), [], "it is not said to obey");
    }

    #[test]
    fn a_close_of_the_servers_own_is_unasked_where_its_application_took_no_command() {
        let own = Reached { opened: true, cause: Some(Cause::OwnClose), ..Reached::default() };
        assert_eq!(reach("upgrade", own).closed_unasked, 1);
        let told = Reached { took_close: true, ..own };
        assert_eq!(reach("upgrade\napp close", told).closed_unasked, 0);
        let client = Reached { cause: Some(Cause::ClientClose), ..own };
        assert_eq!(reach("upgrade\nclose", client).closed_unasked, 0);
    }
}
