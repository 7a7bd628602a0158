//! What is told of the end by a client alone, or by the kernel's table.

use crate::story::{Act, BYE, Story, UNMASKED};
use hangup::exchange::What;
use hangup::verdict::Invariant;
use std::time::Duration;

#[test]
fn a_client_alone_sees_the_same_lateness_and_takes_the_end_for_the_release() {
    let open = || Story::open_seen_by_client().at(1000);
    for story in [open().client(BYE).server(BYE), open().server(BYE), open().fin()] {
        story.due(6000);
        story.clone().at(6002).actor(What::ReadReset).quiet().is_clean();
        story.at(6003).actor(What::ReadReset).breaks(Invariant::EndsInTime);
    }
}

/// Over TCP, where the kernel's socket table shows the server's end.
#[test]
fn a_release_that_is_seen_from_outside_is_told_from_the_end() {
    let mut story = Story::open_seen_by_client();
    story.exchange.sees_release = true;
    let ended = story.at(1000).client(BYE).server(BYE).server_drops();
    ended.clone().at(6002).then(What::Dropped { reset: false }).is_clean();
    ended.clone().quiet().breaks(Invariant::ReleasesInTime);
    ended.at(6003).then(What::Dropped { reset: false }).breaks(Invariant::ReleasesInTime);
}

#[test]
fn who_does_not_look_sees_no_end_and_the_server_is_not_blamed_for_it() {
    let open = || Story::open_seen_by_client().at(1000).client(BYE).at(2000);
    let blind: [Act; 3] = [Story::deaf, Story::cut, |story| story.deaf().client_bytes([0x89])];
    for act in blind {
        act(open()).quiet().is_clean();
        act(open()).at(6003).hears().actor(What::ReadEnd).is_clean();
        let mut table = act(open());
        table.exchange.sees_release = true;
        table.clone().at(6002).then(What::Shut).then(What::Dropped { reset: false }).is_clean();
        table.quiet().breaks(Invariant::EndsInTime);
    }
    open().deaf().at(5999).hears().quiet().breaks(Invariant::EndsInTime);
}

/// A Close that refuses a violation stays in the buffers of a client that does not read. That the
/// connection stays open is seen.
#[test]
fn a_refusal_that_the_client_could_not_read_is_not_called_missing() {
    let open = || {
        let mut story = Story::open_seen_by_client();
        story.exchange.sees_release = true;
        story.at(1000).client_bytes(UNMASKED)
    };
    open().quiet().breaks(Invariant::RefusesIllegal);
    open().deaf().at(1500).hears().quiet().breaks(Invariant::RefusesIllegal);
    for act in [Story::deaf as Act, Story::cut] {
        act(open()).quiet().breaks(Invariant::EndsInTime);
    }
}

/// The kernel's table tells only that an end came between two looks.
#[test]
fn an_end_that_only_the_table_showed_is_no_cut_and_no_missing_answer() {
    let open = || {
        let mut story = Story::open_seen_by_client();
        (story.exchange.sees_release, story.exchange.transit) = (true, Duration::ZERO);
        story.at(1000)
    };
    let gone = |story: Story| story.then(What::Shut).then(What::Dropped { reset: false });
    gone(open().server(BYE)).at(1010).reset().is_clean();
    gone(open().client(BYE)).is_clean();
    gone(open().client(BYE)).actor(What::ReadEnd).breaks(Invariant::AnswersClose);
    gone(open().client_bytes(UNMASKED)).is_clean();
    gone(open().client_bytes(UNMASKED)).actor(What::ReadEnd).breaks(Invariant::RefusesIllegal);
}
