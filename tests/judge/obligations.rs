//! What obliges a server to end the connection, and by when.

use crate::story::{BYE, Story, TEXT, UNMASKED, close, encoded, masked, plain, wide};
use hangup::exchange::{ConnectionId, What};
use hangup::judge::{judge, next_deadline};
use hangup::verdict::{Cause, Condition, Invariant, Level, Symptom};
use hangup::wire::{FrameHead, LengthForm, Opcode, handshake};

#[test]
fn of_several_causes_the_earliest_is_named_but_the_close_before_the_wish_that_led_to_it() {
    let open = || Story::open().at(1000);
    assert_eq!(open().fin().at(2000).client(BYE).due(6000).0, Cause::ClientFin);
    assert_eq!(open().app_closes().at(2000).server(BYE).due(6000).0, Cause::AppClose);
    assert_eq!(open().server(BYE).at(2000).client(BYE).due(6000).0, Cause::OwnClose);
    assert_eq!(open().app_closes().server(BYE).due(6000).0, Cause::OwnClose);
    assert_eq!(open().server(BYE).client(BYE).due(6000).0, Cause::OwnClose);
    assert_eq!(open().client(BYE).server(BYE).due(6000).0, Cause::ClientClose);
    assert_eq!(open().client_bytes(UNMASKED).fin().due(6000).0, Cause::ClientViolation);
    assert_eq!(open().app_closes().fin().due(6000).0, Cause::ClientFin);
}

#[test]
fn the_own_close_counts_from_its_first_byte_and_the_clients_from_its_last() {
    for cut in 1..plain(BYE).len() {
        let story = Story::open().at(1000).server_bytes(&plain(BYE)[..cut]);
        let story = story.at(3000).server_bytes(&plain(BYE)[cut..]);
        assert_eq!(story.due(6000), (Cause::OwnClose, Condition::Silent), "cut at {cut}");
    }
    // What the client got before has no part in it.
    let got = Story::open().server(TEXT).client_gets_all().at(1000).server(BYE);
    assert_eq!(got.due(6000).0, Cause::OwnClose);
    for cut in 1..masked(BYE).len() {
        let half = Story::open().at(1000).client_bytes(&masked(BYE)[..cut]);
        half.clone().quiet().is_clean();
        let story = half.at(3000).client_bytes(&masked(BYE)[cut..]);
        assert_eq!(story.due(8000), (Cause::ClientClose, Condition::Silent), "cut at {cut}");
    }
}

/// Who reads a header looks at two bytes, and has nothing to look at in one.
#[test]
fn an_illegal_frame_obliges_with_the_second_byte_of_its_header() {
    let lone = masked((Opcode::CONTINUATION, b"x"));
    let half = || Story::open().at(1000).client_bytes(&lone[..1]);
    half().quiet().is_clean();
    assert_eq!(half().at(3000).client_bytes(&lone[1..2]).due(8000).0, Cause::ClientViolation);
    // Who ends it at the first byte is right as well.
    half().server_reads_all().server_closes(1002).server_drops().is_clean();
}

/// How many of `bytes` a client can send, behind `before`, until it has broken the protocol.
fn proof(before: &[u8], bytes: &[u8]) -> Option<usize> {
    (1..=bytes.len()).find(|&upto| {
        let story = Story::open().client_bytes(before).client_bytes(&bytes[..upto]).quiet();
        let violations = judge(&story.exchange, &story.bounds).violations;
        violations.iter().any(|v| v.identity.cause() == Some(Cause::ClientViolation))
    })
}

#[test]
fn a_violation_counts_from_the_byte_that_proves_it() {
    assert_eq!(proof(b"", &plain(TEXT)), Some(2), "no mask");
    assert_eq!(proof(b"", &masked((Opcode::PING, &[b'p'; 126]))), Some(4), "126 bytes");
    // 0xE9 wants two more bytes of one character, and a blank is none.
    assert_eq!(proof(b"", &masked((Opcode::TEXT, b"caf\xe9 noir"))), Some(6 + 5), "Latin-1");
    assert_eq!(proof(b"", &masked((Opcode::TEXT, b"caf\xc3"))), Some(6 + 4), "half a character");
    assert_eq!(proof(b"", &masked(BYE)), None);
    let split = Story::open().at(1000).client_bytes(&UNMASKED[..1]).at(3000);
    let split = split.client_bytes(&UNMASKED[1..]);
    assert_eq!(split.due(8000), (Cause::ClientViolation, Condition::Silent));
}

#[test]
fn a_violation_obliges_with_the_whole_of_the_two_bytes_or_of_the_length_that_prove_it() {
    let text = FrameHead::client(Opcode::TEXT);
    let begun = encoded(FrameHead { fin: false, ..text }, b"news");
    let cut_ping = encoded(FrameHead { fin: false, ..FrameHead::client(Opcode::PING) }, b"");
    let mut top_bit = encoded(FrameHead { length: LengthForm::Bits64, ..text }, b"news");
    top_bit[2] = 0x80;
    let cases = [
        ("reserved bits", proof(b"", &encoded(FrameHead { rsv: 4, ..text }, b"")), 2),
        ("reserved opcode", proof(b"", &masked((Opcode::new(3), b""))), 2),
        ("ping without FIN", proof(b"", &cut_ping), 2),
        ("nothing to continue", proof(b"", &masked((Opcode::CONTINUATION, b""))), 2),
        ("message in a message", proof(&begun, &masked(TEXT)), 2),
        ("top bit of the length", proof(b"", &top_bit), 10),
    ];
    let wrong: Vec<_> = cases.iter().filter(|(_, found, byte)| *found != Some(*byte)).collect();
    assert!(wrong.is_empty(), "(what, proven by byte, should be): {wrong:?}");
}

#[test]
fn a_close_behind_a_violation_is_no_close_any_more() {
    let story = Story::open().at(1000).client_bytes(UNMASKED).at(2000).client(BYE);
    let story = story.server_reads_all();
    story.clone().at(6002).server_drops().breaks(Invariant::RefusesIllegal);
    // The Close that it goes on to answer is none: the frame before it was served.
    let late = story.at(6003).server_drops().breaks(Invariant::RefusesIllegal);
    assert_eq!(late.identity.symptom(), Some(Symptom::ServesUnmasked));
}

#[test]
fn a_close_stuck_behind_a_full_buffer_is_owed_from_the_applications_wish_or_return() {
    for wish in [Story::app_closes, Story::app_returns] {
        let stuck = wish(Story::open().deaf().at(1000)).then(What::WriteBlocked);
        assert_eq!(stuck.due(6000), (Cause::AppClose, Condition::NotReading));
    }
}

#[test]
fn a_length_wider_than_it_needs_obliges_to_nothing_and_hides_nothing() {
    let wide = |frame| Story::open().at(1000).client_bytes(wide(frame));
    wide(TEXT).quiet().is_clean();
    let latin = wide((Opcode::TEXT, b"caf\xe9 noir"));
    let stories = [wide(TEXT).client(BYE), wide(TEXT).client_bytes(UNMASKED), latin, wide(BYE)];
    let obliges = stories
        .map(|story| next_deadline(&story.exchange, ConnectionId::FIRST, &story.bounds).is_some());
    assert_eq!(obliges, [true; 4], "behind it: a Close, no mask; in it: Latin-1, a Close");
}

#[test]
fn bytes_before_the_101_excuse_what_is_made_of_them_and_not_what_the_server_sends() {
    let early = Story::accepted().client_bytes(handshake::REQUEST).client(BYE).server_reads_all();
    early.clone().server_bytes("HTTP/1.1 400 No\r\n\r\n").quiet().is_clean();
    let open = early.at(2000).server_accepts();
    assert_eq!(open.due(7000), (Cause::ClientClose, Condition::Silent));
    let late = open.clone().quiet().breaks(Invariant::EndsInTime);
    assert_eq!(late.level, Level::Should, "the server may have dropped it (4.1)");
    open.clone().server_drops().is_clean();
    open.clone().server(TEXT).server(BYE).server_drops().is_clean();
    let bad = open.clone().server((Opcode::CLOSE, &close(1005, b""))).server_drops();
    bad.breaks(Invariant::LegalClose);
    open.clone().server(BYE).server(TEXT).server_drops().breaks(Invariant::NoDataAfterClose);
    open.server(BYE).server(BYE).server_drops().breaks(Invariant::ClosesOnce);
}
