//! The plays: for each excuse that has a control, two servers, and one for each that needs none.

use super::server::{Seen, Server, own_first, server, well};
use hangup::exchange::Note;
use hangup::script::Command;
use hangup::verdict::{Excuse, Invariant};
use hangup::wire::Opcode;

/// A play in which two servers are excused by the same, one of them rightly.
pub struct Row {
    pub excuse: Excuse,
    pub rule: Invariant,
    pub script: &'static str,
    pub faulty: Server,
    pub honest: Server,
}

/// Long enough that whatever comes at once has come.
const LATER: u64 = 10;

pub const ROWS: &[Row] = &[
    Row {
        // Two bytes of the answer fit. To give up when room comes is no time-out.
        excuse: Excuse::RoomCameTooLate,
        rule: Invariant::AnswersClose,
        script: "upgrade\nstop reading\napp send text 8187B\nwait 30ms\nclose 1000\nwait 1s\n+ resume reading",
        faulty: server(|session, seen| match seen {
            Seen::Room => session.leave(),
            seen => well(session, seen),
        }),
        honest: own_first(|session, seen| match seen {
            Seen::Close(_) => {
                session.after(1000);
                well(session, seen);
            }
            Seen::Timer => session.leave(),
            seen => well(session, seen),
        }),
    },
    Row {
        excuse: Excuse::EarlyBytes,
        rule: Invariant::AnswersClose,
        script: "upgrade\n+ close 1000\nfin",
        faulty: server(|session, seen| match seen {
            Seen::Close(_) => {}
            seen => well(session, seen),
        }),
        honest: Server { drops_early: true, ..server(well) },
    },
    Row {
        excuse: Excuse::ClientGone,
        rule: Invariant::RefusesIllegal,
        script: "upgrade\nopcode 3\nreset",
        faulty: NEVER_SAYS_WHY,
        honest: SAYS_WHY_LATER,
    },
    Row {
        excuse: Excuse::ClientGone,
        rule: Invariant::ReportsEndCorrectly,
        script: "upgrade\nclose 1001\nreset",
        faulty: server(|session, seen| match seen {
            Seen::Opened => session.note(Note::Reports),
            Seen::Close(_) => session.after(LATER),
            Seen::Reset | Seen::Timer => {
                session.tell(1006);
                session.leave();
            }
            seen => well(session, seen),
        }),
        honest: server(|session, seen| match seen {
            Seen::Opened => session.note(Note::Reports),
            Seen::Close(payload) => {
                session.kept = payload;
                session.after(LATER);
            }
            Seen::Timer => {
                session.tell(1001);
                let payload = std::mem::take(&mut session.kept);
                well(session, Seen::Close(payload));
            }
            Seen::Reset => {
                session.tell(1006);
                session.leave();
            }
            seen => well(session, seen),
        }),
    },
    Row {
        excuse: Excuse::ClientFin,
        rule: Invariant::RefusesIllegal,
        script: "upgrade\nopcode 3\n+ fin",
        faulty: NEVER_SAYS_WHY,
        honest: SAYS_WHY_LATER,
    },
    Row {
        excuse: Excuse::ApplicationLeft,
        rule: Invariant::AnswersClose,
        script: "upgrade\nclose 1000\n+ app return",
        faulty: DROPS_AT_CLOSE,
        honest: own_first(well),
    },
    Row {
        excuse: Excuse::WideLength,
        rule: Invariant::AcceptsLegal,
        script: "upgrade\n16-bit ping\nclose 1000",
        faulty: server(|session, seen| match seen {
            Seen::Close(_) => session.answer(1002),
            seen => well(session, seen),
        }),
        honest: server(|session, seen| match seen {
            Seen::Wide => session.answer(1002),
            seen => well(session, seen),
        }),
    },
    Row {
        excuse: Excuse::WideLength,
        rule: Invariant::AnswersClose,
        script: "upgrade\n16-bit ping\n+ close 1000",
        faulty: DROPS_AT_CLOSE,
        honest: server(|session, seen| match seen {
            Seen::Wide => session.leave(),
            seen => well(session, seen),
        }),
    },
    Row {
        excuse: Excuse::UnusualCode,
        rule: Invariant::AcceptsLegal,
        script: "upgrade\nunfinished text\nclose 1014",
        faulty: server(|session, seen| match seen {
            Seen::Frame(_) => session.kept = vec![1],
            Seen::Close(_) if !session.kept.is_empty() => session.answer(1002),
            seen => well(session, seen),
        }),
        honest: server(|session, seen| match seen {
            Seen::Close(payload) if payload.starts_with(&1014_u16.to_be_bytes()) => {
                session.answer(1002);
            }
            seen => well(session, seen),
        }),
    },
    Row {
        excuse: Excuse::HalfFrame,
        rule: Invariant::AcceptsLegal,
        script: "upgrade\ntext\nfirst 1 byte of ping",
        faulty: server(|session, seen| match seen {
            Seen::Frame(Opcode::TEXT) => session.after(LATER),
            Seen::Timer => session.answer(1002),
            seen => well(session, seen),
        }),
        honest: server(|session, seen| match seen {
            Seen::Half => session.answer(1002),
            seen => well(session, seen),
        }),
    },
    Row {
        excuse: Excuse::HalfFrame,
        rule: Invariant::NoSilentEnd,
        script: "upgrade\nfirst 1 byte of ping",
        faulty: server(|session, seen| match seen {
            Seen::Opened => session.after(LATER),
            Seen::Timer => session.leave(),
            seen => well(session, seen),
        }),
        honest: server(|session, seen| match seen {
            Seen::Half => session.leave(),
            seen => well(session, seen),
        }),
    },
    Row {
        excuse: Excuse::AfterMessage,
        rule: Invariant::EchoesCode,
        script: "upgrade\nbinary\n+ close 1001",
        faulty: ALWAYS_1000,
        honest: CLOSES_AFTER_A_MESSAGE,
    },
    Row {
        excuse: Excuse::AfterMessage,
        rule: Invariant::RefusesIllegal,
        script: "upgrade\nbinary\n+ opcode 3",
        faulty: server(|session, seen| match seen {
            Seen::Fault => session.answer(1000),
            seen => well(session, seen),
        }),
        honest: CLOSES_AFTER_A_MESSAGE,
    },
    Row {
        excuse: Excuse::AfterQuiet,
        rule: Invariant::EchoesCode,
        script: "upgrade\nwait 6s\n+ close 3000",
        faulty: ALWAYS_1000,
        honest: own_first(|session, seen| match seen {
            Seen::Opened => session.after(6000),
            Seen::Timer => session.close(1000),
            seen => well(session, seen),
        }),
    },
    Row {
        // Of half a message, since a whole one would be an excuse of its own.
        excuse: Excuse::AboutData,
        rule: Invariant::EchoesCode,
        script: "upgrade\nunfinished text\n+ close 1000",
        faulty: server(|session, seen| match seen {
            Seen::Close(_) => session.answer(1003),
            seen => well(session, seen),
        }),
        honest: server(|session, seen| match seen {
            Seen::Frame(Opcode::TEXT) => session.close(1003),
            seen => well(session, seen),
        }),
    },
    Row {
        excuse: Excuse::ApplicationClosed,
        rule: Invariant::EchoesCode,
        script: "upgrade\nclose 3000\n+ app close 1000",
        faulty: server(|session, seen| match seen {
            Seen::Close(_) => session.answer(1001),
            seen => well(session, seen),
        }),
        honest: own_first(well),
    },
    Row {
        // The second refuses with a wrong code too, but what it sent here was no refusal.
        excuse: Excuse::ApplicationClosed,
        rule: Invariant::RefusesIllegal,
        script: "upgrade\nopcode 3\n+ app close 1000",
        faulty: server(|session, seen| match seen {
            Seen::Fault => session.answer(1000),
            Seen::Command(_) => {}
            seen => well(session, seen),
        }),
        honest: own_first(|session, seen| match seen {
            Seen::Fault => session.answer(1007),
            seen => well(session, seen),
        }),
    },
    Row {
        excuse: Excuse::WaitedForRoom,
        rule: Invariant::EchoesCode,
        script: "upgrade\nstop reading\napp send text 8189B\nclose 1000\nwait 10ms\nresume reading",
        faulty: server(|session, seen| match seen {
            Seen::Close(_) => session.answer(1001),
            seen => well(session, seen),
        }),
        // It says one thing to everybody, and goes away.
        honest: server(|session, seen| match seen {
            Seen::Command(Command::SendText(_)) => {
                well(session, seen);
                session.close(1001);
            }
            Seen::Close(_) => session.end(),
            seen => well(session, seen),
        }),
    },
    Row {
        excuse: Excuse::WaitedForRoom,
        rule: Invariant::WaitsForAnswer,
        script: "upgrade\nstop reading\napp send text 8189B\napp close 1000\nwait 2s\nresume reading",
        faulty: server(|session, seen| match seen {
            Seen::Command(Command::Close(..)) => session.answer(1000),
            seen => well(session, seen),
        }),
        // The client has one second for its answer, and the room that it makes comes too late.
        honest: server(|session, seen| match seen {
            Seen::Command(Command::Close(..)) => {
                session.close(1000);
                session.after(1000);
            }
            Seen::Timer => session.end(),
            seen => well(session, seen),
        }),
    },
    Row {
        excuse: Excuse::ActedByItself,
        rule: Invariant::SendsClose,
        script: "upgrade\nwait 1s\n+ app close 1000",
        faulty: server(|session, seen| match seen {
            Seen::Command(Command::Close(..)) => session.leave(),
            seen => well(session, seen),
        }),
        honest: own_first(|session, seen| match seen {
            Seen::Opened => session.after(1000),
            Seen::Timer => session.leave(),
            seen => well(session, seen),
        }),
    },
];

const NEVER_SAYS_WHY: Server = server(|session, seen| match seen {
    Seen::Fault => session.after(LATER),
    Seen::Timer => session.leave(),
    seen => well(session, seen),
});

/// Unless the client's end comes first.
const SAYS_WHY_LATER: Server = server(|session, seen| match seen {
    Seen::Fault => session.after(LATER),
    Seen::Timer => session.answer(1002),
    seen => well(session, seen),
});

const DROPS_AT_CLOSE: Server = server(|session, seen| match seen {
    Seen::Close(_) => session.leave(),
    seen => well(session, seen),
});

const ALWAYS_1000: Server = server(|session, seen| match seen {
    Seen::Close(_) => session.answer(1000),
    seen => well(session, seen),
});

const CLOSES_AFTER_A_MESSAGE: Server = server(|session, seen| match seen {
    Seen::Frame(Opcode::BINARY) => session.close(1000),
    seen => well(session, seen),
});

/// Excuses that need no control, each with a play of which it is the reason.
pub const PERMANENT: &[(Excuse, Invariant, &str, Server)] = &[
    (
        Excuse::Crashed,
        Invariant::AnswersClose,
        "upgrade\nclose 1000",
        server(|session, seen| match seen {
            Seen::Close(_) => panic!("at a Close"),
            seen => well(session, seen),
        }),
    ),
    (
        Excuse::NoRoom,
        Invariant::AnswersClose,
        "upgrade\nstop reading\napp send text 16KiB\nclose 1000",
        DROPS_AT_CLOSE,
    ),
    (
        Excuse::CutOff,
        Invariant::NoSilentEnd,
        "upgrade\ncut\nwait 1s",
        server(|session, seen| match seen {
            Seen::Opened => session.after(LATER),
            Seen::Timer => session.leave(),
            seen => well(session, seen),
        }),
    ),
    (
        Excuse::ServerClosedFirst,
        Invariant::ReportsEndCorrectly,
        "upgrade\nwait 1s\nclose 3000",
        server(|session, seen| match seen {
            Seen::Opened => {
                session.note(Note::Reports);
                session.after(LATER);
            }
            Seen::Timer => session.close(1001),
            Seen::Close(_) => {
                session.tell(1001);
                session.leave();
            }
            seen => well(session, seen),
        }),
    ),
    (
        Excuse::ServerFailed,
        Invariant::WaitsForAnswer,
        "upgrade\nwait 1s",
        server(|session, seen| match seen {
            Seen::Opened => session.after(LATER),
            Seen::Timer => session.answer(1011),
            seen => well(session, seen),
        }),
    ),
    (
        Excuse::BlamesTheClient,
        Invariant::EchoesCode,
        "upgrade\nclose 1000",
        server(|session, seen| match seen {
            Seen::Close(_) => session.answer(1002),
            seen => well(session, seen),
        }),
    ),
    (Excuse::ClientsOwnCode, Invariant::AcceptsLegal, "upgrade\nclose 1002", server(well)),
];
