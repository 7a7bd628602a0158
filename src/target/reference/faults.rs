//! Planted faults: the habits of a server that closes well, as real servers get them wrong.
//!
//! Each says the class of bugs that it stands for (`docs/rules.md` has them) and the
//! problems that it shows. They are the proof that the judge bites: a test plays campaigns
//! against all of them and finds exactly what is declared here, and a bench says how many
//! scripts that takes. On the command line each is a target `reference/FAULT`, tested
//! where it is named. Those of the other two styles are written out where they live.
//!
//! Each records which habits it changes. Faults that change different habits of the same
//! style compose: `reference/FAULT+FAULT`.

use super::habits::{CorrectHabits, Habits};
use super::session::{Phase, Session};
use super::{CLOSE, HANDSHAKE, Style};
use crate::script::{Command, Content};
use crate::target::planted::planted;
use crate::verdict::Invariant;
use crate::wire::{
    CloseClass, CloseCode, ClosePayload, Fault as WireFault, FrameHead, Head, LengthForm, Opcode,
};
use std::collections::BTreeSet;
use std::hint::black_box;
use std::io;
use std::time::Duration;
use tokio::time::Instant;

/// A deadline that was never set.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The correct answer, but for codes that are `unanswered`.
fn answer_unless(payload: &[u8], unanswered: fn(CloseClass) -> bool) -> Option<Vec<u8>> {
    let code = ClosePayload::parse(payload).code();
    let answers = !code.is_some_and(|code| unanswered(code.class()));
    CorrectHabits.answer(payload).filter(|_| answers)
}

/// Whether one message is queued, and nothing else.
fn is_one_message(session: &Session) -> bool {
    let length = match session.queue[..] {
        [0x81 | 0x82, 126, high, low, ..] => 4 + usize::from(u16::from_be_bytes([high, low])),
        [0x81 | 0x82, short @ ..=125, ..] => 2 + usize::from(short),
        _ => return false,
    };
    session.is_open() && session.sent == 0 && session.queue.len() == length
}

/// Holds back what is queued; what is held back is not much.
fn hold_back(session: &mut Session) {
    session.held.append(&mut session.queue);
    if session.held.len() > 4096 {
        std::mem::swap(&mut session.held, &mut session.queue);
    }
}

/// Hands on what waits.
fn hand_on_waiting(session: &mut Session) {
    let waiting = std::mem::take(&mut session.waiting);
    for bytes in waiting {
        session.give(bytes.into());
    }
}

/// Joins what is `kept`, of 448 KiB at most, and what came, in a new buffer, and looks at each byte.
fn join_anew(kept: &mut Vec<u8>, came: &[u8]) {
    if kept.len() + came.len() <= 448 << 10 {
        *kept = [&kept[..], came].concat();
        black_box(kept.iter().fold(0_u8, |sum, byte| sum.rotate_left(1) ^ byte));
    }
}

/// Defines the faults: story, name, style, class of bugs, problems shown, wrong habits; of one
/// that is written out elsewhere, the place in that style.
macro_rules! faults {
    ($($(#[doc = $about:literal])+ $variant:ident = $name:literal in $style:ident,
        class $class:literal, shows [$($rule:ident: $symptom:ident),+] $(at $place:ident)? {$(
            fn $habit:ident $(<$life:lifetime>)? ($($args:tt)*) $(-> $answer:ty)? $wrong:block
        )*})+) => {
        planted! {
            /// A bug that the reference server can be given.
            PlantedFault of "reference" {
                $($(#[doc = $about])+ $variant = $name, shows [$($rule: $symptom),+];)+
            }
        }

        impl PlantedFault {
            /// How the server around it is written.
            pub const fn style(self) -> Style {
                match self { $(Self::$variant => Style::$style),+ }
            }

            /// The class of bugs that it stands for, `A` to `R`.
            pub const fn class(self) -> char {
                match self { $(Self::$variant => $class),+ }
            }

            /// The rules that it breaks, and no others.
            pub fn breaks(self) -> BTreeSet<Invariant> {
                self.shows().iter().map(|problem| problem.invariant()).collect()
            }

            /// The habits that it changes, by name. One server can have two faults of the
            /// same style that change no habit both.
            pub const fn changes(self) -> &'static [&'static str] {
                match self {
                    $(Self::$variant => &[$(stringify!($place),)? $(stringify!($habit)),*]),+
                }
            }

            /// The habits of the one loop that has it.
            pub(super) fn habits(self) -> &'static dyn Habits {
                match self { $(Self::$variant => &wrong::$variant),+ }
            }
        }

        mod wrong {
            $(#[derive(Debug)] pub(super) struct $variant;)+
        }

        $(impl Habits for wrong::$variant {
            $(fn $habit $(<$life>)? ($($args)*) $(-> $answer)? $wrong)*
        })+
    };
}

faults! {
    // A: no effective close deadline.

    /// The server sends its Close, and waits for the answer with no deadline.
    NoDeadline = "no-deadline" in OneLoop, class 'A',
    shows [
        EndsInTime: WaitsToRead, EndsInTime: WaitsForRoom, ReleasesInTime: KeepsSocket,
        IdleInTime: WaitsToRead, IdleInTime: WaitsForRoom
    ] {
        fn closing_deadline(&self, now: Instant, client_done: bool) -> Instant {
            now + if client_done { CLOSE } else { NEVER }
        }
    }
    /// The deadline is set where the server itself begins to close, and nowhere else.
    DeadlineOfOwnCloseOnly = "deadline-of-own-close-only" in OneLoop, class 'A',
    shows [EndsInTime: WaitsForRoom, ReleasesInTime: KeepsSocket] {
        fn closing_deadline(&self, now: Instant, client_done: bool) -> Instant {
            now + if client_done { NEVER } else { CLOSE }
        }
    }
    /// Each stage of the closing gets the whole time.
    TimePerStage = "time-per-stage" in OneLoop, class 'A',
    shows [ReleasesInTime: OwnTimer] {
        fn after_fin(&self, session: &mut Session, now: Instant) {
            session.deadline = now + CLOSE;
        }
    }
    /// The timer sets a flag; the reader looks at it once something has come.
    TimerWakesNobody = "timer-wakes-nobody" in SplitTasks, class 'A',
    shows [
        EndsInTime: WaitsToRead, EndsInTime: WaitsForRoom, ReleasesInTime: KeepsSocket,
        IdleInTime: WaitsToRead, IdleInTime: WaitsForRoom
    ] at timer {}

    // B: the deadline does not cover the write.

    /// The time to close does not pass while there is something to write.
    WriteNotCovered = "write-not-covered" in OneLoop, class 'B',
    shows [EndsInTime: WaitsForRoom, IdleInTime: WaitsForRoom] {
        fn runs_out_of_time(&self, session: &mut Session, now: Instant) {
            if session.to_send().is_some() {
                session.deadline = now + CLOSE;
            } else {
                session.phase = Phase::Over;
            }
        }
    }
    /// The Close waits for the lock that a send which cannot go on holds.
    CloseWaitsForSend = "close-waits-for-send" in SplitTasks, class 'B',
    shows [
        EndsInTime: OwnTimer, EndsInTime: WaitsForRoom, ReleasesInTime: OwnTimer,
        IdleInTime: OwnTimer, IdleInTime: WaitsForRoom
    ] at close {}

    // C: a deadline re-armed by traffic.

    /// Every frame that comes restarts the time to close: a time-out per message.
    FrameRestartsDeadline = "frame-restarts-deadline" in OneLoop, class 'C',
    shows [EndsInTime: OwnTimer, ReleasesInTime: OwnTimer] {
        fn received_frame(&self, session: &mut Session, opcode: Opcode, now: Instant) {
            if session.is_open() {
                CorrectHabits.received_frame(session, opcode, now);
            } else {
                session.deadline = now + CLOSE;
            }
        }
    }
    /// The time-out is around each read, and every byte that comes restarts it.
    ReadRestartsDeadline = "read-restarts-deadline" in OneLoop, class 'C',
    shows [
        EndsInTime: OwnTimer, ReleasesInTime: OwnTimer,
        IdleInTime: OwnTimer
    ] {
        fn received_bytes(&self, session: &mut Session, now: Instant) {
            if matches!(session.phase, Phase::Closing { .. }) {
                session.deadline = now + CLOSE;
            }
        }
    }
    /// Each whole message restarts the time to answer the Close.
    MessageRestartsDeadline = "message-restarts-deadline" in OneLoop, class 'C',
    shows [EndsInTime: OwnTimer, ReleasesInTime: OwnTimer] {
        fn received_frame(&self, session: &mut Session, opcode: Opcode, now: Instant) {
            CorrectHabits.received_frame(session, opcode, now);
            let is_whole = opcode.is_data() && !session.is_inside_message();
            if is_whole && session.phase == (Phase::Closing { client_done: false }) {
                session.deadline = now + CLOSE;
            }
        }
    }
    /// A pong shows that the client is alive, and restarts the time to close.
    PongRestartsDeadline = "pong-restarts-deadline" in OneLoop, class 'C',
    shows [EndsInTime: OwnTimer, ReleasesInTime: OwnTimer] {
        fn received_frame(&self, session: &mut Session, opcode: Opcode, now: Instant) {
            CorrectHabits.received_frame(session, opcode, now);
            if opcode == Opcode::PONG && !session.is_open() {
                session.deadline = now + CLOSE;
            }
        }
    }
    /// One timer pings and closes: while it pings, it does not close.
    OwnPingRestartsDeadline = "own-ping-restarts-deadline" in OneLoop, class 'C',
    shows [EndsInTime: OwnTimer, EndsInTime: WaitsToRead, ReleasesInTime: OwnTimer] {
        fn closing_deadline(&self, now: Instant, client_done: bool) -> Instant {
            now + if client_done { CLOSE } else { CLOSE / 2 }
        }
        fn runs_out_of_time(&self, session: &mut Session, now: Instant) {
            if session.phase == (Phase::Closing { client_done: false }) && session.to_send().is_none() {
                session.send(Opcode::PING, b"", now);
                session.deadline = now + CLOSE / 2;
            } else {
                session.phase = Phase::Over;
            }
        }
    }
    /// The server counts its own output as activity of the client.
    OutputRestartsIdle = "output-restarts-idle" in OneLoop, class 'C',
    shows [ReleasesInTime: OwnTimer, IdleInTime: OwnTimer] {
        fn queued(&self, session: &mut Session, now: Instant) {
            CorrectHabits.received_frame(session, Opcode::PONG, now);
        }
    }
    /// Half a frame counts as activity of the client, byte by byte.
    ByteRestartsIdle = "byte-restarts-idle" in OneLoop, class 'C',
    shows [ReleasesInTime: OwnTimer, IdleInTime: OwnTimer] {
        fn received_bytes(&self, session: &mut Session, now: Instant) {
            CorrectHabits.received_frame(session, Opcode::PONG, now);
        }
    }

    // D: the Close reply is missing, lost or late.

    /// The client's Close is answered by FIN alone.
    AnswersByFin = "answers-by-fin" in OneLoop, class 'D',
    shows [AnswersClose: EmptyClose] {
        fn answer(&self, _: &[u8]) -> Option<Vec<u8>> {
            None
        }
    }
    /// The answer is tried once, and forgotten where the send buffer is full.
    AnswerLostWhenFull = "answer-lost-when-full" in OneLoop, class 'D',
    shows [AnswersClose: EmptyClose, RefusesIllegal: RefusesSilently] {
        fn write_blocked(&self, session: &mut Session) {
            let answers = session.phase == Phase::Closing { client_done: true };
            if let Some(at) = session.close_at.filter(|at| answers && *at >= session.sent) {
                session.queue.truncate(at);
                session.wrote(0);
            }
        }
    }
    /// A protocol violation is an error, and an error drops the transport.
    FailsWithoutClose = "fails-without-close" in OneLoop, class 'D',
    shows [RefusesIllegal: RefusesSilently] {
        fn failure_code(&self, _: WireFault) -> Option<CloseCode> {
            None
        }
    }
    /// The transport is dropped right behind the own Close.
    DropsBehindOwnClose = "drops-behind-own-close" in OneLoop, class 'D',
    shows [WaitsForAnswer: EndsWithClose, WaitsForAnswer: ResetDestroysClose] {
        fn is_done(&self, session: &Session) -> bool {
            CorrectHabits.is_done(session)
                || (session.phase == (Phase::Closing { client_done: false }) && session.queue.is_empty())
        }
    }

    /// The server sends the header of its answer, and does not flush the payload.
    SendsPartOfAnswer = "sends-part-of-answer" in OneLoop, class 'D',
    shows [AnswersClose: PartOfAnswer] {
        fn received_frame(&self, session: &mut Session, opcode: Opcode, now: Instant) {
            CorrectHabits.received_frame(session, opcode, now);
            if opcode == Opcode::CLOSE && session.is_open() {
                let header = [0x88, 2];
                session.queue.extend_from_slice(&header);
            }
        }
        fn answer(&self, _: &[u8]) -> Option<Vec<u8>> {
            None
        }
    }
    /// The application's close drops the transport: no Close is sent.
    DropsAtClose = "drops-at-close" in OneLoop, class 'D',
    shows [SendsClose: DropsAtClose] {
        fn wants_to_close(&self, session: &mut Session, _: Option<u16>, _: &Content, _: Instant) {
            session.phase = Phase::Over;
        }
    }
    /// Of the application's Close the header is sent; the payload stays in a buffer.
    SendsPartOfClose = "sends-part-of-close" in OneLoop, class 'D',
    shows [AnswersClose: PartOfAnswer, SendsClose: PartOfClose] {
        fn wants_to_close(&self, session: &mut Session, _: Option<u16>, _: &Content, now: Instant) {
            session.queue.extend_from_slice(&[0x88, 2]);
            session.begin_closing(now, true);
        }
    }
    /// A client that is idle for too long is dropped without a Close.
    IdleDrops = "idle-drops" in OneLoop, class 'D',
    shows [NoSilentEnd: EndsSilently] {
        fn gives_up_waiting(&self, session: &mut Session, _: Instant) {
            session.phase = Phase::Over;
        }
    }
    /// A message that is too big is an error, and an error drops the transport.
    DropsOnBigMessage = "drops-on-big-message" in OneLoop, class 'D',
    shows [NoSilentEnd: EndsSilently, WaitsForAnswer: EndsWithClose] {
        fn buffers_data(&self, session: &mut Session, bytes: u64) {
            if bytes >= 16 << 10 {
                session.phase = Phase::Over;
            }
        }
    }
    /// A protocol violation drops the transport with the Close still in the queue.
    DropsOnViolation = "drops-on-violation" in OneLoop, class 'D',
    shows [RefusesIllegal: RefusesSilently] {
        fn connection_failed(&self, session: &mut Session) {
            session.phase = Phase::Over;
        }
    }
    /// A Close without a payload is answered by FIN alone: "there is nothing to echo".
    AnswersNoEmptyClose = "answers-no-empty-close" in OneLoop, class 'D',
    shows [AnswersClose: EmptyClose] {
        fn answer(&self, payload: &[u8]) -> Option<Vec<u8>> {
            CorrectHabits.answer(payload).filter(|answer| !answer.is_empty())
        }
    }
    /// A Close with a code of RFC 6455's own is taken for an answer.
    AnswersNoDefinedCode = "answers-no-defined-code" in OneLoop, class 'D',
    shows [AnswersClose: DefinedCode] {
        fn answer(&self, payload: &[u8]) -> Option<Vec<u8>> {
            answer_unless(payload, |class| class == CloseClass::Defined)
        }
    }
    /// A Close with a code that is registered since, 1012 to 1014, is unknown and not answered.
    AnswersNoRegisteredCode = "answers-no-registered-code" in OneLoop, class 'D',
    shows [AnswersClose: RegisteredCode] {
        fn answer(&self, payload: &[u8]) -> Option<Vec<u8>> {
            answer_unless(payload, |class| class == CloseClass::Registered)
        }
    }
    /// A Close with a code of the application's own, 3000 to 4999, is left to the application.
    AnswersNoPrivateCode = "answers-no-private-code" in OneLoop, class 'D',
    shows [AnswersClose: PrivateCode] {
        fn answer(&self, payload: &[u8]) -> Option<Vec<u8>> {
            answer_unless(payload, |class| {
                matches!(class, CloseClass::Library | CloseClass::Private)
            })
        }
    }
    /// A Close with a reason does not fit the answer's two bytes, and is not answered.
    AnswersNoReason = "answers-no-reason" in OneLoop, class 'D',
    shows [AnswersClose: CloseWithReason] {
        fn answer(&self, payload: &[u8]) -> Option<Vec<u8>> {
            CorrectHabits.answer(payload).filter(|answer| answer.len() == payload.len())
        }
    }

    /// Nothing is read while there is something to write, and the transport is dropped behind the
    /// own Close: what is unread then resets the connection, and the Close is lost.
    DropsUnread = "drops-unread" in OneLoop, class 'D',
    shows [
        EndsInTime: OwnTimer, ReleasesInTime: OwnTimer,
        WaitsForAnswer: ResetDestroysClose, WaitsForAnswer: EndsWithClose
    ] {
        fn reads(&self, session: &Session) -> bool {
            CorrectHabits.reads(session) && session.to_send().is_none()
        }
        fn is_done(&self, session: &Session) -> bool {
            CorrectHabits.is_done(session)
                || (session.phase == (Phase::Closing { client_done: false }) && session.queue.is_empty())
        }
    }

    /// The server takes a message that crosses its Close for the answer, and closes the socket.
    TakesMessageForAnswer = "takes-message-for-answer" in OneLoop, class 'D',
    shows [WaitsForAnswer: EndsWithClose] {
        fn received_frame(&self, session: &mut Session, opcode: Opcode, now: Instant) {
            CorrectHabits.received_frame(session, opcode, now);
            let waits = session.phase == (Phase::Closing { client_done: false });
            if waits && opcode.is_data() && session.to_send().is_none() {
                session.phase = Phase::Over;
            }
        }
    }

    // E: TCP is not closed.

    /// The client's FIN ends its stream, and nothing else.
    FinIsNoEnd = "fin-is-no-end" in OneLoop, class 'E',
    shows [EndsInTime: OwnTimer, ReleasesInTime: OwnTimer] {
        fn reads_end(&self, session: &mut Session, now: Instant) {
            session.fin_received = true;
            if !session.is_open() {
                session.begin_closing(now, true);
            }
        }
    }
    /// After its FIN, the server waits for the client's FIN with no deadline.
    KeepsTransport = "keeps-transport" in OneLoop, class 'E',
    shows [ReleasesInTime: KeepsSocket] {
        fn after_fin(&self, session: &mut Session, now: Instant) {
            session.deadline = now + NEVER;
        }
    }
    /// After both Closes it is left to the client to close TCP.
    LeavesTcpToTheClient = "leaves-tcp-to-the-client" in OneLoop, class 'E',
    shows [
        EndsInTime: WaitsToRead, HandshakeInTime: WaitsToRead,
        RefusesIllegal: ServesFragmentedControl, RefusesIllegal: ServesLongControl,
        RefusesIllegal: ServesUnmasked, RefusesIllegal: ServesLoneContinuation
    ] {
        fn sends_fin_first(&self) -> bool {
            false
        }
        fn runs_out_of_time(&self, session: &mut Session, now: Instant) {
            if session.phase == (Phase::Closing { client_done: true }) && session.to_send().is_none() {
                session.deadline = now + NEVER;
            } else {
                session.phase = Phase::Over;
            }
        }
    }
    /// The reader's half of the transport is dropped, the writer's lives on.
    KeepsWriterHalf = "keeps-writer-half" in SplitTasks, class 'E',
    shows [EndsInTime: WaitsForRoom, IdleInTime: WaitsForRoom] at end {}

    // F: a busy loop.

    /// A read of nothing is taken for a read of something.
    ReadsTheEndAgain = "reads-the-end-again" in OneLoop, class 'F',
    shows [NoSpin: PollsForEver] {
        fn reads_end(&self, _: &mut Session, _: Instant) {}
    }
    /// An error is logged, and the loop goes on.
    PollsErrorsAgain = "polls-errors-again" in OneLoop, class 'F',
    shows [NoSpin: PollsForEver] {
        fn ends_with(&self, _: &io::Error) -> bool {
            false
        }
    }
    /// The deadline has passed, and is asked again whether it has.
    PollsElapsedDeadline = "polls-elapsed-deadline" in OneLoop, class 'F',
    shows [NoSpin: PollsForEver] {
        fn runs_out_of_time(&self, session: &mut Session, _: Instant) {
            // "The last frame is sent, so the client is about to close."
            if session.to_send().is_some() {
                session.phase = Phase::Over;
            }
        }
    }

    // G: a malformed Close is accepted, echoed or emitted.

    /// The application's code and reason are sent whatever they are.
    SendsAnyCode = "sends-any-code" in OneLoop, class 'G',
    shows [LegalClose: ApplicationsCode, LegalClose: ApplicationsReason] {
        fn wants_to_close(
            &self, session: &mut Session, code: Option<u16>, reason: &Content, now: Instant,
        ) {
            let payload = code.map_or_else(Vec::new, |code| {
                [&code.to_be_bytes(), reason.text().as_bytes()].concat()
            });
            session.close(&payload, now);
            session.begin_closing(now, false);
        }
    }
    /// The application's reason is cut to 123 bytes, in the middle of a character.
    CutsReasonInACharacter = "cuts-reason-in-a-character" in OneLoop, class 'G',
    shows [LegalClose: ApplicationsReason] {
        fn wants_to_close(
            &self, session: &mut Session, _: Option<u16>, reason: &Content, now: Instant,
        ) {
            let reason = reason.text();
            let reason = &reason.as_bytes()[..reason.len().min(123)];
            session.close(&[&CloseCode::NORMAL.0.to_be_bytes(), reason].concat(), now);
            session.begin_closing(now, false);
        }
    }
    /// The client's code is echoed whatever it is.
    EchoesAnyCode = "echoes-any-code" in OneLoop, class 'G',
    shows [
        LegalClose: NeverSentCode, LegalClose: UnusedCode, RefusesIllegal: ServesBadCode
    ] {
        fn overlooks(&self, fault: WireFault) -> bool {
            matches!(fault, WireFault::CloseCode(_))
        }
    }
    /// A Close payload of one byte is taken for none.
    TakesOneByteForNone = "takes-one-byte-for-none" in OneLoop, class 'G',
    shows [RefusesIllegal: ServesOneByteClose] {
        fn overlooks(&self, fault: WireFault) -> bool {
            fault == WireFault::CloseOneByte
        }
    }
    /// The server validates nothing in a frame.
    LooksAway = "looks-away" in OneLoop, class 'G',
    shows [
        LegalClose: UnusedCode,
        RefusesIllegal: ServesReservedBits,
        RefusesIllegal: ServesReservedOpcode,
        RefusesIllegal: ServesUnmasked,
        RefusesIllegal: ServesInterruptedMessage,
        RefusesIllegal: ServesBadText,
        ReleasesInTime: OwnTimer
    ] {
        fn overlooks(&self, fault: WireFault) -> bool {
            matches!(
                fault,
                WireFault::Unmasked
                    | WireFault::ReservedBits(_)
                    | WireFault::ReservedOpcode(_)
                    | WireFault::LoneContinuation
                    | WireFault::InterruptedMessage
                    | WireFault::TextNotUtf8
            )
        }
    }
    /// A Close's reason is not checked for UTF-8.
    TakesAnyReason = "takes-any-reason" in OneLoop, class 'G',
    shows [RefusesIllegal: ServesBadReason] {
        fn overlooks(&self, fault: WireFault) -> bool {
            fault == WireFault::CloseReasonNotUtf8
        }
    }
    /// Control frames may be as long as any other.
    TakesLongControl = "takes-long-control" in OneLoop, class 'G',
    shows [RefusesIllegal: ServesLongControl, ReleasesInTime: OwnTimer] {
        fn overlooks(&self, fault: WireFault) -> bool {
            matches!(fault, WireFault::LongControl(_))
        }
    }

    /// The client's frames need no mask.
    TakesUnmasked = "takes-unmasked" in OneLoop, class 'G',
    shows [LegalClose: UnusedCode, RefusesIllegal: ServesUnmasked] {
        fn overlooks(&self, fault: WireFault) -> bool {
            fault == WireFault::Unmasked
        }
    }
    /// The reserved bits are not checked.
    TakesReservedBits = "takes-reserved-bits" in OneLoop, class 'G',
    shows [RefusesIllegal: ServesReservedBits, ReleasesInTime: OwnTimer] {
        fn overlooks(&self, fault: WireFault) -> bool {
            matches!(fault, WireFault::ReservedBits(_))
        }
    }
    /// A frame with a reserved opcode is passed over.
    TakesReservedOpcodes = "takes-reserved-opcodes" in OneLoop, class 'G',
    shows [RefusesIllegal: ServesReservedOpcode] {
        fn overlooks(&self, fault: WireFault) -> bool {
            matches!(fault, WireFault::ReservedOpcode(_))
        }
    }
    /// The FIN bit of control frames is not checked.
    TakesFragmentedControl = "takes-fragmented-control" in OneLoop, class 'G',
    shows [RefusesIllegal: ServesFragmentedControl] {
        fn overlooks(&self, fault: WireFault) -> bool {
            matches!(fault, WireFault::FragmentedControl(_))
        }
    }
    /// A length with its top bit set is waited for to its end.
    TakesAnyLength = "takes-any-length" in OneLoop, class 'G',
    shows [EndsInTime: AwaitsIllegalRest] {
        fn overlooks(&self, fault: WireFault) -> bool {
            fault == WireFault::LengthTopBit
        }
    }
    /// Text is not checked for UTF-8.
    TakesAnyText = "takes-any-text" in OneLoop, class 'G',
    shows [RefusesIllegal: ServesBadText] {
        fn overlooks(&self, fault: WireFault) -> bool {
            fault == WireFault::TextNotUtf8
        }
    }

    /// A Close is sent without FIN, as if more of it were to come.
    ClosesInFragments = "closes-in-fragments" in OneLoop, class 'G',
    shows [LegalClose: FragmentedClose] {
        fn frame(&self, opcode: Opcode) -> FrameHead {
            FrameHead { fin: opcode != Opcode::CLOSE, ..CorrectHabits.frame(opcode) }
        }
    }
    /// A Close is answered with its code and a long explanation.
    AnswersAtLength = "answers-at-length" in OneLoop, class 'G',
    shows [LegalClose: LongClose] {
        fn answer(&self, payload: &[u8]) -> Option<Vec<u8>> {
            let mut answer = CorrectHabits.answer(payload)?;
            if !answer.is_empty() {
                answer.extend_from_slice(&[b'.'; 124]);
            }
            Some(answer)
        }
    }
    /// Of the client's code the first byte is echoed.
    AnswersWithHalfACode = "answers-with-half-a-code" in OneLoop, class 'G',
    shows [LegalClose: OneByteClose] {
        fn answer(&self, payload: &[u8]) -> Option<Vec<u8>> {
            let mut answer = CorrectHabits.answer(payload)?;
            answer.truncate(1);
            Some(answer)
        }
    }
    /// The client's reason is echoed but for its last byte.
    EchoesReasonWithoutItsEnd = "echoes-reason-without-its-end" in OneLoop, class 'G',
    shows [LegalClose: BadReason] {
        fn answer(&self, payload: &[u8]) -> Option<Vec<u8>> {
            let reason = payload.len() > 2;
            if reason { Some(payload[..payload.len() - 1].to_vec()) } else { CorrectHabits.answer(payload) }
        }
    }

    // H: a valid Close is rejected or misread.

    /// A Close without a payload is refused: "a code is missing".
    RefusesEmptyClose = "refuses-empty-close" in OneLoop, class 'H',
    shows [AcceptsLegal: RefusesEmptyClose] {
        fn refuses(&self, head: Head, _: &Session) -> Option<WireFault> {
            (head.opcode == Opcode::CLOSE && head.length == 0).then_some(WireFault::CloseOneByte)
        }
    }
    /// A Close with a code and no reason is refused.
    RefusesBareCode = "refuses-bare-code" in OneLoop, class 'H',
    shows [AcceptsLegal: RefusesBareCode] {
        fn refuses(&self, head: Head, _: &Session) -> Option<WireFault> {
            (head.opcode == Opcode::CLOSE && head.length == 2).then_some(WireFault::CloseReasonNotUtf8)
        }
    }
    /// A Close of the 125 bytes that it may have is one byte too long.
    RefusesLongestClose = "refuses-longest-close" in OneLoop, class 'H',
    shows [AcceptsLegal: RefusesReason] {
        fn refuses(&self, head: Head, _: &Session) -> Option<WireFault> {
            (head.opcode == Opcode::CLOSE && head.length > 124)
                .then_some(WireFault::LongControl(Opcode::CLOSE))
        }
    }
    /// A Close without a code is reported as one with 1000.
    TellsNoCodeAs1000 = "tells-no-code-as-1000" in OneLoop, class 'H',
    shows [ReportsEndCorrectly: ToldOtherCode] {
        fn reported_code(&self, code: Option<u16>) -> Option<u16> {
            code.map(|code| if code == 1005 { 1000 } else { code })
        }
    }

    /// A pong that answers no ping is refused.
    RefusesPongs = "refuses-pongs" in OneLoop, class 'H',
    shows [
        AcceptsLegal: RefusesOther,
        AcceptsLegal: RefusesBareCode,
        AcceptsLegal: RefusesReason,
        AcceptsLegal: RefusesControlInside
    ] {
        fn refuses(&self, head: Head, _: &Session) -> Option<WireFault> {
            (head.opcode == Opcode::PONG).then_some(WireFault::ReservedOpcode(head.opcode))
        }
    }

    // I: a panic on a close path.

    /// The first two bytes of a Close's payload are read without a look at its length.
    ReadsCodeOfOneByte = "reads-code-of-one-byte" in OneLoop, class 'I',
    shows [NoPanic: Panics] {
        fn overlooks(&self, fault: WireFault) -> bool {
            fault == WireFault::CloseOneByte
        }
        fn answer(&self, payload: &[u8]) -> Option<Vec<u8>> {
            let code = (!payload.is_empty()).then(|| [payload[0], payload[1]]);
            Some(code.map_or_else(Vec::new, |code| code.to_vec()))
        }
    }
    /// The end of a frame is computed as its header's size and its length.
    AddsHeaderToLength = "adds-header-to-length" in OneLoop, class 'I',
    shows [EndsInTime: AwaitsIllegalRest, NoPanic: Panics] {
        fn overlooks(&self, fault: WireFault) -> bool {
            fault == WireFault::LengthTopBit
        }
        fn awaits_payload(&self, session: &mut Session, head: Head, now: Instant) {
            let end = head.length.checked_add(14).expect("a frame has an end");
            if end > i64::MAX as u64 + 14 {
                session.fail(WireFault::LengthTopBit, now);
            }
        }
    }
    /// An I/O error is not expected.
    ExpectsNoReset = "expects-no-reset" in OneLoop, class 'I',
    shows [NoPanic: Panics] {
        fn ends_with(&self, error: &io::Error) -> bool {
            assert_ne!(error.kind(), io::ErrorKind::ConnectionReset, "the connection is up");
            true
        }
    }

    // J: data or a second Close after Close.

    /// Every Close is answered with one, the answer to the own one too.
    AnswersEveryClose = "answers-every-close" in OneLoop, class 'J',
    shows [ClosesOnce: SecondClose] {
        fn answers_in(&self, _: Phase) -> bool {
            true
        }
    }
    /// The application can close while the connection closes, and that sends another Close.
    ClosesTwice = "closes-twice" in OneLoop, class 'J',
    shows [ClosesOnce: SecondClose] {
        fn obeys_in(&self, phase: Phase) -> bool {
            CorrectHabits.obeys_in(phase) || phase == Phase::Closing { client_done: false }
        }
        fn ignores(&self, session: &Session, command: &Command) -> bool {
            // "Sending is checked; closing is not."
            !session.is_open() && !matches!(command, Command::Close(..) | Command::Return)
        }
    }
    /// The application goes on sending while the connection closes.
    SendsWhileClosing = "sends-while-closing" in SplitTasks, class 'J',
    shows [NoDataAfterClose: DataBehindClose, NoDataAfterClose: ControlBehindClose] at obeys {}
    /// Behind the client's Close it goes on reading frames, answering pings and giving data.
    ReadsOnBehindClose = "reads-on-behind-close" in OneLoop, class 'J',
    shows [NoDataAfterClose: ControlBehindClose, ReportsEndCorrectly: GivenDataBehindClose] {
        fn decodes_in(&self, phase: Phase) -> bool {
            matches!(phase, Phase::Open | Phase::Closing { .. })
        }
    }

    /// A line break is written behind the Close.
    EndsWithALineBreak = "ends-with-a-line-break" in OneLoop, class 'J',
    shows [NoDataAfterClose: NoFrameBehindClose] {
        fn queued(&self, session: &mut Session, _: Instant) {
            if session.is_open() && session.close_at.is_some() {
                session.queue.extend_from_slice(b"\r\n");
            }
        }
    }

    // K: deadlock, lost wake-up, cancelled send.

    /// The reader's notice of the client's Close wakes a waiting task, and is lost if no task waits at that moment.
    LosesWakeUp = "loses-wake-up" in SplitTasks, class 'K',
    shows [EndsInTime: OwnTimer, ReportsEndCorrectly: ToldOtherCode] at reads_close {}
    /// A send is cancelled halfway by its time-out, and the next frame lands inside it.
    CancelsSendHalfway = "cancels-send-halfway" in CancelledSends, class 'K',
    shows [
        AnswersClose: EmptyClose, RefusesIllegal: RefusesSilently, SendsValidFrames: NoFrame
    ] at send {}
    /// While a send waits for room nothing is read, the client's Close neither.
    SendsBeforeItReads = "sends-before-it-reads" in CancelledSends, class 'K',
    shows [
        EndsInTime: WaitsForRoom, ReleasesInTime: OwnTimer, IdleInTime: OwnTimer,
        IdleInTime: WaitsForRoom
    ] at send {}

    /// Once a write has found no room, the writer is tried again when input comes, and not
    /// when room does; a deadline that passes meanwhile does not end the connection.
    RoomWakesNobody = "room-wakes-nobody" in OneLoop, class 'K',
    shows [
        EndsInTime: WaitsToRead, EndsInTime: WaitsForRoom, EndsInTime: IgnoresRoom,
        ReleasesInTime: IgnoresRoom, IdleInTime: WaitsForRoom, IdleInTime: IgnoresRoom,
        SendsEveryMessage: MessageCut
    ] {
        fn write_blocked(&self, session: &mut Session) {
            session.stalled = true;
        }
        fn writes(&self, session: &Session) -> bool {
            !session.stalled
        }
        fn received_bytes(&self, session: &mut Session, _: Instant) {
            session.stalled = false;
        }
        fn runs_out_of_time(&self, session: &mut Session, now: Instant) {
            if session.to_send().is_some() {
                session.deadline = now + NEVER;
            } else {
                session.phase = Phase::Over;
            }
        }
    }
    /// A frame that comes while the whole Close waits for room makes the reader flush, and that
    /// takes the writer's place with the transport: room then wakes the reader, which has nothing
    /// to write. At the deadline the Close is tried once more; where it fits, the server waits for the
    /// answer, with no deadline any more.
    ReaderTakesWakeUp = "reader-takes-wake-up" in OneLoop, class 'K',
    shows [EndsInTime: WaitsToRead, ReleasesInTime: KeepsSocket] {
        fn received_frame(&self, session: &mut Session, opcode: Opcode, now: Instant) {
            CorrectHabits.received_frame(session, opcode, now);
            session.stalled = !session.stalled && session.close_at == Some(session.sent);
        }
        fn writes(&self, session: &Session) -> bool {
            !session.stalled
        }
        fn runs_out_of_time(&self, session: &mut Session, now: Instant) {
            if std::mem::take(&mut session.stalled) {
                session.late_close = true;
                session.deadline = now + Duration::from_millis(1);
            } else if session.late_close && session.to_send().is_none() {
                session.deadline = now + NEVER;
            } else {
                session.phase = Phase::Over;
            }
        }
    }
    /// The reader stops at the server's own Close, and the closing waits for its report of
    /// the client's.
    StopsReadingAfterOwnClose = "stops-reading-after-own-close" in OneLoop, class 'K',
    shows [
        EndsInTime: WaitsForRoom, EndsInTime: Forgotten, ReleasesInTime: IgnoresInput,
        IdleInTime: WaitsForRoom, IdleInTime: Forgotten
    ] {
        fn reads(&self, session: &Session) -> bool {
            CorrectHabits.reads(session) && session.phase != Phase::Closing { client_done: false }
        }
        fn runs_out_of_time(&self, session: &mut Session, now: Instant) {
            if session.phase == (Phase::Closing { client_done: false }) {
                session.deadline = now + NEVER;
            } else {
                session.phase = Phase::Over;
            }
        }
    }
    /// The client's Close takes the connection out of the loop's table, and nobody moves its
    /// bytes any more.
    ForgetsTheConnection = "forgets-the-connection" in OneLoop, class 'K',
    shows [
        EndsInTime: Forgotten, ReleasesInTime: IgnoresInput, ReleasesInTime: KeepsSocket
    ] {
        fn reads(&self, session: &Session) -> bool {
            CorrectHabits.reads(session) && session.close_code().is_none()
        }
        fn writes(&self, session: &Session) -> bool {
            session.close_code().is_none()
        }
        fn runs_out_of_time(&self, session: &mut Session, now: Instant) {
            if session.close_code().is_some() {
                session.deadline = now + NEVER;
            } else {
                session.phase = Phase::Over;
            }
        }
    }

    // L: a leak on disconnect.

    /// A handle of the session, kept by a registry, holds the transport.
    KeptHandleHoldsTransport = "kept-handle-holds-transport" in SplitTasks, class 'L',
    shows [
        EndsInTime: Forgotten, ReleasesInTime: Forgotten, ReleasesInTime: KeepsSocket,
        IdleInTime: Forgotten
    ] at keep {}
    /// The keepalive's task never learns that its connection has ended.
    DetachedTicker = "detached-ticker" in SplitTasks, class 'L',
    shows [NoLeak: TaskLeft] at start {}
    /// An end by an error returns early, before it is reported to the application.
    NeverTellsOfErrors = "never-tells-of-errors" in OneLoop, class 'L',
    shows [ReportsEndCorrectly: NeverTold] {
        fn reports_errors(&self) -> bool {
            false
        }
    }
    /// The end of the session and the end of the connection are both reported to the application.
    TellsTwice = "tells-twice" in OneLoop, class 'L',
    shows [ReportsEndCorrectly: ToldTwice] {
        fn end_reports(&self) -> u32 {
            2
        }
    }

    // M: memory without bound.

    /// The server queues output for a client that does not read, without limit.
    QueuesWithoutLimit = "queues-without-limit" in OneLoop, class 'M',
    shows [BoundedMemory: MoreThanPromised] {
        fn queue_limit(&self) -> usize {
            usize::MAX
        }
    }
    /// The fragments of a message that never ends are gathered without limit.
    GathersWithoutLimit = "gathers-without-limit" in OneLoop, class 'M',
    shows [BoundedMemory: MoreThanPromised] {
        fn buffers_data(&self, session: &mut Session, bytes: u64) {
            let whole = session.message.len() + usize::try_from(bytes).unwrap_or(usize::MAX);
            session.message.resize(whole, 0);
        }
    }

    // N and M: work that grows faster than the bytes.

    /// With every piece of a request of up to 512 KiB, the search for its end starts at its first byte again.
    SearchesHeadAgain = "searches-head-again" in OneLoop, class 'N',
    shows [LinearWork: HeadInPieces] {
        fn head_search_start(&self, _: usize) -> usize {
            0
        }
        fn head_limit(&self) -> usize {
            512 << 10
        }
    }
    /// A frame of up to 448 KiB is copied again with every piece of it.
    JoinsPiecesAgain = "joins-pieces-again" in OneLoop, class 'M',
    shows [LinearWork: MessageInPieces] {
        fn received_part_of_frame(&self, session: &mut Session, bytes: &[u8]) {
            join_anew(&mut session.kept, bytes);
        }
        fn received_frame(&self, session: &mut Session, opcode: Opcode, now: Instant) {
            session.kept = Vec::new();
            CorrectHabits.received_frame(session, opcode, now);
        }
    }
    /// A message of up to 448 KiB is copied again with every fragment of it.
    JoinsFragmentsAgain = "joins-fragments-again" in OneLoop, class 'M',
    shows [LinearWork: MessageInFragments] {
        fn buffers_data(&self, session: &mut Session, bytes: u64) {
            join_anew(&mut session.message, &vec![0; usize::try_from(bytes).unwrap_or_default()]);
        }
    }
    /// The log of a connection, of up to 448 KiB, is copied with every message.
    CopiesLogAgain = "copies-log-again" in OneLoop, class 'M',
    shows [LinearWork: ManyMessages] {
        fn received_message(&self, session: &mut Session, bytes: u64) {
            join_anew(&mut session.kept, &vec![0; usize::try_from(bytes).unwrap_or_default()]);
        }
    }

    // N: a slow opening handshake.

    /// Every byte of the request restarts its time-out.
    ByteRestartsHandshake = "byte-restarts-handshake" in OneLoop, class 'N',
    shows [ReleasesInTime: OwnTimer, HandshakeInTime: OwnTimer] {
        fn received_bytes(&self, session: &mut Session, now: Instant) {
            if session.phase == Phase::Opening {
                session.deadline = now + HANDSHAKE;
            }
        }
    }

    // O: the seam of the handshake.

    /// The buffer of the HTTP parser is dropped, with the frames behind the request in it.
    ForgetsWhatFollowsRequest = "forgets-what-follows-request" in OneLoop, class 'O',
    shows [
        EndsInTime: OwnTimer, EndsInTime: AwaitsIllegalRest, ReleasesInTime: OwnTimer,
        DeliversEveryMessage: MessageWithheld
    ] {
        fn bytes_after_request<'a>(&self, _: &'a [u8]) -> &'a [u8] {
            &[]
        }
    }
    /// Of each read only one frame is handled: a Close that came with data waits for the next read.
    OneFramePerRead = "one-frame-per-read" in OneLoop, class 'O',
    shows [
        EndsInTime: OwnTimer, ReleasesInTime: OwnTimer, AnswersClose: DefinedCode,
        RefusesIllegal: ServesReservedOpcode, RefusesIllegal: ServesFragmentedControl,
        RefusesIllegal: ServesLongControl, RefusesIllegal: ServesUnmasked,
        RefusesIllegal: ServesInterruptedMessage, RefusesIllegal: ServesBadText,
        ReportsEndCorrectly: ToldOtherCode, DeliversEveryMessage: MessageWithheld
    ] {
        fn decodes_whole_reads(&self) -> bool {
            false
        }
    }
    /// A shutdown during the opening is noted, and never acted on.
    ForgetsEarlyShutdown = "forgets-early-shutdown" in OneLoop, class 'O',
    shows [EndsInTime: OwnTimer, ReleasesInTime: OwnTimer] {
        fn ends_openings(&self) -> bool {
            false
        }
    }

    // P: a control frame inside a fragmented message.

    /// A Close between the fragments of a message is refused.
    RefusesCloseInMessage = "refuses-close-in-message" in OneLoop, class 'P',
    shows [AcceptsLegal: RefusesCloseInside] {
        fn refuses(&self, head: Head, session: &Session) -> Option<WireFault> {
            (head.opcode == Opcode::CLOSE && session.is_inside_message())
                .then_some(WireFault::InterruptedMessage)
        }
    }
    /// A ping between the fragments of a message is refused.
    RefusesPingInMessage = "refuses-ping-in-message" in OneLoop, class 'P',
    shows [AcceptsLegal: RefusesControlInside] {
        fn refuses(&self, head: Head, session: &Session) -> Option<WireFault> {
            (head.opcode == Opcode::PING && session.is_inside_message())
                .then_some(WireFault::InterruptedMessage)
        }
    }
    /// A new message may begin inside a fragmented one.
    TakesMessageInMessage = "takes-message-in-message" in OneLoop, class 'P',
    shows [RefusesIllegal: ServesInterruptedMessage] {
        fn overlooks(&self, fault: WireFault) -> bool {
            matches!(fault, WireFault::InterruptedMessage | WireFault::LoneContinuation)
        }
    }

    /// A continuation may come without a message that it continues.
    TakesLoneContinuation = "takes-lone-continuation" in OneLoop, class 'P',
    shows [RefusesIllegal: ServesLoneContinuation] {
        fn overlooks(&self, fault: WireFault) -> bool {
            fault == WireFault::LoneContinuation
        }
    }

    // Q: the wrong code.

    /// Every Close is answered with 1000.
    AlwaysAnswers1000 = "always-answers-1000" in OneLoop, class 'Q',
    shows [EchoesCode: OtherCode] {
        fn answer(&self, _: &[u8]) -> Option<Vec<u8>> {
            Some(CloseCode::NORMAL.0.to_be_bytes().to_vec())
        }
    }
    /// The answer to a Close never has a code.
    NeverAnswersWithCode = "never-answers-with-code" in OneLoop, class 'Q',
    shows [EchoesCode: NoCode] {
        fn answer(&self, _: &[u8]) -> Option<Vec<u8>> {
            Some(Vec::new())
        }
    }
    /// A protocol violation is answered with 1000, as if all were well.
    RefusesWith1000 = "refuses-with-1000" in OneLoop, class 'Q',
    shows [RefusesIllegal: RefusesWithOtherCode, RefusesIllegal: ServesLoneContinuation] {
        fn failure_code(&self, _: WireFault) -> Option<CloseCode> {
            Some(CloseCode::NORMAL)
        }
    }
    /// Every end is reported to the application as 1006, an abnormal closure.
    AlwaysTells1006 = "always-tells-1006" in OneLoop, class 'Q',
    shows [ReportsEndCorrectly: ToldOtherCode] {
        fn reported_code(&self, _: Option<u16>) -> Option<u16> {
            Some(1006)
        }
    }
    /// The application is told 1000, a normal closure, where no Close came.
    TellsLossAs1000 = "tells-loss-as-1000" in OneLoop, class 'Q',
    shows [ReportsEndCorrectly: CodeWithoutClose] {
        fn reported_code(&self, code: Option<u16>) -> Option<u16> {
            Some(code.unwrap_or(1000))
        }
    }

    // R: messages lost, cut, out of order or sent twice.

    /// What the application sends waits to go out with the next thing that comes in; its close
    /// throws it away.
    DropsQueueAtClose = "drops-queue-at-close" in OneLoop, class 'R',
    shows [SendsEveryMessage: MessageLost] {
        fn queued(&self, session: &mut Session, _: Instant) {
            if session.close_at.is_some() {
                session.held.clear();
            } else if is_one_message(session) {
                hold_back(session);
            }
        }
        fn received_bytes(&self, session: &mut Session, _: Instant) {
            session.queue.append(&mut session.held);
        }
    }
    /// Of a message that is longer than its buffer, what fits is sent.
    CutsLongMessages = "cuts-long-messages" in OneLoop, class 'R',
    shows [SendsEveryMessage: MessageCut] {
        fn sends_of<'a>(&self, message: &'a [u8]) -> &'a [u8] {
            message.get(..1024).unwrap_or(message)
        }
    }
    /// A long message waits for more to go out with, and a short one overtakes it.
    ShortOvertakesLong = "short-overtakes-long" in OneLoop, class 'R',
    shows [SendsEveryMessage: MessagesSwapped] {
        fn queued(&self, session: &mut Session, _: Instant) {
            if let Some(at) = session.close_at {
                let held = std::mem::take(&mut session.held);
                session.queue.splice(at..at, held);
            } else if is_one_message(session) && session.queue.len() > 100 {
                hold_back(session);
            } else {
                session.queue.append(&mut session.held);
            }
        }
        fn received_bytes(&self, session: &mut Session, _: Instant) {
            session.queue.append(&mut session.held);
        }
        fn reads_end(&self, session: &mut Session, now: Instant) {
            session.queue.append(&mut session.held);
            CorrectHabits.reads_end(session, now);
        }
    }
    /// A message after which nothing has come may not have arrived, and goes out with the
    /// application's close once more.
    SendsAgainAtClose = "sends-again-at-close" in OneLoop, class 'R',
    shows [SendsEveryMessage: MessageTwice] {
        fn queued(&self, session: &mut Session, _: Instant) {
            if is_one_message(session) && session.queue.len() < 4096 {
                session.held.clone_from(&session.queue);
            }
        }
        fn received_bytes(&self, session: &mut Session, _: Instant) {
            session.held.clear();
        }
        fn wants_to_close(
            &self, session: &mut Session, code: Option<u16>, reason: &Content, now: Instant,
        ) {
            session.queue.append(&mut session.held);
            CorrectHabits.wants_to_close(session, code, reason, now);
        }
    }
    /// A message is handed on with the next read; a Close in the same read is dealt with first.
    CloseOvertakesMessages = "close-overtakes-messages" in OneLoop, class 'R',
    shows [DeliversEveryMessage: MessageWithheld] {
        fn hands_on(&self, session: &mut Session, bytes: u64, _: u64) {
            session.waiting.push(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
        fn received_bytes(&self, session: &mut Session, _: Instant) {
            hand_on_waiting(session);
        }
    }
    /// Of a message in fragments the last is handed on.
    HandsOnLastFragment = "hands-on-last-fragment" in OneLoop, class 'R',
    shows [DeliversEveryMessage: GivenPart] {
        fn hands_on(&self, session: &mut Session, _: u64, last: u64) {
            session.give(last);
        }
    }
    /// A message in fragments, which took longer to put together, is handed on behind the next.
    FragmentsFallBehind = "fragments-fall-behind" in OneLoop, class 'R',
    shows [DeliversEveryMessage: GivenOutOfOrder] {
        fn hands_on(&self, session: &mut Session, bytes: u64, last: u64) {
            if bytes == last {
                session.give(bytes);
                hand_on_waiting(session);
            } else {
                session.waiting.push(u32::try_from(bytes).unwrap_or(u32::MAX));
            }
        }
        fn received_frame(&self, session: &mut Session, opcode: Opcode, now: Instant) {
            CorrectHabits.received_frame(session, opcode, now);
            if !opcode.is_data() {
                hand_on_waiting(session);
            }
        }
        fn reads_end(&self, session: &mut Session, now: Instant) {
            hand_on_waiting(session);
            CorrectHabits.reads_end(session, now);
        }
        fn runs_out_of_time(&self, session: &mut Session, now: Instant) {
            hand_on_waiting(session);
            CorrectHabits.runs_out_of_time(session, now);
        }
    }
    /// A message in fragments is handed on where its last fragment comes, and as a whole.
    HandsOnFragmentsTwice = "hands-on-fragments-twice" in OneLoop, class 'R',
    shows [DeliversEveryMessage: GivenTwice] {
        fn hands_on(&self, session: &mut Session, bytes: u64, last: u64) {
            session.give(bytes);
            if bytes != last {
                session.give(bytes);
            }
        }
    }

    // Frames, whatever they close.

    /// The server masks its frames as the client must.
    MasksFrames = "masks-frames" in OneLoop, class 'J',
    shows [SendsValidFrames: WrongMask] {
        fn frame(&self, opcode: Opcode) -> FrameHead {
            FrameHead::client(opcode)
        }
    }
    /// Every length is written in 16 bits.
    WritesWideLengths = "writes-wide-lengths" in OneLoop, class 'J',
    shows [SendsValidFrames: WideLength] {
        fn frame(&self, opcode: Opcode) -> FrameHead {
            FrameHead { length: LengthForm::Bits16, ..FrameHead::server(opcode) }
        }
    }
    /// The accept hash is of the key as it should be, but in small letters.
    LowersAcceptHash = "lowers-accept-hash" in OneLoop, class 'O',
    shows [SendsValidFrames: WrongAccept] {
        fn accept(&self, hash: String) -> String {
            hash.to_ascii_lowercase()
        }
    }
}
