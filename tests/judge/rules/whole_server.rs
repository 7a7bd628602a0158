//! The rules of a whole server: its shutdown, and its clients side by side.

use crate::story::{BYE, Frame, PING, PONG, Story, masked, plain};
use hangup::bounds::Bounds;
use hangup::exchange::{
    AfterDeadline, ConnectionId, End, Event, Exchange, HeldAfter, Time, What, fingerprint,
};
use hangup::judge::{Decided, Decision, judge, judge_connection};
use hangup::report::sentence;
use hangup::verdict::{
    Cause, Condition, Control, Ending, Excuse, Invariant, Reason, Symptom, Verdict, Violation,
};
use hangup::wire::{Opcode, handshake};
use std::time::Duration;

const GOING_AWAY: Frame<'_> = (Opcode::CLOSE, b"\x03\xe9");

/// A server with connections, told event by event. The shutdown has 6 s, a close 5 s.
#[derive(Clone)]
struct Server {
    exchange: Exchange,
    now: u64,
}

impl Server {
    /// So many connections, open since the start.
    fn with_clients(clients: u16) -> Self {
        let mut server = Self { exchange: Exchange::new(true), now: 0 };
        for client in 0..clients {
            if client > 0 {
                server.exchange.connect();
            }
            server = server.offered(client).accepted(client).opens(client);
        }
        server
    }

    fn at(mut self, ms: u64) -> Self {
        self.now = ms;
        self
    }

    fn on(mut self, client: u16, what: What) -> Self {
        let event = Event::new(Time(self.now * 1000), what);
        self.exchange.events.push(Event { connection: ConnectionId(client), ..event });
        self
    }

    fn does(self, what: What) -> Self {
        self.on(0, what)
    }

    fn offered(self, client: u16) -> Self {
        self.on(client, What::Offered)
    }

    fn accepted(self, client: u16) -> Self {
        self.on(client, What::Accepted)
    }

    fn client_bytes(mut self, client: u16, bytes: &[u8]) -> Self {
        self.exchange.bytes_mut(ConnectionId(client)).to_subject.extend_from_slice(bytes);
        let bytes = bytes.len() as u32;
        self.on(client, What::Arrived { bytes }).on(client, What::Read { bytes })
    }

    fn server_bytes(mut self, client: u16, bytes: &[u8]) -> Self {
        self.exchange.bytes_mut(ConnectionId(client)).to_actor.extend_from_slice(bytes);
        let bytes = bytes.len() as u32;
        let event = Event::new(Time(self.now * 1000), What::Read { bytes });
        let read = Event { connection: ConnectionId(client), end: End::Actor, ..event };
        let mut server = self.on(client, What::Wrote { bytes });
        server.exchange.events.push(read);
        server
    }

    fn asks(self, client: u16) -> Self {
        self.client_bytes(client, handshake::REQUEST.as_bytes())
    }

    fn opens(self, client: u16) -> Self {
        let response = handshake::switching_protocols(handshake::ACCEPT);
        self.asks(client).server_bytes(client, response.as_bytes())
    }

    fn client(self, client: u16, frame: Frame<'_>) -> Self {
        self.client_bytes(client, &masked(frame))
    }

    fn server(self, client: u16, frame: Frame<'_>) -> Self {
        self.server_bytes(client, &plain(frame))
    }

    fn told(self) -> Self {
        self.does(What::ToldToShutDown)
    }

    fn returns(self) -> Self {
        self.does(What::ServerReturned)
    }

    fn drops(self, client: u16) -> Self {
        self.on(client, What::Dropped { reset: false })
    }

    /// The whole closing handshake of a shutdown.
    fn closes(self, client: u16) -> Self {
        self.server(client, GOING_AWAY).client(client, GOING_AWAY).drops(client)
    }

    /// A minute later it is as it was, for ever.
    fn quiet(self) -> Self {
        self.at(60_000).does(What::ServerBecame(AfterDeadline::Quiet))
    }

    fn verdict(&self) -> Verdict {
        let bounds = Bounds::close_within(Duration::from_secs(5));
        let mut all = Verdict::default();
        for connection in self.exchange.connections() {
            let verdict = judge_connection(&self.exchange, connection, &bounds);
            all.violations.extend(verdict.violations);
            all.dismissals.extend(verdict.dismissals);
        }
        all
    }

    /// What is found of the rules of whole servers.
    fn broken(&self) -> Vec<Violation> {
        let mut violations = self.verdict().violations;
        violations.retain(|found| found.identity.invariant().is_of_a_whole_server());
        violations
    }

    #[track_caller]
    fn breaks(&self, invariant: Invariant, symptom: Symptom) -> Violation {
        let broken = self.broken();
        let mut found = broken.iter().filter(|found| found.identity.invariant() == invariant);
        let found = found.next().unwrap_or_else(|| panic!("{invariant} is kept: {broken:?}"));
        assert_eq!(found.identity.symptom(), Some(symptom));
        found.clone()
    }

    #[track_caller]
    fn is_clean(&self) {
        assert_eq!(self.broken(), []);
    }

    /// Nothing is even suspected.
    #[track_caller]
    fn is_above_suspicion(&self) {
        let verdict = self.verdict();
        assert_eq!((verdict.violations, verdict.dismissals), (vec![], vec![]));
    }

    /// What a control has to say about the only suspicion.
    #[track_caller]
    fn suspicion(&self) -> Violation {
        let dismissals = self.verdict().dismissals;
        let [dismissal] = &dismissals[..] else { panic!("{dismissals:?}") };
        assert_eq!(dismissal.reason, Reason::Excuse(Excuse::SameAlone));
        dismissal.violation.clone()
    }

    /// What is decided about it where this is what the client sees alone.
    fn decided(&self, alone: &Self) -> Decided {
        let suspicion = self.suspicion();
        let connection = suspicion.connection;
        let bounds = Bounds::close_within(Duration::from_secs(5));
        let mut decision = Decision::on(suspicion, &self.exchange, connection, &bounds);
        assert_eq!(decision.control(), Some(Control::Alone));
        decision.tell(&alone.exchange);
        decision.made()
    }
}

#[test]
fn a_shutdown_is_over_in_time_or_late_or_never() {
    let told = || Server::with_clients(1).at(1000).told().closes(0);
    told().at(7002).returns().is_clean();
    let late = told().at(7003).returns().breaks(Invariant::ShutsDownInTime, Symptom::ShutsDownLate);
    assert_eq!(late.ending, Ending::Late(Time(7_003_000)));
    assert_eq!(late.identity.cause(), Some(Cause::Shutdown));
    let owed = late.owed.expect("a rule about time");
    assert_eq!((owed.since, owed.deadline), (Time(1_000_000), Time(7_000_000)));
    let never = told().quiet().breaks(Invariant::ShutsDownInTime, Symptom::WaitsForNobody);
    assert_eq!(never.ending, Ending::Never);
    let said = sentence(&never, &told().quiet().exchange);
    assert!(
        said.starts_with("The server never shuts down although no connection is open. "),
        "{said}"
    );
}

#[test]
fn what_was_not_watched_up_to_its_deadline_is_no_finding() {
    let told = Server::with_clients(1).at(1000).told().closes(0);
    told.clone().at(7002).on(0, What::Froze).is_clean();
    assert!(told.at(7003).on(0, What::Froze).broken().len() == 1);
}

#[test]
fn a_shutdown_that_waits_for_clients_says_for_how_many_and_what_they_do() {
    let waits = Server::with_clients(3).on(1, What::StoppedReading).at(1000).told();
    let waits = waits.server(0, GOING_AWAY).server(1, GOING_AWAY).closes(2).quiet();
    let found = waits.breaks(Invariant::ShutsDownInTime, Symptom::WaitsForClients);
    assert_eq!(found.identity.condition(), Some(Condition::Silent), "of the first that is open");
    assert_eq!(found.fact, "does not shut down while 2 connections are open");
    let deaf = Server::with_clients(2).on(1, What::StoppedReading).at(1000).told();
    let deaf = deaf.server(1, GOING_AWAY).closes(0).quiet();
    let found = deaf.breaks(Invariant::ShutsDownInTime, Symptom::WaitsForClients);
    assert_eq!(found.identity.condition(), Some(Condition::NotReading));
    assert_eq!(found.fact, "does not shut down while 1 connection is open");
}

#[test]
fn every_connection_gets_a_close_when_the_server_shuts_down() {
    let told = || Server::with_clients(2).at(1000).told().closes(0);
    told().closes(1).returns().is_clean();
    told().server(1, BYE).client(1, BYE).drops(1).returns().is_clean();
    let dropped = told().drops(1).returns();
    let found = dropped.breaks(Invariant::ClosesAllAtShutdown, Symptom::DroppedAtShutdown);
    assert_eq!(
        (found.connection, found.identity.cause()),
        (ConnectionId(1), Some(Cause::Shutdown))
    );
    assert_eq!(dropped.broken().len(), 1, "a silent end at a shutdown is one finding");
    let forgotten = told().returns().at(8000).on(1, What::Froze);
    let found = forgotten.breaks(Invariant::ClosesAllAtShutdown, Symptom::ForgottenAtShutdown);
    assert_eq!(found.connection, ConnectionId(1));
    told().returns().at(7000).on(1, What::Froze).is_clean();
}

#[test]
fn who_wanted_to_end_or_cannot_be_told_gets_no_close_for_a_reason() {
    let told = || Server::with_clients(1).at(1000);
    let fin = || told().on(0, What::FinArrived).told().drops(0).returns();
    fin().is_clean();
    told().on(0, What::ResetArrived).told().drops(0).returns().is_clean();
    let cut = told().on(0, What::Cut).told().drops(0).returns();
    assert_eq!(cut.broken(), []);
    let blocked = told().on(0, What::WriteBlocked).told().at(6000).drops(0).returns();
    assert_eq!(blocked.broken(), []);
    assert_eq!(told().told().drops(0).returns().broken().len(), 1);
}

#[test]
fn an_opening_that_the_shutdown_meets_ends_or_gets_a_close() {
    let opening = || {
        let mut server = Server::with_clients(1);
        server.exchange.connect();
        server.offered(1).accepted(1).at(1000).told().closes(0)
    };
    opening().drops(1).returns().is_clean();
    opening().opens(1).closes(1).returns().is_clean();
    let dropped = opening().opens(1).at(6000).drops(1).returns();
    dropped.breaks(Invariant::ClosesAllAtShutdown, Symptom::DroppedAtShutdown);
}

/// A second client that connects 100 ms after the shutdown was told.
fn newcomer() -> Server {
    let mut server = Server::with_clients(1).at(1000).told();
    server.exchange.connect();
    server.at(1100).offered(1)
}

#[test]
fn who_comes_during_the_shutdown_is_refused_or_sent_away_within_a_second() {
    let refused = |at| newcomer().at(at).on(1, What::Refused).closes(0).returns();
    refused(1100).is_clean();
    refused(2102).is_clean();
    refused(2103).breaks(Invariant::StopsAccepting, Symptom::HoldsNewcomers);
    let held = newcomer().closes(0).at(2200).on(1, What::Froze);
    held.breaks(Invariant::StopsAccepting, Symptom::HoldsNewcomers);
    let served = |at: u64| newcomer().accepted(1).opens(1).at(at).closes(1).closes(0).returns();
    served(2102).is_clean();
    let found = served(2103).breaks(Invariant::StopsAccepting, Symptom::ServesNewcomers);
    assert_eq!(found.connection, ConnectionId(1));
    assert_eq!(newcomer().on(1, What::FinArrived).at(3000).on(1, What::Refused).broken(), []);
}

#[test]
fn nothing_is_owed_on_a_connection_that_was_not_accepted_and_the_time_counts_from_there() {
    let mut server = Server { exchange: Exchange::new(true), now: 0 };
    server = server.offered(0).on(0, What::FinArrived);
    server.clone().quiet().is_clean();
    let accepted = server.at(30_000).accepted(0);
    accepted.clone().at(35_002).drops(0).is_clean();
    let late = accepted.at(35_003).drops(0).verdict().violations;
    assert_eq!(late[0].identity.cause(), Some(Cause::ClientFin));
    assert_eq!(late[0].owed.expect("about time").since, Time(30_000_000));
}

/// What happens in a story.
type Act = fn(Server) -> Server;

/// Two clients; the second waits for `act` to be answered.
fn second(act: Act) -> Server {
    act(Server::with_clients(2).at(1000))
}

#[test]
fn what_makes_a_polite_client_wait_is_decided_by_a_play_of_it_alone() {
    let ping = |server: Server, client| server.client(client, PING);
    let slow = second(|server| server.client(1, PING).at(1101).server(1, PONG));
    second(|server| server.client(1, PING).at(1100).server(1, PONG)).is_above_suspicion();
    let alone = |ms| ping(Server::with_clients(1).at(1000), 0).at(ms).server(0, PONG);
    let Decided::Violation(found) = slow.decided(&alone(1000)) else { panic!("acquitted") };
    assert_eq!(found.identity.symptom(), Some(Symptom::PongHeldUp));
    assert_eq!(found.connection, ConnectionId(1));
    assert!(matches!(slow.decided(&alone(1101)), Decided::Dismissed(_)));
}

#[test]
fn each_thing_that_a_client_waits_for_has_a_symptom() {
    let suspicions: [(Symptom, Act); 5] = [
        (Symptom::PongHeldUp, |server| server.client(1, PING)),
        (Symptom::AnswerHeldUp, |server| server.client(1, BYE)),
        (Symptom::EndHeldUp, |server| server.client(1, BYE).server(1, BYE)),
        (Symptom::CloseHeldUp, |server| server.told().closes(0)),
        (Symptom::BroadcastHeldUp, |server| {
            let fingerprint = fingerprint(b"all");
            server
                .does(What::ToldToBroadcast { bytes: 3, fingerprint })
                .server(0, (Opcode::TEXT, b"all"))
        }),
    ];
    for (symptom, act) in suspicions {
        let waiting = second(act).at(1200).on(0, What::Froze);
        assert_eq!(waiting.suspicion().identity.symptom(), Some(symptom), "{symptom}");
    }
    let mut opening = Server::with_clients(1);
    opening.exchange.connect();
    let opening = opening.offered(1).asks(1).at(200).on(0, What::Froze);
    assert_eq!(opening.suspicion().identity.symptom(), Some(Symptom::OpeningHeldUp));
}

#[test]
fn a_client_that_has_itself_to_thank_is_not_held_up() {
    let waits = |server: Server| server.at(1500).client(1, PING).at(1900).on(0, What::Froze);
    assert_eq!(waits(second(|server| server)).suspicion().connection, ConnectionId(1));
    for own in [What::StoppedReading, What::Cut, What::WriteBlocked, What::FinArrived] {
        let verdict = waits(Server::with_clients(2).at(1000).on(1, own.clone())).verdict();
        assert_eq!(verdict.dismissals, [], "{own:?}");
    }
}

#[test]
fn tasks_that_are_left_are_compared_with_those_of_one_connection() {
    let rests = |clients: u16, tasks, heap| {
        let server = (0..clients).fold(Server::with_clients(clients), Server::drops);
        server.at(10_000).does(What::Rests { tasks, heap })
    };
    rests(2, 0, None).is_clean();
    let two = rests(2, 2, None);
    assert_eq!(two.suspicion().identity.symptom(), Some(Symptom::KeepsTasks));
    assert!(matches!(two.decided(&rests(1, 1, None)), Decided::Violation(_)));
    assert!(matches!(two.decided(&rests(1, 2, None)), Decided::Dismissed(_)));
    rests(2, 0, Some(16 << 10)).is_clean();
    let heap = rests(2, 0, Some(40 << 10));
    assert!(matches!(heap.decided(&rests(1, 0, Some(20 << 10))), Decided::Violation(_)));
    assert!(matches!(heap.decided(&rests(1, 0, Some(24 << 10))), Decided::Dismissed(_)));
    assert_eq!(rests(1, 5, Some(1 << 20)).broken(), [], "it may be set up once");
}

#[test]
fn no_task_is_left_when_the_shutdown_is_over() {
    let over = |tasks| {
        let server = Server::with_clients(1).at(1000).told().closes(0).returns();
        server.at(7000).does(What::Rests { tasks, heap: None })
    };
    over(0).is_clean();
    over(1).breaks(Invariant::FreesResources, Symptom::TasksAfterShutdown);
}

#[test]
fn a_server_that_was_not_told_to_shut_down_owes_no_shutdown() {
    Story::open().at(60_000).watched().is_clean();
    Server::with_clients(2).quiet().is_clean();
}

/// What is said of what a process holds after each of these waves of forty connections.
fn held(waves: &[(u64, u64, u64)]) -> Vec<(Symptom, String)> {
    let mut exchange = Exchange::new(false);
    for (second, (descriptors, threads, kib)) in (1..).zip(waves) {
        let memory = kib << 10;
        let (descriptors, threads) = (*descriptors, *threads);
        let held =
            What::Held(Box::new(HeldAfter { connections: 40, descriptors, threads, memory }));
        exchange.push(Time(second * 1_000_000), held);
    }
    let verdict = judge(&exchange, &Bounds::default());
    let said = |found: Violation| (found.identity.symptom().expect("a symptom"), found.fact);
    verdict.violations.into_iter().map(said).collect()
}

#[test]
fn what_grows_with_each_of_five_waves_is_kept_and_what_fills_once_is_not() {
    let leaks: Vec<_> = (1..=5).map(|wave| (9 + 40 * wave, 2, 20_000)).collect();
    let [(symptom, fact)] = &held(&leaks)[..] else { panic!("one") };
    assert_eq!(*symptom, Symptom::KeepsDescriptors);
    assert!(
        fact.contains("keeps 1.0 descriptors for each") && fact.contains("from 49 to 209"),
        "{fact}"
    );
    assert_eq!(held(&leaks[..4]), [], "four waves are too few");
    let fills: Vec<_> = [60, 100, 110, 110, 110].map(|held| (held, 2, 20_000)).into();
    assert_eq!(held(&fills), [], "a cache");
    let falls: Vec<_> = [60, 100, 140, 139, 180].map(|held| (held, 2, 20_000)).into();
    assert_eq!(held(&falls), []);
    let one_more: Vec<_> = [60, 61, 62, 63, 64].map(|held| (held, 2, 20_000)).into();
    assert_eq!(held(&one_more), [], "one a wave may be the server's own");
    let threads: Vec<_> = (1..=5).map(|wave| (9, 2 + 10 * wave, 20_000)).collect();
    assert_eq!(held(&threads)[0].0, Symptom::KeepsThreads);
}

#[test]
fn memory_is_kept_where_twenty_waves_grow_by_a_page_a_connection() {
    let grows = |waves: u64, kib: u64| -> Vec<(u64, u64, u64)> {
        (0..waves).map(|wave| (9, 2, 20_000 + wave * kib)).collect()
    };
    let [(symptom, fact)] = &held(&grows(20, 160))[..] else { panic!("one") };
    assert_eq!(*symptom, Symptom::KeepsMemory);
    assert!(fact.contains("keeps 4096.0 bytes of memory for each"), "{fact}");
    assert_eq!(held(&grows(19, 160)), []);
    assert_eq!(held(&grows(20, 159)), [], "a heap that settles");
    let both: Vec<_> = (1..=20).map(|wave| (9 + 40 * wave, 2, 20_000 + 400 * wave)).collect();
    let symptoms: Vec<Symptom> = held(&both).into_iter().map(|(symptom, _)| symptom).collect();
    assert_eq!(symptoms, [Symptom::KeepsDescriptors], "they take memory");
}
