//! What the properties are about: arbitrary frames, scripts, bounds and exchanges, and how a
//! property is checked.

use hangup::bounds::Bounds;
use hangup::exchange::{
    AfterDeadline, ConnectionId, Death, Event, Exchange, Note, Standing, Time, What,
};
use hangup::script::{
    Accept, Act, Answer, Awaited, Command, Content, DeclaredLength, Frame, Kind, Length, MAX_ACTS,
    MAX_BYTES, Masking, Millis, Pace, Piece, Script, Send, Setting, Size, Step, Unit,
};
use hangup::wire::{FrameHead, LengthForm, MASK, Opcode, Role, handshake};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{FileFailurePersistence, RngSeed, TestCaseResult, TestRunner};
use std::path::PathBuf;
use std::time::Duration;

/// The folder of failures that were met, at the top level of the repository.
pub fn regressions() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("proptest-regressions")
}

/// Checks that `test` holds for `cases` values of `strategy`, and for those of the seeds in
/// `proptest-regressions/NAME.txt`, where NAME is the test function that `test` stands in.
/// A new failure is added to that file.
#[track_caller]
pub fn check<S, F>(cases: u32, strategy: S, test: F)
where
    S: Strategy,
    F: Fn(S::Value) -> TestCaseResult,
{
    let test_function = enclosing_function(&test);
    let seeds = regressions().join(format!("{test_function}.txt"));
    // Proptest wants the path for ever; a test process has a few dozen of them.
    let seeds: &'static str = seeds.display().to_string().leak();
    let environment = ProptestConfig::default();
    let is_set = std::env::var_os("PROPTEST_CASES").is_some();
    let config = ProptestConfig {
        cases: if is_set { environment.cases } else { cases },
        rng_seed: match environment.rng_seed {
            RngSeed::Random => RngSeed::Fixed(0),
            fixed @ RngSeed::Fixed(_) => fixed,
        },
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(seeds))),
        ..environment
    };
    if let Err(failure) = TestRunner::new(config).run(&strategy, test) {
        panic!("{test_function}: {failure}");
    }
}

/// The function that a closure stands in.
pub fn enclosing_function<F>(_: &F) -> &'static str {
    std::any::type_name::<F>().rsplit("::").nth(1).expect("a function")
}

/// Sizes at which pieces of a stream are cut off, in turn.
pub fn cuts() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![4 => 1..4_usize, 2 => 1..40_usize, 1 => 1..100_000_usize], 1..6)
}

/// `bytes` in pieces of the given sizes, which begin anew when they are used up.
pub fn pieces<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at((*size).min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

pub fn role() -> impl Strategy<Value = Role> {
    select(vec![Role::Client, Role::Server])
}

/// Any text, control characters too, which proptest leaves out of its strings.
pub fn text() -> impl Strategy<Value = String> {
    let odd = prop_oneof![
        any::<char>(),
        (0..0x20_u8).prop_map(char::from),
        (0x7f..0xa0_u8).prop_map(char::from),
        select(vec!['"', '\'', '\\', ' ', 'a']),
    ];
    prop_oneof![any::<String>(), vec(odd, 0..12).prop_map(String::from_iter)]
}

/// Text, or bytes that are about to be text: cut characters, surrogates, overlong forms.
pub fn textual() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => any::<char>().prop_map(|character| character.to_string().into_bytes()),
        2 => vec(0x20..0x7f_u8, 0..8),
        1 => any::<char>().prop_map(|c| c.to_string().into_bytes()[1..].to_vec()),
        1 => any::<char>().prop_map(|c| c.to_string().into_bytes()[..c.len_utf8() - 1].to_vec()),
        1 => select(vec![
            vec![0xed, 0xa0, 0x80],
            vec![0xc0, 0x80],
            vec![0xf4, 0x90, 0x80, 0x80],
            vec![0xff],
        ]),
    ];
    vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// A Close's payload, legal or not.
pub fn close_payload() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![2 => 998..1018_u16, 1 => 2990..5010_u16, 1 => any::<u16>()];
    prop_oneof![
        1 => Just(Vec::new()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
        6 => (code, textual()).prop_map(|(code, reason)| [&code.to_be_bytes()[..], &reason].concat()),
    ]
}

/// A payload of any kind, seldom a long one.
pub fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        36 => textual(),
        24 => close_payload(),
        12 => vec(any::<u8>(), 0..20),
        12 => (100..140_usize).prop_map(|length| vec![b'x'; length]),
        1 => (65_500..65_600_usize).prop_map(|length| vec![b'x'; length]),
    ]
}

/// A frame's head of any kind, legal ones more often.
pub fn frame_head() -> impl Strategy<Value = FrameHead> {
    let opcode = prop_oneof![8 => select(vec![0, 1, 2, 8, 9, 10]), 1 => 0..16_u8];
    let rsv = prop_oneof![10 => Just(0), 1 => 0..8_u8];
    let mask = prop_oneof![1 => Just(None), 2 => any::<[u8; 4]>().prop_map(Some)];
    let length = prop_oneof![
        6 => Just(LengthForm::Minimal),
        1 => Just(LengthForm::Bits16),
        1 => Just(LengthForm::Bits64),
    ];
    let fields = (prop::bool::weighted(0.7), rsv, opcode, mask, length);
    fields.prop_map(|(fin, rsv, opcode, mask, length)| FrameHead {
        fin,
        rsv,
        opcode: Opcode::new(opcode),
        mask,
        length,
    })
}

pub fn encoded(head: FrameHead, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    head.encode(payload, &mut bytes);
    bytes
}

/// Frames of any kind that `sender` might send, mostly masked as it masks, and some noise.
pub fn stream(sender: Role) -> impl Strategy<Value = Vec<u8>> {
    let frame = (frame_head(), payload(), prop::bool::weighted(0.9)).prop_map(
        move |(head, payload, fits)| {
            let mask = head.mask.or(Some(MASK)).filter(|_| sender == Role::Client);
            encoded(FrameHead { mask: if fits { mask } else { head.mask }, ..head }, &payload)
        },
    );
    let noise = vec(any::<u8>(), 1..12);
    vec(prop_oneof![12 => frame, 1 => noise], 0..8).prop_map(|parts| parts.concat())
}

/// A legal message or control frame: heads without a mask, each with its payload.
fn legal_part() -> impl Strategy<Value = Vec<(FrameHead, Vec<u8>)>> {
    let text = any::<String>().prop_map(String::into_bytes);
    let long = (120..70_000_usize).prop_map(|length| vec![b'x'; length]);
    let data = prop_oneof![
        8 => (Just(Opcode::TEXT), prop_oneof![8 => text.boxed(), 1 => long.boxed()]),
        8 => (Just(Opcode::BINARY), vec(any::<u8>(), 0..300)),
    ];
    let message = (data, vec(0..400_usize, 0..4), vec(legal_control(), 0..2)).prop_map(
        |((opcode, payload), mut cuts, between)| {
            for cut in &mut cuts {
                *cut = payload.len().min(*cut);
            }
            cuts.sort_unstable();
            let starts = std::iter::once(0).chain(cuts.iter().copied());
            let ends = cuts.iter().copied().chain([payload.len()]);
            let last = cuts.len();
            let mut frames = Vec::new();
            for (index, (start, end)) in starts.zip(ends).enumerate() {
                let opcode = if index == 0 { opcode } else { Opcode::CONTINUATION };
                let head = FrameHead { fin: index == last, ..FrameHead::server(opcode) };
                frames.push((head, payload[start..end].to_vec()));
                if index == 0 {
                    frames.extend(between.iter().cloned());
                }
            }
            frames
        },
    );
    prop_oneof![3 => message, 1 => legal_control().prop_map(|frame| vec![frame])]
}

fn legal_control() -> impl Strategy<Value = (FrameHead, Vec<u8>)> {
    let opcode = select(vec![Opcode::PING, Opcode::PONG]);
    (opcode, vec(any::<u8>(), 0..126))
        .prop_map(|(opcode, bytes)| (FrameHead::server(opcode), bytes))
}

/// A stream of legal frames, with what it is made of: messages in fragments, pings between
/// them, a Close at the end.
pub fn legal_stream(sender: Role) -> impl Strategy<Value = Vec<(FrameHead, Vec<u8>)>> {
    let code = select(vec![1000_u16, 1001, 1003, 1007, 1011, 3000, 4999]);
    let reason = any::<String>().prop_filter("a reason is short", |reason| reason.len() < 124);
    let close = prop_oneof![
        Just(Vec::new()),
        (code, reason)
            .prop_map(|(code, reason)| { [&code.to_be_bytes()[..], reason.as_bytes()].concat() }),
    ];
    let parts = (vec(legal_part(), 0..4), proptest::option::of(close), vec(any::<[u8; 4]>(), 1..4));
    parts.prop_map(move |(parts, close, masks)| {
        let close = close.map(|payload| (FrameHead::server(Opcode::CLOSE), payload));
        let mut frames: Vec<_> = parts.into_iter().flatten().chain(close).collect();
        for ((head, _), mask) in frames.iter_mut().zip(masks.iter().cycle()) {
            head.mask = (sender == Role::Client).then_some(*mask);
        }
        frames
    })
}

pub fn bounds() -> impl Strategy<Value = Bounds> {
    let promise = || (0..9_000_000_u64).prop_map(Duration::from_micros);
    let optional = || proptest::option::of(promise());
    // A TOML file has no integer beyond i64.
    let memory = proptest::option::of(0..=i64::MAX.unsigned_abs());
    (promise(), promise(), optional(), optional(), memory, optional()).prop_map(
        |(close, release, handshake, idle, memory, shutdown)| Bounds {
            close,
            release,
            handshake,
            idle,
            memory,
            shutdown,
        },
    )
}

/// How large the numbers of an arbitrary script are.
#[derive(Clone, Copy)]
pub enum Scale {
    /// All that the notation takes.
    Any,
    /// What is played in a moment.
    Small,
}

fn size(scale: Scale) -> BoxedStrategy<Size> {
    match scale {
        Scale::Any => prop_oneof![4 => 0..3000_u32, 1 => 0..=Size::MAX.0].prop_map(Size).boxed(),
        Scale::Small => prop_oneof![8 => 0..140_u32, 1 => 4000..9000_u32].prop_map(Size).boxed(),
    }
}

fn millis(scale: Scale) -> BoxedStrategy<Millis> {
    let near = select(vec![0, 1, 2, 998, 4998, 4999, 5000, 5001, 10_000, 24_999, 25_000, 60_000]);
    match scale {
        Scale::Any => {
            let whole = (0..1000_u32, select(vec![1, 1000, 60_000, 3_600_000]));
            let whole = whole.prop_map(|(count, unit)| count * unit);
            prop_oneof![near, whole, any::<u32>()].prop_map(Millis).boxed()
        }
        Scale::Small => near.prop_map(Millis).boxed(),
    }
}

fn content(scale: Scale) -> BoxedStrategy<Content> {
    prop_oneof![
        Just(Content::Empty),
        text().prop_map(Content::Text),
        size(scale).prop_map(Content::Fill),
        close_payload().prop_map(Content::Bytes),
        textual().prop_map(Content::Bytes),
    ]
    .boxed()
}

fn code() -> impl Strategy<Value = Option<u16>> {
    proptest::option::of(prop_oneof![998..1018_u16, any::<u16>()])
}

fn kind(scale: Scale) -> impl Strategy<Value = Kind> {
    let reserved = select(vec![3_u8, 4, 5, 6, 7, 11, 12, 13, 14, 15]);
    prop_oneof![
        content(scale).prop_map(Kind::Text),
        content(scale).prop_map(Kind::Binary),
        content(scale).prop_map(Kind::Continuation),
        content(scale).prop_map(Kind::Ping),
        content(scale).prop_map(Kind::Pong),
        (code(), content(scale)).prop_map(|(code, content)| Kind::Close(code, content)),
        (reserved, content(scale))
            .prop_map(|(bits, content)| Kind::Other(Opcode::new(bits), content)),
    ]
}

fn frame(scale: Scale) -> impl Strategy<Value = Frame> {
    let mostly = |often: f64| prop::bool::weighted(often);
    let masks = prop_oneof![
        18 => Just(Masking::Usual),
        1 => Just(Masking::Unmasked),
        1 => Just(Masking::Masked),
    ];
    let rsv = prop_oneof![9 => Just(0), 1 => 0..8_u8];
    let length = prop_oneof![
        8 => Just(Length::Minimal),
        1 => Just(Length::Bits16),
        1 => Just(Length::Bits64),
    ];
    let declared =
        prop_oneof![select(DeclaredLength::EDGES.to_vec()), any::<u64>().prop_map(DeclaredLength)];
    let declares = prop_oneof![6 => Just(None), 1 => declared.prop_map(Some)];
    (kind(scale), mostly(0.8), rsv, masks, length, declares).prop_map(
        |(kind, fin, rsv, mask, length, declares)| Frame { kind, fin, rsv, mask, length, declares },
    )
}

fn times(scale: Scale) -> BoxedStrategy<Pace> {
    let most = match scale {
        Scale::Any => 10_000_u32,
        Scale::Small => 4,
    };
    let times = (1..=most, millis(scale)).prop_map(|(times, every)| Pace::Times(times, every));
    prop_oneof![4 => Just(Pace::Once), 1 => times].boxed()
}

fn accept(scale: Scale) -> impl Strategy<Value = Accept> {
    let answer = prop_oneof![
        Just(Answer::Opens),
        (200..600_u16).prop_map(Answer::Status),
        Just(Answer::WrongKey),
        Just(Answer::UnaskedProtocol),
    ];
    (answer, proptest::option::of(size(scale)))
        .prop_map(|(answer, filler)| Accept { answer, filler })
}

fn send(scale: Scale) -> impl Strategy<Value = Send> {
    let cut = || prop_oneof![4 => 0..12_u32, 1 => 0..3000_u32];
    let piece = prop_oneof![
        6 => Just(Piece::Whole),
        1 => cut().prop_map(Piece::First),
        1 => cut().prop_map(Piece::After),
    ];
    let unit = prop_oneof![
        1 => proptest::option::of(size(scale)).prop_map(Unit::Upgrade),
        1 => content(scale).prop_map(Unit::Raw),
        1 => accept(scale).prop_map(Unit::Accept),
        6 => frame(scale).prop_map(Unit::Frame),
    ];
    let least = match scale {
        Scale::Any => 1,
        Scale::Small => 64,
    };
    let pieces =
        (least..3000_u32, millis(scale)).prop_map(|(size, every)| Pace::Pieces(size, every));
    let pace = prop_oneof![4 => times(scale), 1 => pieces];
    (piece, unit, pace).prop_map(|(piece, unit, pace)| Send { piece, unit, pace })
}

fn act(scale: Scale) -> impl Strategy<Value = Act> {
    use Awaited::{Close, End, Message, Ping, Pong, Upgrade};
    use Setting::{ReceiveBuffer, Segment, SendBuffer, Window};
    let command = prop_oneof![
        2 => content(scale).prop_map(Command::SendText),
        2 => content(scale).prop_map(Command::SendBinary),
        1 => content(scale).prop_map(Command::Ping),
        4 => (code(), content(scale)).prop_map(|(code, content)| Command::Close(code, content)),
        1 => Just(Command::Return),
        1 => Just(Command::Keep),
        1 => Just(Command::Shutdown),
        1 => content(scale).prop_map(Command::Broadcast),
    ];
    let plain =
        vec![Act::StopReading, Act::ResumeReading, Act::Fin, Act::Reset, Act::Drop, Act::Cut];
    prop_oneof![
        8 => send(scale).prop_map(Act::Send),
        3 => millis(scale).prop_map(Act::Wait),
        1 => select(vec![Upgrade, Close, Message, Ping, Pong, End]).prop_map(Act::Await),
        3 => select(plain),
        1 => (select(vec![Window, SendBuffer, ReceiveBuffer, Segment]), size(scale))
            .prop_map(|(setting, size)| Act::Set(setting, size)),
        4 => (command, times(scale)).prop_map(|(command, pace)| Act::App(command, pace)),
    ]
}

/// A script of any acts at all, whatever the generator would draw.
pub fn script(scale: Scale) -> impl Strategy<Value = Script> {
    let step = (prop::bool::weighted(0.2), act(scale))
        .prop_map(|(joined, act)| Step { joined, ..Step::from(act) });
    let opening = prop::bool::weighted(match scale {
        Scale::Any => 0.2,
        Scale::Small => 0.9,
    });
    let steps = (opening, vec(step, 0..8)).prop_map(|(opens, mut steps)| {
        if opens {
            let (piece, unit, pace) = (Piece::Whole, Unit::Upgrade(None), Pace::Once);
            steps.insert(0, Step::from(Act::Send(Send { piece, unit, pace })));
        }
        Script { steps }
    });
    steps.prop_filter("a script has bounds", |script| {
        script.max_bytes_sent() <= MAX_BYTES && script.acts() <= MAX_ACTS
    })
}

/// A script of up to eight connections, some of which arrive later.
pub fn script_of_several(scale: Scale) -> impl Strategy<Value = Script> {
    let one = (script(scale), proptest::option::weighted(0.3, millis(scale)));
    let several = vec(one, 1..=8).prop_map(|several| {
        let arriving = |(mut script, arrives): (Script, Option<Millis>)| {
            script.steps.splice(0..0, arrives.map(|after| Step::from(Act::Connect(after))));
            script
        };
        Script::together(&several.into_iter().map(arriving).collect::<Vec<_>>())
    });
    several.prop_filter("a script has bounds", |script| {
        script.max_bytes_sent() <= MAX_BYTES && script.acts() <= MAX_ACTS
    })
}

/// An event at the end at which it usually is; when is decided later.
fn usual(what: What) -> Event {
    Event::new(Time::ZERO, what)
}

/// An event at the actor's end.
fn at_actor(what: What) -> Event {
    usual(what).at_actor()
}

/// What can only come first: how a connection to a whole server begins, if it says so. One may be held, or
/// refused, before anything is read.
fn arrival() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let begins = select(vec![
        vec![],
        vec![],
        vec![What::Offered],
        vec![What::Offered, What::Accepted],
        vec![What::Offered, What::Refused],
    ]);
    let pause = || prop_oneof![2 => Just(0), 1 => 0..6_000_000_u64];
    (begins, pause(), pause()).prop_map(|(begins, first, second)| {
        begins.into_iter().zip([first, second]).map(|(what, pause)| (pause, usual(what))).collect()
    })
}

fn what() -> impl Strategy<Value = Event> {
    let bytes = || prop_oneof![4 => 0..8_u32, 4 => 0..300_u32, 1 => any::<u32>()];
    let outcome = prop_oneof![
        Just(AfterDeadline::Quiet),
        Just(AfterDeadline::GaveUp),
        (any::<u32>(), any::<u64>())
            .prop_map(|(wakes, lasting)| AfterDeadline::Ticking { wakes, lasting }),
    ];
    let note = prop_oneof![
        Just(Note::Reports),
        Just(Note::BeganToClose),
        Just(Note::BeganToReturn),
        bytes().prop_map(|bytes| Note::Received { bytes }),
        any::<Vec<u8>>().prop_map(|message| Note::received(&message)),
        any::<(bool, Vec<u8>)>().prop_map(|(text, message)| Note::sends(text, &message)),
        proptest::option::of(any::<u16>()).prop_map(|code| Note::ToldOfEnd { code }),
    ];
    let death = select(vec![
        Death::Signal(6),
        Death::Signal(11),
        Death::Exited(0),
        Death::OutOfMemory,
        Death::StoodStill,
    ]);
    let plain = select(vec![
        usual(What::FinArrived),
        usual(What::ResetArrived),
        usual(What::StoppedReading),
        usual(What::ResumedReading),
        usual(What::Cut),
        usual(What::Froze),
        usual(What::ReadEnd),
        usual(What::ReadReset),
        usual(What::WriteBlocked),
        usual(What::Writable),
        usual(What::Flushed),
        usual(What::Shut),
        usual(What::Dropped { reset: false }),
        usual(What::Dropped { reset: true }),
        at_actor(What::ReadEnd),
        at_actor(What::ReadReset),
        usual(What::Returned),
        usual(What::ToldToShutDown),
        usual(What::ToldToBroadcast { bytes: 3, fingerprint: 1 }),
        usual(What::StoppedListening),
        usual(What::ServerReturned),
        usual(What::Rests { tasks: 2, heap: None }),
    ]);
    prop_oneof![
        6 => bytes().prop_map(|bytes| usual(What::Arrived { bytes })),
        4 => bytes().prop_map(|bytes| usual(What::Read { bytes })),
        4 => bytes().prop_map(|bytes| usual(What::Wrote { bytes })),
        3 => bytes().prop_map(|bytes| at_actor(What::Read { bytes })),
        10 => plain,
        2 => note.prop_map(|note| usual(What::Noted(note))),
        2 => outcome.prop_map(|outcome| usual(What::Became(outcome))),
        2 => standing().prop_map(|standing| usual(What::Stands(standing))),
        1 => text().prop_map(|message| usual(What::Panicked(message.into()))),
        1 => any::<u32>().prop_map(|tasks| usual(What::Outlived { tasks })),
        1 => any::<u32>().prop_map(|polls| usual(What::Spun { polls })),
        1 => death.prop_map(|death| usual(What::Died(death))),
    ]
}

fn standing() -> impl Strategy<Value = Standing> {
    let tries = any::<Option<bool>>;
    let bytes = prop_oneof![Just(0), any::<u32>()].boxed();
    let room = proptest::option::of(bytes.clone());
    (tries(), tries(), any::<bool>(), bytes, room).prop_map(
        |(reads, writes, has_input, unsent, room)| Standing {
            reads,
            writes,
            has_input,
            unsent,
            room,
        },
    )
}

/// Pauses in microseconds, each with what follows it.
pub fn happenings(most: usize) -> impl Strategy<Value = Vec<(u64, Event)>> {
    let pause = prop_oneof![4 => Just(0), 2 => 0..5000_u64, 4 => 0..6_000_000_u64];
    let pause = prop_oneof![40 => pause, 1 => any::<u64>()];
    vec((pause, what()), 0..most)
}

/// Appends what happens to `exchange`, in order of time.
pub fn tell(exchange: &mut Exchange, happenings: &[(u64, Event)]) {
    let mut now = exchange.events.last().map_or(0, |event| event.at.0);
    for (pause, event) in happenings {
        now = now.saturating_add(*pause);
        exchange.events.push(Event { at: Time(now), ..event.clone() });
    }
}

/// A connection on which anything happens in any order, but with time going forward. Mostly
/// it is an open WebSocket, with bytes that are almost frames.
pub fn exchange() -> impl Strategy<Value = Exchange> {
    let subject = prop_oneof![3 => Just(Role::Server), 1 => Just(Role::Client)];
    exchanges(prop::bool::weighted(0.8), subject)
}

/// The same, of a server's connection that is an open WebSocket.
pub fn open_trace() -> impl Strategy<Value = Exchange> {
    exchanges(Just(true), Just(Role::Server))
}

fn exchanges(
    opens: impl Strategy<Value = bool>,
    subject: impl Strategy<Value = Role>,
) -> impl Strategy<Value = Exchange> {
    let seen = (prop::bool::weighted(0.7), any::<bool>(), 0..3000_u64, 0..3000_u64);
    let bytes = (stream(Role::Client), stream(Role::Server));
    let heap = proptest::option::of(any::<u64>());
    let parts = (arrival(), (opens, subject), bytes, happenings(24), seen, heap);
    parts.prop_map(|(arrival, (opens, subject), (to_server, to_client), happenings, seen, heap)| {
        let (both_ends, sees_release, transit, grain) = seen;
        let mut exchange = Exchange::new(both_ends);
        exchange.sees_release = both_ends || sees_release;
        (exchange.transit, exchange.timing_slack) =
            (Duration::from_micros(transit), Duration::from_micros(grain));
        exchange.peak_heap = heap;
        tell(&mut exchange, &arrival);
        let answer = handshake::switching_protocols(handshake::ACCEPT);
        let opening = if opens { (handshake::REQUEST, answer.as_str()) } else { ("", "") };
        let to_server = [opening.0.as_bytes(), &to_server].concat();
        let to_client = [opening.1.as_bytes(), &to_client].concat();
        exchange.subject = subject;
        let bytes = exchange.bytes_mut(ConnectionId::FIRST);
        let (came, sent) = match subject {
            Role::Server => {
                (bytes.to_subject, bytes.to_actor) = (to_server, to_client);
                (opening.0.len() as u32, opening.1.len() as u32)
            }
            Role::Client => {
                (bytes.to_subject, bytes.to_actor) = (to_client, to_server);
                (opening.1.len() as u32, opening.0.len() as u32)
            }
        };
        if opens {
            let mut events = vec![
                usual(What::Arrived { bytes: came }),
                usual(What::Read { bytes: came }),
                if both_ends {
                    usual(What::Wrote { bytes: sent })
                } else {
                    at_actor(What::Read { bytes: sent })
                },
            ];
            // A client asks first.
            events.rotate_right(usize::from(subject == Role::Client));
            tell(&mut exchange, &events.into_iter().map(|event| (0, event)).collect::<Vec<_>>());
        }
        tell(&mut exchange, &happenings);
        exchange
    })
}
