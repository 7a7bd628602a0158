//! `releases-in-time`.

use crate::story::{BYE, Story, causes, owing};
use hangup::exchange::Time;
use hangup::verdict::{Cause, Condition, Ending, Invariant, Level};
use std::time::Duration;

#[test]
fn a_server_that_sent_fin_and_keeps_its_transport_ended_but_did_not_release() {
    for cause in causes() {
        let shut = owing(cause).at(3000).says_why(cause).server_shuts();
        shut.clone().at(6002).server_drops().is_clean();
        let late = shut.clone().at(6003).server_drops().breaks(Invariant::ReleasesInTime);
        assert_eq!(
            (late.ending, late.identity.cause()),
            (Ending::Late(Time(6_003_000)), Some(cause))
        );
        assert_eq!(shut.quiet().breaks(Invariant::ReleasesInTime).ending, Ending::Never);
    }
    let kept = owing(Cause::ClientFin).server_shuts().quiet().breaks(Invariant::ReleasesInTime);
    let open = owing(Cause::ClientFin).quiet().breaks(Invariant::EndsInTime);
    assert_eq!((&*kept.fact, &*open.fact), ("kept its transport", "did not end the connection"));
    let ended_late = owing(Cause::OwnClose).at(7000).server_shuts().quiet();
    assert_eq!(ended_late.breaks(Invariant::EndsInTime).ending, Ending::Late(Time(7_000_000)));
}

#[test]
fn a_reset_is_counted_by_the_release_bound_and_excuses_nothing_after_the_deadline() {
    let reset = |story: Story, release| {
        story.promising(|bounds| bounds.release = Duration::from_secs(release)).at(1000).reset()
    };
    for release in [1, 9] {
        let found = reset(Story::open(), release).due(1000 + 1000 * release);
        assert_eq!(found, (Cause::ClientReset, Condition::Silent));
    }
    assert_eq!(reset(owing(Cause::OwnClose), 1).due(2000).0, Cause::ClientReset);
    let long = reset(owing(Cause::OwnClose), 9).quiet().breaks(Invariant::ReleasesInTime);
    assert_eq!(long.identity.cause(), Some(Cause::OwnClose));
    let late = owing(Cause::OwnClose).at(9000).reset().server_drops();
    assert_eq!(late.breaks(Invariant::EndsInTime).ending, Ending::Late(Time(9_000_000)));
}

#[test]
fn to_hold_the_transport_is_a_should_behind_the_own_fin_and_else_as_grave_as_not_to_end() {
    let level = |story: Story| story.quiet().breaks(Invariant::ReleasesInTime).level;
    let both = owing(Cause::OwnClose).client(BYE);
    for (story, expected) in [
        (owing(Cause::ClientClose), Level::Must),
        (owing(Cause::ClientViolation), Level::Must),
        (both, Level::Must),
        (owing(Cause::OwnClose), Level::Should),
        (owing(Cause::ClientFin), Level::Should),
    ] {
        // It need not end what the client has reset, but to let go of it.
        assert_eq!(level(story.clone().at(2000).reset()), expected);
        assert_eq!(level(story.clone().at(2000).server_shuts()), Level::Should);
        assert_eq!(level(story.server_shuts().at(2000).reset()), Level::Should);
    }
    // The client may have read the FIN of a socket that no look found in that state.
    let mut seen = Story::open_seen_by_client().at(1000).client(BYE).server(BYE);
    seen.exchange.sees_release = true;
    assert_eq!(level(seen.clone().server_drops()), Level::Should);
    assert_eq!(level(seen.told_of_reset()), Level::Must);
}
