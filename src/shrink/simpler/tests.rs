//! Tests of the order and of the simpler variants, as tables: each row is a step in the notation.

use super::*;
use crate::script::ConnectionNumber;

fn step(text: &str) -> Step {
    let script: Script = text.parse().expect(text);
    script.steps.into_iter().next().expect(text)
}

/// The steps that could stand in for `text`, as they print.
fn simpler(text: &str) -> Vec<String> {
    steps(&step(text)).iter().map(ToString::to_string).collect()
}

/// What could stand in for a send that is none of the plain ones, whatever it is.
const PLAIN_TEXTS: [&str; PLAIN_SENDS] = [
    "ping",
    "first 1 byte of ping",
    "close",
    "text",
    "unmasked ping",
    "first 2 bytes of unmasked ping 1B",
    "close 1000",
    "unfinished text",
];

/// What could stand in for `text`, a send, beside the plain ones.
fn beside_plain(text: &str) -> Vec<String> {
    let all = simpler(text);
    assert_eq!(all[..PLAIN_SENDS], PLAIN_TEXTS, "{text}");
    all[PLAIN_SENDS..].to_vec()
}

#[test]
fn every_act_has_its_rank() {
    let ranks = [
        ("window 1B", 0),
        ("upgrade", 1),
        ("first 3 bytes of upgrade with 1B header", 1),
        ("stop reading", 2),
        ("app ping", 3),
        ("app send text", 4),
        ("app send binary", 5),
        ("app close", 6),
        ("app return", 7),
        ("app keep", 8),
        ("await upgrade", 9),
        ("await close", 10),
        ("wait 1ms", 11),
        ("connect after 1s", 11),
        ("resume reading", 12),
        ("ping", 13),
        ("first 1 byte of ping", 14),
        ("close", 15),
        ("text", 16),
        ("unmasked ping", 17),
        ("first 2 bytes of unmasked ping 1B", 18),
        ("close 1000", 19),
        ("unfinished text", 20),
        ("pong", 30),
        ("ping x 2", 30),
        ("app broadcast text", 31),
        ("app shutdown", 32),
        ("fin", 40),
        ("reset", 41),
        ("drop", 42),
        ("cut", 43),
    ];
    for (text, expected) in ranks {
        assert_eq!(rank(&step(text).act), expected, "{text}");
    }
}

#[test]
fn oddities_of_an_act_are_counted() {
    let counts = [
        ("upgrade", 0),
        ("upgrade with 1B header", 1),
        ("raw", 6),
        ("raw 1B", 7),
        ("raw \"a\"", 8),
        ("raw hex 61", 9),
        ("ping", 0),
        ("unfinished ping", 1),
        ("rsv 1 ping", 1),
        ("unmasked ping", 1),
        ("16-bit ping", 1),
        ("64-bit ping", 1),
        ("ping declares 1", 1),
        ("unmasked unfinished rsv 7 64-bit ping", 4),
        ("ping 1B", 1),
        ("ping \"a\"", 2),
        ("ping hex 61", 3),
        ("text", 1),
        ("binary", 2),
        ("pong", 2),
        ("continuation", 3),
        ("opcode 3", 3),
        ("close", 0),
        ("close 1000", 1),
        ("close 1001", 2),
        ("close 1001 hex 61", 5),
        ("unfinished text \"a\"", 4),
        ("first 1 byte of ping", 1),
        ("rest after 1 byte of raw 1B x 2", 9),
        ("ping x 2", 1),
        ("ping x 2 every 1ms", 2),
        ("ping in pieces of 1 byte", 1),
        ("ping in pieces of 1 byte every 1s", 2),
        ("app send text", 0),
        ("app send text 1B", 1),
        ("app send binary \"a\"", 2),
        ("app ping hex 61", 3),
        ("app close", 0),
        ("app close 1000", 1),
        ("app close 1001", 2),
        ("app close 1001 \"a\" x 2 every 1s", 6),
        ("app return", 0),
        ("app keep x 2", 1),
        ("app shutdown", 0),
        ("app broadcast text \"a\"", 2),
        ("connect after 1s", 0),
        ("wait 1s", 0),
        ("cut", 0),
    ];
    for (text, expected) in counts {
        assert_eq!(oddities(&step(text).act), expected, "{text}");
    }
}

#[test]
fn every_number_of_an_act_adds_to_its_magnitude() {
    let sums = [
        ("upgrade", 0),
        ("upgrade with 7B header", 7),
        ("first 3 bytes of raw 5B", 8),
        ("rest after 3 bytes of ping 5B", 8),
        ("text 5B x 2", 7),
        ("binary 5B x 2 every 10ms", 17),
        ("continuation 5B in pieces of 2 bytes every 10ms", 17),
        ("pong 5B", 5),
        ("opcode 3 5B", 5),
        ("ping \"long\"", 0),
        ("ping hex 0103", 4),
        ("raw hex 0103", 2),
        ("ping declares 1", 1),
        ("ping 5B declares 2^64-1", 18),
        ("ping declares 2", 1001),
        ("close 1000 5B", 1005),
        ("close 5B", 5),
        ("app close 1001 5B x 2", 1008),
        ("app send text 5B", 5),
        ("app send binary 5B", 5),
        ("app ping 5B", 5),
        ("app return x 3", 3),
        ("app keep x 3 every 2ms", 5),
        ("wait 9ms", 9),
        ("window 9B", 9),
        ("await close", 0),
        ("stop reading", 0),
        ("fin", 0),
    ];
    for (text, expected) in sums {
        assert_eq!(magnitude(&step(text).act), expected, "{text}");
    }
}

#[test]
fn a_script_is_smaller_by_steps_then_ranks_then_oddities_then_numbers_then_order() {
    let ascending = [
        "",
        "upgrade",
        "+ upgrade",
        "upgrade with 1B header",
        "upgrade with 2B header",
        "+ upgrade with 1B header",
        "cut",
        "stop reading\nupgrade with 1B header",
        "upgrade\nfin",
        "upgrade\nreset",
        "fin\nupgrade\nupgrade",
    ];
    let all = ascending.map(|text| Complexity::of(&text.parse().expect(text)));
    assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
    let [usual, other] =
        ["upgrade\nfin", "fin\nupgrade"].map(|text| Complexity::of(&text.parse().expect(text)));
    assert!(usual < other, "the usual order is the smaller");
    assert_eq!(
        other,
        Complexity {
            connections: 1,
            steps: 2,
            ranks: 41,
            oddities: 0,
            magnitude: 0,
            numbers: 0,
            order: vec![40, 1]
        }
    );
    let joined = Complexity::of(&"upgrade\n+ ping 3B\n+ wait 2ms".parse().expect("a script"));
    let expected = Complexity {
        connections: 1,
        steps: 3,
        ranks: 42,
        oddities: 3,
        magnitude: 5,
        numbers: 0,
        order: vec![1, 30, 11],
    };
    assert_eq!(joined, expected);
}

#[test]
fn a_script_of_fewer_connections_is_smaller_then_one_whose_first_ones_do_more() {
    let ascending = [
        "cut\ncut\ncut\ncut",
        "upgrade\nping\n2: upgrade",
        "upgrade\n2: upgrade\n2: ping",
        "upgrade\nfin\n2: upgrade",
        "upgrade\n2: upgrade\n2: fin",
        "upgrade\n2: upgrade\n3: upgrade",
    ];
    let all = ascending.map(|text| Complexity::of(&text.parse().expect(text)));
    assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
}

#[test]
fn what_a_whole_server_is_told_is_tried_as_what_one_connection_is() {
    assert_eq!(simpler("app shutdown"), ["app close"]);
    let broadcast = ["app send text 2B", "app broadcast text"];
    assert_eq!(simpler("app broadcast text 2B"), broadcast);
    let connection = ConnectionNumber::new(2).expect("a number");
    let of_second = steps(&Step { connection, ..step("+ app shutdown") });
    let of_second = of_second.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(of_second, ["2: app shutdown", "2: + app close"]);
    assert_eq!(simpler("connect after 2s"), [""; 0]);
}

#[test]
fn a_joined_step_is_tried_apart_and_with_a_simpler_act() {
    assert_eq!(simpler("+ reset"), ["reset", "+ fin"]);
    assert_eq!(simpler("+ fin"), ["fin"]);
}

#[test]
fn an_end_is_tried_as_a_gentler_end_and_an_await_as_await_upgrade() {
    for text in ["fin", "await upgrade", "stop reading", "resume reading", "wait 2s", "window 1B"] {
        assert_eq!(simpler(text), [""; 0], "{text}");
    }
    assert_eq!(simpler("reset"), ["fin"]);
    assert_eq!(simpler("drop"), ["fin", "reset"]);
    assert_eq!(simpler("cut"), ["fin", "reset", "drop"]);
    assert_eq!(simpler("await close"), ["app close", "await upgrade"]);
    for text in ["await message", "await ping", "await pong", "await end"] {
        assert_eq!(simpler(text), ["await upgrade"], "{text}");
    }
}

#[test]
fn an_opening_is_only_replaced_by_simpler_openings() {
    let found = simpler("first 9 bytes of upgrade with 2B header x 3 every 1s");
    let expected = [
        "upgrade",
        "first 1 byte of upgrade",
        "first 9 bytes of upgrade with 2B header",
        "first 9 bytes of upgrade with 2B header x 3",
    ];
    assert_eq!(found, expected);
    assert_eq!(simpler("upgrade"), ["upgrade", "first 1 byte of upgrade"]);
}

#[test]
fn a_plain_send_has_only_simpler_ones_before_it() {
    for (place, text) in PLAIN_TEXTS.iter().enumerate() {
        assert_eq!(simpler(text)[..place], PLAIN_TEXTS[..place], "{text}");
    }
}

#[test]
fn a_send_loses_its_piece_its_pace_and_its_content() {
    assert_eq!(beside_plain("raw"), [""; 0]);
    assert_eq!(beside_plain("raw \"abc\""), ["raw", "raw 3B"]);
    let bytes = beside_plain("raw hex 6162");
    assert_eq!(bytes[0], "unmasked unfinished rsv 6 text declares 98");
    let fewer = ["raw hex 61", "raw hex 62", "raw hex 61", "raw hex 62"];
    assert_eq!(bytes[1..], [&["raw", "raw 2B", "raw hex ff"][..], &fewer].concat());
    let frame = beside_plain("raw hex 82ffffffffffffffffff37fa213d");
    assert_eq!(frame[0], "binary declares 2^64-1");
    assert_eq!(beside_plain("raw 2B"), ["raw"]);
    assert_eq!(beside_plain("first 2 bytes of raw"), ["raw"]);
    assert_eq!(
        beside_plain("rest after 2 bytes of raw x 3"),
        ["raw x 3", "rest after 2 bytes of raw"]
    );
    let pieces = beside_plain("raw in pieces of 4 bytes every 1s");
    assert_eq!(pieces, ["first 4 bytes of raw", "raw", "raw in pieces of 4 bytes"]);
    assert_eq!(beside_plain("raw in pieces of 4 bytes"), ["first 4 bytes of raw", "raw"]);
    assert_eq!(beside_plain("raw x 4 every 1s"), ["raw", "raw x 4"]);
}

#[test]
fn a_frame_loses_what_is_odd_about_it_one_thing_at_a_time() {
    let found = beside_plain("unmasked unfinished rsv 2 16-bit pong 5B");
    let expected = [
        "unmasked rsv 2 16-bit pong 5B",
        "unmasked unfinished 16-bit pong 5B",
        "unfinished rsv 2 16-bit pong 5B",
        "unmasked unfinished rsv 2 pong 5B",
        "unmasked unfinished rsv 2 16-bit ping 5B",
        "unmasked unfinished rsv 2 16-bit text 5B",
        "unmasked unfinished rsv 2 16-bit pong",
    ];
    assert_eq!(found, expected);
    for kind in ["text", "binary", "continuation", "ping", "pong", "opcode 3"] {
        let all = beside_plain(&format!("{kind} \"ab\""));
        let expected = ["ping \"ab\"", "text \"ab\"", kind, &format!("{kind} 2B")];
        assert_eq!(all, expected);
    }
}

#[test]
fn a_declared_length_goes_or_becomes_a_smaller_edge() {
    let expected = [
        "pong",
        "pong declares 1",
        "pong declares 125",
        "pong declares 126",
        "ping declares 127",
        "text declares 127",
    ];
    assert_eq!(beside_plain("pong declares 127"), expected);
    let all = beside_plain("pong declares 2");
    assert_eq!(all.iter().filter(|text| text.starts_with("pong declares")).count(), 13);
    assert!(all.contains(&"pong declares 2^64-1".to_owned()));
}

#[test]
fn a_close_loses_its_code_or_has_a_more_usual_one() {
    let found = beside_plain("close 4000 2B");
    let expected = [
        "ping 2B",
        "text 2B",
        "close 2B",
        "close 1000 2B",
        "close 0 2B",
        "close 1001 2B",
        "close 1005 2B",
        "close 4000",
    ];
    assert_eq!(found, expected);
    assert_eq!(beside_plain("close 1000 2B"), ["ping 2B", "text 2B", "close 2B", "close 1000"]);
    assert_eq!(beside_plain("close 2B"), ["ping 2B", "text 2B", "close"]);
    let app = [
        "app close 2B",
        "app close 1000 2B",
        "app close 0 2B",
        "app close 1001 2B",
        "app close 1005 2B",
        "app close 4000",
    ];
    assert_eq!(simpler("app close 4000 2B"), app);
    assert_eq!(simpler("app close 1000"), ["app close"]);
    assert_eq!(simpler("app close"), [""; 0]);
}

#[test]
fn a_command_loses_its_content_and_its_pace() {
    assert_eq!(simpler("app send text \"abc\""), ["app send text", "app send text 3B"]);
    let binary = ["app send text 2B", "app send binary"];
    assert_eq!(simpler("app send binary 2B"), binary);
    assert_eq!(simpler("app ping hex 61"), ["app ping", "app ping 1B", "app ping hex ff"]);
    assert_eq!(simpler("app return"), ["app close"]);
    assert_eq!(simpler("app keep"), [""; 0]);
    assert_eq!(simpler("app keep x 3 every 1s"), ["app keep", "app keep x 3"]);
    assert_eq!(simpler("app ping 2B x 3"), ["app ping x 3", "app ping 2B"]);
}

#[test]
fn only_two_sends_are_merged_into_one() {
    let merge = |first: &str, second: &str| {
        let found =
            (0..=PLAIN_SENDS).map(|choice| merged(&step(first).act, &step(second).act, choice));
        found.flatten().map(|act| act.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        merge("first 3 bytes of close 1000", "rest after 3 bytes of close 1000"),
        PLAIN_TEXTS
    );
    // A request in two parts is one request, and no frame.
    assert_eq!(merge("first 4 bytes of upgrade", "rest after 4 bytes of upgrade"), ["upgrade"]);
    for (first, second) in
        [("upgrade", "ping"), ("ping", "upgrade"), ("fin", "ping"), ("ping", "fin")]
    {
        assert_eq!(merge(first, second), [""; 0], "{first}, {second}");
    }
}

#[test]
fn each_number_of_an_act_can_be_set_by_its_slot() {
    let all = |text: &str| {
        let act = step(text).act;
        let set = |slot| with_number(&act, slot, 900).to_string();
        let numbers = numbers(&act);
        assert!(numbers.iter().all(|number| number.minimum == 1), "{text}");
        assert_eq!(set(numbers.len()), text, "no such slot");
        numbers
            .iter()
            .enumerate()
            .map(|(slot, number)| (number.value, set(slot)))
            .collect::<Vec<_>>()
    };
    let expected = [
        (3, "first 900 bytes of ping 5B x 2 every 10ms"),
        (5, "first 3 bytes of ping 900B x 2 every 10ms"),
        (2, "first 3 bytes of ping 5B x 900 every 10ms"),
        (10, "first 3 bytes of ping 5B x 2 every 900ms"),
    ];
    let expected = expected.map(|(value, text)| (value, text.to_owned()));
    assert_eq!(all("first 3 bytes of ping 5B x 2 every 10ms"), expected);
    assert_eq!(all("app close 5B"), [(5, "app close 900B".to_owned())]);
    assert_eq!(all("app send text 5B"), [(5, "app send text 900B".to_owned())]);
    assert_eq!(all("window 5B"), [(5, "window 900B".to_owned())]);
    assert_eq!(all("wait 5ms"), [(5, "wait 900ms".to_owned())]);
    assert_eq!(all("upgrade with 5B header"), [(5, "upgrade with 900B header".to_owned())]);
    assert_eq!(all("ping x 2"), [(2, "ping x 900".to_owned())], "no pause, no number");
    assert_eq!(all("fin"), []);
}
