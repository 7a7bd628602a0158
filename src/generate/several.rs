//! Scripts of several connections: mostly one that misbehaves beside polite ones, and what the whole
//! server is told meanwhile.

use super::script_builder::ScriptBuilder;
use super::{GeneratorConfig, Script};
use crate::script::{
    Act, AppSteps, Awaited, Command, ConnectionNumber, Content, Frame, Kind, Millis, Pace, Piece,
    Send, Step, Unit,
};
use rand::{Rng, RngExt as _};

/// Of the scripts for a server that obeys several connections, one in so many has several.
pub(super) const SCRIPTS_PER_SEVERAL: u32 = 2;

impl GeneratorConfig {
    /// Draws a script of at least two connections.
    pub(super) fn draw_several<R: Rng + ?Sized>(&self, rng: &mut R) -> Script {
        let most = usize::from(self.connections.clamp(2, ConnectionNumber::MOST));
        let count = match rng.random_range(0..8) {
            0..=4 => 2,
            5 | 6 => rng.random_range(2..=most.min(3)),
            _ => rng.random_range(2..=most),
        };
        let mut scripts = match rng.random_range(0..8) {
            0 => {
                let one = if rng.random_ratio(1, 2) { self.any(rng) } else { self.polite(rng) };
                vec![one; count]
            }
            1 => (0..count).map(|_| self.any(rng)).collect(),
            _ => {
                let odd = rng.random_range(0..count);
                let one = |at| if at == odd { self.any(rng) } else { self.polite(rng) };
                (0..count).map(one).collect::<Vec<_>>()
            }
        };
        let shutdown = self.tell_server(&mut scripts, rng);
        let mut builder = self.builder(rng);
        for steps in &mut scripts {
            if let Some(arrives) = builder.arrival(shutdown) {
                steps.insert(0, Act::Connect(arrives).into());
            }
        }
        let scripts = scripts.into_iter().map(|steps| Script { steps }).collect::<Vec<_>>();
        Script::together(&scripts)
    }

    /// What any client does, as in a script of one connection. One that has no steps of its own only
    /// connects, and stays.
    fn any<R: Rng + ?Sized>(&self, rng: &mut R) -> Vec<Step> {
        let mut builder = self.builder(rng);
        if builder.one_in(4) {
            builder.stops_reading_or_sending();
        } else {
            builder.add_connection();
        }
        builder.steps
    }

    fn polite<R: Rng + ?Sized>(&self, rng: &mut R) -> Vec<Step> {
        let mut builder = self.builder(rng);
        builder.be_polite();
        builder.steps
    }

    /// Has the whole server shut down, or send to all, in some connection's steps. When it is told to
    /// shut down, where that is at a time of the script's own.
    fn tell_server<R: Rng + ?Sized>(
        &self,
        scripts: &mut [Vec<Step>],
        rng: &mut R,
    ) -> Option<Millis> {
        let mut builder = self.builder(rng);
        if self.app.contain(AppSteps::BROADCAST) && builder.one_in(2) {
            let command = builder.broadcast();
            let steps = builder.one_of_the_scripts(scripts);
            let place = builder.rng.random_range(steps.len().min(1)..=steps.len());
            steps.insert(place, Act::App(command, Pace::Once).into());
        }
        if !self.app.contain(AppSteps::SHUTDOWN) || builder.one_in(4) {
            return None;
        }
        let shutdown = Step::from(Act::App(Command::Shutdown, Pace::Once));
        let steps = builder.one_of_the_scripts(scripts);
        if builder.one_in(2) {
            let place = builder.rng.random_range(0..=steps.len());
            steps.insert(place, shutdown);
            return None;
        }
        // Behind what opens, where nothing that is waited for can keep it from coming.
        let time = builder.duration();
        let place = steps.len().min(1);
        steps.splice(place..place, [Act::Wait(time).into(), shutdown]);
        Some(time)
    }
}

impl<R: Rng + ?Sized> ScriptBuilder<'_, R> {
    fn one_of_the_scripts<'a>(&mut self, scripts: &'a mut [Vec<Step>]) -> &'a mut Vec<Step> {
        let at = self.rng.random_range(0..scripts.len());
        &mut scripts[at]
    }

    /// When a connection arrives; `None` for at once. Often before, during or after a shutdown.
    fn arrival(&mut self, shutdown: Option<Millis>) -> Option<Millis> {
        if !self.one_in(4) {
            return None;
        }
        let Some(Millis(shutdown)) = shutdown.filter(|_| !self.one_in(4)) else {
            return Some(self.duration());
        };
        Some(Millis(match self.rng.random_range(0..4) {
            0 => shutdown.saturating_sub(1),
            1 => shutdown,
            2 => shutdown + 1,
            _ => shutdown.saturating_add(self.duration().0),
        }))
    }

    /// A client that does what a server expects: it opens, says something or nothing, and closes, or
    /// answers the server's Close.
    fn be_polite(&mut self) {
        self.open();
        if self.one_in(2) {
            let content = Content::Text("hello".to_owned());
            let kind = if self.one_in(4) { Kind::Ping(content) } else { Kind::Text(content) };
            self.put_send(Piece::Whole, Unit::Frame(Frame::new(kind)));
        }
        if self.one_in(3) {
            let time = self.duration();
            self.put(Act::Wait(time));
        }
        if !self.one_in(4) {
            self.put(Act::Await(Awaited::Close));
        }
        let code = if self.one_in(2) { Some(1000) } else { None };
        let close = Frame::new(Kind::Close(code, Content::Empty));
        self.put_send(Piece::Whole, Unit::Frame(close));
        self.put(Act::Await(Awaited::End));
    }

    /// A client that a server waits for in vain: it does not read, or says nothing more.
    fn stops_reading_or_sending(&mut self) {
        if self.one_in(4) {
            let part = Piece::First(self.rng.random_range(0..self.cuts));
            return self.put_send(part, Unit::Upgrade(None));
        }
        self.open();
        if self.one_in(2) {
            self.put(Act::StopReading);
        }
    }

    fn open(&mut self) {
        self.put_send(Piece::Whole, Unit::Upgrade(None));
    }

    /// Adds a send that is not joined to the step before.
    fn put_send(&mut self, piece: Piece, unit: Unit) {
        self.put(Act::Send(Send { piece, unit, pace: Pace::Once }));
    }
}
