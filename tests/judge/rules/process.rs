//! `no-panic`, `no-spin`, `no-leak`, `bounded-memory`, `linear-work`: the server as a program.

use crate::story::{Act, BYE, Story, TEXT, asked, causes, owing};
use hangup::exchange::{Delivery, Time, What, Work, WorkPoint};
use hangup::judge::judge;
use hangup::verdict::{Cause, Ending, Invariant, Level, Symptom};
use std::time::Duration;

#[test]
fn a_panic_is_reported_and_excuses_the_missing_answer_alone() {
    let panic = asked().panics().server_drops().breaks(Invariant::NoPanic);
    assert_eq!((panic.level, panic.ending), (Level::Should, Ending::InTime));
    assert_eq!(asked().panics().quiet().broken(), [Invariant::EndsInTime, Invariant::NoPanic]);
    let alone = Story::open().panics().quiet().breaks(Invariant::NoPanic);
    assert_eq!((alone.ending, alone.identity.cause()), (Ending::InTime, None), "nothing was owed");
}

#[test]
fn a_spin_is_not_also_lateness() {
    for cause in causes() {
        let spin = owing(cause).at(8000).spins().quiet().breaks(Invariant::NoSpin);
        assert_eq!(spin.ending, Ending::Spinning(Time(8_000_000)));
        // What the server did itself, or did not see, did not set it off.
        let none = matches!(cause, Cause::OwnClose | Cause::Handshake | Cause::Idle);
        assert_eq!((spin.level, spin.identity.cause()), (Level::Should, (!none).then_some(cause)));
    }
    asked().spins().server_drops().breaks(Invariant::NoSpin);
}

#[test]
fn a_death_of_the_process_breaks_the_rule_of_its_kind_whatever_led_to_it() {
    for (death, invariant) in [
        (Story::aborts as Act, Invariant::NoPanic),
        (Story::exits, Invariant::NoPanic),
        (Story::eats_all_memory, Invariant::BoundedMemory),
        (Story::stands_still, Invariant::NoSpin),
    ] {
        let broken = death(asked().at(3000)).breaks(invariant);
        assert_eq!((broken.level, broken.identity.cause()), (Level::Should, None));
        assert_eq!(death(Story::open()).breaks(invariant).identity, broken.identity);
    }
    assert_eq!(asked().aborts().breaks(Invariant::NoPanic).fact, "aborted its process (signal 6)");
}

#[test]
fn a_panic_that_aborts_is_one_finding_that_tells_the_panic() {
    let both = asked().panics().aborts().breaks(Invariant::NoPanic);
    let alone = asked().aborts().breaks(Invariant::NoPanic);
    assert_eq!((both.fact.as_str(), both.identity), ("panicked: oops", alone.identity));
}

#[test]
fn a_server_that_stands_still_is_not_also_late_and_one_that_crashes_later_is() {
    let still = asked().at(8000).stands_still().breaks(Invariant::NoSpin);
    assert_eq!(still.ending, Ending::Spinning(Time(8_000_000)));
    let crash = asked().at(8000).aborts().broken();
    assert_eq!(crash, [Invariant::EndsInTime, Invariant::NoPanic]);
    assert_eq!(asked().at(4999).aborts().broken(), [Invariant::NoPanic]);
}

#[test]
fn tasks_that_outlive_the_connection_are_a_leak_that_is_counted() {
    let ended = || asked().server(BYE).server_drops().later(5000);
    let one = ended().outlives().breaks(Invariant::NoLeak);
    assert_eq!((one.level, one.identity.cause()), (Level::Should, Some(Cause::ClientClose)));
    assert_eq!((one.ending, &one.events[..]), (Ending::InTime, &[7][..]));
    assert_eq!(one.fact, "left a task behind that outlives the connection");
    let three = ended().then(What::Outlived { tasks: 3 }).breaks(Invariant::NoLeak);
    assert_eq!(three.fact, "left 3 tasks behind that outlive the connection");
    ended().is_clean();
}

#[test]
fn the_peak_of_the_heap_is_held_against_the_promise_and_one_byte_more_is_too_much() {
    let held = |peak, memory| {
        let mut story = Story::open().promising(|bounds| bounds.memory = memory);
        story.exchange.peak_heap = peak;
        story
    };
    for (peak, memory) in
        [(None, Some(1000)), (Some(5000), None), (Some(1000), Some(1000)), (None, None)]
    {
        held(peak, memory).is_clean();
    }
    let over = held(Some(1001), Some(1000)).breaks(Invariant::BoundedMemory);
    assert_eq!((over.level, over.events.len(), over.identity.cause()), (Level::Should, 0, None));
    assert_eq!(over.fact, "held 1001 bytes of heap for one connection; its bound is 1000");
    let exhausted = held(Some(1001), Some(1000)).eats_all_memory();
    let found = exhausted.breaks(Invariant::BoundedMemory);
    assert_eq!(found.fact, "asked for more memory than its process may have", "told once");
    // It is a matter of the whole connection: what obliged the server is its cause.
    let mut closed = asked().server(BYE).server_drops().promising(|bounds| bounds.memory = Some(1));
    closed.exchange.peak_heap = Some(2);
    assert_eq!(closed.breaks(Invariant::BoundedMemory).identity.cause(), Some(Cause::ClientClose));
}

#[test]
fn what_the_server_did_as_a_program_is_told_in_its_own_words() {
    let fact = |story: Story, invariant| story.breaks(invariant).fact;
    assert_eq!(fact(Story::open().panics(), Invariant::NoPanic), "panicked: oops");
    let spun = "polled 10000 times while time stood still";
    assert_eq!(fact(Story::open().spins(), Invariant::NoSpin), spun);
}

#[test]
fn a_panic_names_what_led_to_it_and_a_death_behind_it_hides_no_other_cause() {
    let cause = Some(Cause::ClientClose);
    assert_eq!(asked().panics().breaks(Invariant::NoPanic).identity.cause(), cause);
    let story = asked().server(BYE).server(TEXT).aborts();
    assert_eq!(story.broken(), [Invariant::NoDataAfterClose, Invariant::NoPanic]);
    let causes = judge(&story.exchange, &story.bounds).violations;
    assert_eq!([causes[0].identity.cause(), causes[1].identity.cause()], [cause, None]);
}

/// A connection on which 128, 256 and 512 KiB took so many microseconds.
fn took(delivery: Delivery, micros: [u64; 3]) -> Story {
    let point = |(kib, micros): (u32, u64)| WorkPoint {
        bytes: kib << 10,
        took: Duration::from_micros(micros),
    };
    let points = [128, 256, 512].into_iter().zip(micros).map(point).collect();
    let mut story = Story::open();
    story.exchange.work =
        Some(Work { delivery, piece: 64, points, at_once: Duration::from_millis(2) });
    story
}

#[test]
fn work_is_out_of_proportion_where_two_doublings_in_a_row_take_nine_times_as_long() {
    let head = |micros| took(Delivery::Head, micros);
    for micros in [
        [100_000, 200_000, 400_000],
        [100_000, 290_000, 860_000],
        // What each piece costs anyway is a part of it; a cache that was left is one doubling's.
        [100_000, 240_000, 1_000_000],
        [100_000, 400_000, 980_000],
        [800_000, 200_000, 800_000],
        // Too little to be told from noise.
        [500, 2_000, 7_999],
    ] {
        head(micros).is_clean();
    }
    let found = head([107_000, 430_000, 1_720_000]).breaks(Invariant::LinearWork);
    assert_eq!((found.level, found.identity.cause()), (Level::Should, None));
    assert_eq!(
        found.fact,
        "takes over nine times the processor time for four times the bytes: a head in pieces of 64 B"
    );
    for micros in [[500, 2_000, 8_000], [3_000, 10_000, 36_000], [100_000, 280_000, 910_000]] {
        head(micros).breaks(Invariant::LinearWork);
    }
}

#[test]
fn work_out_of_proportion_is_told_apart_by_what_costs_it() {
    for (delivery, symptom) in [
        (Delivery::Head, Symptom::HeadInPieces),
        (Delivery::Message, Symptom::MessageInPieces),
        (Delivery::Fragments, Symptom::MessageInFragments),
        (Delivery::Messages, Symptom::ManyMessages),
    ] {
        let found = took(delivery, [10_000, 40_000, 160_000]).breaks(Invariant::LinearWork);
        assert_eq!(found.identity.symptom(), Some(symptom));
    }
}

#[test]
fn figures_of_work_are_no_part_of_the_digest() {
    let story = took(Delivery::Head, [10_000, 40_000, 160_000]);
    assert_eq!(story.exchange.digest(), Story::open().exchange.digest());
}
