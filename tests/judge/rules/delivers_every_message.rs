//! `delivers-every-message`: what the client had sent before its Close reaches the application.

use crate::story::{Act, Story, fragment, masked, wide};
use hangup::verdict::{Invariant, Level, Symptom};
use hangup::wire::Opcode;

const RULE: Invariant = Invariant::DeliversEveryMessage;

/// The client sends these texts to an application that reports, and closes; all is read.
fn closing(texts: &[&str]) -> Story {
    let story = Story::open().reports().at(1000);
    let story = texts.iter().fold(story, |story, text| story.client_says(text));
    story.client_closes(1000).server_reads_all()
}

/// The answer, and the end.
fn answered(story: Story) -> Story {
    story.server_closes(1000).told(Some(1000)).server_drops()
}

/// `sent` by the client in one go with its Close, and `given` to the application by length.
fn by_length(sent: &[&str], given: &[u32]) -> Story {
    answered(given.iter().fold(closing(sent), |story, bytes| story.given_bytes(*bytes)))
}

/// The same with the content of what is given.
fn by_content(sent: &[&str], given: &[&str]) -> Story {
    answered(given.iter().fold(closing(sent), |story, message| story.given_message(message)))
}

#[track_caller]
fn shows(story: &Story, symptom: Symptom) -> String {
    let found = story.breaks(RULE);
    assert_eq!((found.level, found.identity.symptom()), (Level::Should, Some(symptom)));
    found.fact
}

#[test]
fn what_came_before_an_answered_close_reaches_the_application() {
    by_length(&["a", "bc"], &[1, 2]).is_clean();
    by_content(&["a", "bc"], &["a", "bc"]).is_clean();
    let fact = shows(&by_length(&["a"], &[]), Symptom::MessageWithheld);
    assert_eq!(fact, "had not given its application a message of 1 byte of the client's");
    shows(&by_content(&["a", "bc"], &["bc"]), Symptom::MessageWithheld);
    // By their lengths alone these two cannot be told apart.
    by_length(&["a", "b"], &[1, 1]).is_clean();
    shows(&by_content(&["a", "b"], &["a", "z"]), Symptom::MessageWithheld);
    let silent = Story::open().at(1000).client_says("a").client_closes(1000).server_reads_all();
    silent.server_closes(1000).server_drops().is_clean();
}

#[test]
fn a_message_is_given_whole_in_order_and_once() {
    let fact = shows(&by_length(&["hello"], &[4]), Symptom::GivenPart);
    assert_eq!(fact, "had given its application only part of a message of 5 bytes of the client's");
    let fact = shows(&by_length(&["a", "bc"], &[2, 1]), Symptom::GivenOutOfOrder);
    assert_eq!(fact, "gave its application a message of 1 byte out of order");
    shows(&by_content(&["a", "b"], &["b", "a"]), Symptom::GivenOutOfOrder);
    let fact = shows(&by_length(&["a"], &[1, 1]), Symptom::GivenTwice);
    assert_eq!(fact, "gave its application a message of 1 byte twice");
    shows(&by_content(&["a", "b"], &["a", "b", "a"]), Symptom::GivenTwice);
    by_content(&["a", "a"], &["a", "a"]).is_clean();
}

#[test]
fn fragments_make_one_message() {
    let pieces = [fragment((Opcode::TEXT, b"he")), masked((Opcode::PING, b""))].concat();
    let pieces = [pieces, masked((Opcode::CONTINUATION, b"llo"))].concat();
    let sent = || Story::open().reports().at(1000).client_bytes(&pieces).client_closes(1000);
    let sent = || sent().server_reads_all();
    answered(sent().given_message("hello")).is_clean();
    answered(sent().given_bytes(5)).is_clean();
    shows(&answered(sent().given_bytes(3)), Symptom::GivenPart);
    // One that a Close cuts off was never a message.
    let open = Story::open().reports().at(1000).client_bytes(fragment((Opcode::TEXT, b"he")));
    answered(open.client_closes(1000).server_reads_all()).is_clean();
}

#[test]
fn a_server_that_ends_by_itself_owes_what_it_had_for_a_while() {
    let ends: [Act; 4] = [
        |s| s.app_closes().server_closes(1000),
        |s| s.server_closes(1001),
        |s| s.fin().server_closes(1000),
        |s| s.client((Opcode::CLOSE, b"\x03")).server_reads_all().server_closes(1002),
    ];
    let read = || Story::open().reports().at(1000).client_says("a").server_reads_all();
    for act in ends {
        let after = |ms| act(read().later(ms)).later(5).told(None).server_drops();
        after(0).is_clean();
        after(999).is_clean();
        shows(&after(1000), Symptom::MessageWithheld);
    }
    // So does one that says nothing, which is another rule's too.
    read().later(500).told(None).server_drops().breaks(Invariant::NoSilentEnd);
    let silent = read().later(1000).told(None).server_drops().broken();
    assert_eq!(silent, [Invariant::NoSilentEnd, RULE]);
    // What was never read reached nobody; as long as the transport is held, it may be given.
    let unread = Story::open().reports().at(1000).client_says("a").later(1000).told(None);
    unread.server_closes(1001).later(5).server_drops().is_clean();
    read().later(1000).is_clean();
}

#[test]
fn an_answer_shows_that_all_before_it_had_its_turn_and_nothing_else_does() {
    // The application had wanted to close; the server had begun to; the code is not the client's.
    let reading = || Story::open().reports().at(1000);
    let wished = reading().app_closes().client_says("a").client_closes(1000).server_reads_all();
    answered(wished).is_clean();
    let begun = reading().server_closes(1000).client_says("a").client_closes(1000);
    begun.server_reads_all().told(Some(1000)).server_drops().is_clean();
    let other = closing(&["a"]).server_closes(1001).told(Some(1000)).server_drops();
    assert!(!other.broken().contains(&RULE), "{:?}", other.broken());
}

#[test]
fn who_may_refuse_a_message_or_could_not_go_on_is_not_judged() {
    let reading = || Story::open().reports().at(1000);
    let wide = reading().client_bytes(wide((Opcode::TEXT, b"a"))).client_closes(1000);
    answered(wide.server_reads_all()).is_clean();
    let behind_fault = reading().client_bytes(masked((Opcode::CONTINUATION, b"a")));
    let behind_fault = behind_fault.client_says("a").server_reads_all().server_closes(1002);
    behind_fault.later(5).told(None).server_drops().is_clean();
    answered(closing(&["a"]).blocked().later(500)).is_clean();
    answered(closing(&["a"]).blocked().later(500).writable()).is_clean();
    shows(&answered(closing(&["a"]).blocked().writable()), Symptom::MessageWithheld);
    closing(&["a"]).panics().server_drops().breaks(Invariant::NoPanic);
}
