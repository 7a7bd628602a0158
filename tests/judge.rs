//! The judge over hand-written traces: each test tells the story of one
//! connection, or of a few that differ in one thing, on both sides of a border.
//!
//! Stories run on a clock in milliseconds. Unless one says otherwise, the target
//! promises to close and to release within five seconds, and no more.

use hangup::bounds::Bounds;
use hangup::judge::{judge, next_deadline};
use hangup::trace::{Death, Note, Outcome, Time, Trace, What};
use hangup::verdict::{Cause, Condition, Ending, Invariant, Level, Verdict, Violation};
use hangup::wire::{FrameHead, LengthForm, MASK, Opcode, handshake};
use std::collections::BTreeSet;
use std::time::Duration;

/// A legal frame: its opcode and payload. Who sends it decides on the mask.
type Frame<'a> = (Opcode, &'a [u8]);

const BYE: Frame<'_> = (Opcode::CLOSE, b"\x03\xe8bye");
const TEXT: Frame<'_> = (Opcode::TEXT, b"news");
const PING: Frame<'_> = (Opcode::PING, b"");
const PONG: Frame<'_> = (Opcode::PONG, b"");
/// A client's frame that breaks the protocol, proven by its second byte.
const UNMASKED: &[u8] = &[0x81, 0];

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason].concat()
}

fn encoded(head: FrameHead, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    head.encode(payload, &mut out);
    out
}

fn masked((opcode, payload): Frame<'_>) -> Vec<u8> {
    encoded(FrameHead::client(opcode), payload)
}

fn plain((opcode, payload): Frame<'_>) -> Vec<u8> {
    encoded(FrameHead::server(opcode), payload)
}

const DEATHS: [Death; 4] =
    [Death::Signal(6), Death::Exited(0), Death::OutOfMemory, Death::StoodStill];

/// What somebody does in a story.
type Act = fn(Story) -> Story;

/// One connection as it is told, with the bounds that it is judged by.
#[derive(Clone)]
struct Story {
    trace: Trace,
    bounds: Bounds,
    now: Time,
    read: usize,
}

/// What a story can tell in one word.
macro_rules! words {
    ($($name:ident => $what:expr,)+) => { $(fn $name(self) -> Self { self.then($what) })+ };
}

impl Story {
    words! {
        fin => What::FinArrived,
        reset => What::ResetArrived,
        deaf => What::StoppedReading,
        hears => What::ResumedReading,
        cut => What::Cut,
        server_shuts => What::Shut,
        app_closes => What::Noted(Note::BeganToClose),
        app_returns => What::Noted(Note::BeganToReturn),
        panics => What::Panicked("oops".into()),
        spins => What::Spun { polls: 10_000 },
        aborts => What::Died(Death::Signal(6)),
        exits => What::Died(Death::Exited(0)),
        eats_all_memory => What::Died(Death::OutOfMemory),
        stands_still => What::Died(Death::StoodStill),
        watched => What::Froze,
    }

    /// Accepted, both ends watched; the client has sent nothing yet.
    fn accepted() -> Self {
        let bounds = Bounds::close_within(Duration::from_secs(5));
        Self { trace: Trace::new(true), bounds, now: Time::ZERO, read: 0 }
    }

    /// An open WebSocket, both ends watched.
    fn open() -> Self {
        Self::accepted().client_bytes(handshake::REQUEST).server_reads_all().server_accepts()
    }

    /// An open WebSocket of which only the client's end is watched.
    fn open_seen_by_client() -> Self {
        let mut story = Self::accepted();
        story.trace.both_ends = false;
        story.trace.sees_release = false;
        story.client_bytes(handshake::REQUEST).server_accepts()
    }

    fn promising(mut self, change: impl FnOnce(&mut Bounds)) -> Self {
        change(&mut self.bounds);
        self
    }

    fn at(mut self, ms: u64) -> Self {
        self.now = Time(ms * 1000);
        self
    }

    fn then(mut self, what: What) -> Self {
        self.trace.push(self.now, what);
        self
    }

    fn client(self, frame: Frame<'_>) -> Self {
        self.client_bytes(masked(frame))
    }

    fn client_bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.trace.to_server.extend_from_slice(bytes.as_ref());
        self.then(What::Arrived { bytes: bytes.as_ref().len() as u32 })
    }

    fn server(self, frame: Frame<'_>) -> Self {
        self.server_bytes(plain(frame))
    }

    fn server_bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.trace.to_client.extend_from_slice(bytes.as_ref());
        let (both, bytes) = (self.trace.both_ends, bytes.as_ref().len() as u32);
        self.then(if both { What::Wrote { bytes } } else { What::Got { bytes } })
    }

    fn server_accepts(self) -> Self {
        self.server_bytes(handshake::switching_protocols(handshake::ACCEPT))
    }

    fn server_reads_all(mut self) -> Self {
        let bytes = (self.trace.to_server.len() - self.read) as u32;
        self.read = self.trace.to_server.len();
        self.then(What::Read { bytes })
    }

    /// The server drops its transport; a client alone sees the end of the stream.
    fn server_drops(self) -> Self {
        let both = self.trace.both_ends;
        self.then(if both { What::Dropped { reset: false } } else { What::GotEnd })
    }

    /// It stays as it is for ever, as was proven a minute after accept.
    fn quiet(self) -> Self {
        self.at(60_000).then(What::Became(Outcome::Quiet))
    }

    fn broken(&self) -> Vec<Invariant> {
        let Verdict { violations } = judge(&self.trace, &self.bounds);
        violations.iter().map(|violation| violation.key.invariant).collect()
    }

    #[track_caller]
    fn is_clean(&self) {
        assert_eq!(judge(&self.trace, &self.bounds).violations, [], "{:?}", self.trace.events);
    }

    /// The violation of `invariant`, which must be the only one.
    #[track_caller]
    fn breaks(&self, invariant: Invariant) -> Violation {
        assert_eq!(self.broken(), [invariant], "{:?}", self.trace.events);
        judge(&self.trace, &self.bounds).violations.remove(0)
    }

    /// Hanging up never is reported for this.
    #[track_caller]
    fn never(&self) -> (Cause, Condition) {
        let never = self.clone().quiet();
        let key = judge(&never.trace, &never.bounds).violations[0].key;
        let cause = key.cause.expect("a rule about time");
        assert_eq!(never.breaks(rule(cause)).ending, Ending::Never);
        (cause, key.condition.expect("a rule about time"))
    }

    /// Hanging up by `deadline` and 2 ms is in time, and 1 ms later is late, for this.
    #[track_caller]
    fn due(&self, deadline: u64) -> (Cause, Condition) {
        self.clone().at(deadline + 2).server_drops().is_clean();
        let late = self.clone().at(deadline + 3).server_drops();
        let key = judge(&late.trace, &late.bounds).violations[0].key;
        let cause = key.cause.expect("a rule about time");
        let Violation { ending, owed, events, .. } = late.breaks(rule(cause));
        let owed = owed.expect("a rule about time");
        assert_eq!((owed.cause, owed.deadline), (cause, Time(deadline * 1000)));
        assert_eq!(ending, Ending::Late(late.now));
        assert_eq!(events, [owed.event, late.trace.events.len() - 1]);
        (cause, key.condition.expect("a rule about time"))
    }
}

/// The rule that a server breaks which owes the end for `cause` and does not end.
fn rule(cause: Cause) -> Invariant {
    match cause {
        Cause::Handshake => Invariant::HandshakeInTime,
        Cause::Idle => Invariant::IdleInTime,
        Cause::ClientReset => Invariant::ReleasesInTime,
        _ => Invariant::EndsInTime,
    }
}

/// A connection with a promise for its opening: 6 s.
fn opening() -> Story {
    Story::accepted().promising(|bounds| bounds.handshake = Some(Duration::from_secs(6)))
}

/// An open connection with a promise for idle clients: 5 s.
fn idling() -> Story {
    Story::open().promising(|bounds| bounds.idle = Some(Duration::from_secs(5)))
}

/// A connection whose end is owed for `cause`, since 1 s (the handshake: since accept), by 6 s.
fn owing(cause: Cause) -> Story {
    let open = Story::open().at(1000);
    match cause {
        Cause::Handshake => opening().client_bytes("GET /"),
        Cause::ClientClose => open.client(BYE),
        Cause::OwnClose => open.server(BYE),
        Cause::AppClose => open.app_closes(),
        Cause::ClientViolation => open.client_bytes(UNMASKED),
        Cause::ClientFin => open.fin(),
        Cause::ClientReset => open.reset(),
        Cause::Idle => idling().at(1000).client(PING),
    }
}

// Liveness: deadlines, causes, endings.

#[test]
fn a_connection_on_which_nothing_is_owed_may_stay_open_for_ever() {
    Story::accepted().client_bytes("GET / HT").quiet().is_clean();
    for open in [Story::open(), Story::open_seen_by_client()] {
        open.at(1000).client(TEXT).server(TEXT).client_bytes([0x88]).quiet().is_clean();
    }
}

#[test]
fn a_deadline_has_two_milliseconds_of_slack_and_no_third() {
    for &cause in Cause::ALL {
        assert_eq!(owing(cause).due(6000).0, cause);
        for in_time in [1000, 5999, 6000, 6001] {
            owing(cause).at(in_time).server_drops().is_clean();
        }
        let next = |story: &Story| next_deadline(&story.trace, &story.bounds);
        assert_eq!(next(&owing(cause).server_shuts()), Some(Time(6_000_000)));
        assert_eq!(next(&owing(cause).server_drops()), None);
    }
    let mut story = owing(Cause::ClientClose);
    story.trace.grain = Duration::from_millis(50);
    story.clone().at(6050).server_drops().is_clean();
    story.at(6051).server_drops().breaks(Invariant::EndsInTime);
}

#[test]
fn each_way_not_to_end_has_its_name_and_what_was_not_watched_is_none() {
    let ticking = |wakes, lasting| Outcome::Ticking { wakes, lasting };
    for &cause in Cause::ALL {
        for (outcome, ending) in [
            (Outcome::Quiet, Ending::Never),
            (Outcome::GaveUp, Ending::Open(Time(60_000_000))),
            (ticking(4, 40_000_000), Ending::Ticking(10_000_000)),
            (ticking(0, 7), Ending::Ticking(7)),
        ] {
            let story = owing(cause).at(60_000).then(What::Became(outcome));
            assert_eq!(story.breaks(rule(cause)).ending, ending);
        }
        owing(cause).at(6002).watched().is_clean();
        let open = owing(cause).at(6003).watched().breaks(rule(cause)).ending;
        assert_eq!(open, Ending::Open(Time(6_003_000)));
    }
}

#[test]
fn lateness_is_a_must_where_the_rfc_asks_for_the_end_and_a_should_where_it_is_silent() {
    for &cause in Cause::ALL {
        let must = matches!(cause, Cause::ClientClose | Cause::ClientViolation);
        let level = if must { Level::Must } else { Level::Should };
        assert_eq!(owing(cause).quiet().breaks(rule(cause)).level, level, "{cause}");
    }
    let both = owing(Cause::AppClose).server(BYE).at(2000).client(BYE).quiet();
    assert_eq!(both.breaks(Invariant::EndsInTime).level, Level::Must);
}

#[test]
fn a_violation_is_a_must_where_the_rfc_asks_the_receiver_to_fail_the_connection() {
    let text = FrameHead::client(Opcode::TEXT);
    let long = masked((Opcode::PING, &[b'p'; 126]));
    for (bytes, level) in [
        (UNMASKED, Level::Must),
        (&encoded(FrameHead { rsv: 1, ..text }, b""), Level::Must),
        (&masked((Opcode::new(7), b"")), Level::Must),
        (&masked((Opcode::TEXT, b"\xff")), Level::Must),
        (&masked((Opcode::CONTINUATION, b"")), Level::Should),
        (&long, Level::Should),
    ] {
        let late = Story::open().client_bytes(bytes).quiet().breaks(Invariant::EndsInTime);
        assert_eq!((late.key.cause, late.level), (Some(Cause::ClientViolation), level));
    }
}

#[test]
fn a_length_wider_than_it_needs_obliges_to_nothing_and_hides_nothing() {
    let wide = |(opcode, payload): Frame<'_>| {
        let head = FrameHead { length: LengthForm::Bits16, ..FrameHead::client(opcode) };
        Story::open().at(1000).client_bytes(encoded(head, payload))
    };
    wide(TEXT).quiet().is_clean();
    let latin = wide((Opcode::TEXT, b"caf\xe9 noir"));
    let stories = [wide(TEXT).client(BYE), wide(TEXT).client_bytes(UNMASKED), latin, wide(BYE)];
    let obliges = stories.map(|story| next_deadline(&story.trace, &story.bounds).is_some());
    assert_eq!(obliges, [true; 4], "behind it: a Close, no mask; in it: Latin-1, a Close");
}

#[test]
fn a_server_that_refuses_a_length_wider_than_it_needs_owes_that_client_no_answer() {
    let wide = |(opcode, payload): Frame<'_>| {
        let head = FrameHead { length: LengthForm::Bits16, ..FrameHead::client(opcode) };
        Story::open().client_bytes(encoded(head, payload))
    };
    for story in [wide(BYE), wide(TEXT).client(BYE)] {
        story.server_reads_all().server_drops().is_clean();
    }
    let refused = Story::open().client(BYE).server_reads_all().server_drops();
    refused.breaks(Invariant::AnswersClose);
    let later = Story::open().client(BYE).client_bytes(encoded(
        FrameHead { length: LengthForm::Bits16, ..FrameHead::client(Opcode::TEXT) },
        b"",
    ));
    later.server_reads_all().server_drops().breaks(Invariant::AnswersClose);
}

#[test]
fn a_fin_or_the_clients_reset_right_behind_the_own_close_is_no_cut_and_a_drop_is() {
    let closing = || Story::open().server(BYE);
    let shut = closing().then(What::Shut);
    shut.clone().at(1000).client(BYE).server_reads_all().server_drops().is_clean();
    closing().then(What::ResetArrived).server_drops().is_clean();
    for story in [shut, closing()] {
        story.server_drops().breaks(Invariant::LetsThePoliteFinish);
    }
}

#[test]
fn who_looks_at_a_header_may_refuse_what_the_rest_of_the_frame_would_show() {
    let half = |frame| Story::open().client_bytes(&masked(frame)[..2]).server_reads_all();
    let refusal = close(1002, b"");
    let refused = half((Opcode::CLOSE, b"x")).server((Opcode::CLOSE, &refusal));
    refused.server_drops().is_clean();
    let cut = Story::open().server(BYE).client_bytes(&masked((Opcode::CLOSE, b"x"))[..2]);
    cut.server_reads_all().server_drops().is_clean();
    let blamed = Story::open().client(PING).server_reads_all().server((Opcode::CLOSE, &refusal));
    blamed.server_drops().breaks(Invariant::AcceptsLegal);
}

#[test]
fn a_reply_that_comes_after_the_deadline_does_not_make_the_lateness_a_must() {
    let late = owing(Cause::OwnClose).at(10_000).client(BYE).server_reads_all();
    assert_eq!(late.server_drops().breaks(Invariant::EndsInTime).level, Level::Should);
}

#[test]
fn a_reply_about_the_deadline_neither_moves_it_nor_counts_when_it_comes_after_it() {
    let reply = |ms| owing(Cause::OwnClose).at(ms).client(BYE).server_reads_all();
    for ms in [5999, 6000, 6001, 6002] {
        let condition = if ms <= 6000 { Condition::Replied } else { Condition::Silent };
        assert_eq!(reply(ms).due(6000), (Cause::OwnClose, condition), "at {ms} ms");
        assert_eq!(reply(ms).never(), (Cause::OwnClose, condition), "at {ms} ms");
    }
    reply(6003).server_drops().breaks(Invariant::EndsInTime);
}

#[test]
fn nothing_that_comes_later_moves_an_armed_deadline() {
    let acts: [Act; 8] = [
        |story| story.client_bytes([0x89]),
        |story| story.client(PING),
        |story| story.client(TEXT),
        |story| story.client(BYE),
        |story| story.client_bytes(UNMASKED),
        Story::fin,
        Story::app_closes,
        Story::deaf,
    ];
    for &cause in Cause::ALL.iter().filter(|c| !matches!(c, Cause::Idle | Cause::ClientReset)) {
        for act in acts {
            let story = (2..=5).fold(owing(cause), |story, s| act(story.at(s * 1000)));
            assert_eq!(story.due(6000).0, cause);
        }
    }
}

#[test]
fn of_several_causes_the_earliest_is_named_but_the_close_before_the_wish_that_led_to_it() {
    let open = || Story::open().at(1000);
    assert_eq!(open().fin().at(2000).client(BYE).due(6000).0, Cause::ClientFin);
    assert_eq!(open().app_closes().at(2000).server(BYE).due(6000).0, Cause::AppClose);
    assert_eq!(open().server(BYE).at(2000).client(BYE).due(6000).0, Cause::OwnClose);
    assert_eq!(open().app_closes().server(BYE).due(6000).0, Cause::OwnClose);
    assert_eq!(open().server(BYE).client(BYE).due(6000).0, Cause::OwnClose);
    assert_eq!(open().client(BYE).server(BYE).due(6000).0, Cause::ClientClose);
    assert_eq!(open().client_bytes(UNMASKED).fin().due(6000).0, Cause::ClientViolation);
    assert_eq!(open().app_closes().fin().due(6000).0, Cause::ClientFin);
}

#[test]
fn the_own_close_counts_from_its_first_byte_and_the_clients_from_its_last() {
    for cut in 1..plain(BYE).len() {
        let story = Story::open().at(1000).server_bytes(&plain(BYE)[..cut]);
        let story = story.at(3000).server_bytes(&plain(BYE)[cut..]);
        assert_eq!(story.due(6000), (Cause::OwnClose, Condition::Silent), "cut at {cut}");
    }
    for cut in 1..masked(BYE).len() {
        let half = Story::open().at(1000).client_bytes(&masked(BYE)[..cut]);
        half.clone().quiet().is_clean();
        let story = half.at(3000).client_bytes(&masked(BYE)[cut..]);
        assert_eq!(story.due(8000), (Cause::ClientClose, Condition::Silent), "cut at {cut}");
    }
}

/// How many of `bytes` a client can send, behind `before`, until it has broken the protocol.
fn proof(before: &[u8], bytes: &[u8]) -> Option<usize> {
    (1..=bytes.len()).find(|&upto| {
        let story = Story::open().client_bytes(before).client_bytes(&bytes[..upto]).quiet();
        let violations = judge(&story.trace, &story.bounds).violations;
        violations.iter().any(|v| v.key.cause == Some(Cause::ClientViolation))
    })
}

#[test]
fn a_violation_counts_from_the_byte_that_proves_it() {
    assert_eq!(proof(b"", &plain(TEXT)), Some(2), "no mask");
    assert_eq!(proof(b"", &masked((Opcode::PING, &[b'p'; 126]))), Some(4), "126 bytes");
    // 0xE9 wants two more bytes of one character, and a blank is none.
    assert_eq!(proof(b"", &masked((Opcode::TEXT, b"caf\xe9 noir"))), Some(6 + 5), "Latin-1");
    assert_eq!(proof(b"", &masked((Opcode::TEXT, b"caf\xc3"))), Some(6 + 4), "half a character");
    assert_eq!(proof(b"", &masked(BYE)), None);
    let split = Story::open().at(1000).client_bytes(&UNMASKED[..1]).at(3000);
    let split = split.client_bytes(&UNMASKED[1..]);
    assert_eq!(split.due(8000), (Cause::ClientViolation, Condition::Silent));
}

#[test]
fn a_violation_is_proven_by_no_later_byte_than_that() {
    let text = FrameHead::client(Opcode::TEXT);
    let begun = encoded(FrameHead { fin: false, ..text }, b"news");
    let cut_ping = encoded(FrameHead { fin: false, ..FrameHead::client(Opcode::PING) }, b"");
    let mut top_bit = encoded(FrameHead { length: LengthForm::Bits64, ..text }, b"news");
    top_bit[2] = 0x80;
    let cases = [
        ("reserved bits", proof(b"", &encoded(FrameHead { rsv: 4, ..text }, b"")), 1),
        ("reserved opcode", proof(b"", &masked((Opcode::new(3), b""))), 1),
        ("ping without FIN", proof(b"", &cut_ping), 1),
        ("nothing to continue", proof(b"", &masked((Opcode::CONTINUATION, b""))), 1),
        ("message in a message", proof(&begun, &masked(TEXT)), 1),
        ("top bit of the length", proof(b"", &top_bit), 3),
    ];
    let wrong: Vec<_> = cases.iter().filter(|(_, found, byte)| *found != Some(*byte)).collect();
    assert!(wrong.is_empty(), "(what, proven by byte, should be): {wrong:?}");
}

#[test]
fn a_close_behind_a_violation_is_no_close_any_more() {
    let story = Story::open().at(1000).client_bytes(UNMASKED).at(2000).client(BYE);
    let story = story.server_reads_all();
    assert_eq!(story.due(6000), (Cause::ClientViolation, Condition::Dripping));
}

#[test]
fn a_close_stuck_behind_a_full_buffer_is_owed_from_the_applications_wish_or_return() {
    for wish in [Story::app_closes, Story::app_returns] {
        let stuck = wish(Story::open().deaf().at(1000)).then(What::WriteBlocked);
        assert_eq!(stuck.due(6000), (Cause::AppClose, Condition::Deaf));
    }
}

#[test]
fn a_client_alone_sees_the_same_lateness_and_takes_the_end_for_the_release() {
    let open = || Story::open_seen_by_client().at(1000);
    for story in [open().client(BYE).server(BYE), open().server(BYE), open().fin()] {
        story.due(6000);
        story.clone().at(6002).then(What::GotReset).quiet().is_clean();
        story.at(6003).then(What::GotReset).breaks(Invariant::EndsInTime);
    }
}

/// Over TCP, where the kernel's socket table shows the server's end.
#[test]
fn a_release_that_is_seen_from_outside_is_told_from_the_end() {
    let mut story = Story::open_seen_by_client();
    story.trace.sees_release = true;
    let ended = story.at(1000).client(BYE).server(BYE).server_drops();
    ended.clone().at(6002).then(What::Dropped { reset: false }).is_clean();
    ended.clone().quiet().breaks(Invariant::ReleasesInTime);
    ended.at(6003).then(What::Dropped { reset: false }).breaks(Invariant::ReleasesInTime);
}

#[test]
fn who_does_not_look_sees_no_end_and_the_server_is_not_blamed_for_it() {
    let open = || Story::open_seen_by_client().at(1000).client(BYE).at(2000);
    let blind: [Act; 3] = [Story::deaf, Story::cut, |story| story.deaf().client_bytes([0x89])];
    for act in blind {
        act(open()).quiet().is_clean();
        act(open()).at(6003).hears().then(What::GotEnd).is_clean();
        let mut table = act(open());
        table.trace.sees_release = true;
        table.clone().at(6002).then(What::Shut).then(What::Dropped { reset: false }).is_clean();
        table.quiet().breaks(Invariant::EndsInTime);
    }
    open().deaf().at(5999).hears().quiet().breaks(Invariant::EndsInTime);
}

/// The kernel's table tells only that an end came between two looks.
#[test]
fn an_end_that_only_the_table_showed_is_no_cut_and_no_missing_answer() {
    let open = || {
        let mut story = Story::open_seen_by_client();
        (story.trace.sees_release, story.trace.transit) = (true, Duration::ZERO);
        story.at(1000)
    };
    let gone = |story: Story| story.then(What::Shut).then(What::Dropped { reset: false });
    gone(open().server(BYE)).is_clean();
    gone(open().server(BYE)).at(1010).reset().is_clean();
    gone(open().client(BYE)).is_clean();
    gone(open().client(BYE)).then(What::GotEnd).breaks(Invariant::AnswersClose);
    gone(open().client_bytes(UNMASKED)).is_clean();
    gone(open().client_bytes(UNMASKED)).then(What::GotEnd).breaks(Invariant::RefusesIllegal);
}

// Liveness: what the client did meanwhile.

#[test]
fn each_condition_has_its_name_and_of_several_the_gravest_is_named() {
    let graver: [(Act, Condition); 7] = [
        (|story| story, Condition::Silent),
        (|story| story.client(PING), Condition::Dripping),
        (|story| story.client(BYE), Condition::Replied),
        (Story::fin, Condition::HalfClosed),
        (Story::deaf, Condition::Deaf),
        (Story::cut, Condition::CutOff),
        (|story| story.client_bytes([0x89]), Condition::HalfSent),
    ];
    let mut all = owing(Cause::OwnClose).at(2000);
    for (act, condition) in graver {
        all = act(all);
        for story in [act(owing(Cause::OwnClose).at(6000)), all.clone()] {
            assert_eq!(story.never(), (Cause::OwnClose, condition));
        }
        let after = act(owing(Cause::OwnClose).at(6001));
        assert_eq!(after.never(), (Cause::OwnClose, Condition::Silent));
    }
    let gone = all.reset().quiet().breaks(Invariant::ReleasesInTime).key;
    assert_eq!((gone.cause, gone.condition), (Some(Cause::OwnClose), Some(Condition::Gone)));
    let hears_again = owing(Cause::OwnClose).deaf().hears();
    assert_eq!(hears_again.never(), (Cause::OwnClose, Condition::Silent));
}

#[test]
fn what_the_cause_implies_is_not_named_again_and_what_was_sent_before_it_is_no_drip() {
    for &cause in Cause::ALL {
        let half = cause == Cause::Handshake;
        let condition = if half { Condition::HalfSent } else { Condition::Silent };
        assert_eq!(owing(cause).never(), (cause, condition));
    }
    let before = Story::open().client(PING).at(1000).app_closes();
    assert_eq!(before.never(), (Cause::AppClose, Condition::Silent));
    let after = owing(Cause::AppClose).at(2000).client(BYE);
    assert_eq!(after.never(), (Cause::AppClose, Condition::Replied));
}

// Liveness: releases-in-time.

#[test]
fn a_server_that_sent_fin_and_keeps_its_transport_ended_but_did_not_release() {
    for &cause in Cause::ALL {
        let shut = owing(cause).at(3000).server_shuts();
        shut.clone().at(6002).server_drops().is_clean();
        let late = shut.clone().at(6003).server_drops().breaks(Invariant::ReleasesInTime);
        assert_eq!((late.ending, late.key.cause), (Ending::Late(Time(6_003_000)), Some(cause)));
        assert_eq!(shut.quiet().breaks(Invariant::ReleasesInTime).ending, Ending::Never);
    }
    let ended_late = owing(Cause::OwnClose).at(7000).server_shuts().quiet();
    assert_eq!(ended_late.breaks(Invariant::EndsInTime).ending, Ending::Late(Time(7_000_000)));
}

#[test]
fn a_reset_is_counted_by_the_release_bound_and_excuses_nothing_after_the_deadline() {
    let reset = |story: Story, release| {
        story.promising(|bounds| bounds.release = Duration::from_secs(release)).at(1000).reset()
    };
    for release in [1, 9] {
        let found = reset(Story::open(), release).due(1000 + 1000 * release);
        assert_eq!(found, (Cause::ClientReset, Condition::Silent));
    }
    assert_eq!(reset(owing(Cause::OwnClose), 1).due(2000).0, Cause::ClientReset);
    let long = reset(owing(Cause::OwnClose), 9).quiet().breaks(Invariant::ReleasesInTime);
    assert_eq!(long.key.cause, Some(Cause::OwnClose));
    let late = owing(Cause::OwnClose).at(9000).reset().server_drops();
    assert_eq!(late.breaks(Invariant::EndsInTime).ending, Ending::Late(Time(9_000_000)));
}

// Liveness: handshake-in-time and idle-in-time.

#[test]
fn a_request_that_is_complete_at_the_deadline_is_complete_in_time() {
    let (most, last) = handshake::REQUEST.split_at(handshake::REQUEST.len() - 1);
    let last = |ms| opening().client_bytes(most).at(ms).client_bytes(last).server_accepts();
    last(6000).quiet().is_clean();
    assert_eq!(last(6003).never(), (Cause::Handshake, Condition::HalfSent));
    assert_eq!(opening().never(), (Cause::Handshake, Condition::Silent));
}

#[test]
fn idleness_counts_from_the_last_complete_frame_before_too_long_a_gap() {
    let twice = idling().at(4000).client(PING).at(9000).client(TEXT);
    assert_eq!(twice.due(14_000), (Cause::Idle, Condition::Silent));
    let dripping = (1..5).fold(idling(), |story, s| story.at(s * 1000).client_bytes([0x82]));
    assert_eq!(dripping.due(5000), (Cause::Idle, Condition::HalfSent));
    let pinging = (1..5).fold(idling(), |story, s| story.at(s * 1000).server(PING));
    assert_eq!(pinging.due(5000), (Cause::Idle, Condition::Silent));
    let mended = idling().at(5003).client(PING).at(6000).server_drops();
    mended.breaks(Invariant::IdleInTime);
}

#[test]
fn what_is_complete_within_the_slack_of_a_timer_is_in_time() {
    let request = opening().at(6001).client_bytes(handshake::REQUEST).server_reads_all();
    let frame = idling().at(5001).client(PING).server_reads_all().at(9000).server_drops();
    let found = [request.server_accepts().quiet().broken(), frame.broken()];
    assert_eq!(found, [vec![], vec![]]);
}

// Safety: answers-close.

/// The client's Close has come and been read.
fn asked() -> Story {
    Story::open().at(1000).client(BYE).server_reads_all()
}

#[test]
fn a_close_that_was_read_gets_a_whole_close_before_the_end() {
    asked().server(BYE).server_drops().is_clean();
    let missing = asked().server_drops().breaks(Invariant::AnswersClose);
    assert_eq!((missing.level, missing.key.cause), (Level::Must, Some(Cause::ClientClose)));
    asked().server_shuts().server_drops().breaks(Invariant::AnswersClose);
    asked().server(TEXT).server_drops().breaks(Invariant::AnswersClose);
    asked().fin().server_drops().breaks(Invariant::AnswersClose);
    for cut in 1..plain(BYE).len() {
        let half = asked().server_bytes(&plain(BYE)[..cut]);
        half.server_drops().breaks(Invariant::AnswersClose);
    }
    let crossing = Story::open().at(1000).app_closes().server(BYE).client(BYE);
    crossing.server_reads_all().server_drops().is_clean();
}

#[test]
fn a_close_that_the_server_never_read_to_its_end_is_not_received() {
    let read = |bytes| Story::open().at(1000).client(BYE).then(What::Read { bytes });
    let size = masked(BYE).len() as u32;
    read(0).server_drops().is_clean();
    read(size - 1).server_drops().is_clean();
    read(size).server_drops().breaks(Invariant::AnswersClose);
    // From the client's side alone nobody knows where the end could have been on its
    // way, or came while the client did not read.
    let open = || Story::open_seen_by_client().at(1000).client(BYE);
    open().server_drops().is_clean();
    open().at(1001).server_drops().is_clean();
    open().at(1002).server_drops().breaks(Invariant::AnswersClose);
    open().deaf().at(1500).hears().server_drops().is_clean();
    open().at(1002).server(BYE).server_drops().is_clean();
    let mut at_once = open();
    at_once.trace.transit = Duration::ZERO;
    at_once.server_drops().breaks(Invariant::AnswersClose);
}

#[test]
fn a_server_that_had_ended_or_whose_application_had_returned_before_owes_no_answer() {
    for before in [Story::open().server_shuts(), Story::open().app_returns()] {
        before.at(2000).client(BYE).server_reads_all().server_drops().is_clean();
    }
    asked().app_returns().server_drops().breaks(Invariant::AnswersClose);
}

#[test]
fn a_reset_and_a_buffer_that_is_full_to_the_end_excuse_a_missing_answer() {
    asked().reset().server_drops().is_clean();
    asked().server(BYE).then(What::Dropped { reset: true }).then(What::GotReset).is_clean();
    let full = asked().then(What::WriteBlocked);
    full.clone().at(6000).server_drops().is_clean();
    full.then(What::Writable).at(6000).server_drops().breaks(Invariant::AnswersClose);
}

#[test]
fn a_reset_or_a_panic_after_the_end_does_not_excuse() {
    let ended = asked().server_shuts().at(2000);
    for story in [ended.clone().reset().server_drops(), ended.panics().server_drops()] {
        assert!(story.broken().contains(&Invariant::AnswersClose), "{:?}", story.broken());
    }
}

#[test]
fn a_malformed_close_needs_no_answer_and_a_legal_one_of_any_shape_does() {
    let end = |payload: &[u8]| {
        Story::open().client((Opcode::CLOSE, payload)).server_reads_all().server_drops()
    };
    // What is wrong with a payload leaves it a Close; what is wrong with a frame does not.
    for (bad, cause) in [
        (b"x".to_vec(), Cause::ClientClose),
        (close(1005, b""), Cause::ClientClose),
        (close(1000, b"\xff"), Cause::ClientClose),
        (close(1000, &[b'x'; 124]), Cause::ClientViolation),
    ] {
        end(&bad).is_clean();
        let story = Story::open().at(1000).client((Opcode::CLOSE, &bad));
        assert_eq!(story.due(6000), (cause, Condition::Silent));
    }
    for legal in [Vec::new(), close(4999, b""), close(3000, &[b'x'; 123])] {
        end(&legal).breaks(Invariant::AnswersClose);
    }
}

#[test]
fn of_bytes_before_the_101_only_liveness_is_judged() {
    let early = Story::accepted().client_bytes(handshake::REQUEST).client(BYE).server_reads_all();
    early.clone().server_bytes("HTTP/1.1 400 No\r\n\r\n").quiet().is_clean();
    let open = early.at(2000).server_accepts();
    assert_eq!(open.due(7000), (Cause::ClientClose, Condition::Silent));
    let bad = close(1005, b"");
    open.server((Opcode::CLOSE, &bad)).server(TEXT).server(BYE).server_drops().is_clean();
}

// Safety: closes-once, silent-after-close.

/// Both Closes are through, the own one first; `before` came before the client's.
fn both_closes(before: &[Frame<'_>]) -> Story {
    let own = owing(Cause::OwnClose).at(1500);
    before.iter().fold(own, |story, frame| story.client(*frame)).client(BYE).server_reads_all()
}

/// Only the own Close, both, and the own as the client sees it.
fn closed() -> [Story; 3] {
    [owing(Cause::OwnClose), both_closes(&[]), Story::open_seen_by_client().server(BYE)]
}

#[test]
fn a_second_close_is_one_too_many_and_of_two_illegal_ones_the_worse_is_reported() {
    for story in closed() {
        story.clone().server_drops().is_clean();
        story.clone().server_bytes(&plain(BYE)[..4]).server_drops().is_clean();
        let twice = story.server(BYE).server_drops().breaks(Invariant::ClosesOnce);
        assert_eq!((twice.level, twice.events.len()), (Level::Should, 2));
    }
    let [odd, worse] = [2000, 1006].map(|code| close(code, b""));
    let story = Story::open().server((Opcode::CLOSE, &odd)).server((Opcode::CLOSE, &worse));
    assert_eq!(story.broken(), [Invariant::ClosesOnce, Invariant::LegalClose]);
    assert_eq!(judge(&story.trace, &story.bounds).violations[1].level, Level::Must);
}

#[test]
fn data_after_the_own_close_is_forbidden_whole_or_begun() {
    Story::open().server(TEXT).server(BYE).server_drops().is_clean();
    for opcode in [0, 1, 2, 3, 11].map(Opcode::new) {
        for (story, bytes) in closed().into_iter().flat_map(|s| [(s.clone(), 1), (s, 2)]) {
            let story = story.server_bytes(&plain((opcode, b""))[..bytes]).server_drops();
            let found = story.breaks(Invariant::SilentAfterClose);
            assert_eq!((found.level, found.events.len()), (Level::Must, 2));
        }
    }
}

#[test]
fn bytes_that_are_no_frame_are_not_silence() {
    let story = owing(Cause::OwnClose).server_bytes("HTTP/1.1 500 Oops\r\n\r\n");
    story.server_drops().breaks(Invariant::SilentAfterClose);
}

#[test]
fn control_frames_are_welcome_until_the_clients_close_was_received() {
    let own = || owing(Cause::OwnClose);
    own().client(PING).server_reads_all().server(PONG).server(PING).server_drops().is_clean();
    own().client(BYE).server(PING).server_reads_all().server_drops().is_clean();
    both_closes(&[PING]).server(PONG).server_drops().is_clean();
    for chatter in [
        both_closes(&[]).server(PING),
        both_closes(&[]).server(PONG),
        both_closes(&[PING]).server(PONG).server(PONG),
        both_closes(&[]).client(PING).server_reads_all().server(PONG),
    ] {
        let found = chatter.server_drops().breaks(Invariant::SilentAfterClose);
        assert_eq!(found.level, Level::Should);
    }
}

#[test]
fn an_earlier_pong_unasked_for_does_not_use_up_the_answer_to_a_ping() {
    let story = Story::open().server(PONG).at(1000).server(BYE).client(PING).client(BYE);
    story.server_reads_all().server(PONG).server_drops().is_clean();
}

// Safety: legal-close.

/// The level of the broken legal-close, the same from either vantage, where that is broken.
#[track_caller]
fn illegal(frame: &[u8]) -> Option<Level> {
    let [here, there] = [Story::open(), Story::open_seen_by_client()].map(|open| {
        let story = open.at(1000).server_bytes(frame).server_drops();
        let broken = story.broken().first().map(|_| story.breaks(Invariant::LegalClose));
        broken.map(|violation| violation.level)
    });
    assert_eq!(here, there);
    here
}

#[test]
fn a_code_is_legal_up_to_the_border_of_its_class() {
    let must = [1005, 1006, 1015];
    let should = [0, 999, 1004, 1016, 2999, 5000, u16::MAX];
    let legal = [1000, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999];
    let all = [(&must[..], Some(Level::Must)), (&should, Some(Level::Should)), (&legal, None)];
    for (codes, expected) in all {
        for &code in codes {
            assert_eq!(illegal(&plain((Opcode::CLOSE, &close(code, b"")))), expected, "{code}");
        }
    }
}

#[test]
fn a_close_is_whole_and_empty_or_has_a_code_and_at_most_123_bytes_of_text() {
    let of = |payload: &[u8]| illegal(&plain((Opcode::CLOSE, payload)));
    let reason = |reason: &[u8]| of(&close(1000, reason));
    let euros = "€".repeat(41);
    assert_eq!([of(b""), of(b"x")], [None, Some(Level::Must)]);
    assert_eq!([reason(&[b'x'; 123]), reason(&[b'x'; 124])], [None, Some(Level::Must)]);
    let cut = &euros.as_bytes()[..122];
    assert_eq!([reason(euros.as_bytes()), reason(cut)], [None, Some(Level::Must)]);
    assert_eq!(reason(b"\xff"), Some(Level::Must));
    let head = FrameHead { fin: false, ..FrameHead::server(Opcode::CLOSE) };
    assert_eq!(illegal(&encoded(head, BYE.1)), Some(Level::Must));
}

#[test]
fn of_two_faults_of_one_close_the_worse_is_reported() {
    let head = FrameHead { fin: false, rsv: 4, ..FrameHead::server(Opcode::CLOSE) };
    let long = close(1000, &[b'x'; 124]);
    let found = [
        illegal(&plain((Opcode::CLOSE, &close(2000, b"\xff")))),
        illegal(&encoded(head, BYE.1)),
        illegal(&masked((Opcode::CLOSE, &long))),
    ];
    assert_eq!(found, [Some(Level::Must); 3]);
}

// no-panic, no-spin, bounded-memory.

#[test]
fn a_panic_is_reported_and_excuses_the_missing_answer_alone() {
    let panic = asked().panics().server_drops().breaks(Invariant::NoPanic);
    assert_eq!((panic.level, panic.ending), (Level::Should, Ending::InTime));
    assert_eq!(asked().panics().quiet().broken(), [Invariant::EndsInTime, Invariant::NoPanic]);
    let alone = Story::open().panics().quiet().breaks(Invariant::NoPanic);
    assert_eq!((alone.ending, alone.key.cause), (Ending::InTime, None), "nothing was owed");
}

#[test]
fn a_spin_is_not_also_lateness() {
    for &cause in Cause::ALL {
        let spin = owing(cause).at(8000).spins().quiet().breaks(Invariant::NoSpin);
        assert_eq!(spin.ending, Ending::Spinning(Time(8_000_000)));
        // What the server did itself, or did not see, did not set it off.
        let none = matches!(cause, Cause::OwnClose | Cause::Handshake | Cause::Idle);
        assert_eq!((spin.level, spin.key.cause), (Level::Should, (!none).then_some(cause)));
    }
    asked().spins().server_drops().breaks(Invariant::NoSpin);
}

#[test]
fn a_death_of_the_process_breaks_the_rule_of_its_kind_whatever_led_to_it() {
    for (death, invariant) in [
        (Story::aborts as Act, Invariant::NoPanic),
        (Story::exits, Invariant::NoPanic),
        (Story::eats_all_memory, Invariant::BoundedMemory),
        (Story::stands_still, Invariant::NoSpin),
    ] {
        let broken = death(asked().at(3000)).breaks(invariant);
        assert_eq!((broken.level, broken.key.cause), (Level::Should, None));
        assert_eq!(death(Story::open()).breaks(invariant).key, broken.key);
    }
    assert_eq!(asked().aborts().breaks(Invariant::NoPanic).fact, "aborted its process (signal 6)");
}

#[test]
fn a_panic_that_aborts_is_one_finding_that_tells_the_panic() {
    let both = asked().panics().aborts().breaks(Invariant::NoPanic);
    let alone = asked().aborts().breaks(Invariant::NoPanic);
    assert_eq!((both.fact.as_str(), both.key), ("panicked: oops", alone.key));
}

#[test]
fn a_server_that_stands_still_is_not_also_late_and_one_that_crashes_later_is() {
    let still = asked().at(8000).stands_still().breaks(Invariant::NoSpin);
    assert_eq!(still.ending, Ending::Spinning(Time(8_000_000)));
    let crash = asked().at(8000).aborts().broken();
    assert_eq!(crash, [Invariant::EndsInTime, Invariant::NoPanic]);
    assert_eq!(asked().at(4999).aborts().broken(), [Invariant::NoPanic]);
}

#[test]
fn a_violation_that_is_not_about_time_says_how_the_connection_ended_all_the_same() {
    let ending = |story: Story| {
        judge(&story.trace, &story.bounds).violations.last().map(|violation| violation.ending)
    };
    let late = Some(Ending::Late(Time(20_000_000)));
    let data = || owing(Cause::OwnClose).server(TEXT);
    let panic = owing(Cause::ClientClose).panics().at(20_000).server_drops();
    let found = [ending(data().at(20_000).server_drops()), ending(panic), ending(data().quiet())];
    assert_eq!(found, [late, late, Some(Ending::Never)]);
}

// Any trace at all.

/// Knuth's MMIX generator: enough to be arbitrary, small enough to be read.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.0 >> 33) % u64::from(limit)) as u32
    }

    fn pick<const N: usize>(&mut self, from: &[What; N]) -> What {
        from[self.below(N as u32) as usize].clone()
    }

    /// Some frames, some noise.
    fn bytes(&mut self, mask: Option<[u8; 4]>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..self.below(8) {
            let payload: Vec<u8> = (0..self.below(9)).map(|_| self.below(256) as u8).collect();
            let opcode = Opcode::new([8, self.below(16) as u8][self.below(2) as usize]);
            let head = FrameHead { mask, ..FrameHead::server(opcode) };
            bytes.extend(if self.below(6) == 0 { payload } else { encoded(head, &payload) });
        }
        bytes
    }

    fn what(&mut self) -> What {
        let bytes = [self.below(8), self.below(300), u32::MAX][self.below(3) as usize];
        let ticking = Outcome::Ticking { wakes: bytes, lasting: u64::MAX };
        let notes = [Note::BeganToClose, Note::BeganToReturn, Note::ToldOfEnd { code: None }];
        match self.below(21) {
            0..=3 => What::Arrived { bytes },
            4..=6 => What::Read { bytes },
            7..=9 => What::Wrote { bytes },
            10 => What::Got { bytes },
            11 => {
                self.pick(&[What::FinArrived, What::ResetArrived, What::ReadEnd, What::ReadReset])
            }
            12 => self.pick(&[What::StoppedReading, What::ResumedReading, What::Cut, What::Froze]),
            13 => self.pick(&[What::WriteBlocked, What::Writable, What::Flushed]),
            14 => self.pick(&[What::Shut, What::GotEnd, What::GotReset, What::Returned]),
            15 => What::Dropped { reset: bytes == 0 },
            16 => self.pick(&notes.map(What::Noted)),
            17 => self.pick(&[What::Panicked("oops".into()), What::Spun { polls: bytes }]),
            18 => self.pick(&DEATHS.map(What::Died)),
            _ => self.pick(&[Outcome::Quiet, Outcome::GaveUp, ticking].map(What::Became)),
        }
    }
}

/// A trace of nonsense. Where it `fits`, no more bytes move than there are, and time goes forward.
fn nonsense(seed: u64, fits: bool) -> Story {
    let mut rng = Lcg(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut story = if rng.below(4) > 0 { Story::open() } else { Story::accepted() };
    let mut promise = || Duration::from_millis(rng.below(9000).into());
    story.bounds = Bounds::close_within(promise());
    story.bounds.handshake = (seed & 1 == 0).then(&mut promise);
    story.bounds.idle = (seed & 2 == 0).then(&mut promise);
    story.trace.both_ends = rng.below(3) > 0;
    let (to_server, to_client) = (rng.bytes(Some(MASK)), rng.bytes(None));
    let (mut arriving, mut leaving) = (to_server.len() as u32, to_client.len() as u32);
    story.trace.to_server.extend(to_server);
    story.trace.to_client.extend(to_client);
    for _ in 0..rng.below(30) {
        let mut what = rng.what();
        if let (true, What::Arrived { bytes }) = (fits, &mut what) {
            *bytes = arriving.min(*bytes);
            arriving -= *bytes;
        } else if let (true, What::Wrote { bytes } | What::Got { bytes }) = (fits, &mut what) {
            *bytes = leaving.min(*bytes);
            leaving -= *bytes;
        }
        let past = if fits { story.now.0 / 1000 } else { 0 };
        story = story.at(past + u64::from(rng.below(3000))).then(what);
    }
    story
}

/// Judges much nonsense: nothing panics, and what is reported is in order and in the trace.
fn judge_nonsense(fits: bool) {
    let mut broken = BTreeSet::new();
    for seed in 0..20_000 {
        let Story { trace, bounds, .. } = nonsense(seed, fits);
        let Verdict { violations } = judge(&trace, &bounds);
        assert!(violations.is_sorted_by_key(|violation| violation.key), "seed {seed}");
        for violation in violations {
            let in_trace = violation.events.iter().all(|&event| event < trace.events.len());
            assert!(in_trace, "seed {seed}: {violation:?}");
            broken.insert(violation.key.invariant);
        }
        let _ = next_deadline(&trace, &bounds);
    }
    assert_eq!(broken.len(), Invariant::ALL.len(), "only these were ever broken: {broken:?}");
}

#[test]
fn no_bytes_and_no_order_of_events_make_the_judge_panic() {
    for &cause in Cause::ALL {
        assert!(judge(&Trace::default(), &owing(cause).bounds).is_clean());
    }
    judge_nonsense(true);
}

#[test]
fn counts_that_do_not_fit_the_bytes_do_not_make_the_judge_panic() {
    judge_nonsense(false);
}
