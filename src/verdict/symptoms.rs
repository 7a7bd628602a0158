//! Symptoms: what exactly was seen where a rule is broken.
//!
//! With its target and its rule, a symptom tells a maintainer's mistakes apart. It says what
//! the server was doing, or what of an answer came; it never holds a number, since seconds and
//! bytes differ from play to play. Each rule lists its own ([`Rule::symptoms`]).
//!
//! [`Rule::symptoms`]: crate::judge::Rule::symptoms

use super::ids::words;
use crate::wire::Fault;

words! {
    /// What exactly was seen where a rule is broken.
    Symptom {
        // Of rules about time: what the server was doing when its deadline had passed.
        /// It let go later, and the client had done nothing meanwhile.
        OwnTimer = "ends it by its own timer, too late" | "a timer of its own ends it, too late",
        /// A read is pending, all that came is read, and no timer ends that.
        WaitsToRead = "waits to read, with no timer running" | "waits to read, no timer ends it",
        /// A write is pending, there is no room, and no timer ends that.
        WaitsForRoom = "waits for room to write, with no timer running" | "waits for room to write, no timer ends it",
        /// It had waited for room, there is room, and it does not write: a lost wake-up.
        IgnoresRoom = "has room to write and does not go on",
        /// Bytes of the client's, its FIN or its RST are there, and it does not read them.
        IgnoresInput = "has input and does not read it",
        /// Nothing is pending: the connection was forgotten, with its transport.
        Forgotten = "neither reads nor writes",
        /// It has shut its side down, and lets go of the socket never.
        KeepsSocket = "sent FIN and keeps the socket",
        /// A frame breaks the protocol, half of it is there, and the server waits for the rest.
        AwaitsIllegalRest = "waits for the rest of an illegal frame",
        /// Nobody saw what it was doing: over TCP, where the kernel's table says nothing.
        StillOpen = "still open when hangup stopped watching" | "still open when watching ended",

        // `answers-close`: which Close was not answered, or what came of an answer.
        /// One without a payload.
        EmptyClose = "does not answer an empty Close" | "an empty Close is not answered",
        /// One with a code of 1000 to 1011.
        DefinedCode = "does not answer a Close with a code of RFC 6455" | "a Close with a code of RFC 6455 is not answered",
        /// One with a code of 1012 to 1014.
        RegisteredCode = "does not answer a Close with one of the codes 1012 to 1014" | "does not answer a Close with a code of 1012 to 1014" | "a Close with a code that is registered since is not answered",
        /// One with a code of 3000 to 4999.
        PrivateCode = "does not answer a Close with a code of 3000 to 4999" | "a Close with a code of 3000 to 4999 is not answered",
        /// One with a code of 1000 to 1011 and a reason.
        CloseWithReason = "does not answer a Close with a reason" | "a Close with a reason is not answered",
        /// The answer begins, and the connection ends within it.
        PartOfAnswer = "sends only part of the answering Close" | "only part of the answering Close is sent",

        // `sends-close`: what comes of the application's close.
        /// The connection ends, and no Close was sent.
        DropsAtClose = "ends at its application's close without a Close",
        /// The connection is reset, and no Close was sent.
        ResetsAtClose = "resets at its application's close, without a Close",
        /// A Close begins, and the connection ends within it.
        PartOfClose = "sends only part of a Close",

        // `no-silent-end`: how it ends without a Close, though nothing asked for an end.
        /// By FIN.
        EndsSilently = "ends the connection by itself without a Close",
        /// By RST.
        ResetsSilently = "resets the connection by itself, without a Close",

        // `closes-once`.
        /// Two Closes.
        SecondClose = "sends a second Close",

        // `no-data-after-close`: what came behind the Close.
        /// Text, binary, or a continuation.
        DataBehindClose = "sends data after its Close" | "sends data behind its Close",
        /// Bytes that no decoder takes for a frame.
        NoFrameBehindClose = "sends bytes that are not a frame after its Close" | "sends bytes that are no frame behind its Close",
        /// A ping, or a pong that answers nothing, once both Closes are there.
        ControlBehindClose = "sends a ping or pong after both Closes" | "sends a ping or pong behind both Closes",

        // `legal-close`: what is wrong with a Close that is sent.
        /// It is fragmented.
        FragmentedClose = "sends a Close without FIN",
        /// It has more than 125 bytes.
        LongClose = "sends a Close of more than 125 bytes",
        /// It has one byte of payload.
        OneByteClose = "sends a Close of one byte",
        /// Its reason is not UTF-8.
        BadReason = "sends a close reason that is not UTF-8",
        /// It has a code that is never sent: 1005, 1006, 1015.
        NeverSentCode = "sends a close code that must not be sent",
        /// It has a code that nobody may use yet.
        UnusedCode = "sends a close code that nobody assigned",
        /// The application asked for such a code, and the library sends it.
        ApplicationsCode = "sends a bad close code that its application asked for",
        /// The application asked for a reason that does not fit, and the library sends it.
        ApplicationsReason = "sends a bad close reason that its application asked for",

        // `refuses-illegal`: what kind of violation was served, or how it was refused.
        /// Reserved bits.
        ServesReservedBits = "accepts a frame with reserved bits" | "serves reserved bits",
        /// A reserved opcode.
        ServesReservedOpcode = "accepts a reserved opcode" | "serves a reserved opcode",
        /// A control frame in fragments.
        ServesFragmentedControl = "accepts a fragmented control frame" | "serves a control frame without FIN",
        /// A control frame of more than 125 bytes.
        ServesLongControl = "accepts a control frame of more than 125 bytes" | "serves a control frame of more than 125 bytes",
        /// A client's frame without a mask.
        ServesUnmasked = "accepts a frame without a mask" | "serves a frame without a mask",
        /// A server's frame with a mask.
        ServesMasked = "accepts a frame with a mask" | "serves a frame with a mask",
        /// A length with its top bit set.
        ServesTopBit = "accepts a length with its top bit set" | "serves a length with its top bit set",
        /// A continuation of nothing.
        ServesLoneContinuation = "accepts a continuation with no message open" | "serves a continuation of nothing",
        /// A message inside a message.
        ServesInterruptedMessage = "accepts a new message inside a fragmented one" | "serves a new message inside a fragmented one",
        /// Text that is not UTF-8.
        ServesBadText = "accepts text that is not UTF-8" | "serves text that is not UTF-8",
        /// A Close of one byte.
        ServesOneByteClose = "accepts a Close of one byte" | "takes a Close of one byte",
        /// A Close with a code that no frame may carry.
        ServesBadCode = "accepts a Close with an illegal code" | "takes a Close with a code that none may carry",
        /// A Close whose reason is not UTF-8.
        ServesBadReason = "accepts a Close with a reason that is not UTF-8" | "takes a Close with a reason that is not UTF-8",
        /// It ends the connection, and says nothing.
        RefusesSilently = "ends on a violation without a Close" | "refuses a violation without a Close",
        /// It resets the connection, and says nothing.
        RefusesByReset = "resets on a violation, without a Close" | "refuses a violation by a reset, without a Close",
        /// It sends a Close that does not say that there was a violation.
        RefusesWithOtherCode = "refuses a violation with a code that says something else",
        /// It answers a Close that came in one read with a violation: that was served, or
        /// refused with the wrong code.
        AnswersWhatCameWith = "answers a Close and not the violation that came with it",

        // `accepts-legal`: what was refused.
        /// A Close without a payload.
        RefusesEmptyClose = "refuses an empty Close",
        /// A Close with a code of 1000 to 1011 alone.
        RefusesBareCode = "refuses a Close with a code and no reason",
        /// A Close with a code of 1012 to 1014.
        RefusesRegisteredCode = "refuses a Close with one of the codes 1012 to 1014" | "refuses a Close with a code of 1012 to 1014" | "refuses a Close with a code that is registered since",
        /// A Close with a code of 3000 to 4999.
        RefusesPrivateCode = "refuses a Close with a code of 3000 to 4999",
        /// A Close with a code of 1000 to 1011 and a reason.
        RefusesReason = "refuses a Close with a reason",
        /// A Close inside a message, whatever it holds.
        RefusesCloseInside = "refuses a Close inside a message",
        /// A ping or pong inside a message.
        RefusesControlInside = "refuses a control frame inside a message",
        /// Anything else.
        RefusesOther = "refuses legal frames",

        // `echoes-code`: what the answer has instead.
        /// Another code.
        OtherCode = "answers a Close with another code",
        /// None.
        NoCode = "answers a Close with no code",

        // `waits-for-answer`.
        /// A reset destroys the Close on its way.
        ResetDestroysClose = "resets before its Close could be read",
        /// The connection ends with the Close.
        EndsWithClose = "ends with its Close, before an answer could come",

        // `sends-valid-frames`: what is wrong with what it sends.
        /// The Sec-WebSocket-Accept is wrong.
        WrongAccept = "sends a wrong Sec-WebSocket-Accept",
        /// A mask where none may be, or none where one must.
        WrongMask = "sends frames with a wrong mask bit" | "masks where it must not, or does not where it must",
        /// A length that is written in more bits than it needs.
        WideLength = "sends a length not in its shortest form" | "sends a length wider than it needs",
        /// Fragments in the wrong order.
        FragmentOutOfPlace = "sends a fragment out of place",
        /// Text that is not UTF-8.
        TextNotUtf8 = "sends text that is not UTF-8",
        /// Anything else that is no frame: most often the middle of another one.
        NoFrame = "sends bytes that are not a frame" | "sends what is no frame",

        // `reports-end-correctly`: what the application hears.
        /// Data from behind the client's Close.
        GivenDataBehindClose = "gives its application data from after the Close" | "gives its application data from behind the Close",
        /// Another code than the client's.
        ToldOtherCode = "reports another close code to its application" | "tells its application another close code",
        /// A code, where no Close came.
        CodeWithoutClose = "reports a close code to its application without a Close" | "tells its application a close code without a Close",
        /// Two ends.
        ToldTwice = "reports the end to its application twice" | "tells its application twice of the end",
        /// No end.
        NeverTold = "never reports the end to its application" | "never tells its application of the end",

        // `sends-every-message`: what became of a message of the application's.
        /// It never came.
        MessageLost = "loses a message of its application",
        /// Part of it came.
        MessageCut = "sends part of a message of its application",
        /// It came behind, or before, another one that it should not.
        MessagesSwapped = "sends messages of its application out of order",
        /// It came twice.
        MessageTwice = "sends a message of its application twice",

        // `delivers-every-message`: what became of a message of the client's.
        /// The application never got it.
        MessageWithheld = "does not give a message to its application" | "keeps a message from its application",
        /// The application got part of it.
        GivenPart = "gives its application part of a message",
        /// It got it behind, or before, another one that it should not.
        GivenOutOfOrder = "gives its application messages out of order",
        /// It got it twice.
        GivenTwice = "gives its application a message twice",

        // The server as a program.
        /// A task panicked.
        Panics = "a task panics",
        /// The process ended.
        ProcessEnds = "its process ends",
        /// It polls and polls.
        PollsForEver = "polls for ever",
        /// It runs, or blocks, and gives nobody a turn.
        StandsStill = "a poll never returns" | "stands still",
        /// A task is left.
        TaskLeft = "leaves a task behind",
        /// More than its bound.
        MoreThanPromised = "holds more memory than its bound allows" | "holds more memory than it promises",
        /// More than there is.
        AllMemory = "uses up the memory of its process",

        // `linear-work`: what costs more a byte, the more bytes there are.
        /// The opening request, piece by piece.
        HeadInPieces = "work per byte grows for an opening request in pieces" | "ever more work a byte for a head in pieces",
        /// One frame, piece by piece.
        MessageInPieces = "work per byte grows for a message in pieces" | "ever more work a byte for a message in pieces",
        /// A message of many fragments.
        MessageInFragments = "work per byte grows for a message in fragments" | "ever more work a byte for a message in fragments",
        /// Many messages.
        ManyMessages = "work per byte grows for many messages" | "ever more work a byte for many messages",

        // `shuts-down-in-time`: what a shutdown that is not over waits for, or how it ended.
        /// Connections are open, and no timer ends the wait.
        WaitsForClients = "does not shut down while a client stays",
        /// No connection is open any more.
        WaitsForNobody = "does not shut down although no connection is open",
        /// It was over later.
        ShutsDownLate = "shuts down by itself, too late",

        // `closes-all-at-shutdown`.
        /// The connection ends, and no Close was sent.
        DroppedAtShutdown = "ends a connection at its shutdown without a Close",
        /// The connection is open, and no Close was sent within the bound.
        ForgottenAtShutdown = "sends an open connection no Close at its shutdown" | "shuts down and leaves a connection open",

        // `isolates-clients`: what another client delays.
        /// The answer to the opening request.
        OpeningHeldUp = "opens late because of another client",
        /// The answer to a ping.
        PongHeldUp = "answers a ping late because of another client",
        /// A message for all clients.
        BroadcastHeldUp = "sends a broadcast late because of another client",
        /// The answer to a Close.
        AnswerHeldUp = "answers a Close late because of another client",
        /// The Close of the shutdown.
        CloseHeldUp = "closes late because of another client",
        /// The end of the connection, once both Closes are there.
        EndHeldUp = "ends a connection late because of another client",

        // `stops-accepting`: what becomes of a client that comes during the shutdown.
        /// It is neither refused nor accepted.
        HoldsNewcomers = "holds connections that come during its shutdown",
        /// It is served as if nothing were.
        ServesNewcomers = "serves connections that come during its shutdown",

        // `frees-resources`: what is left of connections that have ended.
        /// Tasks, more than after one connection.
        KeepsTasks = "keeps tasks of connections that have ended",
        /// Heap, more than after one connection.
        KeepsMemory = "keeps memory of connections that have ended",
        /// Descriptors, more with each wave of connections. Over TCP only.
        KeepsDescriptors = "keeps descriptors of connections that have ended",
        /// Threads, more with each wave of connections. Over TCP only.
        KeepsThreads = "keeps threads of connections that have ended",
        /// Tasks, when the shutdown is over.
        TasksAfterShutdown = "leaves tasks behind when it has shut down",

        // `close-returns`.
        /// The connection has ended, and the call has not returned.
        CloseHangs = "its close does not return although the connection has ended",

        // `fresh-masking-key`.
        /// All frames so far have one key.
        SameKey = "masks with a key that is not fresh" | "masks all frames with the same key",

        // `lets-server-close-tcp`.
        /// It ends TCP in the moment in which both Closes are there.
        EndsTcpFirst = "closes TCP before the server could",

        // `refuses-bad-opening`: what is wrong with the 101 that it accepts.
        /// The hash of another key, or none.
        TakesWrongKey = "accepts a wrong or missing Sec-WebSocket-Accept",
        /// A subprotocol that it did not offer.
        TakesUnaskedProtocol = "accepts a subprotocol that it did not offer",
    }
}

/// Frames that are served though no receiver may: the server goes on with them.
const SERVES: &[Symptom] = &[
    Symptom::ServesUnmasked,
    Symptom::ServesMasked,
    Symptom::ServesReservedBits,
    Symptom::ServesReservedOpcode,
    Symptom::ServesFragmentedControl,
    Symptom::ServesLongControl,
    Symptom::ServesTopBit,
    Symptom::ServesLoneContinuation,
    Symptom::ServesInterruptedMessage,
    Symptom::ServesBadText,
];

const SERVES_OR_OTHER_CODE: [Symptom; SERVES.len() + 1] = {
    let mut all = [Symptom::RefusesWithOtherCode; SERVES.len() + 1];
    let mut index = 0;
    while index < SERVES.len() {
        all[index + 1] = SERVES[index];
        index += 1;
    }
    all
};

impl Symptom {
    /// That of a server that serves a frame with this fault as if there were none.
    pub const fn serves(fault: Fault) -> Self {
        match fault {
            Fault::ReservedBits(_) => Self::ServesReservedBits,
            Fault::ReservedOpcode(_) => Self::ServesReservedOpcode,
            Fault::FragmentedControl(_) => Self::ServesFragmentedControl,
            Fault::LongControl(_) => Self::ServesLongControl,
            Fault::Unmasked => Self::ServesUnmasked,
            Fault::Masked => Self::ServesMasked,
            // A wide length is no fault of a received frame: see `Frame::fault`.
            Fault::LengthTopBit | Fault::LengthNotMinimal => Self::ServesTopBit,
            Fault::LoneContinuation => Self::ServesLoneContinuation,
            Fault::InterruptedMessage => Self::ServesInterruptedMessage,
            Fault::TextNotUtf8 => Self::ServesBadText,
            Fault::CloseOneByte => Self::ServesOneByteClose,
            Fault::CloseCode(_) => Self::ServesBadCode,
            Fault::CloseReasonNotUtf8 => Self::ServesBadReason,
        }
    }

    /// What is seen of it over TCP: what a server waits for cannot be.
    pub const fn over_tcp(self) -> Self {
        match self {
            Self::WaitsToRead | Self::Forgotten | Self::IgnoresRoom => Self::StillOpen,
            symptom => symptom,
        }
    }

    /// Whether this is what a server was seen doing that had not ended the connection, and
    /// `later` what it comes to where watching goes on and the server ends it by itself.
    pub const fn may_end_as(self, later: Self) -> bool {
        let is_open = matches!(
            self,
            Self::StillOpen | Self::KeepsSocket | Self::IgnoresInput | Self::WaitsForRoom
        );
        is_open && matches!(later, Self::OwnTimer)
    }

    /// The plainer symptom of which this one is a mere case, where the same target shows that
    /// too: whoever answers no Close with a code answers none with a reason either.
    pub const fn case_of(self) -> &'static [Self] {
        match self {
            Self::DefinedCode => &[Self::EmptyClose],
            Self::RegisteredCode | Self::PrivateCode | Self::CloseWithReason => {
                &[Self::EmptyClose, Self::DefinedCode]
            }
            Self::RefusesRegisteredCode | Self::RefusesPrivateCode => &[Self::RefusesBareCode],
            // Of a Close inside a message it may be the Close that is refused, or where it is.
            Self::RefusesCloseInside => &[
                Self::RefusesEmptyClose,
                Self::RefusesBareCode,
                Self::RefusesRegisteredCode,
                Self::RefusesPrivateCode,
                Self::RefusesReason,
                Self::RefusesControlInside,
            ],
            // Whoever serves what is illegal waits for the rest of it.
            Self::AwaitsIllegalRest => SERVES,
            // Nobody can tell which of the two it is.
            Self::AnswersWhatCameWith => &SERVES_OR_OTHER_CODE,
            // To answer such a Close with 1000, as one that refuses other violations with 1000.
            Self::ServesOneByteClose | Self::ServesBadCode | Self::ServesBadReason => {
                &[Self::RefusesWithOtherCode]
            }
            // Both come of not knowing whether a message is under way.
            Self::ServesLoneContinuation => &[Self::ServesInterruptedMessage],
            // Whoever does not read has input as soon as the client sends some.
            Self::IgnoresInput => &[Self::Forgotten],
            // A socket that is dropped with bytes unread is reset.
            Self::RefusesByReset => &[Self::RefusesSilently],
            Self::ResetsAtClose => &[Self::DropsAtClose],
            Self::ResetsSilently => &[Self::EndsSilently],
            // The middle of a frame, read as one, may break any rule.
            Self::WrongMask | Self::FragmentOutOfPlace | Self::TextNotUtf8 => &[Self::NoFrame],
            _ => &[],
        }
    }
}
