//! The opening: all who look for a head's end find the same one.

use crate::vocabulary::check;
use hangup::wire::handshake::{
    ACCEPT, REQUEST, head_length, request, request_length, response, switching_protocols,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;

/// The lines of `head`, each with one of two ends, between empty lines and whatever follows.
fn with_line_ends(head: &str) -> impl Strategy<Value = (Vec<u8>, usize)> + use<> {
    let lines: Vec<String> = head.trim_end().lines().map(str::to_owned).collect();
    let ends = vec(select(vec!["\r\n", "\n"]), lines.len() + 1);
    let before = vec(select(vec!["\r\n", "\n"]), 0..3);
    let after = prop_oneof![vec(select(vec![b'\r', b'\n', b'x']), 0..6), vec(any::<u8>(), 0..20),];
    (before, ends, after).prop_map(move |(before, ends, after)| {
        let mut text = before.concat();
        for (line, end) in lines.iter().zip(&ends) {
            text.push_str(line);
            text.push_str(end);
        }
        text.push_str(ends.last().expect("one more"));
        let length = text.len();
        ([text.into_bytes(), after].concat(), length)
    })
}

/// Whatever has come of `bytes`, their first `length` ones are the request, and all who read
/// it say so.
pub fn request_ends_at(bytes: &[u8], length: usize) -> TestCaseResult {
    for end in 0..=bytes.len() {
        let whole = (end >= length).then_some(length);
        prop_assert_eq!(request_length(&bytes[..end]), whole, "of {} bytes", end);
        let read = request(&bytes[..end]);
        prop_assert_eq!(read, Ok(whole.map(|length| (length, ACCEPT.to_owned()))), "of {}", end);
    }
    Ok(())
}

/// As [`request_ends_at`], of a response.
pub fn response_ends_at(bytes: &[u8], length: usize) -> TestCaseResult {
    for end in 0..=bytes.len() {
        let whole = (end >= length).then_some(length);
        prop_assert_eq!(head_length(&bytes[..end]), whole, "of {} bytes", end);
        let read = response(&bytes[..end]).expect("an answer");
        prop_assert_eq!(read.map(|response| response.length), whole, "of {} bytes", end);
        prop_assert!(read.is_none_or(|response| response.accepted && response.status == 101));
    }
    Ok(())
}

#[test]
fn a_request_is_as_long_for_all_who_read_it_however_much_has_come() {
    check(300, with_line_ends(REQUEST), |(bytes, length)| request_ends_at(&bytes, length));
}

#[test]
fn a_response_is_as_long_for_all_who_read_it_however_much_has_come() {
    let answers = with_line_ends(&switching_protocols(ACCEPT));
    let trimmed = answers.prop_map(|(bytes, length)| {
        // A server sends no empty lines before its answer.
        let empty = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        (bytes[empty..].to_vec(), length - empty)
    });
    check(300, trimmed, |(bytes, length)| response_ends_at(&bytes, length));
}
