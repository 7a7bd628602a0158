//! One script, played once, in real time, and judged.
//!
//! After the script the client freezes, as in virtual time. A deadline that passed
//! ends the script early: what the client would have done then changes nothing that
//! is owed. Nothing is proven here: a connection that is open when watching ends is
//! *open*, never *never*.

use super::delay_monitor::DelayMonitor;
use super::kernel_table::{KernelTable, WatchGuard};
use super::play_log::{PlayLog, is_open};
use super::record::Record;
use super::server_process::ServerProcess;
use super::subject::{ClientInPlay, Connected, Subject};
use super::tcp_end::TcpEnd;
use crate::actor::{Actor, ActorEnd as _};
use crate::bounds::Bounds;
use crate::exchange::{
    AfterDeadline, ConnectionId, Death, End, Event, Exchange, Note, Standing, Time, What,
};
use crate::judge::{judge, next_deadline};
use crate::script::{Act, Command, Preamble, Script, Setting, Step, WithPreamble};
use crate::transport::tcp::ConnectedSocket;
use crate::verdict::{Invariant, Verdict};
use crate::view::Stream;
use crate::wire::Opcode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// How long a server on this machine is given to deal with what it was sent.
pub(super) const SETTLE: Duration = Duration::from_millis(5);
/// The most that a distant server is given.
const SETTLE_MOST: Duration = Duration::from_millis(300);
/// The receive buffer of a client that will stop reading: the kernel takes no less.
const SMALL_WINDOW: u32 = 2304;
/// How far beyond a deadline and its slack watching goes, so that it surely passed.
const BEYOND: Duration = Duration::from_millis(10);
/// How long after a change the exchange is looked at again.
const LOOK: Duration = Duration::from_millis(20);

/// How all scripts of one run are played.
pub(super) struct PlayConfig {
    pub bounds: Bounds,
    /// What a deadline gets on top, real time being what it is.
    pub slack: Duration,
    /// How long after what obliges the server a late end is waited for.
    pub horizon: Duration,
    /// The same of a connection that is watched on ([`PlayConfig::watch_on`]).
    pub watch: Duration,
    /// After how long an application that closes on open has surely begun to.
    pub begins: Duration,
    /// The kernel's socket table, where the server is on this machine.
    pub table: Option<KernelTable>,
    pub delays: DelayMonitor,
    /// What is in play, and was lately.
    pub log: PlayLog,
    /// The server's process, where hangup starts it.
    pub process: Option<ServerProcess>,
}

/// How far a play goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watching {
    /// Until a deadline has surely passed: enough to see that it was not kept.
    ToDeadline,
    /// As that, with twice the slack: what fails so is at no border, where real time
    /// would sometimes show it and sometimes not.
    WithMargin,
    /// On to the horizon: how late the end is.
    ToHorizon,
    /// As long as anything is watched.
    On,
}

/// A connection that the server still owes an end when its play is over. The client goes on
/// as the script left it, and acts no more.
pub(super) struct OpenConnection {
    actor: Actor<TcpEnd>,
    record: Record,
    /// The subject's end of it, where that is seen.
    guard: Option<WatchGuard>,
    /// What is in play of a client under test.
    client: Option<ClientInPlay>,
    /// Whether the script's application closes.
    app_closes: bool,
    /// The script with the preamble of every session, where both are there.
    preamble: Option<WithPreamble>,
    /// Its number in the log.
    number: u64,
}

/// How watching ended: nothing more is owed, or hangup gave up.
enum WatchEnd {
    NothingOwed,
    /// With what the server was doing, where that was seen.
    GaveUp(Option<Standing>),
}

/// What a play came to.
pub(super) struct Played {
    pub exchange: Exchange,
    pub verdict: Verdict,
    /// Whether our own process was so late meanwhile that the verdict is worth nothing.
    pub was_late: bool,
}

impl WatchEnd {
    /// What is recorded of it.
    fn events(self) -> Vec<What> {
        match self {
            Self::NothingOwed => Vec::new(),
            Self::GaveUp(standing) => {
                let stands = standing.map(What::Stands);
                stands.into_iter().chain([What::Became(AfterDeadline::GaveUp)]).collect()
            }
        }
    }
}

impl PlayConfig {
    /// Plays `script` once.
    pub async fn play(
        &self,
        subject: &Subject,
        script: &Script,
        watching: Watching,
    ) -> Result<Played, String> {
        let connection = self.act(subject, script, self.slack_of(watching)).await?;
        Ok(self.watch_and_judge(connection, watching).await)
    }

    /// As [`play`](Self::play), of a connection that is open and has done nothing yet.
    pub async fn play_on(
        &self,
        mut connection: OpenConnection,
        script: &Script,
        watching: Watching,
    ) -> Played {
        self.act_out(&mut connection, script, self.slack_of(watching)).await;
        self.watch_and_judge(connection, watching).await
    }

    async fn watch_and_judge(&self, mut connection: OpenConnection, watching: Watching) -> Played {
        let end = self.watch(&mut connection, watching).await;
        end.events().into_iter().for_each(|what| connection.record.push(what));
        self.see_exit(&connection).await;
        self.finished(&connection, watching)
    }

    /// What a play that is over came to.
    fn finished(&self, connection: &OpenConnection, watching: Watching) -> Played {
        let exchange = connection.record.take();
        self.log.finish(connection.number, &exchange);
        self.judged(exchange, connection, watching)
    }

    /// Plays `script` to the horizon, and keeps a connection that is still open then.
    pub async fn play_and_keep(
        &self,
        subject: &Subject,
        script: &Script,
    ) -> Result<(Played, Option<OpenConnection>), String> {
        let watching = Watching::ToHorizon;
        let mut connection = self.act(subject, script, self.slack_of(watching)).await?;
        let end = self.watch(&mut connection, watching).await;
        let is_open = matches!(end, WatchEnd::GaveUp(_));
        if !is_open {
            self.see_exit(&connection).await;
        }
        let exchange = connection.record.copy_with(end.events());
        if !is_open {
            self.log.finish(connection.number, &exchange);
        }
        let played = self.judged(exchange, &connection, watching);
        Ok((played, is_open.then_some(connection)))
    }

    /// Watches a connection that was kept: what its play came to then.
    pub async fn watch_on(&self, connection: OpenConnection) -> Played {
        self.watch_and_judge(connection, Watching::On).await
    }

    /// What became of a client's program once its connection has ended: it ended too, by a signal or
    /// otherwise; or it was to return from its close, and still runs when it has had as long for that as
    /// for closing. The application of a browser is told of the end: it has as long for that.
    async fn see_exit(&self, connection: &OpenConnection) {
        let OpenConnection { client, record, app_closes, .. } = connection;
        let Some(client) = client.as_ref().filter(|_| record.is_over()) else { return };
        let since = record.now();
        let has_to_return = *app_closes && record.look(began_to_close);
        let is_owed = has_to_return || client.reports();
        let bound = if is_owed { self.bounds.close } else { Duration::ZERO };
        let mut exit = client.ended_within(bound + self.slack).await;
        if exit.is_none() && is_owed {
            let waited = self.waited_since(record, since, connection.group());
            let more = waited + self.delays.worst_since(record.start());
            exit = client.ended_within(more).await;
        }
        // One that works, or waits for a disk, does not wait in its close: it is given twice as long.
        let until = record.now().after(bound * 2);
        while exit.is_none() && is_owed && client.is_busy() && record.now() < until {
            exit = client.ended_within(LOOK).await;
        }
        match exit {
            Some(how @ Death::Signal(_)) => record.push(What::Died(how)),
            Some(_) if client.reports() => {}
            Some(_) => record.push(What::Returned),
            None if has_to_return => record.push(What::Outlived { tasks: 1 }),
            None => {}
        }
    }

    /// Plays `script` to the deadline, or until `stop` is ready, and keeps the connection
    /// whatever became of it.
    pub async fn play_until(
        &self,
        subject: &Subject,
        script: &Script,
        stop: impl Future<Output = ()>,
    ) -> Result<OpenConnection, String> {
        let mut connection = self.open(subject, script, self.slack).await?;
        tokio::select! {
            biased;
            () = stop => {}
            () = async {
                self.act_out(&mut connection, script, self.slack).await;
                self.watch(&mut connection, Watching::ToDeadline).await;
            } => {}
        }
        Ok(connection)
    }

    /// Acts `script` out on a connection, as far as it comes `until` that is ready, and watches it for
    /// so long: what was seen.
    pub async fn act_until(
        &self,
        connection: &mut OpenConnection,
        script: &Script,
        until: impl Future<Output = ()>,
    ) -> Exchange {
        let OpenConnection { actor, record, preamble, .. } = &mut *connection;
        let script = preamble.as_ref().map_or(script, |with| &with.script);
        let mut until = std::pin::pin!(until);
        let acted = tokio::select! {
            biased;
            () = &mut until => false,
            () = actor.act(script) => true,
        };
        record.push(What::Froze);
        if acted {
            actor.read_until(until).await;
        }
        if !record.is_over() {
            record.push(What::Became(AfterDeadline::GaveUp));
        }
        let mut exchange = record.take();
        self.log.finish(connection.number, &exchange);
        connection.note_steps(&mut exchange);
        exchange
    }

    /// What a play came to of which the server's process died.
    pub fn killed(&self, connection: &OpenConnection, death: Death) -> (Exchange, Verdict) {
        connection.record.push(What::Died(death));
        let mut exchange = connection.record.take();
        self.log.finish(connection.number, &exchange);
        connection.note_steps(&mut exchange);
        let verdict = judge_death(&exchange, &self.bounds);
        (exchange, verdict)
    }

    /// Acts the script out; the client is frozen then.
    async fn act(
        &self,
        subject: &Subject,
        script: &Script,
        slack: Duration,
    ) -> Result<OpenConnection, String> {
        let mut connection = self.open(subject, script, slack).await?;
        self.act_out(&mut connection, script, slack).await;
        Ok(connection)
    }

    /// Connects for `script`, and does nothing yet.
    pub async fn open(
        &self,
        subject: &Subject,
        script: &Script,
        slack: Duration,
    ) -> Result<OpenConnection, String> {
        let connected = subject.connect(window(script)).await;
        let connected = connected.inspect_err(|_| self.log.refused())?;
        let Connected { socket: connected, client } = connected;
        if let Some(process) = &self.process {
            process.count_connection();
        }
        let record = Record::begin(self.empty_exchange(subject, &connected));
        let number = self.log.begin(subject.name(), script, &record);
        let group = client.as_ref().and_then(ClientInPlay::group);
        if let Some(client) = &client {
            client.tell(&record);
        }
        let watch = |table: &KernelTable| {
            table.watch(connected.peer, connected.local, group, record.clone())
        };
        let mut guard = self.table.as_ref().map(watch);
        let settle = (connected.round_trip * 2).clamp(SETTLE, SETTLE_MOST);
        let request = subject.opening().request().to_owned();
        let end = TcpEnd::new(
            subject.role().other(),
            connected.socket,
            record.clone(),
            request,
            settle,
            self.begins,
            (&self.bounds, slack),
        );
        let longest = self.bounds.longest().max(self.bounds.shutdown());
        let actor = Actor::new(end, longest + self.slack * 2);
        if let Some(watch) = guard.as_mut().filter(|_| leaves(script))
            && !watch.is_accepted().await
        {
            record.lose_sight();
            guard = None;
        }
        let closes = |step: &Step| matches!(step.act, Act::App(Command::Close(..), _));
        let app_closes = script.steps.iter().any(closes);
        let preamble = Preamble::of(subject.opening()).and_then(|own| own.in_script(script));
        Ok(OpenConnection { actor, record, guard, client, app_closes, preamble, number })
    }

    async fn act_out(&self, connection: &mut OpenConnection, script: &Script, slack: Duration) {
        let group = connection.group();
        let OpenConnection { actor, record, preamble, .. } = connection;
        let script = preamble.as_ref().map_or(script, |with| &with.script);
        tokio::select! {
            biased;
            () = self.overdue(record, slack, group) => {}
            () = actor.act(script) => {}
        }
        record.push(What::Froze);
    }

    fn empty_exchange(&self, subject: &Subject, connected: &ConnectedSocket) -> Exchange {
        let mut exchange = Exchange::new(false);
        exchange.subject = subject.role();
        exchange.sees_release = self.table.is_some();
        exchange.request = subject.opening().unusual_request();
        exchange.timing_slack = self.slack;
        // What TLS has taken in may not have come out of it: then order proves little.
        exchange.transit = match () {
            () if !connected.socket.is_plain() => self.slack,
            () if connected.peer.ip() == connected.local.ip() => Duration::ZERO,
            () => connected.round_trip,
        };
        exchange
    }

    fn slack_of(&self, watching: Watching) -> Duration {
        match watching {
            Watching::ToDeadline | Watching::ToHorizon | Watching::On => self.slack,
            Watching::WithMargin => self.slack * 2,
        }
    }

    fn judged(
        &self,
        mut exchange: Exchange,
        connection: &OpenConnection,
        watching: Watching,
    ) -> Played {
        let delay = self.delays.worst_since(connection.record.start());
        connection.note_steps(&mut exchange);
        if connection.app_closes {
            note_who_began(&mut exchange);
        }
        exchange.timing_slack = self.slack_of(watching) + delay;
        if exchange.events.iter().any(|event| matches!(event.what, What::Died(_))) {
            let verdict = judge_death(&exchange, &self.bounds);
            return Played { exchange, verdict, was_late: false };
        }
        let mut verdict = judge(&exchange, &self.bounds);
        let owed = verdict.violations.iter().filter_map(|found| found.owed);
        if let Some(since) = owed.map(|owed| owed.since).min() {
            // What a busy machine took from the server since then is not its fault.
            exchange.timing_slack +=
                self.waited_since(&connection.record, since, connection.group());
            verdict = judge(&exchange, &self.bounds);
        }
        Played { exchange, verdict, was_late: delay > self.slack }
    }

    /// Ready once a deadline has surely passed and the server has not kept it.
    async fn overdue(&self, record: &Record, slack: Duration, group: Option<i32>) {
        loop {
            record.catch_up();
            match self.due(record, slack, group) {
                Some(due) if record.now() > due => return,
                Some(due) => wait(record, due).await,
                None => wait(record, record.now().after(self.slack)).await,
            }
            // What changes, changes in bursts: it is looked at once.
            sleep(LOOK).await;
        }
    }

    /// After the script: to the deadline and, where that passed, on.
    async fn watch(&self, connection: &mut OpenConnection, watching: Watching) -> WatchEnd {
        let group = connection.group();
        let OpenConnection { actor, record, guard, .. } = connection;
        let subject = (guard.as_ref(), group);
        actor.read_until(self.watch_record(record, subject, watching)).await
    }

    async fn watch_record(
        &self,
        record: &Record,
        (guard, group): (Option<&WatchGuard>, Option<i32>),
        watching: Watching,
    ) -> WatchEnd {
        let slack = self.slack_of(watching);
        let (mut quiet, mut caught_up, mut standing) = (false, false, None);
        while !record.is_over() {
            record.catch_up();
            let Some(due) = self.due(record, slack, group) else {
                if quiet {
                    return WatchEnd::NothingOwed;
                }
                // Nothing is owed; what the server does by itself it has begun by then.
                // An application that closes by itself begins to a while after the opening.
                let until = record.now().after(self.slack * 2 + BEYOND);
                let until = record.due_soon().map_or(until, |due| until.max(due.after(BEYOND)));
                let owes_nothing = || self.due(record, slack, group).is_none();
                while record.now() < until && !record.is_over() && owes_nothing() {
                    wait(record, until).await;
                }
                quiet = true;
                continue;
            };
            let beyond = |time: Duration| due.after(time.saturating_sub(self.bounds.longest()));
            let until = match watching {
                Watching::ToDeadline | Watching::WithMargin => due,
                Watching::ToHorizon => beyond(self.horizon),
                Watching::On => beyond(self.watch),
            };
            if record.now() > until {
                if let Some(guard) = guard.filter(|_| !caught_up) {
                    standing = guard.standing().await;
                    caught_up = true;
                    continue;
                }
                return WatchEnd::GaveUp(standing);
            }
            wait(record, if record.now() > due { until } else { due }).await;
        }
        WatchEnd::NothingOwed
    }

    /// When what is owed, if anything, is surely overdue.
    fn due(&self, record: &Record, slack: Duration, group: Option<i32>) -> Option<Time> {
        let deadline =
            record.look(|exchange| next_deadline(exchange, ConnectionId::FIRST, &self.bounds))?;
        let delay = self.delays.worst_since(record.start());
        let since = Time::from(deadline.since_accept().saturating_sub(self.bounds.longest()));
        Some(deadline.after(slack + delay + self.waited_since(record, since, group) + BEYOND))
    }

    /// How long the server, or the client that is this process group, waited for a processor since
    /// then, where that is seen. On a machine that gives it none at all, no deadline moves by more than
    /// the bound.
    fn waited_since(&self, record: &Record, since: Time, group: Option<i32>) -> Duration {
        let start = record.start() + since.since_accept();
        let waited = self.table.as_ref().map(|table| table.waited_since(group, start));
        waited.unwrap_or_default().min(self.bounds.longest())
    }
}

impl OpenConnection {
    /// Notes how far the script was acted out, and what came before it.
    fn note_steps(&self, exchange: &mut Exchange) {
        let begun = self.actor.steps();
        let preamble = self.preamble.as_ref();
        exchange.steps = Some(preamble.map_or(begun, |with| with.own_steps(begun)));
        exchange.preamble_bytes = preamble.map_or(0, WithPreamble::bytes);
    }

    /// The process group of the client under test.
    fn group(&self) -> Option<i32> {
        self.client.as_ref().and_then(ClientInPlay::group)
    }

    /// Whether the kernel's table shows the subject's end of it.
    pub async fn is_seen(&mut self) -> bool {
        match &mut self.guard {
            Some(guard) => guard.is_accepted().await,
            None => false,
        }
    }

    /// What the actor sees, and does.
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// `app shutdown` in its script tells `wish`.
    pub fn on_shutdown(&mut self, wish: Arc<Notify>) {
        self.actor.end_mut().on_shutdown(wish);
    }

    /// Resets the connection where it is still open; whether it was.
    pub fn reset(&mut self) -> bool {
        let is_open = self.record.look(is_open);
        if is_open {
            self.actor.end_mut().reset();
        }
        is_open
    }
}

/// Whether the application was seen, or is taken, to have begun to close.
fn began_to_close(exchange: &Exchange) -> bool {
    let began = What::Noted(Note::BeganToClose);
    exchange.events.iter().any(|event| event.what == began) || first_close(exchange).is_some()
}

/// Judges a play of which the server died: how its connection ended was the death's doing.
pub(super) fn judge_death(exchange: &Exchange, bounds: &Bounds) -> Verdict {
    let mut verdict = judge(exchange, bounds);
    verdict.violations.retain(|found| found.identity.invariant() == Invariant::NoPanic);
    verdict.dismissals.clear();
    verdict
}

/// Notes, where the application closes by itself, that it had begun to when its Close
/// came: so that a Close of the client's that crossed it is not taken for the reason.
fn note_who_began(exchange: &mut Exchange) {
    let Some(event) = first_close(exchange) else { return };
    let began = What::Noted(Note::BeganToClose);
    if !exchange.events[..event].iter().any(|event| event.what == began) {
        let at = exchange.events[event].at;
        exchange.events.insert(event, Event::new(at, began.clone()).inferred());
    }
    // Noted again later, when the URL said that it would: once is enough.
    let mut is_first = true;
    exchange.events.retain(|event| event.what != began || std::mem::take(&mut is_first));
}

/// The event that brought the first byte of the server's first Close.
fn first_close(exchange: &Exchange) -> Option<usize> {
    let bytes = &exchange.bytes(ConnectionId::FIRST).to_actor;
    let mut stream = Stream::new(exchange.subject, bytes);
    for (index, event) in exchange.events.iter().enumerate() {
        match (event.end, &event.what) {
            (End::Actor, What::Read { bytes }) => stream.take(*bytes, index),
            (_, What::Discarded { bytes }) => stream.skip(*bytes, index),
            _ => {}
        }
    }
    let close = stream.frames().iter().find(|frame| frame.opcode == Opcode::CLOSE)?;
    Some(close.started)
}

/// Until just after `time`, or the next change.
async fn wait(record: &Record, time: Time) {
    let left = time.since_accept().saturating_sub(record.now().since_accept());
    let _ = timeout(left + Duration::from_millis(1), record.changed()).await;
}

/// The receive buffer that the script needs: small where it stops reading.
fn window(script: &Script) -> Option<u32> {
    let window = |act: &Act| match act {
        Act::Set(Setting::Window, size) => Some(size.0.max(SMALL_WINDOW)),
        Act::StopReading => Some(SMALL_WINDOW),
        _ => None,
    };
    script.steps.iter().filter_map(|step| window(&step.act)).min()
}

/// Whether the client leaves the connection in a way after which the table alone shows
/// what the server does.
fn leaves(script: &Script) -> bool {
    script.steps.iter().any(|step| matches!(step.act, Act::Reset | Act::Drop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{FrameHead, handshake};

    #[test]
    fn an_application_that_closes_by_itself_had_begun_when_its_close_came() {
        let mut exchange = Exchange::new(false);
        let mut bytes = handshake::switching_protocols(handshake::ACCEPT).into_bytes();
        FrameHead::server(Opcode::TEXT).encode(b"\x88\x00", &mut bytes);
        let first = bytes.len() as u32;
        FrameHead::server(Opcode::CLOSE).encode(b"", &mut bytes);
        exchange.bytes_mut(ConnectionId::FIRST).to_actor = bytes;
        exchange.push_at_actor(Time(1), What::Read { bytes: first });
        exchange.push(Time(2), What::Arrived { bytes: 0 });
        note_who_began(&mut exchange);
        assert_eq!(exchange.events.len(), 2, "no Close has come");
        exchange.push_at_actor(Time(3), What::Read { bytes: 1 });
        exchange.push_at_actor(Time(4), What::Read { bytes: 1 });
        let began = Event::new(Time(3), What::Noted(Note::BeganToClose)).inferred();
        // What its URL says of it is due only now.
        exchange.events.push(Event::new(Time(250_000), began.what.clone()).inferred());
        for _ in 0..2 {
            note_who_began(&mut exchange);
            let began_at = exchange.events.iter().filter(|event| event.what == began.what);
            assert_eq!(began_at.count(), 1, "it is not drawn twice");
            let noted: Vec<usize> =
                (0..exchange.events.len()).filter(|at| exchange.events[*at] == began).collect();
            assert_eq!(noted, [2], "once, right before what brought it");
        }
    }
}
