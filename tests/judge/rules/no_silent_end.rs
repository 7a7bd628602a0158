//! `no-silent-end`: a server that ends a connection by itself sends a Close first.

use crate::story::{Act, BYE, PING, Story, TEXT, UNMASKED, hasty, idling, masked, plain, wide};
use hangup::exchange::What;
use hangup::verdict::{Excuse, Invariant, Level, Symptom};
use hangup::wire::handshake;

const RULE: Invariant = Invariant::NoSilentEnd;

#[track_caller]
fn shows(story: &Story, symptom: Symptom) -> String {
    let found = story.breaks(RULE);
    assert_eq!((found.level, found.identity.symptom()), (Level::Should, Some(symptom)));
    assert_eq!(found.identity.cause(), None, "nothing asked for it");
    found.fact
}

#[test]
fn who_ends_by_itself_sends_a_close_first() {
    let open = || Story::open().at(1000);
    open().server(BYE).later(10).server_drops().is_clean();
    let fact = shows(&open().server_drops(), Symptom::EndsSilently);
    assert_eq!(fact, "ended the connection by itself, without a Close");
    assert_eq!(open().server_drops().breaks(RULE).events, [3]);
    let fact = shows(&open().resets(), Symptom::ResetsSilently);
    assert_eq!(fact, "reset the connection by itself, without a Close");
    // Whatever was said before, and also where a time-out of its own runs out.
    for story in [
        open().server_shuts(),
        open().server(TEXT),
        open().client(TEXT).server_reads_all(),
        open().client(PING),
        open().deaf(),
        idling().at(5000),
    ] {
        shows(&story.server_drops(), Symptom::EndsSilently);
    }
    // What follows the FIN does not make it a reset.
    shows(&open().server_shuts().resets(), Symptom::EndsSilently);
    // Part of a Close is no silence, but `sends-close`'s.
    open().server_bytes(&plain(BYE)[..1]).server_drops().breaks(Invariant::SendsClose);
}

/// Over TCP nobody sees whether there was room to write to a client that does not read.
#[test]
fn over_tcp_who_gives_up_a_client_that_does_not_read_is_not_blamed_without_a_control() {
    let seen = || Story::open_seen_by_client().at(1000);
    shows(&seen().actor(What::ReadReset), Symptom::ResetsSilently);
    let gives_up = seen().deaf().later(500).actor(What::ReadReset);
    assert_eq!(gives_up.excused(RULE), Some(Excuse::WaitedForRoom));
    let reads_again = seen().deaf().then(What::ResumedReading).later(500);
    shows(&reads_again.actor(What::ReadReset), Symptom::ResetsSilently);
}

#[test]
fn an_end_that_somebody_asked_for_before_is_none_that_the_server_chose() {
    let asks: [Act; 5] = [
        |story| story.client(BYE),
        |story| story.client_bytes(UNMASKED),
        Story::fin,
        Story::reset,
        Story::app_returns,
    ];
    let open = || Story::open().at(1000);
    for act in asks {
        assert_eq!(act(open()).server_drops().excused(RULE), None);
        shows(&act(open().server_drops().later(10)), Symptom::EndsSilently);
    }
    // These are other rules'.
    open().app_closes().server_drops().breaks(Invariant::SendsClose);
    let read = |story: Story| story.server_reads_all().server_drops();
    read(open().client(BYE)).breaks(Invariant::AnswersClose);
    read(open().client_bytes(UNMASKED)).breaks(Invariant::RefusesIllegal);
}

#[test]
fn what_excuses_a_silent_end_comes_before_it() {
    let excuses: [(Act, Excuse); 6] = [
        (Story::blocked, Excuse::NoRoom),
        (|story| story.blocked().writable(), Excuse::RoomCameTooLate),
        (Story::cut, Excuse::CutOff),
        (|story| story.client_bytes([0x89]), Excuse::HalfFrame),
        (|story| story.client_bytes(&masked(BYE)[..3]), Excuse::HalfFrame),
        (|story| story.client_bytes(wide(PING)), Excuse::WideLength),
    ];
    let open = || Story::open().at(1000);
    for (act, excuse) in excuses {
        assert_eq!(act(open()).server_drops().excused(RULE), Some(excuse));
        shows(&act(open().server_drops().later(10)), Symptom::EndsSilently);
    }
    shows(&open().blocked().writable().later(3).server_drops(), Symptom::EndsSilently);
    let ping = masked(PING);
    let split = open().client_bytes(&ping[..1]).client_bytes(&ping[1..]).server_drops();
    shows(&split, Symptom::EndsSilently);
}

#[test]
fn a_crash_before_the_end_is_all_that_is_reported_of_it() {
    Story::open().panics().server_drops().breaks(Invariant::NoPanic);
    Story::open().spins().server_drops().breaks(Invariant::NoSpin);
    assert_eq!(Story::open().server_drops().panics().broken(), [RULE, Invariant::NoPanic]);
}

#[test]
fn there_is_no_close_to_be_sent_before_the_opening_is_through() {
    let begun = || Story::accepted().client_bytes(handshake::REQUEST).server_reads_all();
    begun().server_drops().is_clean();
    begun().server_bytes("HTTP/1.1 400 No\r\n\r\n").server_drops().is_clean();
    // An end that was seen before the 101 was told is no end of a WebSocket.
    begun().server_drops().server_accepts().is_clean();
    shows(&begun().server_accepts().server_drops(), Symptom::EndsSilently);
}

#[test]
fn bytes_before_the_101_excuse_a_silent_end() {
    assert_eq!(hasty().later(1000).server_drops().excused(RULE), Some(Excuse::EarlyBytes));
}

#[test]
fn a_client_alone_sees_a_silent_end_and_a_reset_too() {
    let seen = || Story::open_seen_by_client().at(1000);
    for (end, symptom) in [
        (Story::server_drops as Act, Symptom::EndsSilently),
        (Story::told_of_reset, Symptom::ResetsSilently),
    ] {
        shows(&end(seen()), symptom);
        shows(&end(seen().client(TEXT)), symptom);
        end(seen().server(BYE).client(BYE).later(10)).is_clean();
        let asks: [Act; 3] = [Story::fin, Story::reset, |story| story.client(BYE)];
        for act in asks {
            assert_eq!(end(act(seen())).excused(RULE), None);
        }
        assert_eq!(end(seen().cut()).excused(RULE), Some(Excuse::CutOff));
    }
    // The kernel's table tells of an end only that it came between two looks.
    let mut table = seen();
    table.exchange.sees_release = true;
    let gone = table.then(What::Shut).then(What::Dropped { reset: false });
    gone.is_clean();
    shows(&gone.actor(What::ReadEnd), Symptom::EndsSilently);
}
