//! The decisions of a server that closes well, one method each. The defaults are right.
//!
//! [`super::faults`] overrides them, one or two at a time, as real servers get them wrong.
//! [`ComposedHabits`] are those of a server with several faults.

use super::faults::PlantedFault;
use super::session::{Phase, Session};
use super::{CLOSE, IDLE, QUEUE};
use crate::script::{Command, Content};
use crate::wire::{CloseCode, ClosePayload, Fault, FrameHead, Head, Opcode, handshake};
use std::fmt;
use std::io;
use tokio::time::Instant;

/// Defines the trait of the habits, and the habits of a server with several faults.
macro_rules! habits {
    ($(#[doc = $about:literal])+ pub(super) trait Habits: fmt::Debug + Sync {$(
        $(#[doc = $asks:literal])+
        fn $habit:ident $(<$life:lifetime>)? (&$self:ident $(, $arg:ident: $type:ty)* $(,)?)
            $(-> $answer:ty)? $correct:block
    )+}) => {
        $(#[doc = $about])+
        pub(super) trait Habits: fmt::Debug + Sync + AsHabits {$(
            $(#[doc = $asks])+
            fn $habit $(<$life>)? (&$self $(, $arg: $type)*) $(-> $answer)? {
                Correct::$habit($self.as_habits() $(, $arg)*)
            }
        )+}

        /// What is right, once: a default of a trait is compiled for every fault.
        trait Correct {$(
            fn $habit $(<$life>)? (&$self $(, $arg: $type)*) $(-> $answer)?;
        )+}

        impl Correct for dyn Habits + '_ {$(
            fn $habit $(<$life>)? (&$self $(, $arg: $type)*) $(-> $answer)? $correct
        )+}

        /// The habits of several faults: each is that of the fault that changes it, or else
        /// correct.
        #[derive(Debug)]
        pub(super) struct ComposedHabits {
            $($habit: &'static dyn Habits,)+
        }

        impl ComposedHabits {
            /// The habits of `faults`, no two of which change the same one.
            pub(super) fn of(faults: &[PlantedFault]) -> Self {
                let whose = |habit: &str| -> &'static dyn Habits {
                    let fault = faults.iter().find(|fault| fault.changes().contains(&habit));
                    fault.map_or(&CorrectHabits, |fault| fault.habits())
                };
                Self { $($habit: whose(stringify!($habit)),)+ }
            }
        }

        impl Habits for ComposedHabits {$(
            fn $habit $(<$life>)? (&$self $(, $arg: $type)*) $(-> $answer)? {
                $self.$habit.$habit($($arg),*)
            }
        )+}
    };
}

/// Any habits, behind a reference.
pub(super) trait AsHabits {
    /// The same.
    fn as_habits(&self) -> &dyn Habits;
}

impl<H: Habits> AsHabits for H {
    fn as_habits(&self) -> &dyn Habits {
        self
    }
}

habits! {
    /// The decisions of a server, from accept to the drop of its transport.
    pub(super) trait Habits: fmt::Debug + Sync {
        // Time.

        /// By when a closing that begins now ends; `client_done`: only its FIN is still wanted of the client.
        /// Asked once: nothing that comes later moves it.
        fn closing_deadline(&self, now: Instant, client_done: bool) -> Instant {
            let _ = client_done;
            now + CLOSE
        }

        /// Bytes came. They are no sign of life: half a frame could drip for ever.
        fn received_bytes(&self, session: &mut Session, now: Instant) {
            let _ = (session, now);
        }

        /// A complete frame is a sign of life, until the closing has begun.
        fn received_frame(&self, session: &mut Session, opcode: Opcode, now: Instant) {
            let _ = opcode;
            if session.is_open() {
                session.deadline = now + IDLE.saturating_sub(CLOSE);
            }
        }

        /// A frame was queued for the client. That is no sign of life of the client.
        fn queued(&self, session: &mut Session, now: Instant) {
            let _ = (session, now);
        }

        /// The client has been silent for too long: it is told so before the connection ends.
        fn gives_up_waiting(&self, session: &mut Session, now: Instant) {
            session.close(&CloseCode::GOING_AWAY.0.to_be_bytes(), now);
            session.begin_closing(now, false);
        }

        /// The closing's deadline has passed: whatever is left, it is over.
        fn runs_out_of_time(&self, session: &mut Session, now: Instant) {
            let _ = now;
            session.phase = Phase::Over;
        }

        /// The own side was shut down. The deadline stays what it was.
        fn after_fin(&self, session: &mut Session, now: Instant) {
            let _ = (session, now);
        }

        // The opening.

        /// The hash that answers the client's key.
        fn accept(&self, hash: String) -> String {
            hash
        }

        /// Where in the request to look for its end, of which so much was searched before: a
        /// request that comes byte by byte costs no more than one that comes whole.
        fn head_search_start(&self, searched: usize) -> usize {
            searched.saturating_sub(3)
        }

        /// The longest request.
        fn head_limit(&self) -> usize {
            handshake::HEAD_LIMIT
        }

        /// What came in one read with the end of the request is not lost.
        fn bytes_after_request<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
            bytes
        }

        /// Whether a shutdown ends an opening that is not complete.
        fn ends_openings(&self) -> bool {
            true
        }

        // Input from the client.

        /// Whether to read now: always, up to the client's FIN, so that nothing of the
        /// client's waits for the server's own output.
        fn reads(&self, session: &Session) -> bool {
            !session.fin_received
        }

        /// A read of nothing is the client's FIN: nothing more will come, and the end is near.
        fn reads_end(&self, session: &mut Session, now: Instant) {
            session.fin_received = true;
            session.begin_closing(now, true);
        }

        /// Whether an error of the transport ends the connection.
        fn ends_with(&self, error: &io::Error) -> bool {
            let _ = error;
            true
        }

        /// Whether frames still mean something: behind the client's Close everything is discarded.
        fn decodes_in(&self, phase: Phase) -> bool {
            matches!(phase, Phase::Open | Phase::Closing { client_done: false })
        }

        /// Whether to go on with what came in the same read: always, for the next read
        /// may never come.
        fn decodes_whole_reads(&self) -> bool {
            true
        }

        /// Whether a violation is let pass.
        fn overlooks(&self, fault: Fault) -> bool {
            let _ = fault;
            false
        }

        /// Why a frame in which the decoder found no fault is refused all the same.
        fn refuses(&self, head: Head, session: &Session) -> Option<Fault> {
            let _ = (head, session);
            None
        }

        /// Bytes came of a frame that is not whole: this server looked at them, and keeps nothing.
        fn received_part_of_frame(&self, session: &mut Session, bytes: &[u8]) {
            let _ = (session, bytes);
        }

        /// A message is whole, with a last frame of so many bytes.
        fn received_message(&self, session: &mut Session, bytes: u64) {
            let _ = (session, bytes);
        }

        /// A data frame of so many bytes: this server looks at it as it comes, and keeps nothing.
        fn buffers_data(&self, session: &mut Session, bytes: u64) {
            let _ = (session, bytes);
        }

        /// A message of so many bytes is complete, the last fragment of which has so many: the
        /// application is given it at once, whole.
        fn hands_on(&self, session: &mut Session, bytes: u64, last: u64) {
            let _ = last;
            session.give(bytes);
        }

        /// A header has come, and its payload not yet: so many bytes are nobody's business before
        /// they are here.
        fn awaits_payload(&self, session: &mut Session, head: Head, now: Instant) {
            let _ = (session, head, now);
        }

        // Frames to the client.

        /// How much of a message is sent: all of it.
        fn sends_of<'a>(&self, message: &'a [u8]) -> &'a [u8] {
            message
        }

        /// How a frame begins.
        fn frame(&self, opcode: Opcode) -> FrameHead {
            FrameHead::server(opcode)
        }

        /// Whether a Close that comes now is still to be answered.
        fn answers_in(&self, phase: Phase) -> bool {
            phase == Phase::Open
        }

        /// The payload that answers a Close with this one; `None` for no answer.
        /// "The endpoint typically echos the status code it received" (5.5.1).
        fn answer(&self, payload: &[u8]) -> Option<Vec<u8>> {
            let code = ClosePayload::parse(payload).code();
            Some(code.map_or_else(Vec::new, |code| code.0.to_be_bytes().to_vec()))
        }

        /// The code that tells the client what it did wrong; `None` to say nothing.
        fn failure_code(&self, fault: Fault) -> Option<CloseCode> {
            Some(match fault {
                Fault::TextNotUtf8 | Fault::CloseReasonNotUtf8 => CloseCode::INVALID_DATA,
                _ => CloseCode::PROTOCOL_ERROR,
            })
        }

        /// The connection was failed: the Close is sent before anything else happens.
        fn connection_failed(&self, session: &mut Session) {
            let _ = session;
        }

        /// The application wants to close. What may not be sent is not sent, whoever asks for it.
        fn wants_to_close(
            &self,
            session: &mut Session,
            code: Option<u16>,
            reason: &Content,
            now: Instant,
        ) {
            session.close(&legal_close(code, reason), now);
            session.begin_closing(now, false);
        }

        /// Whether commands of the application are taken: once the closing has begun, none is.
        fn obeys_in(&self, phase: Phase) -> bool {
            matches!(phase, Phase::Opening | Phase::Open)
        }

        /// Whether a command that was taken is passed over.
        fn ignores(&self, session: &Session, command: &Command) -> bool {
            let _ = (session, command);
            false
        }

        /// Whether to write now: whenever something is queued, for room may have come.
        fn writes(&self, session: &Session) -> bool {
            let _ = session;
            true
        }

        /// There is no room for what is queued. It is tried again once there is.
        fn write_blocked(&self, session: &mut Session) {
            let _ = session;
        }

        /// The most bytes that wait to be sent; the client that leaves more unread is dropped.
        fn queue_limit(&self) -> usize {
            QUEUE
        }

        /// Whether what the command sends fits into the queue, before it is made.
        fn has_queue_room(&self, session: &Session, command: &Command) -> bool {
            let (Command::SendText(content) | Command::SendBinary(content)) = command else {
                return true;
            };
            session.queue.len() - session.sent + content.len() <= session.habits.queue_limit()
        }

        // The end.

        /// Whether the own side is shut down first: the server closes TCP (7.1.1).
        fn sends_fin_first(&self) -> bool {
            true
        }

        /// Whether a closing is over before its deadline: the client's FIN is here and all is sent.
        fn is_done(&self, session: &Session) -> bool {
            session.fin_received && session.queue.is_empty()
        }

        /// Whether the application gets a report of an end that came as an error, too.
        fn reports_errors(&self) -> bool {
            true
        }

        /// How many reports of the end it gets.
        fn end_reports(&self) -> u32 {
            1
        }

        /// The code in that report, where the client's Close had this one.
        fn reported_code(&self, code: Option<u16>) -> Option<u16> {
            code
        }
    }
}

/// The payload of a Close that the application wants with this code and reason, as far
/// as they may be sent.
pub(super) fn legal_close(code: Option<u16>, reason: &Content) -> Vec<u8> {
    let Some(code) = code else { return Vec::new() };
    let code = if CloseCode(code).is_sendable() { code } else { CloseCode::NORMAL.0 };
    let reason = reason.text();
    let reason = &reason[..reason.floor_char_boundary(123)];
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// All defaults: every decision is right.
#[derive(Debug)]
pub(super) struct CorrectHabits;

impl Habits for CorrectHabits {}
