//! `sends-valid-frames`: every byte of the server's is part of a frame that it may send.

use crate::story::{BYE, PING, Story, TEXT, close, encoded, masked, plain};
use hangup::verdict::{Invariant, Level};
use hangup::wire::{FrameHead, LengthForm, Opcode, handshake};

/// The server sends `bytes`, and closes as it should.
fn sends(bytes: impl AsRef<[u8]>) -> Story {
    let story = Story::open().at(1000).client(BYE).server_reads_all().server_bytes(bytes);
    story.server(BYE).server_drops()
}

#[test]
fn a_frame_that_no_server_may_send_is_a_must_not_and_says_what_is_wrong() {
    let text = FrameHead::server(Opcode::TEXT);
    let long = |length, size| encoded(FrameHead { length, ..text }, &vec![b'x'; size]);
    let begun = encoded(FrameHead { fin: false, ..text }, b"ne");
    let cases = [
        (masked(TEXT), "server frame with a mask"),
        (masked(PING), "server frame with a mask"),
        (encoded(FrameHead { rsv: 4, ..text }, b""), "reserved bits 100 set"),
        (plain((Opcode::new(3), b"")), "reserved opcode 3"),
        (plain((Opcode::new(11), b"")), "reserved opcode 11"),
        (long(LengthForm::Bits16, 125), "length not in its shortest form"),
        (long(LengthForm::Bits64, 65535), "length not in its shortest form"),
        (plain((Opcode::CONTINUATION, b"")), "continuation with no message open"),
        ([begun.clone(), plain(TEXT)].concat(), "new message inside a fragmented one"),
        (plain((Opcode::TEXT, b"caf\xe9 noir")), "text that is not UTF-8"),
        (plain((Opcode::TEXT, b"caf\xc3")), "text that is not UTF-8"),
        (
            encoded(FrameHead { fin: false, ..FrameHead::server(Opcode::PING) }, b""),
            "Ping without FIN",
        ),
        (plain((Opcode::PING, &[0; 126])), "Ping of more than 125 bytes"),
    ];
    for (bytes, fault) in cases {
        let story = Story::open().at(1000).server_bytes(bytes);
        let found = story.breaks(Invariant::SendsValidFrames);
        assert_eq!(
            (found.level, &found.fact),
            (Level::Must, &format!("sent an illegal frame: {fault}"))
        );
        assert_eq!(found.events, [3]);
    }
    for legal in [
        long(LengthForm::Minimal, 125),
        long(LengthForm::Minimal, 126),
        long(LengthForm::Bits64, 65536),
    ] {
        sends(legal).is_clean();
    }
    let whole = [begun, plain(PING), plain((Opcode::CONTINUATION, b"ws"))].concat();
    sends(whole).is_clean();
}

#[test]
fn what_is_wrong_with_a_closes_payload_or_size_is_not_also_a_bad_frame() {
    let unfinished = encoded(FrameHead { fin: false, ..FrameHead::server(Opcode::CLOSE) }, BYE.1);
    let closes = |payload: &[u8]| plain((Opcode::CLOSE, payload));
    for bad in [
        closes(b"x"),
        closes(&close(1005, b"")),
        closes(b"\x03\xe8\xff"),
        closes(&[3; 126]),
        unfinished,
    ] {
        Story::open().server_bytes(bad).later(1000).server_drops().breaks(Invariant::LegalClose);
    }
    let close = FrameHead::server(Opcode::CLOSE);
    for bad in [
        masked(BYE),
        encoded(FrameHead { rsv: 1, ..close }, BYE.1),
        encoded(FrameHead { length: LengthForm::Bits16, ..close }, BYE.1),
    ] {
        let ended = Story::open().server_bytes(bad).fin().later(1000).server_drops();
        ended.breaks(Invariant::SendsValidFrames);
    }
}

#[test]
fn what_comes_behind_the_own_close_is_no_matter_of_frames() {
    let behind = |bytes| Story::open().server(BYE).server_bytes(bytes).later(1000).server_drops();
    behind(masked(TEXT)).breaks(Invariant::NoDataAfterClose);
    behind(plain((Opcode::new(3), b""))).breaks(Invariant::NoDataAfterClose);
}

#[test]
fn behind_bytes_that_put_the_stream_out_of_step_nothing_more_is_read_as_frames() {
    let lost = Story::open().server_bytes([0xf0, 0]).server((Opcode::CLOSE, b"x"));
    lost.fin().later(1000).server_drops().breaks(Invariant::SendsValidFrames);
    let long = Story::open().server((Opcode::PING, &[0; 126])).server((Opcode::CLOSE, b"x"));
    long.fin().later(1000).server_drops().breaks(Invariant::SendsValidFrames);
    let kept = Story::open().server_bytes(masked(TEXT)).server((Opcode::CLOSE, b"x"));
    let broken = kept.later(1000).server_drops().broken();
    assert_eq!(broken, [Invariant::LegalClose, Invariant::SendsValidFrames]);
}

#[test]
fn a_send_that_was_cancelled_halfway_spoils_the_close_behind_it() {
    let half = Story::open().server_bytes(&plain(TEXT)[..4]).fin();
    half.clone().later(1000).server_drops().is_clean();
    let spoilt = half.server(BYE).server_bytes([0; 16]).later(1000).server_drops();
    spoilt.breaks(Invariant::SendsValidFrames);
}

#[test]
fn the_accept_answers_the_clients_key() {
    let wrong = handshake::switching_protocols("AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let requested = || Story::accepted().client_bytes(handshake::REQUEST).server_reads_all();
    let found = requested().server_bytes(&wrong).breaks(Invariant::SendsValidFrames);
    assert_eq!((found.level, &found.events[..]), (Level::Must, &[2][..]));
    let fact = "sent a Sec-WebSocket-Accept that does not answer the client's key";
    assert_eq!(found.fact, fact);
    requested().server_accepts().is_clean();
    // It is told before what is wrong with a frame.
    let both = requested().server_bytes(&wrong).server_bytes(masked(TEXT));
    assert_eq!(both.breaks(Invariant::SendsValidFrames).fact, fact);
    // A script may open with a key of its own: then nobody here knows the answer.
    let key = String::from_utf8_lossy(handshake::REQUEST.as_ref())
        .replace("Sec-WebSocket-Key: dG", "Sec-WebSocket-Key: eG");
    assert_ne!(key.as_bytes(), AsRef::<[u8]>::as_ref(handshake::REQUEST));
    let other = Story::accepted().client_bytes(key).server_reads_all();
    other.clone().server_bytes(&wrong).is_clean();
    other.server_accepts().is_clean();
}
