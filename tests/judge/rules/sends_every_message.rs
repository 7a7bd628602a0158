//! `sends-every-message`: what the application had sent before it closed comes before the Close.

use crate::story::{Act, Story, UNMASKED, encoded, fragment, plain, wide};
use hangup::judge::judge;
use hangup::verdict::{Invariant, Level, Symptom, Verdict};
use hangup::wire::{FrameHead, Opcode};

const RULE: Invariant = Invariant::SendsEveryMessage;

/// An open connection whose application takes the commands to send these texts.
fn sending(texts: &[&str]) -> Story {
    texts.iter().fold(Story::open().at(1000), |story, text| story.app_sends(text))
}

/// The same with the application's close, and these texts before the server's Close.
fn closing(texts: &[&str], sent: &[&str]) -> Story {
    let story = sending(texts).app_closes();
    let story = sent.iter().fold(story, |story, text| story.server_says(text));
    story.server_closes(1000).at(1100).client_closes(1000).server_reads_all().server_drops()
}

#[track_caller]
fn shows(story: &Story, symptom: Symptom) -> String {
    let found = story.breaks(RULE);
    assert_eq!((found.level, found.identity.symptom()), (Level::Should, Some(symptom)));
    found.fact
}

#[test]
fn what_the_application_sent_before_it_closed_comes_before_the_close() {
    closing(&[], &[]).is_clean();
    closing(&["a", "b"], &["a", "b"]).is_clean();
    // What the server says of its own accord is nobody's loss.
    closing(&["a"], &["welcome", "a", "bye"]).is_clean();
    let lost = closing(&["a"], &[]);
    let fact = shows(&lost, Symptom::MessageLost);
    assert_eq!(fact, "had not sent a text of 1 byte that its application had sent");
    assert_eq!(lost.breaks(RULE).events, [5, 3]);
    shows(&closing(&["a", "b"], &["a"]), Symptom::MessageLost);
    shows(&closing(&["a", "b"], &["b"]), Symptom::MessageLost);
    shows(&closing(&["a", "b", "a"], &["b", "a"]), Symptom::MessageLost);
    // Of the same length and another content it is another message.
    shows(&closing(&["a"], &["z"]), Symptom::MessageLost);
}

#[test]
fn a_message_that_comes_in_part_is_cut() {
    let fact = shows(&closing(&["hello"], &["hell"]), Symptom::MessageCut);
    assert_eq!(fact, "had sent only part of a text of 5 bytes that its application had sent");
    // A frame, or a message in fragments, that the end cuts off.
    let half = plain((Opcode::TEXT, b"hello"))[..4].to_vec();
    let frame = sending(&["hello"]).app_closes().server_bytes(half).later(5).server_drops();
    // In the middle of a frame a Close could not be told.
    assert_eq!(frame.broken(), [RULE]);
    let cut = judge(&frame.exchange, &frame.bounds).violations.remove(0);
    assert_eq!(cut.identity.symptom(), Some(Symptom::MessageCut));
    let head = FrameHead { fin: false, ..FrameHead::server(Opcode::TEXT) };
    let fragments = sending(&["hello"]).app_closes().server_bytes(encoded(head, b"he"));
    let cut = fragments.clone().server_closes(1000).at(1100).client_closes(1000);
    shows(&cut.server_reads_all().server_drops(), Symptom::MessageCut);
    let whole = fragments.server((Opcode::PING, b"")).server((Opcode::CONTINUATION, b"llo"));
    let whole = whole.server_closes(1000).at(1100).client_closes(1000);
    whole.server_reads_all().server_drops().is_clean();
}

#[test]
fn messages_keep_their_order_and_come_once() {
    let fact = shows(&closing(&["a", "bc"], &["bc", "a"]), Symptom::MessagesSwapped);
    assert_eq!(fact, "sent a text of 1 byte of its application's out of order");
    let fact = shows(&closing(&["a", "bc"], &["a", "bc", "bc"]), Symptom::MessageTwice);
    assert_eq!(fact, "sent a text of 2 bytes that its application had sent once, twice");
    closing(&["a", "a"], &["a", "a"]).is_clean();
    // Where the client had sent it too, it may be an echo; a server with words of its own may
    // repeat them.
    let echo = |texts: &[&str], sent: &[&str]| {
        let story = Story::open().at(500).client_says("a").server_reads_all().at(1000);
        let story = texts.iter().fold(story, |story, text| story.app_sends(text)).app_closes();
        let story = sent.iter().fold(story, |story, text| story.server_says(text));
        story.server_closes(1000).at(1100).client_closes(1000).server_reads_all().server_drops()
    };
    echo(&["a"], &["a", "a"]).is_clean();
    echo(&["bc", "a"], &["a", "bc", "a"]).is_clean();
    closing(&["tick"], &["tick", "tock", "tick"]).is_clean();
    // What breaks a rule of the wire may be a message to the server, and be echoed.
    let served = Story::open().at(500).client_bytes(UNMASKED).server_reads_all().at(1000);
    let served = served.app_sends("a").app_closes().server_says("a").server_says("a");
    let served = served.server_closes(1000).at(1100).client_closes(1000).server_drops();
    assert!(!served.broken().contains(&RULE), "{:?}", served.broken());
    shows(&echo(&["bc"], &["bc", "bc"]), Symptom::MessageTwice);
}

#[test]
fn what_was_sent_before_it_was_meant_is_something_else() {
    let early = Story::open().at(1000).server_says("a").app_sends("a").app_closes();
    let early = early.server_closes(1000).at(1100).client_closes(1000).server_reads_all();
    shows(&early.server_drops(), Symptom::MessageLost);
}

#[test]
fn what_is_sent_behind_the_applications_close_or_the_servers_is_owed_to_nobody() {
    let late: [Act; 2] = [
        |s| s.app_closes().app_sends("a").server_closes(1000),
        |s| s.server_closes(1000).app_sends("a"),
    ];
    for act in late {
        let story = act(Story::open().at(1000)).at(1100).client_closes(1000);
        story.server_reads_all().server_drops().is_clean();
    }
    // Before there is a WebSocket, there is nobody to send it to.
    Story::accepted().app_sends("a").app_closes().server_drops().is_clean();
}

#[test]
fn a_client_that_ends_the_conversation_is_owed_what_was_sent_well_before() {
    let ends: [(Act, Act); 3] = [
        (|s| s.client_closes(1000).server_reads_all(), |s| s.server_closes(1000)),
        (|s| s.client_bytes(UNMASKED).server_reads_all(), |s| s.server_closes(1002)),
        (Story::fin, |s| s.server_closes(1000)),
    ];
    for (ends, answers) in ends {
        let after = |ms| answers(ends(sending(&["a"]).later(ms))).server_drops();
        after(0).is_clean();
        after(999).is_clean();
        shows(&after(1000), Symptom::MessageLost);
        // What it did after the server's Close excuses nothing.
        let behind = ends(sending(&["a"]).server_closes(1000)).server_drops();
        shows(&behind, Symptom::MessageLost);
    }
    for gone in [Story::reset as Act, Story::cut] {
        gone(sending(&["a"]).at(5000)).server_drops().is_clean();
    }
}

#[test]
fn a_server_that_ends_by_itself_sends_what_it_has() {
    shows(
        &sending(&["a"]).at(1500).server_closes(1001).later(5).server_drops(),
        Symptom::MessageLost,
    );
    let silent = sending(&["a"]).at(1500).server_drops().broken();
    assert_eq!(silent, [Invariant::NoSilentEnd, RULE]);
    sending(&["a"]).quiet().is_clean();
}

#[test]
fn who_has_no_room_or_had_to_wait_for_it_may_have_given_up() {
    sending(&["a"]).blocked().at(1500).server_drops().is_clean();
    let room = |ms| sending(&["a"]).blocked().later(ms).writable().at(5000).server_closes(1000);
    let room = |ms| room(ms).later(5).server_drops();
    shows(&room(2), Symptom::MessageLost);
    room(3).is_clean();
    // It had waited before there was anything to be sent.
    let before = Story::open().at(100).blocked().at(500).writable().at(1000).app_sends("a");
    shows(&before.at(2000).server_closes(1000).later(5).server_drops(), Symptom::MessageLost);
}

#[test]
fn who_returned_crashed_or_may_refuse_what_came_is_not_judged() {
    sending(&["a"]).app_returns().server_drops().is_clean();
    sending(&["a"]).panics().server_drops().breaks(Invariant::NoPanic);
    let refused = sending(&["a"]).client_bytes(wide((Opcode::PING, b""))).server_reads_all();
    refused.server_closes(1002).later(5).server_drops().is_clean();
    let half = sending(&["a"]).client_bytes(&fragment((Opcode::TEXT, b"half"))[..5]);
    let Verdict { violations, .. } = {
        let half = half.server_reads_all().server_closes(1009).later(5).server_drops();
        judge(&half.exchange, &half.bounds)
    };
    assert!(violations.iter().all(|found| found.identity.invariant() != RULE), "{violations:?}");
    // Frames that cannot be trusted say nothing about messages.
    let masked = encoded(FrameHead::client(Opcode::TEXT), b"a");
    let masked = sending(&["a"]).app_closes().server_bytes(masked).server_closes(1000);
    masked.later(5).server_drops().breaks(Invariant::SendsValidFrames);
}

#[test]
fn over_tcp_no_application_says_what_it_sends() {
    let story = closing(&["a"], &[]);
    assert!(judge(&story.exchange.seen_by_actor(), &story.bounds).is_clean());
}
