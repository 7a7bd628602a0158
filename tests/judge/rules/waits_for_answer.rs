//! `waits-for-answer`: who closes waits for the answer of a client that behaves.

use crate::story::{Act, BYE, PING, Story, TEXT, UNMASKED, masked, plain, wide};
use hangup::exchange::{ConnectionId, What};
use hangup::verdict::{Invariant, Level};
use hangup::wire::Opcode;

/// The server closes of its own will.
fn closing() -> Story {
    Story::open().at(1000).server_closes(1001)
}

#[test]
fn a_fin_or_the_clients_reset_right_behind_the_own_close_is_no_cut_and_a_drop_is() {
    let closing = || Story::open().server(BYE);
    let shut = closing().then(What::Shut);
    shut.clone().at(1000).client(BYE).server_reads_all().server_drops().is_clean();
    closing().then(What::ResetArrived).server_drops().is_clean();
    for story in [shut, closing()] {
        story.server_drops().breaks(Invariant::WaitsForAnswer);
    }
}

#[test]
fn who_drops_with_the_own_close_cuts_the_answer_off_and_who_waits_does_not() {
    for ms in 0..=2 {
        let cut = closing().later(ms).server_drops();
        let found = cut.breaks(Invariant::WaitsForAnswer);
        assert_eq!((found.level, &found.events[..]), (Level::Should, &[4, 3][..]));
    }
    closing().later(3).server_drops().is_clean();
    // To a client alone, who drops looks like who sends FIN and reads on.
    let seen = || Story::open_seen_by_client().at(1000).server_closes(1001);
    seen().server_drops().is_clean();
    // Not so where the server's end was seen too, or was a reset, and nothing came that
    // it could be about.
    let mut watched = seen().later(100).server_drops().then(What::Dropped { reset: false });
    watched.exchange.sees_release = true;
    watched.breaks(Invariant::WaitsForAnswer);
    let reset = |story: Story| story.actor(What::ReadReset);
    reset(seen().later(100)).breaks(Invariant::WaitsForAnswer);
    reset(seen().later(101)).is_clean();
    reset(Story::open_seen_by_client().at(1000).client(PING).server_closes(1001)).is_clean();
}

#[test]
fn a_message_that_crosses_the_close_is_no_answer_and_ends_no_wait() {
    let crossed = |ms, bytes| closing().later(ms).client(bytes).server_reads_all();
    for ms in [3, 50, 100] {
        let found = crossed(ms, TEXT).server_drops();
        assert_eq!(found.breaks(Invariant::WaitsForAnswer).level, Level::Should);
        // Whatever it acts on, that is not the message.
        crossed(ms, TEXT).later(3).server_drops().is_clean();
        crossed(ms, PING).server_drops().is_clean();
        crossed(ms, TEXT).client(BYE).server_drops().is_clean();
    }
    // A time-out of the server's may pass in that moment.
    crossed(101, TEXT).server_drops().is_clean();
}

#[test]
fn a_reset_at_the_deadline_eats_no_close_that_room_came_for_in_that_moment() {
    let reset = |ms| closing().later(ms).resets().told_of_reset();
    reset(5000).is_clean();
    reset(4998).is_clean();
    reset(1).breaks(Invariant::WaitsForAnswer);
    reset(4997).breaks(Invariant::WaitsForAnswer);
}

#[test]
fn a_drop_before_the_close_was_written_whole_cuts_nothing_off() {
    let bytes = plain(BYE);
    for cut in 1..bytes.len() {
        let half = Story::open().server_bytes(&bytes[..cut]).server_drops();
        half.breaks(Invariant::SendsClose);
        let slow = Story::open().server_bytes(&bytes[..cut]).later(1000);
        let slow = slow.server_bytes(&bytes[cut..]).server_drops();
        slow.breaks(Invariant::WaitsForAnswer);
    }
    Story::open().server_drops().server(BYE).is_clean();
}

#[test]
fn an_answer_that_came_in_time_to_the_drop_was_all_there_was_to_wait_for() {
    closing().client(BYE).server_drops().is_clean();
    closing().client(PING).server_drops().breaks(Invariant::WaitsForAnswer);
    closing().server_drops().client(BYE).breaks(Invariant::WaitsForAnswer);
    // Closes that crossed.
    let crossing = Story::open().client(BYE).server(BYE).server_drops();
    crossing.is_clean();
    let half = closing().client_bytes(&masked(BYE)[..3]);
    half.server_drops().client_bytes(&masked(BYE)[3..]).is_clean();
}

#[test]
fn a_close_that_says_that_something_went_wrong_needs_no_answer() {
    let at_once = |code| Story::open().client(TEXT).server_closes(code).server_drops();
    for code in [1000, 1001, 1012, 3000, 4999] {
        at_once(code).breaks(Invariant::WaitsForAnswer);
    }
    for code in [1003, 1008, 1009, 1010, 1011] {
        at_once(code).is_clean();
    }
    let none = Story::open().server((Opcode::CLOSE, b"")).server_drops();
    none.breaks(Invariant::WaitsForAnswer);
}

#[test]
fn a_write_that_had_to_wait_for_room_leaves_no_time_for_an_answer() {
    let waited = |time| Story::open().blocked().at(time).writable().server(BYE).server_drops();
    waited(1000).is_clean();
    waited(0).breaks(Invariant::WaitsForAnswer);
    closing().blocked().server_drops().breaks(Invariant::WaitsForAnswer);
}

/// What makes a client one that need not be waited for.
const RUDE: [(&str, Act); 9] = [
    ("violation", |story| story.client_bytes(UNMASKED)),
    ("half a frame", |story| story.client_bytes([0x89])),
    ("wide length", |story| story.client_bytes(wide(PING))),
    ("FIN without a Close", Story::fin),
    ("reset", Story::reset),
    ("cut", Story::cut),
    ("deaf", Story::deaf),
    ("left by its application", Story::app_returns),
    ("data behind its Close", |story| story.client(BYE).client(TEXT)),
];

/// The server's Close, reset away before the client got it.
fn eaten(before: Act) -> Story {
    before(Story::open().at(1000)).server_closes(1001).resets().told_of_reset()
}

#[test]
fn a_client_that_is_rude_before_the_end_need_not_be_waited_for() {
    let invariant = Invariant::WaitsForAnswer;
    for (what, rude) in RUDE {
        let before = rude(closing()).server_drops();
        assert!(!before.broken().contains(&invariant), "{what}: {:?}", before.broken());
        let eaten = eaten(rude);
        assert!(!eaten.broken().contains(&invariant), "{what}: {:?}", eaten.broken());
        // What comes behind the end excuses nothing, but that a whole exchange is read of a Close.
        if what != "data behind its Close" {
            let after = rude(closing().server_drops());
            assert!(after.broken().contains(&invariant), "{what}: {:?}", after.broken());
        }
    }
    closing().panics().server_drops().breaks(Invariant::NoPanic);
    closing().spins().server_drops().breaks(Invariant::NoSpin);
    for polite in [(|s| s) as Act, |s| s.deaf().hears(), |s| s.client(PING), |s| s.app_closes()] {
        polite(closing()).server_drops().breaks(invariant);
        eaten(polite).breaks(invariant);
    }
}

#[test]
fn a_reset_that_comes_before_the_client_has_the_close_eats_it() {
    let found = eaten(|story| story).breaks(Invariant::WaitsForAnswer);
    assert_eq!((found.level, &found.events[..]), (Level::Should, &[5, 3][..]));
    assert_eq!(found.fact, "reset the connection before the client could read its Close");
    // However long the server waited, and though the client has answered or closed first.
    let reply = closing().client(BYE).later(1000).resets().told_of_reset();
    reply.breaks(Invariant::WaitsForAnswer);
    let first = Story::open().client(BYE).server_reads_all().server(BYE).fin().resets();
    first.told_of_reset().breaks(Invariant::WaitsForAnswer);
    // A FIN without a Close before it is an end that the client chose.
    closing().fin().later(1000).resets().told_of_reset().is_clean();
    closing().client_gets_all().later(1000).resets().told_of_reset().is_clean();
    let size = closing().exchange.bytes(ConnectionId::FIRST).to_actor.len() as u32;
    let most = closing().actor(What::Read { bytes: size - 1 }).later(1000).resets();
    most.clone().told_of_reset().breaks(Invariant::WaitsForAnswer);
    most.actor(What::Read { bytes: 1 }).told_of_reset().is_clean();
}

#[test]
fn a_reset_eats_only_a_close_that_was_sent_and_that_says_nothing_went_wrong() {
    let silent = Story::open().client(TEXT).resets().told_of_reset();
    silent.breaks(Invariant::NoSilentEnd);
    Story::open().told_of_reset().server(BYE).later(1000).server_drops().is_clean();
    let half = Story::open().server_bytes(&plain(BYE)[..3]).resets().told_of_reset();
    half.breaks(Invariant::SendsClose);
    let failing = Story::open().client(TEXT).server_closes(1009).resets().told_of_reset();
    failing.is_clean();
    // What the client sees of a reset, it saw before that.
    let seen = Story::open_seen_by_client().at(1000).server(BYE).later(1000).told_of_reset();
    seen.is_clean();
}
