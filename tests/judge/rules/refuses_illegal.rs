//! `refuses-illegal`: who breaks the protocol gets a Close that says so.

use crate::story::{
    Act, BYE, FORGOTTEN, PING, PONG, Story, TEXT, UNMASKED, close, encoded, fragment, has_read,
    masked, plain,
};
use hangup::exchange::{Standing, What};
use hangup::judge::judge;
use hangup::verdict::{Invariant, Level, Symptom};
use hangup::wire::{FrameHead, LengthForm, Opcode};
use std::collections::BTreeSet;

#[test]
fn a_close_that_waited_for_room_since_before_is_not_about_the_violation_that_came() {
    let one_byte = (Opcode::CLOSE, &b"x"[..]);
    let going_away = close(1001, b"");
    let ends = |story: Story| story.server((Opcode::CLOSE, &going_away)).server_drops();
    let stuck = Story::open().then(What::WriteBlocked).client(one_byte);
    for story in [
        stuck.clone().then(What::Writable).server_reads_all(),
        stuck.server_reads_all().then(What::Writable),
    ] {
        ends(story).is_clean();
    }
    // Nor is one behind a message whose rest it has not sent, though there was room for it.
    let message = plain(TEXT);
    let half = Story::open().then(What::WriteBlocked).server_bytes(&message[..2]);
    let half = half.then(What::Writable).client(one_byte).server_reads_all();
    ends(half.server_bytes(&message[2..])).is_clean();
    let free = Story::open().then(What::WriteBlocked).then(What::Writable);
    ends(free.client(one_byte).server_reads_all()).breaks(Invariant::RefusesIllegal);
}

#[test]
fn who_looks_at_a_header_may_refuse_what_the_rest_of_the_frame_would_show() {
    let half = |frame| Story::open().client_bytes(&masked(frame)[..2]).server_reads_all();
    let refusal = close(1002, b"");
    let refused = half((Opcode::CLOSE, b"x")).server((Opcode::CLOSE, &refusal));
    refused.server_drops().is_clean();
    let cut = Story::open().server(BYE).client_bytes(&masked((Opcode::CLOSE, b"x"))[..2]);
    cut.server_reads_all().server_drops().is_clean();
    let blamed = Story::open().client(PING).server_reads_all().server((Opcode::CLOSE, &refusal));
    blamed.server_drops().breaks(Invariant::AcceptsLegal);
}

/// Whether a Close with `code` is a fitting answer to `bytes`.
#[track_caller]
fn fits(bytes: &[u8], code: u16) -> bool {
    let story = has_read(bytes).server_closes(code).later(1000).server_drops();
    let broken = story.broken().first().map(|_| story.breaks(Invariant::RefusesIllegal).level);
    assert!(matches!(broken, None | Some(Level::Should)), "{broken:?}");
    broken.is_none()
}

#[test]
fn a_violation_gets_a_close_of_a_fitting_code_and_no_other() {
    let text = FrameHead::client(Opcode::TEXT);
    let mut top_bit = encoded(FrameHead { length: LengthForm::Bits64, ..text }, b"");
    top_bit[2] = 0x80;
    let closes = |payload: &[u8]| masked((Opcode::CLOSE, payload));
    let cases: [(&str, Vec<u8>, &[u16]); 11] = [
        ("no mask", UNMASKED.to_vec(), &[]),
        ("reserved bits", encoded(FrameHead { rsv: 1, ..text }, b""), &[]),
        ("reserved opcode", masked((Opcode::new(3), b"")), &[1003]),
        ("ping without FIN", fragment(PING), &[]),
        ("long ping", masked((Opcode::PING, &[0; 126])), &[1009]),
        ("nothing to continue", masked((Opcode::CONTINUATION, b"")), &[]),
        ("Latin-1", masked((Opcode::TEXT, b"\xff")), &[1007]),
        ("one byte", closes(b"x"), &[]),
        ("code 999", closes(&close(999, b"")), &[]),
        ("bad reason", closes(b"\x03\xe8\xff"), &[1007]),
        ("long Close", closes(&close(1000, &[b'x'; 124])), &[1009]),
    ];
    for (what, bytes, more) in &cases {
        let found = (1000..=1003).chain(1007..=1011).filter(|&code| fits(bytes, code));
        let found: Vec<u16> = found.collect();
        let expected: BTreeSet<u16> =
            [1002, 1008].into_iter().chain(more.iter().copied()).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{what}");
        has_read(bytes)
            .server((Opcode::CLOSE, b""))
            .later(1000)
            .server_drops()
            .breaks(Invariant::RefusesIllegal);
        let dropped = has_read(bytes).server_drops().breaks(Invariant::RefusesIllegal);
        assert_eq!((dropped.level, &dropped.events[..]), (Level::Should, &[5, 4][..]), "{what}");
    }
    // The frame never ends: what the server says of it is about its beginning.
    has_read(&top_bit).server_closes(1000).later(1000).server_drops().is_clean();
    has_read(&top_bit).server_drops().breaks(Invariant::RefusesIllegal);
}

#[test]
fn to_echo_a_code_that_no_frame_may_carry_is_a_must_not_and_to_echo_an_unused_one_a_should_not() {
    for (code, level) in [(1005, Level::Must), (1015, Level::Must), (999, Level::Should)] {
        let bad = masked((Opcode::CLOSE, &close(code, b"")));
        let echo = has_read(&bad).server_closes(code).later(1000).server_drops();
        assert_eq!(echo.broken(), [Invariant::LegalClose, Invariant::RefusesIllegal]);
        let found = judge(&echo.exchange, &echo.bounds).violations.remove(1);
        assert_eq!((found.level, &found.events[..]), (level, &[5, 4][..]));
        assert!(found.fact.starts_with("echoed "), "{}", found.fact);
        let other = has_read(&bad).server_closes(1006).later(1000).server_drops();
        let found = judge(&other.exchange, &other.bounds).violations.remove(1);
        assert!(found.fact.starts_with("answered "), "{}", found.fact);
        assert_eq!(found.level, Level::Should);
    }
}

#[test]
fn a_wrong_answer_is_told_with_its_code() {
    let fact =
        |story: Story| story.later(1000).server_drops().breaks(Invariant::RefusesIllegal).fact;
    let what = "answered the client's protocol violation (client frame without a mask) with";
    assert_eq!(fact(has_read(UNMASKED).server_closes(1000)), format!("{what} code 1000"));
    assert_eq!(fact(has_read(UNMASKED).server((Opcode::CLOSE, b""))), format!("{what} no code"));
}

#[test]
fn a_violation_behind_the_clients_close_is_discarded_and_before_it_not() {
    let behind = has_read(&[&masked(BYE)[..], UNMASKED].concat());
    behind.clone().server(BYE).server_drops().is_clean();
    behind.server_drops().breaks(Invariant::AnswersClose);
    let before = has_read(&[UNMASKED, &masked(BYE)[..]].concat());
    before.server(BYE).later(1000).server_drops().breaks(Invariant::RefusesIllegal);
}

#[test]
fn what_was_not_read_need_not_be_refused() {
    let unread = Story::open().at(1000).client_bytes(UNMASKED);
    unread.clone().server_drops().is_clean();
    unread.clone().then(What::Read { bytes: 1 }).server_drops().is_clean();
    unread.then(What::Read { bytes: 2 }).server_drops().breaks(Invariant::RefusesIllegal);
    let seen = || Story::open_seen_by_client().at(1000).client_bytes(UNMASKED);
    seen().later(1).server_drops().is_clean();
    seen().later(2).server_drops().breaks(Invariant::RefusesIllegal);
    seen().later(2).told_of_reset().is_clean();
}

#[test]
fn a_violation_that_comes_while_the_server_closes_needs_no_other_close() {
    let closing = Story::open().at(1000).server_closes(1000).later(500);
    closing.client_bytes(UNMASKED).server_reads_all().server_drops().is_clean();
    let unasked = Story::open().at(1000).client_bytes(UNMASKED).server_closes(1000);
    unasked.server_reads_all().later(1000).server_drops().is_clean();
}

#[test]
fn after_the_applications_wish_to_end_a_violation_needs_no_close_that_says_so() {
    for wish in [Story::app_closes as Act, Story::app_returns] {
        let wished = wish(Story::open().at(1000)).client_bytes(UNMASKED).server_reads_all();
        wished.clone().server_drops().is_clean();
        wished.server_closes(1000).later(1000).server_drops().is_clean();
        let crossing = wish(has_read(UNMASKED));
        crossing.clone().server_drops().is_clean();
        crossing.server_closes(1000).later(1000).server_drops().is_clean();
    }
    let later = has_read(UNMASKED).server_closes(1000).app_closes().later(1000).server_drops();
    later.breaks(Invariant::RefusesIllegal);
}

#[test]
fn nobody_is_left_to_refuse_behind_a_fin_a_reset_a_panic_or_a_full_buffer() {
    let excuses: [Act; 5] =
        [Story::fin, Story::reset, Story::blocked, |s| s.blocked().writable(), Story::server_shuts];
    for excuse in excuses {
        excuse(Story::open().at(1000).client_bytes(UNMASKED))
            .server_reads_all()
            .server_drops()
            .is_clean();
    }
    let before_end: [Act; 3] = [Story::fin, Story::reset, Story::blocked];
    for excuse in before_end {
        excuse(has_read(UNMASKED)).server_drops().is_clean();
    }
    assert_eq!(has_read(UNMASKED).panics().server_drops().broken(), [Invariant::NoPanic]);
    assert_eq!(has_read(UNMASKED).spins().server_drops().broken(), [Invariant::NoSpin]);
    has_read(UNMASKED).server_drops().fin().breaks(Invariant::RefusesIllegal);
    has_read(UNMASKED)
        .blocked()
        .writable()
        .later(3)
        .server_drops()
        .breaks(Invariant::RefusesIllegal);
    has_read(UNMASKED).blocked().writable().later(2).server_drops().is_clean();
    let used = has_read(UNMASKED).blocked().writable().server(PONG).server_drops();
    used.breaks(Invariant::RefusesIllegal);
}

#[test]
fn a_close_from_before_the_whole_frame_was_read_is_about_something_else() {
    let bytes = masked((Opcode::TEXT, b"\xffrest"));
    let half = Story::open().at(1000).client_bytes(&bytes[..7]).server_reads_all();
    let before = half.clone().server_closes(1001).client_bytes(&bytes[7..]).server_reads_all();
    before.later(1000).server_drops().is_clean();
    let whole = half.client_bytes(&bytes[7..]).server_reads_all().server_closes(1001);
    whole.later(1000).server_drops().breaks(Invariant::RefusesIllegal);
}

#[test]
fn a_close_that_is_cut_off_refuses_nothing_and_is_not_judged_by_its_code() {
    let bye = plain((Opcode::CLOSE, &close(1000, b"")));
    for cut in 1..bye.len() {
        has_read(UNMASKED).server_bytes(&bye[..cut]).later(1000).server_drops().is_clean();
    }
}

#[test]
fn a_violation_that_is_read_and_not_refused_is_served_and_one_that_may_be_is_a_matter_of_time() {
    let reads = Standing { reads: Some(true), ..FORGOTTEN };
    let found = |story: Story, standing, rule| story.stands(standing).breaks(rule).identity;
    let served = found(has_read(UNMASKED), reads, Invariant::RefusesIllegal);
    assert_eq!(served.symptom(), Some(Symptom::ServesUnmasked));
    // Who does not read on may have refused it, and who has not read it cannot have served it.
    let stopped = found(has_read(UNMASKED), FORGOTTEN, Invariant::EndsInTime);
    assert_eq!(stopped.symptom(), Some(Symptom::Forgotten));
    let unread = Story::open().at(1000).client_bytes(UNMASKED);
    let unread = found(unread, Standing { has_input: true, ..reads }, Invariant::EndsInTime);
    assert_eq!(unread.symptom(), Some(Symptom::IgnoresInput));
    // Who said so refused it, and stays.
    let refused = has_read(UNMASKED).server_closes(1002);
    let refused = found(refused, reads, Invariant::EndsInTime);
    assert_eq!(refused.symptom(), Some(Symptom::WaitsToRead));
    // Half of the frame may be what it waits for.
    let half = found(has_read(&[0x81, 5]), reads, Invariant::EndsInTime);
    assert_eq!(half.symptom(), Some(Symptom::AwaitsIllegalRest));
    // What the application wanted is no refusal.
    let wanted = has_read(UNMASKED).app_closes().server_closes(1000);
    let wanted = found(wanted, reads, Invariant::RefusesIllegal);
    assert_eq!(wanted.symptom(), Some(Symptom::ServesUnmasked));
    // An idle time-out is no refusal, a late refusal is.
    let idle = has_read(UNMASKED).at(30_000).server_closes(1001).server_drops();
    let idle = idle.breaks(Invariant::RefusesIllegal).identity;
    assert_eq!(idle.symptom(), Some(Symptom::ServesUnmasked));
    let late = has_read(UNMASKED).at(30_000).server_closes(1002).server_drops();
    assert_eq!(late.breaks(Invariant::EndsInTime).identity.symptom(), Some(Symptom::OwnTimer));
}

#[test]
fn to_answer_what_came_behind_a_violation_is_to_have_served_it() {
    let symptom =
        |story: Story| story.server_drops().breaks(Invariant::RefusesIllegal).identity.symptom();
    let behind = |frame: (Opcode, &[u8])| has_read(UNMASKED).client(frame).server_reads_all();
    let served = Some(Symptom::ServesUnmasked);
    // Where both were read at once, nobody can tell which is answered.
    let once = Story::open().client_bytes(UNMASKED).client_closes(3000).server_reads_all();
    let once = symptom(once.server_closes(3000));
    assert_eq!(once, Some(Symptom::AnswersWhatCameWith));
    assert_eq!(symptom(behind((Opcode::CLOSE, &close(3000, b""))).server_closes(3000)), served);
    assert_eq!(symptom(behind((Opcode::TEXT, b"\xff")).server_closes(1007)), served);
    // A length of 2^63, and then nothing: that is what 1009 is about.
    let huge = has_read(UNMASKED).client_bytes([0x83, 0xff, 0x80]).server_reads_all();
    assert_eq!(symptom(huge.server_closes(1009)), served);
    let large = has_read(UNMASKED).client_bytes([0x82, 0xff, 0, 0, 0x8a]).server_reads_all();
    assert_eq!(symptom(large.server_closes(1009)), served);
    let other = Some(Symptom::RefusesWithOtherCode);
    assert_eq!(symptom(behind((Opcode::CLOSE, &close(3000, b""))).server_closes(1000)), other);
    assert_eq!(symptom(has_read(UNMASKED).server_closes(1000)), other);
    assert_eq!(symptom(has_read(UNMASKED)), Some(Symptom::RefusesSilently));
    let reset = has_read(UNMASKED).then(What::Dropped { reset: true });
    let reset = reset.breaks(Invariant::RefusesIllegal).identity;
    assert_eq!(reset.symptom(), Some(Symptom::RefusesByReset));
}

#[test]
fn a_bad_close_is_taken_where_it_is_answered_as_a_good_one() {
    let answered = |payload: &[u8], code| {
        let story = Story::open().client((Opcode::CLOSE, payload)).server_reads_all();
        let found = story.server_closes(code).server_drops();
        found.breaks(Invariant::RefusesIllegal).identity.symptom()
    };
    let other = Some(Symptom::RefusesWithOtherCode);
    for (payload, symptom) in [
        (&b"\x03"[..], Symptom::ServesOneByteClose),
        (&close(999, b""), Symptom::ServesBadCode),
        (&close(1000, b"\xff"), Symptom::ServesBadReason),
    ] {
        assert_eq!(answered(payload, 1000), Some(symptom));
        assert_eq!(answered(payload, 1011), other);
    }
}

#[test]
fn a_close_with_two_faults_may_be_refused_for_either() {
    let refused = |payload: &[u8], code| {
        let story = Story::open().client((Opcode::CLOSE, payload)).server_reads_all();
        story.server_closes(code).server_drops()
    };
    refused(&close(1015, b"\xff"), 1007).is_clean();
    refused(&close(1015, b"\xff"), 1002).is_clean();
    refused(&close(1015, b"x"), 1007).breaks(Invariant::RefusesIllegal);
}

#[test]
fn after_a_whole_message_a_close_may_be_the_applications_own() {
    let closed = |frame| Story::open().client(frame).client_bytes(UNMASKED).server_reads_all();
    closed(TEXT).server_closes(4001).server_drops().is_clean();
    closed(PING).server_closes(4001).server_drops().breaks(Invariant::RefusesIllegal);
}

#[test]
fn who_had_no_room_for_a_close_when_the_end_was_due_has_served_nothing() {
    let late = |story: Story| story.later(60_000).server_drops().broken();
    assert_eq!(late(has_read(UNMASKED)), [Invariant::RefusesIllegal]);
    // Nor is it late for certain: it may have taken the frame, and ended for another reason.
    assert_eq!(late(has_read(UNMASKED).then(What::WriteBlocked)), []);
    let had_room = has_read(UNMASKED).then(What::WriteBlocked).then(What::Writable);
    assert_eq!(late(had_room), [Invariant::RefusesIllegal]);
}
