//! `reports-end-correctly`: what the server's application hears, where it reports that.

use crate::story::{Act, BYE, PING, Story, TEXT, UNMASKED, fragment, masked, wide};
use hangup::verdict::{Invariant, Level};
use hangup::wire::Opcode;

/// An open connection whose application reports what it hears.
fn reporting() -> Story {
    Story::open().reports().at(1000)
}

/// As [`reporting`], and the client has closed with `code`, which was read and answered.
fn closed(code: u16) -> Story {
    reporting().client_closes(code).server_reads_all().server_closes(code)
}

#[test]
fn an_application_that_reports_nothing_is_not_judged() {
    let silent = Story::open().at(1000).client(BYE).server_reads_all().server(BYE);
    silent.clone().server_drops().is_clean();
    silent.given().told(Some(4000)).told(None).server_drops().is_clean();
}

#[test]
fn an_application_is_told_of_the_end_once_with_the_code_of_the_clients_close() {
    for code in [1000, 1001, 4999] {
        closed(code).told(Some(code)).server_drops().is_clean();
        for wrong in [None, Some(1005), Some(1006), Some(code + 1)] {
            let found =
                closed(code).told(wrong).server_drops().breaks(Invariant::ReportsEndCorrectly);
            assert_eq!((found.level, &found.events[..]), (Level::Should, &[7, 5][..]));
        }
    }
    let fact =
        |told| closed(1000).told(told).server_drops().breaks(Invariant::ReportsEndCorrectly).fact;
    let what = "reported to its application that the connection ended with";
    assert_eq!(fact(None), format!("{what} no code, where the client's Close had 1000"));
    assert_eq!(fact(Some(1006)), format!("{what} 1006, where the client's Close had 1000"));
}

#[test]
fn a_close_without_a_code_is_told_as_none_or_1005() {
    let empty =
        || reporting().client((Opcode::CLOSE, b"")).server_reads_all().server((Opcode::CLOSE, b""));
    for (code, right) in
        [(None, true), (Some(1005), true), (Some(1000), false), (Some(1006), false)]
    {
        let story = empty().told(code).server_drops();
        assert_eq!(story.broken().is_empty(), right, "{code:?}");
        if !right {
            let fact = story.breaks(Invariant::ReportsEndCorrectly).fact;
            assert!(fact.ends_with("where the client's Close had no code"), "{fact}");
        }
    }
}

#[test]
fn an_end_without_a_close_is_told_as_1006_or_as_none() {
    for ends in [|s| s.fin(), |s| s.reset(), |s| s.client(TEXT).fin()] as [Act; 3] {
        for (code, right) in
            [(None, true), (Some(1006), true), (Some(1000), false), (Some(1005), false)]
        {
            let story = ends(reporting()).told(code).server_drops();
            let broken = story.broken().contains(&Invariant::ReportsEndCorrectly);
            assert_eq!(broken, !right, "{code:?}");
        }
    }
    let found = reporting().reset().told(Some(1000)).server_drops();
    let found = found.breaks(Invariant::ReportsEndCorrectly);
    let fact = "told its application that the connection ended with 1000, where no Close of the \
                client's came";
    assert_eq!((found.level, &*found.fact), (Level::Should, fact));
    // Who began the end may tell what it said; of a Close that came, or of part of one, it saw enough;
    // and who failed the connection may tell why.
    for ends in [
        |s| s.server_closes(1001).told(Some(1001)),
        |s| s.client_closes(1000).told(Some(1000)),
        |s| s.client_bytes(UNMASKED).server_reads_all().told(Some(1002)),
    ] as [Act; 3]
    {
        let broken = ends(reporting()).server_drops().broken();
        assert!(!broken.contains(&Invariant::ReportsEndCorrectly), "{broken:?}");
    }
}

#[test]
fn an_end_that_the_server_had_begun_may_be_told_as_it_saw_it() {
    for began in [|s| s.app_closes().server_closes(1001), |s| s.server_closes(1001)] as [Act; 2] {
        let own = began(reporting()).client_closes(1000).server_reads_all().told(Some(1006));
        own.server_drops().is_clean();
    }
    let wished = reporting().app_closes().client_closes(1000).server_reads_all();
    wished.server_closes(1001).told(Some(1006)).server_drops().is_clean();
    // Begun after the Close was read, it is an answer.
    let answered = closed(1000).app_closes().told(Some(1006)).server_drops();
    answered.breaks(Invariant::ReportsEndCorrectly);
    // The first time counts: told before the Close was read, of a cut it may be.
    reporting()
        .client_closes(1000)
        .told(Some(1006))
        .server_reads_all()
        .server_closes(1000)
        .server_drops()
        .is_clean();
    let blames = reporting().client_closes(1000).server_reads_all().server_closes(1002);
    blames.told(Some(1002)).server_drops().breaks(Invariant::AcceptsLegal);
}

#[test]
fn a_close_that_may_be_refused_or_that_nobody_heard_may_be_told_as_anything() {
    let wide = reporting().client_bytes(wide(BYE)).server_reads_all().server(BYE);
    wide.told(Some(1006)).server_drops().is_clean();
    let bad = reporting().client_closes(1005).server_reads_all().server_closes(1002);
    bad.told(Some(1006)).server_drops().is_clean();
    let left = |ms| closed(1000).later(ms).app_returns().told(Some(1006)).server_drops();
    left(2).is_clean();
    left(3).breaks(Invariant::ReportsEndCorrectly);
}

#[test]
fn an_application_that_is_told_twice_hears_once_too_often() {
    let twice = closed(1000).told(Some(1000)).told(Some(1000)).server_drops();
    let found = twice.breaks(Invariant::ReportsEndCorrectly);
    assert_eq!(
        (&*found.fact, &found.events[..]),
        ("reported the end to its application twice", &[8, 7][..])
    );
    let cut = reporting().fin().told(None).told(Some(1006)).server_drops();
    cut.breaks(Invariant::ReportsEndCorrectly);
}

#[test]
fn an_application_that_is_never_told_of_the_end_leaks() {
    let found = closed(1000).server_drops().breaks(Invariant::ReportsEndCorrectly);
    assert_eq!(
        (&*found.fact, &found.events[..]),
        ("let go of the connection, and never told its application of the end", &[7][..])
    );
    reporting().fin().server_drops().breaks(Invariant::ReportsEndCorrectly);
    // As long as the transport is held, it may still be told.
    reporting().is_clean();
    closed(1000).server_shuts().is_clean();
    reporting().app_returns().server_drops().is_clean();
    reporting().panics().server_drops().breaks(Invariant::NoPanic);
    reporting().spins().server_drops().breaks(Invariant::NoSpin);
    reporting().fin().server_drops().told(None).is_clean();
}

#[test]
fn an_application_is_given_what_came_before_the_close_and_nothing_more() {
    let fragmented = [fragment(TEXT), masked(PING), masked((Opcode::CONTINUATION, b"!"))].concat();
    let two = reporting().client(TEXT).client_bytes(fragmented).client(BYE).client(TEXT);
    let two = two.server_reads_all().server(BYE);
    let two = two.given().given_bytes(5);
    two.clone().told(Some(1000)).server_drops().is_clean();
    let third = two.given().told(Some(1000)).server_drops();
    let found = third.breaks(Invariant::ReportsEndCorrectly);
    assert_eq!((found.level, &found.events[..]), (Level::Should, &[12, 6][..]));
    assert_eq!(found.fact, "gave its application data that came after the client's Close");
    closed(1000).given().told(Some(1000)).server_drops().breaks(Invariant::ReportsEndCorrectly);
    // A message that a Close cuts off was never whole, and a ping is none.
    let cut = reporting().client(PING).client_bytes(fragment(TEXT)).client(BYE).server_reads_all();
    cut.server(BYE).given().told(Some(1000)).server_drops().breaks(Invariant::ReportsEndCorrectly);
    // Without a Close there is no after; and what is given again was no data from behind it.
    let again = reporting().client(TEXT).server_reads_all().given().given();
    again.clone().breaks(Invariant::DeliversEveryMessage);
    let again = again.client(BYE).server_reads_all().server(BYE).told(Some(1000)).server_drops();
    again.breaks(Invariant::DeliversEveryMessage);
}

#[test]
fn who_gave_up_a_send_that_waited_for_room_may_not_have_come_to_the_close() {
    let closes = || reporting().client(PING).client_closes(1000).server_reads_all();
    closes().blocked().later(500).told(None).server_drops().is_clean();
    let free = closes().blocked().writable().told(None).later(500).server_drops();
    assert!(free.broken().contains(&Invariant::ReportsEndCorrectly), "{:?}", free.broken());
}
