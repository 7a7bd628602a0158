//! The pictures: `show`'s timeline under snapshot, one for each way that things look.

use hangup::bounds::Bounds;
use hangup::exchange::{ConnectionId, Death, End, Event, Exchange, Time, What};
use hangup::judge::judge;
use hangup::run::virtual_time;
use hangup::wire::handshake::{ACCEPT, REQUEST, switching_protocols};
use hangup::wire::{FrameHead, Opcode};
use hangup::{Registry, Script, report};
use std::fmt::Write as _;
use std::time::Duration;

/// What `hangup show` draws below its first line.
fn shown(target: &str, script: &str) -> String {
    let script: Script = script.parse().expect("a script");
    let registry = Registry::built_in();
    let target = registry.find(target).expect("built in");
    let bounds = target.bounds();
    let exchange = virtual_time::play(target, &bounds, &script, 0);
    let verdict = judge(&exchange, &bounds);
    let violation = verdict.violations.first();
    let sentence =
        violation.map_or_else(String::new, |violation| report::sentence(violation, &exchange));
    let picture = report::timeline(&exchange, violation);
    for line in picture.lines() {
        assert!(line.chars().count() <= 80, "more than 80 columns: {line}");
    }
    format!("{}\n\n{picture}", report::wrap(&sentence))
}

#[test]
fn the_story_of_the_article() {
    insta::assert_snapshot!(shown("tungstenite/no-deadline", "upgrade\napp close\n"));
}

#[test]
fn two_connections_have_a_column_each() {
    let script = "upgrade\napp close\n2: upgrade\n2: ping \"hi\"\n2: close 1000 \"bye\"\n";
    insta::assert_snapshot!(shown("tungstenite/no-deadline", script));
}

#[test]
fn three_connections_have_a_column_each_and_long_words_go_on_below() {
    let script = "upgrade\nstop reading\napp send text 20KiB\napp close\n2: connect after 1s\n2: upgrade\n\
                  2: close 1000\n3: upgrade in pieces of 50 bytes every 1s\n3: cut\n";
    insta::assert_snapshot!(shown("reference", script));
}

#[test]
fn more_connections_are_a_table_in_which_those_stand_together_that_do_the_same() {
    let alike = |number: u8| format!("{number}: upgrade\n{number}: close 1000\n");
    let mut script = (1..=7).filter(|number| *number != 3).map(alike).collect::<Vec<_>>().concat();
    script += "3: upgrade\n3: app close\n";
    insta::assert_snapshot!(shown("tungstenite/no-deadline", &script));
}

/// Events of a whole server, as its listener records them.
#[test]
fn what_the_whole_server_does_stands_across_all_columns() {
    let mut exchange = Exchange::new(true);
    let second = exchange.connect();
    let on = |at, connection, what| Event { connection, ..Event::new(Time(at), what) };
    let first = ConnectionId::FIRST;
    for (at, connection, what) in [
        (0, first, What::Offered),
        (0, first, What::Accepted),
        (2_000_000, first, What::ToldToBroadcast { bytes: 65_536, fingerprint: 0 }),
        (3_000_000, first, What::ToldToShutDown),
        (3_000_000, first, What::StoppedListening),
        (3_500_000, second, What::Offered),
        (3_500_000, second, What::Refused),
        (5_000_000, first, What::Dropped { reset: false }),
        (5_000_000, first, What::ServerReturned),
    ] {
        exchange.events.push(on(at, connection, what));
    }
    insta::assert_snapshot!(report::timeline(&exchange, None));
}

#[test]
fn a_polite_client() {
    insta::assert_snapshot!(shown("reference", "upgrade\nping \"hi\"\nclose 1000 \"bye\"\nfin\n"));
}

#[test]
fn a_deaf_client_and_a_full_buffer() {
    let script =
        "upgrade\nstop reading\napp send text 1MiB\napp close 1000\nwait 1s\nresume reading\n";
    insta::assert_snapshot!(shown("tungstenite/read-deadline", script));
}

#[test]
fn a_drip_is_drawn_as_a_few_lines() {
    let script = "upgrade\napp close\nping x 30 every 1s\n";
    insta::assert_snapshot!(shown("tungstenite/no-deadline", script));
}

#[test]
fn an_opening_byte_by_byte_and_a_reset() {
    insta::assert_snapshot!(shown("reference", "upgrade in pieces of 50 bytes every 1s\nreset\n"));
}

#[test]
fn an_illegal_close_and_a_cut() {
    let script = "upgrade\napp close 1005\nfirst 3 bytes of text \"hello\"\ncut\n";
    insta::assert_snapshot!(shown("tungstenite/no-deadline", script));
}

#[test]
fn the_four_deaths_of_a_process() {
    let script: Script = "upgrade\nclose 1000\n".parse().expect("a script");
    let registry = Registry::built_in();
    let target = registry.find("reference").expect("built in");
    let bounds = target.bounds();
    let mut pictures = String::new();
    for death in [Death::Signal(6), Death::Exited(3), Death::OutOfMemory, Death::StoodStill] {
        let mut exchange = virtual_time::play(target, &bounds, &script, 0);
        // Up to the server's reading of the Close.
        let is_read =
            |event: &Event| event.end == End::Subject && matches!(event.what, What::Read { .. });
        let read = exchange.events.iter().rposition(is_read);
        exchange.events.truncate(read.expect("it reads") + 1);
        exchange.push(Time(250_000), What::Died(death));
        let verdict = judge(&exchange, &bounds);
        let [violation] = &verdict.violations[..] else { panic!("one rule: {verdict:?}") };
        let sentence = report::sentence(violation, &exchange);
        let picture = report::timeline(&exchange, Some(violation));
        writeln!(pictures, "{}: {sentence}\n{picture}", violation.identity.invariant())
            .expect("a string");
    }
    insta::assert_snapshot!(pictures);
}

/// What a server sent that floods, as far as it is kept: the messages, and the piece of one.
#[test]
fn what_is_not_kept_of_a_flood_is_counted() {
    let mut exchange = Exchange::new(false);
    let mut server = switching_protocols(ACCEPT).into_bytes();
    let opening = server.len() as u32;
    // The rest of its payload came, and is not there.
    FrameHead::server(Opcode::TEXT).encode(&vec![b'x'; 70_000], &mut server);
    server.truncate(opening as usize + 110);
    FrameHead::server(Opcode::CLOSE).encode(b"\x03\xe8", &mut server);
    let bytes = exchange.bytes_mut(ConnectionId::FIRST);
    bytes.to_subject = REQUEST.into();
    bytes.to_actor = server;
    exchange.push(Time(0), What::Arrived { bytes: REQUEST.len() as u32 });
    exchange.push_at_actor(Time(1_000), What::Read { bytes: opening });
    exchange.push(Time(2_000), What::Discarded { bytes: 1_234_567 });
    exchange.push_at_actor(Time(3_000), What::Read { bytes: 110 });
    exchange.push(Time(4_000), What::Discarded { bytes: 69_900 });
    exchange.push_at_actor(Time(5_000), What::Read { bytes: 4 });
    exchange.push_at_actor(Time(6_000), What::ReadEnd);
    let log = report::wire_log(&exchange);
    insta::assert_snapshot!(format!("{}\n{log}", report::timeline(&exchange, None)));
    let verdict = judge(&exchange, &Bounds::close_within(Duration::from_secs(5)));
    assert!(verdict.is_clean(), "{verdict:?}");
}
