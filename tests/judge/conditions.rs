//! What the client did while the end was owed.

use crate::story::{Act, BYE, PING, Story, causes, owing};
use hangup::verdict::{Cause, Condition, Invariant};

#[test]
fn each_condition_has_its_name_and_of_several_the_gravest_is_named() {
    let graver: [(Act, Condition); 7] = [
        (|story| story, Condition::Silent),
        (|story| story.client(PING), Condition::StillSending),
        (|story| story.client(BYE), Condition::Answered),
        (Story::fin, Condition::HalfClosed),
        (Story::deaf, Condition::NotReading),
        (Story::cut, Condition::CutOff),
        (|story| story.client_bytes([0x89]), Condition::HalfSent),
    ];
    let mut all = owing(Cause::OwnClose).at(2000);
    for (act, condition) in graver {
        all = act(all);
        for story in [act(owing(Cause::OwnClose).at(6000)), all.clone()] {
            assert_eq!(story.never(), (Cause::OwnClose, condition));
        }
        let after = act(owing(Cause::OwnClose).at(6001));
        assert_eq!(after.never(), (Cause::OwnClose, Condition::Silent));
    }
    let gone = all.reset().quiet().breaks(Invariant::ReleasesInTime).identity;
    assert_eq!(
        (gone.cause(), gone.condition()),
        (Some(Cause::OwnClose), Some(Condition::Disconnected))
    );
    let hears_again = owing(Cause::OwnClose).deaf().hears();
    assert_eq!(hears_again.never(), (Cause::OwnClose, Condition::Silent));
}

#[test]
fn what_the_cause_implies_is_not_named_again_and_what_was_sent_before_it_is_no_drip() {
    for cause in causes() {
        let half = cause == Cause::Handshake;
        let condition = if half { Condition::HalfSent } else { Condition::Silent };
        assert_eq!(owing(cause).never(), (cause, condition));
    }
    let before = Story::open().client(PING).at(1000).app_closes();
    assert_eq!(before.never(), (Cause::AppClose, Condition::Silent));
    let after = owing(Cause::AppClose).at(2000).client(BYE);
    assert_eq!(after.never(), (Cause::AppClose, Condition::Answered));
}
