//! `legal-close`: the server's own Close is one that it may send.

use crate::story::{BYE, Story, close, encoded, masked, plain};
use hangup::verdict::{Invariant, Level};
use hangup::wire::{FrameHead, Opcode};

/// The level of the broken legal-close, the same from either vantage, where that is broken.
#[track_caller]
fn illegal(frame: &[u8]) -> Option<Level> {
    let [here, there] = [Story::open(), Story::open_seen_by_client()].map(|open| {
        let story = open.at(1000).server_bytes(frame).later(1000).server_drops();
        let broken = story.broken().first().map(|_| story.breaks(Invariant::LegalClose));
        broken.map(|violation| violation.level)
    });
    assert_eq!(here, there);
    here
}

#[test]
fn a_code_is_legal_up_to_the_border_of_its_class() {
    let must = [1005, 1006, 1015];
    let should = [0, 999, 1004, 1016, 2999, 5000, u16::MAX];
    let legal = [1000, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999];
    let all = [(&must[..], Some(Level::Must)), (&should, Some(Level::Should)), (&legal, None)];
    for (codes, expected) in all {
        for &code in codes {
            assert_eq!(illegal(&plain((Opcode::CLOSE, &close(code, b"")))), expected, "{code}");
        }
    }
}

#[test]
fn a_close_is_whole_and_empty_or_has_a_code_and_at_most_123_bytes_of_text() {
    let of = |payload: &[u8]| illegal(&plain((Opcode::CLOSE, payload)));
    let reason = |reason: &[u8]| of(&close(1000, reason));
    let euros = "€".repeat(41);
    assert_eq!([of(b""), of(b"x")], [None, Some(Level::Must)]);
    assert_eq!([reason(&[b'x'; 123]), reason(&[b'x'; 124])], [None, Some(Level::Must)]);
    let cut = &euros.as_bytes()[..122];
    assert_eq!([reason(euros.as_bytes()), reason(cut)], [None, Some(Level::Must)]);
    assert_eq!(reason(b"\xff"), Some(Level::Must));
    let head = FrameHead { fin: false, ..FrameHead::server(Opcode::CLOSE) };
    assert_eq!(illegal(&encoded(head, BYE.1)), Some(Level::Must));
}

#[test]
fn of_two_faults_of_one_close_the_worse_is_reported() {
    let head = FrameHead { fin: false, ..FrameHead::server(Opcode::CLOSE) };
    let long = close(1000, &[b'x'; 124]);
    let found = [
        illegal(&plain((Opcode::CLOSE, &close(2000, b"\xff")))),
        illegal(&encoded(head, &close(2000, b""))),
    ];
    assert_eq!(found, [Some(Level::Must); 2]);
    let masked = Story::open().server_bytes(masked((Opcode::CLOSE, &long))).later(1000);
    assert_eq!(
        masked.server_drops().broken(),
        [Invariant::LegalClose, Invariant::SendsValidFrames]
    );
}
