//! Changes between a server and its transport: each does to bytes and ends what it says.

use hangup::exchange::{ConnectionId, Exchange, Note, Time, What};
use hangup::run::virtual_time::play;
use hangup::target::changed::{Change, Changed};
use hangup::target::reference::Reference;
use hangup::wire::handshake;
use hangup::{Script, Target};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

fn played(change: Change, line: &str) -> Exchange {
    let script: Script = line.replace("; ", "\n").parse().expect("a script");
    let target: Arc<dyn Target> = Arc::new(Changed::new(Arc::new(Reference::HONEST), change));
    play(&target, &target.bounds(), &script, 0)
}

/// What came behind the response, in hexadecimal.
fn frames(change: Change, line: &str) -> String {
    let exchange = played(change, line);
    let bytes = &exchange.bytes(ConnectionId::FIRST).to_actor;
    let response = handshake::response(bytes).expect("it is HTTP").expect("it is whole").length;
    let mut hex = String::new();
    for byte in &bytes[response..] {
        write!(hex, "{byte:02x}").expect("a string takes all");
    }
    hex
}

fn first(exchange: &Exchange, is_it: impl Fn(&What) -> bool) -> Option<Time> {
    exchange.events.iter().find(|event| is_it(&event.what)).map(|event| event.at)
}

#[test]
fn frames_are_changed_as_the_change_says() {
    const CLOSE: &str = "upgrade; close 1000 \"bye\"";
    const OWN: &str = "upgrade; app close 1000";
    const TWO: &str = "upgrade; app send text \"a\"; app send text \"b\"; app close 1000";
    let cases = [
        (Change::Nothing, CLOSE, "880203e8"),
        (Change::DropAnswer, CLOSE, ""),
        (Change::DropAnswer, OWN, "880203e8"),
        (Change::CutAnswer(1), CLOSE, "88"),
        (Change::CutAnswer(3), CLOSE, "880203"),
        (Change::CutAnswer(9), CLOSE, "880203"),
        (Change::RecodeAnswer(Some(1001)), CLOSE, "880203e9"),
        (Change::RecodeAnswer(None), CLOSE, "8800"),
        (Change::RecodeAnswer(None), OWN, "880203e8"),
        (Change::FinBeforeAnswer, CLOSE, ""),
        (Change::FinBeforeOwnClose, OWN, ""),
        (Change::FinBeforeOwnClose, CLOSE, "880203e8"),
        (Change::LeaveOutOwnClose, OWN, ""),
        (Change::LeaveOutOwnClose, CLOSE, "880203e8"),
        (Change::CutOwnClose(2), OWN, "8802"),
        (Change::CloseTwice, CLOSE, "880203e8880203e8"),
        (Change::DataBehindClose, OWN, "880203e881046c617465"),
        (Change::BytesBehindClose, OWN, "880203e8627965"),
        (Change::MaskClose, OWN, "888237fa213d3412"),
        (Change::MaskFrame(1), TWO, "810161818137fa213d55880203e8"),
        (Change::LoseMessage(0), TWO, "810162880203e8"),
        (Change::LoseMessage(1), TWO, "810161880203e8"),
        (Change::SwapMessages(0), TWO, "810162810161880203e8"),
    ];
    for (change, line, sent) in cases {
        assert_eq!(frames(change, line), sent, "{change:?}: {line}");
    }
}

/// Through buffers of one byte a frame is cut everywhere.
#[test]
fn a_change_does_not_depend_on_how_bytes_are_cut() {
    let tiny = "send buffer 1B; window 1B; segment 1B; upgrade; ping \"p\"; close 1000";
    assert_eq!(frames(Change::Nothing, tiny), "8a0170880203e8");
    assert_eq!(frames(Change::DropAnswer, tiny), "8a0170");
    assert_eq!(frames(Change::CloseTwice, tiny), "8a0170880203e8880203e8");
    assert_eq!(frames(Change::MaskFrame(0), tiny), "8a8137fa213d47880203e8");
}

#[test]
fn fin_comes_instead_of_the_close() {
    let exchange = played(Change::FinBeforeOwnClose, "upgrade; app close 1000");
    let shut = first(&exchange, |what| *what == What::Shut);
    assert_eq!(shut, Some(Time::ZERO), "{:?}", exchange.events);
}

#[test]
fn the_end_comes_later_or_never() {
    let ended = |change| {
        let exchange = played(change, "upgrade; close 1000; fin");
        first(&exchange, |what| matches!(what, What::Shut | What::Dropped { .. }))
    };
    assert_eq!(ended(Change::Nothing), Some(Time::ZERO));
    let later = Duration::from_secs(7);
    assert_eq!(ended(Change::EndLater(later)), Some(Time::ZERO.after(later)));
    assert_eq!(ended(Change::NeverEnd), None);
}

#[test]
fn what_is_hidden_does_not_reach_the_server() {
    let received = |change, line| {
        let exchange = played(change, line);
        let given = |what: &What| match what {
            What::Noted(Note::Received { bytes }) => Some(*bytes),
            _ => None,
        };
        exchange.events.iter().filter_map(|event| given(&event.what)).collect::<Vec<_>>()
    };
    let two = "upgrade; text \"a\"; text \"bc\"; close 1000";
    assert_eq!(received(Change::Nothing, two), [1, 2]);
    assert_eq!(received(Change::HideMessage(0), two), [2]);
    assert_eq!(received(Change::HideMessage(1), two), [1]);
    // Text that is not UTF-8 is made legal, an unmasked frame is left out.
    let bad = "upgrade; text hex ff; unmasked text \"abc\"; close 1000";
    assert_eq!(received(Change::ServeViolations, bad), [1]);
    assert_eq!(frames(Change::ServeViolations, bad), "880203e8");
    assert_eq!(frames(Change::Nothing, bad), "880203ef");
    // So are Closes that nobody may send.
    for (close, answer) in
        [("close hex 03", "8800"), ("close 1005", "880203e8"), ("close 1000 hex ff", "880203e8")]
    {
        assert_eq!(frames(Change::ServeViolations, &format!("upgrade; {close}")), answer);
    }
}
