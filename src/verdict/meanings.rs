//! What symptoms mean: what the server does or waits for, and why that matters or lasts.
//!
//! Written as of a server; what only a client can show, as of a client.

use super::Symptom;

impl Symptom {
    /// What it means, in one or two sentences.
    #[expect(clippy::too_many_lines, reason = "a text for each symptom")]
    pub const fn means(self) -> &'static str {
        use Symptom as S;
        match self {
            S::OwnTimer => {
                "The server ends the connection by a timer of its own, after its bound: the timer is too long, starts too late, \
                 is restarted by what comes in between, or is there for something else."
            }
            S::WaitsToRead => {
                "The server's task waits for bytes from the client, and no timer will wake it: if the client \
                 sends nothing, it waits for ever."
            }
            S::WaitsForRoom => {
                "The server's task waits until its send buffer has room, and no timer will wake it: if the \
                 client does not read, it waits for ever."
            }
            S::IgnoresRoom => {
                "The server waited for room in its send buffer. There is room now, and its task was not \
                 woken: a lost wake-up, so it waits for ever."
            }
            S::IgnoresInput => {
                "Bytes of the client, its FIN or its RST have arrived, and no task of the server reads them. \
                 So the server does not notice what the client did."
            }
            S::Forgotten => {
                "No task of the server reads or writes the connection any more, and something still holds \
                 its socket: it stays open until that is dropped."
            }
            S::KeepsSocket => {
                "The server has ended its own direction with FIN, and keeps the socket: it waits for the \
                 client's FIN, or a task or a half of the stream is left."
            }
            S::AwaitsIllegalRest => {
                "The header of a frame already breaks the protocol. The server waits for the rest of the \
                 frame before it refuses it: if the rest never comes, it waits for ever."
            }
            S::StillOpen => {
                "The connection had not ended when hangup stopped watching. What the server waits for is not known: \
                 over TCP nobody sees it."
            }
            S::EmptyClose => {
                "The client sent a Close without a code, and the server ended the connection without a Close \
                 of its own. The client cannot tell this from a lost network."
            }
            S::DefinedCode => {
                "The client sent a Close with a code that RFC 6455 defines (1000 to 1011), and the server \
                 ended the connection without a Close of its own."
            }
            S::RegisteredCode => {
                "The client sent a Close with one of the codes 1012 to 1014, which were registered after RFC \
                 6455, and the server ended the connection without a Close of its own."
            }
            S::PrivateCode => {
                "The client sent a Close with a code for libraries and applications (3000 to 4999), and the \
                 server ended the connection without a Close of its own."
            }
            S::CloseWithReason => {
                "The client sent a Close with a code and a reason, and the server ended the connection \
                 without a Close of its own."
            }
            S::PartOfAnswer => {
                "The connection ends in the middle of the server's answering Close: the client never gets \
                 the whole frame."
            }
            S::DropsAtClose => {
                "The application asked for a close, and the server ended the connection without a Close. The \
                 client sees code 1006."
            }
            S::ResetsAtClose => {
                "The application asked for a close, and the server reset the connection: no Close came, and \
                 what the client had not read is lost."
            }
            S::PartOfClose => "The connection ends in the middle of the server's own Close.",
            S::EndsSilently => {
                "Nothing asked for an end, and the server ended the connection with FIN and without a Close. \
                 The client does not learn why."
            }
            S::ResetsSilently => {
                "Nothing asked for an end, and the server reset the connection without a Close. The client \
                 does not learn why, and may lose messages."
            }
            S::SecondClose => {
                "The server sends a Close after its Close: nothing may follow the first one."
            }
            S::DataBehindClose => {
                "The server sends text, binary or a continuation after its Close. The client has to discard \
                 it, so these messages are lost."
            }
            S::NoFrameBehindClose => {
                "After its Close the server sends bytes that are no frame: most often the rest of a frame \
                 that was cut off."
            }
            S::ControlBehindClose => {
                "Both Closes are there, so the server has to end TCP. It sends a ping or a pong first."
            }
            S::FragmentedClose => {
                "The server sends a Close in fragments. A control frame has to be whole."
            }
            S::LongClose => {
                "The server sends a Close of more than 125 bytes, mostly with a reason that is too long. The \
                 client has to fail the connection."
            }
            S::OneByteClose => {
                "The server sends a Close with a payload of one byte: too short for a code."
            }
            S::BadReason => "The server sends a Close with a reason that is not UTF-8.",
            S::NeverSentCode => {
                "The server sends a Close with 1005, 1006 or 1015. These codes are only for an application's \
                 ears: no frame may carry them."
            }
            S::UnusedCode => "The server sends a Close with a code that nobody has assigned yet.",
            S::ApplicationsCode => {
                "The application asked for a close code that no frame may carry, and the library sent it \
                 instead of refusing it."
            }
            S::ApplicationsReason => {
                "The application asked for a close reason that does not fit into a frame, and the library \
                 sent it instead of refusing or shortening it."
            }
            S::ServesReservedBits => {
                "A frame with reserved bits arrived, which no extension allows, and the server goes on as if \
                 it were legal."
            }
            S::ServesReservedOpcode => {
                "A frame with a reserved opcode arrived, and the server goes on as if it were legal."
            }
            S::ServesFragmentedControl => {
                "A ping, pong or Close in fragments arrived, and the server goes on as if it were legal."
            }
            S::ServesLongControl => {
                "A control frame of more than 125 bytes arrived, and the server goes on as if it were legal."
            }
            S::ServesUnmasked => {
                "A client's frame without a mask arrived, and the server goes on as if it were legal. The \
                 mask protects proxies on the way."
            }
            S::ServesMasked => {
                "A server's frame with a mask arrived, and the client goes on as if it were legal."
            }
            S::ServesTopBit => {
                "A frame with a length of 2^63 or more arrived, and the server goes on as if it were legal."
            }
            S::ServesLoneContinuation => {
                "A continuation arrived while no message was open, and the server goes on as if it were legal."
            }
            S::ServesInterruptedMessage => {
                "A new message began inside a fragmented one, and the server goes on as if that were legal."
            }
            S::ServesBadText => {
                "A text message that is not UTF-8 arrived, and the server goes on as if it were legal."
            }
            S::ServesOneByteClose => {
                "A Close with a payload of one byte arrived, and the server answers it as if it were legal."
            }
            S::ServesBadCode => {
                "A Close with a code that no frame may carry arrived, and the server answers it as if it \
                 were legal."
            }
            S::ServesBadReason => {
                "A Close with a reason that is not UTF-8 arrived, and the server answers it as if it were \
                 legal."
            }
            S::RefusesSilently => {
                "The client broke the protocol, and the server ends the connection without a Close that says \
                 so: the client does not learn what was wrong."
            }
            S::RefusesByReset => {
                "The client broke the protocol, and the server resets the connection without a Close that \
                 says so: the client does not learn what was wrong."
            }
            S::RefusesWithOtherCode => {
                "The client broke the protocol, and the server's Close has a code that means something else, \
                 such as 1000."
            }
            S::AnswersWhatCameWith => {
                "A violation and a Close came together, and the server answers the Close. It accepted the \
                 violation, or refused it with a code that means something else."
            }
            S::RefusesEmptyClose => {
                "The server treats a Close without a payload, which is legal, as a violation."
            }
            S::RefusesBareCode => {
                "The server treats a Close with a code and no reason, which is legal, as a violation."
            }
            S::RefusesRegisteredCode => {
                "The server treats a Close with one of the codes 1012 to 1014 as a violation. These codes were \
                 registered after RFC 6455."
            }
            S::RefusesPrivateCode => {
                "The server treats a Close with a code of 3000 to 4999, which applications may use, as a \
                 violation."
            }
            S::RefusesReason => {
                "The server treats a Close with a code and a reason, which is legal, as a violation."
            }
            S::RefusesCloseInside => {
                "The server treats a Close between the fragments of a message, which is legal, as a violation."
            }
            S::RefusesControlInside => {
                "The server treats a ping or pong between the fragments of a message, which is legal, as a \
                 violation."
            }
            S::RefusesOther => "The server treats frames that are legal as a violation.",
            S::OtherCode => {
                "The server answers a Close with another code than it received, which hides from the client's \
                 application how the connection ended."
            }
            S::NoCode => "The client's Close has a code, and the server's answer has none.",
            S::ResetDestroysClose => {
                "The server sends a Close and resets the connection at once. The reset can destroy the Close \
                 before the client reads it."
            }
            S::EndsWithClose => {
                "The server sends a Close and ends the connection at once: it does not wait for the client's \
                 answer, which may follow messages."
            }
            S::WrongAccept => {
                "The server's 101 has a Sec-WebSocket-Accept that does not belong to the client's key. A \
                 client has to refuse the connection."
            }
            S::WrongMask => {
                "The server masks its frames, or a client does not: the other end has to fail the connection."
            }
            S::WideLength => "The server writes a frame's length in more bytes than it needs.",
            S::FragmentOutOfPlace => {
                "The server sends a continuation with no message open, or a new message inside a fragmented \
                 one."
            }
            S::TextNotUtf8 => "The server sends a text message that is not UTF-8.",
            S::NoFrame => {
                "The server sends bytes that are no frame: most often the middle of a frame whose beginning is \
                 lost."
            }
            S::GivenDataBehindClose => {
                "The client sent data after its Close, which has to be discarded, and the application got it."
            }
            S::ToldOtherCode => {
                "The client's Close had one code, and the library reports another one to the application."
            }
            S::CodeWithoutClose => {
                "No Close came, and the library reports a code to the application as if one had: a lost \
                 connection looks like a proper end."
            }
            S::ToldTwice => {
                "The library reports the end of the connection to the application twice."
            }
            S::NeverTold => {
                "The connection has ended, and the application does not learn it: its session lasts for ever."
            }
            S::MessageLost => {
                "The application sent a message before it closed, and the client never gets it."
            }
            S::MessageCut => {
                "The application sent a message before it closed, and the client gets only a part of it."
            }
            S::MessagesSwapped => {
                "The client gets the application's messages in another order than they were sent in."
            }
            S::MessageTwice => "The client gets a message of the application twice.",
            S::MessageWithheld => {
                "The client sent a message before its Close, and the application never gets it."
            }
            S::GivenPart => "The application gets only a part of a message of the client's.",
            S::GivenOutOfOrder => {
                "The application gets the client's messages in another order than they were sent in."
            }
            S::GivenTwice => "The application gets a message of the client's twice.",
            S::Panics => {
                "A task of the server panics. The runtime catches that, and the rest of the task does not run."
            }
            S::ProcessEnds => {
                "The server's process aborts, exits or is killed by a signal: all its connections end."
            }
            S::PollsForEver => {
                "A task polls again and again without progress: it keeps a core busy for as long as the \
                 connection lives."
            }
            S::StandsStill => {
                "A poll runs or blocks and does not return: no other task of the thread runs, and no time-out \
                 around it can fire."
            }
            S::TaskLeft => {
                "The connection has ended, and a task that the server spawned for it still runs or waits: it \
                 stays in memory."
            }
            S::MoreThanPromised => {
                "One connection made the server hold more heap than the bound for memory allows."
            }
            S::AllMemory => {
                "One connection made the server use all the memory that its process may have, and the \
                 process ended."
            }
            S::HeadInPieces => {
                "The more pieces an opening request comes in, the more work each byte costs: the server reads \
                 it again from the start each time."
            }
            S::MessageInPieces => {
                "The more pieces a frame comes in, the more work each byte costs: the server reads or copies \
                 it again each time."
            }
            S::MessageInFragments => {
                "The more fragments a message has, the more work each byte costs: the server copies the \
                 message again each time."
            }
            S::ManyMessages => {
                "The more messages came before, the more work each byte costs: something grows with each of \
                 them."
            }
            S::WaitsForClients => {
                "The server was told to shut down, and waits until its clients are gone, with no timer \
                 running: one client that stays keeps the process alive for ever."
            }
            S::WaitsForNobody => {
                "The server was told to shut down. No connection is open any more, and it still waits."
            }
            S::ShutsDownLate => {
                "The server shuts down by a timer of its own. The timer works, and is too long, starts too late, or is one of \
                 several that run one after the other."
            }
            S::DroppedAtShutdown => {
                "The server shuts down and ends a connection without a Close: the client sees code 1006."
            }
            S::ForgottenAtShutdown => {
                "The server was told to shut down. A connection is still open, and gets no Close within the bound, \
                 whether or not the server shuts down."
            }
            S::OpeningHeldUp => {
                "A client waits for its 101 because of what another client does. Alone it gets it at once."
            }
            S::PongHeldUp => {
                "A client waits for its pong because of what another client does. Alone it gets it at once."
            }
            S::BroadcastHeldUp => {
                "A client waits for a message for all because of what another client does. Alone it gets it \
                 at once."
            }
            S::AnswerHeldUp => {
                "A client waits for the answer to its Close because of what another client does. Alone it \
                 gets it at once."
            }
            S::CloseHeldUp => {
                "A client waits for the Close of the shutdown because of what another client does. Alone it \
                 gets it at once."
            }
            S::EndHeldUp => {
                "Both Closes are there, and the connection ends late because of what another client does."
            }
            S::HoldsNewcomers => {
                "During its shutdown the server neither refuses nor serves a client that connects: that \
                 client waits for nothing."
            }
            S::ServesNewcomers => {
                "During its shutdown the server serves a client that connects: so the shutdown may never end."
            }
            S::KeepsTasks => {
                "With each connection that has ended the server has more tasks: something of each is left."
            }
            S::KeepsMemory => {
                "With each connection that has ended the server holds more heap: something of each is left."
            }
            S::KeepsDescriptors => {
                "With each wave of connections that have ended the server's process holds more descriptors, \
                 until it may open no more."
            }
            S::KeepsThreads => {
                "With each wave of connections that have ended the server's process has more threads."
            }
            S::TasksAfterShutdown => {
                "The server says that it has shut down, and tasks of it still run or wait."
            }
            S::CloseHangs => {
                "The connection has ended, and the client's call of close does not return: its caller waits \
                 for ever."
            }
            S::SameKey => {
                "The client masks frames with a key that it had used before, or with 0, which anybody on the way \
                 can then predict."
            }
            S::EndsTcpFirst => {
                "Both Closes are there, and the client ends TCP before the server could: the client's address \
                 stays blocked in TIME_WAIT."
            }
            S::TakesWrongKey => {
                "The client opens a WebSocket on a 101 without the hash of its key: the server may not speak \
                 WebSocket at all."
            }
            S::TakesUnaskedProtocol => {
                "The client opens a WebSocket on a 101 with a subprotocol that it did not offer, and so does \
                 not know."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_symptom_means_something_of_its_own_in_sentences() {
        let all: BTreeSet<&str> = Symptom::ALL.iter().map(|symptom| symptom.means()).collect();
        assert_eq!(all.len(), Symptom::ALL.len(), "two mean the same");
        for means in all {
            assert!(means.ends_with('.') && means.len() > 30, "{means}");
        }
    }
}
