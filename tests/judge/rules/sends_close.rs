//! `sends-close`: a close that begins is put on the wire.

use crate::story::{Act, BYE, PING, Story, TEXT, UNMASKED, hasty, masked, owing, plain, wide};
use hangup::exchange::What;
use hangup::verdict::{Cause, Excuse, Invariant, Level, Symptom};
use hangup::wire::handshake;

const RULE: Invariant = Invariant::SendsClose;

/// The application has asked for the end.
fn closing() -> Story {
    owing(Cause::AppClose)
}

/// The first byte of a Close.
fn half(story: Story) -> Story {
    story.server_bytes(&plain(BYE)[..1])
}

#[track_caller]
fn shows(story: &Story, level: Level, symptom: Symptom) -> String {
    let found = story.breaks(RULE);
    assert_eq!((found.level, found.identity.symptom()), (level, Some(symptom)));
    found.fact
}

#[test]
fn a_close_that_the_application_asks_for_is_sent_before_the_end() {
    let answered = closing().server(BYE).client(BYE).server_reads_all();
    answered.server_drops().is_clean();
    closing().server(BYE).later(1000).server_drops().is_clean();
    let dropped = closing().server_drops();
    let fact = shows(&dropped, Level::Must, Symptom::DropsAtClose);
    assert_eq!(fact, "ended the connection at its application's close, without a Close");
    let found = dropped.breaks(RULE);
    assert_eq!((found.identity.cause(), &found.events[..]), (Some(Cause::AppClose), &[4, 3][..]));
    let fact = shows(&closing().resets(), Level::Must, Symptom::ResetsAtClose);
    assert_eq!(fact, "reset the connection at its application's close, without a Close");
    // However it ends, and whatever it says before.
    for story in [closing().server_shuts(), closing().server(TEXT), closing().later(4000)] {
        shows(&story.server_drops(), Level::Must, Symptom::DropsAtClose);
    }
    shows(&closing().server_shuts().resets(), Level::Must, Symptom::DropsAtClose);
}

#[test]
fn part_of_a_close_is_a_must_not_where_the_application_asked_and_a_should_not_elsewhere() {
    let bye = plain(BYE);
    for cut in 1..bye.len() {
        let part = |story: Story| story.server_bytes(&bye[..cut]);
        let by_itself = part(Story::open().at(1000));
        for story in [part(closing()), by_itself.clone().app_closes()] {
            shows(&story.clone().server_drops(), Level::Must, Symptom::PartOfClose);
            shows(&story.resets(), Level::Must, Symptom::PartOfClose);
        }
        let found = by_itself.server_drops();
        let fact = shows(&found, Level::Should, Symptom::PartOfClose);
        assert_eq!(fact, "ended the connection within its Close");
        let found = found.breaks(RULE);
        assert_eq!((found.identity.cause(), &found.events[..]), (None, &[4][..]));
    }
    // What comes in two parts is whole in the end.
    let both = closing().server_bytes(&bye[..1]).later(10).server_bytes(&bye[1..]);
    both.later(10).server_drops().is_clean();
}

#[test]
fn as_long_as_it_does_not_end_the_connection_it_may_still_send_its_close() {
    closing().is_clean();
    half(closing()).is_clean();
    closing().quiet().breaks(Invariant::EndsInTime);
}

#[test]
fn an_end_that_the_client_had_asked_for_is_judged_by_other_rules() {
    for own in [closing(), half(closing()), half(Story::open())] {
        let asked = own.clone().client(BYE);
        let read = asked.clone().server_reads_all().server_drops();
        read.breaks(Invariant::AnswersClose);
        // What nobody has read asks for nothing.
        asked.server_drops().breaks(RULE);
        let violated = own.clone().client_bytes(UNMASKED);
        assert_eq!(violated.clone().server_drops().excused(RULE), None);
        assert_eq!(violated.server_reads_all().server_drops().excused(RULE), None);
        own.clone().server_drops().client_bytes(UNMASKED).breaks(RULE);
        own.server_drops().client(BYE).server_reads_all().breaks(RULE);
    }
}

#[test]
fn what_excuses_a_server_excuses_it_before_the_end_and_not_behind_it() {
    let excuses: [(Act, Excuse); 7] = [
        (Story::fin, Excuse::ClientFin),
        (Story::reset, Excuse::ClientGone),
        (Story::blocked, Excuse::NoRoom),
        (|story| story.blocked().writable(), Excuse::RoomCameTooLate),
        (Story::app_returns, Excuse::ApplicationLeft),
        (|story| story.client_bytes([0x89]), Excuse::HalfFrame),
        (|story| story.client_bytes(wide(PING)), Excuse::WideLength),
    ];
    for own in [closing(), half(closing()), half(Story::open())] {
        for (act, excuse) in excuses {
            assert_eq!(act(own.clone()).server_drops().excused(RULE), Some(excuse));
            act(own.clone().server_drops().later(10)).breaks(RULE);
        }
    }
    // Room that came and was not used, or was used for something else.
    closing().blocked().writable().later(2).server_drops().is_clean();
    closing().blocked().writable().later(3).server_drops().breaks(RULE);
    closing().blocked().writable().server(TEXT).server_drops().breaks(RULE);
    // A frame that came whole, if in two segments.
    let ping = masked(PING);
    let split = closing().client_bytes(&ping[..1]).client_bytes(&ping[1..]);
    split.server_drops().breaks(RULE);
}

#[test]
fn a_network_that_is_cut_keeps_nobody_from_sending_a_close() {
    shows(&closing().cut().server_drops(), Level::Must, Symptom::DropsAtClose);
    shows(&half(closing().cut()).server_drops(), Level::Must, Symptom::PartOfClose);
    shows(&closing().deaf().server_drops(), Level::Must, Symptom::DropsAtClose);
}

#[test]
fn a_crash_before_the_end_is_all_that_is_reported_of_it() {
    for own in [closing(), half(closing())] {
        own.clone().panics().server_drops().breaks(Invariant::NoPanic);
        own.clone().spins().server_drops().breaks(Invariant::NoSpin);
        assert_eq!(own.server_drops().panics().broken(), [RULE, Invariant::NoPanic]);
    }
}

#[test]
fn an_application_that_leaves_or_closes_before_the_opening_asks_for_no_close() {
    assert_eq!(Story::open().app_returns().server_drops().excused(RULE), None);
    let begun = || Story::accepted().client_bytes(handshake::REQUEST).server_reads_all();
    for before in [begun(), begun().app_closes()] {
        before.server_drops().is_clean();
    }
    assert_eq!(begun().app_closes().server_accepts().server_drops().excused(RULE), None);
    begun().server_accepts().app_closes().server_drops().breaks(RULE);
    // Nor does one that closes what has ended.
    Story::open().server_drops().app_closes().breaks(Invariant::NoSilentEnd);
}

#[test]
fn bytes_before_the_101_excuse_an_end_without_a_close() {
    for own in [hasty().app_closes(), half(hasty().app_closes()), half(hasty())] {
        assert_eq!(own.server_drops().excused(RULE), Some(Excuse::EarlyBytes));
    }
}

#[test]
fn a_client_alone_sees_half_a_close_and_not_who_asked_for_it() {
    let seen = || Story::open_seen_by_client().at(1000);
    for end in [Story::server_drops as Act, Story::told_of_reset] {
        shows(&end(half(seen())), Level::Should, Symptom::PartOfClose);
        end(half(seen().fin())).is_clean();
        end(half(seen().client_bytes(UNMASKED))).is_clean();
    }
    let asked = half(seen().client(BYE));
    asked.clone().later(1).server_drops().breaks(RULE);
    asked.later(2).server_drops().breaks(Invariant::AnswersClose);
    // The kernel's table tells of an end only that it came between two looks.
    let mut table = half(seen());
    table.exchange.sees_release = true;
    let gone = table.then(What::Shut).then(What::Dropped { reset: false });
    gone.is_clean();
    gone.actor(What::ReadEnd).breaks(RULE);
    let told = closing().client_gets_all().server_drops().actor(What::ReadEnd);
    let mut outside = told.clone();
    outside.exchange = told.exchange.seen_by_actor();
    told.breaks(RULE);
    outside.breaks(Invariant::NoSilentEnd);
}
