//! Frames: the decoder against two others, the encoder, UTF-8, close payloads.

use crate::oracle::{self, Found};
use crate::vocabulary::{
    check, close_payload, cuts, encoded, frame_head, legal_stream, payload, pieces, role, stream,
    textual,
};
use hangup::wire::{CloseClass, CloseCode, ClosePayload, Decoder, Head, Item, Opcode, Role, Utf8};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use std::io::Cursor;
use tokio_tungstenite::tungstenite::protocol::frame::FrameSocket;

/// What the decoder finds, with how many bytes it had by then.
fn decode(sender: Role, pieces: &[&[u8]]) -> Vec<Found> {
    let mut decoder = Decoder::new(sender);
    let (mut found, mut given) = (Vec::new(), 0);
    for mut piece in pieces.iter().copied() {
        given += piece.len();
        while let Some(item) = decoder.next(&mut piece) {
            let body = if matches!(item, Item::Frame(_)) { decoder.body() } else { &[] };
            found.push((given, item, body.to_vec()));
        }
    }
    found
}

fn a_stream() -> impl Strategy<Value = (Role, Vec<u8>)> {
    role().prop_flat_map(|sender| (Just(sender), stream(sender)))
}

fn without_places(found: Vec<Found>) -> Vec<(Item, Vec<u8>)> {
    found.into_iter().map(|(_, item, body)| (item, body)).collect()
}

/// The decoder, fed a byte at a time, finds what the oracle finds, with the same byte.
pub fn oracle_agrees(sender: Role, stream: &[u8]) -> TestCaseResult {
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    prop_assert_eq!(decode(sender, &bytes), oracle::decode(sender, stream));
    Ok(())
}

/// The decoder, fed all at once, finds what it finds in other pieces.
pub fn cuts_do_not_matter(sender: Role, stream: &[u8], sizes: &[usize]) -> TestCaseResult {
    let whole = without_places(decode(sender, &[stream]));
    prop_assert_eq!(whole, without_places(decode(sender, &pieces(stream, sizes))));
    Ok(())
}

#[test]
fn the_decoder_and_the_oracle_find_the_same_with_the_same_byte() {
    check(1500, a_stream(), |(sender, stream)| oracle_agrees(sender, &stream));
}

#[test]
fn the_decoder_finds_the_same_however_its_bytes_are_cut() {
    check(1500, (a_stream(), cuts()), |((sender, stream), sizes)| {
        cuts_do_not_matter(sender, &stream, &sizes)
    });
}

#[test]
fn the_decoder_and_tungstenite_read_a_legal_stream_alike() {
    let streams = role().prop_flat_map(|sender| (Just(sender), legal_stream(sender)));
    check(300, streams, |(sender, frames)| {
        let bytes: Vec<u8> =
            frames.iter().flat_map(|(head, payload)| encoded(*head, payload)).collect();
        let mut ours = Vec::new();
        for (_, item, body) in decode(sender, &[&bytes]) {
            match item {
                Item::Started(_) => {}
                Item::Fault(fault) => prop_assert!(false, "{} in a legal stream", fault),
                Item::Frame(head) => ours.push((head, body)),
            }
        }
        let mut socket = FrameSocket::from_partially_read(Cursor::new([]), bytes);
        for ((head, body), (_, payload)) in ours.iter().zip(&frames) {
            let theirs = socket.read(None).expect("legal").expect("as many frames");
            let header = theirs.header();
            let seen = Head {
                fin: header.is_final,
                rsv: 0,
                opcode: Opcode::new(header.opcode.into()),
                masked: header.mask.is_some(),
                length: theirs.payload().len() as u64,
            };
            prop_assert_eq!(*head, seen);
            let key = header.mask.unwrap_or_default();
            let plain: Vec<u8> =
                theirs.payload().iter().zip(key.iter().cycle()).map(|(a, b)| a ^ b).collect();
            prop_assert_eq!(&plain, payload);
            prop_assert_eq!(
                body.as_slice(),
                if head.opcode.is_control() { &plain } else { &[][..] }
            );
        }
        prop_assert!(socket.read(None).expect("legal").is_none(), "they read another frame");
        prop_assert_eq!(ours.len(), frames.len());
        Ok(())
    });
}

#[test]
fn what_is_encoded_is_decoded_to_the_same_head_and_payload() {
    check(1000, (role(), frame_head(), payload()), |(sender, head, payload)| {
        let bytes = encoded(head, &payload);
        let expected = Head {
            fin: head.fin,
            rsv: head.rsv,
            opcode: head.opcode,
            masked: head.mask.is_some(),
            length: payload.len() as u64,
        };
        let found = decode(sender, &[&bytes]);
        let frames: Vec<&Found> =
            found.iter().filter(|(_, item, _)| matches!(item, Item::Frame(_))).collect();
        let kept = if head.opcode.is_control() { payload.len().min(125) } else { 0 };
        prop_assert_eq!(frames, [&(bytes.len(), Item::Frame(expected), payload[..kept].to_vec())]);
        let last = decode(sender, &[&bytes[..bytes.len() - 1]]);
        prop_assert!(last.iter().all(|(_, item, _)| !matches!(item, Item::Frame(_))), "cut short");
        Ok(())
    });
}

#[test]
fn text_is_refused_with_the_byte_that_the_standard_library_refuses() {
    check(2000, (textual(), cuts()), |(text, sizes)| {
        let mut by_byte = Utf8::default();
        let stops = text.iter().position(|byte| by_byte.feed(&[*byte]).is_err());
        // The first prefix that nothing can make valid any more.
        let hopeless = (1..=text.len()).find(|end| {
            std::str::from_utf8(&text[..*end]).is_err_and(|error| error.error_len().is_some())
        });
        prop_assert_eq!(stops.map(|index| index + 1), hopeless);
        let mut in_pieces = Utf8::default();
        let refused = pieces(&text, &sizes).iter().any(|piece| in_pieces.feed(piece).is_err());
        prop_assert_eq!(refused, hopeless.is_some());
        if !refused {
            prop_assert_eq!(in_pieces.is_complete(), std::str::from_utf8(&text).is_ok());
        }
        Ok(())
    });
}

#[test]
fn a_close_payload_comes_apart_into_what_makes_it() {
    check(1000, close_payload(), |payload| {
        let again = match ClosePayload::parse(&payload) {
            ClosePayload::Empty => Vec::new(),
            ClosePayload::OneByte(byte) => vec![byte],
            ClosePayload::Code(code, reason) => [&code.0.to_be_bytes()[..], reason].concat(),
        };
        prop_assert_eq!(&again, &payload);
        let code = payload.first_chunk().map(|code| CloseCode(u16::from_be_bytes(*code)));
        prop_assert_eq!(ClosePayload::parse(&payload).code(), code);
        if let Some(code) = code {
            // The ranges of section 7.4.2 as they stand there, and the registry's.
            let sendable = match code.class() {
                CloseClass::Defined | CloseClass::Registered => (1000..1015).contains(&code.0),
                CloseClass::Library => (3000..4000).contains(&code.0),
                CloseClass::Private => (4000..5000).contains(&code.0),
                _ => false,
            };
            prop_assert_eq!(code.is_sendable(), sendable);
        }
        Ok(())
    });
}
