//! Mutates scripts: parses a text, changes its steps, and prints them.
//!
//! A script is changed by the generator's own steps and by small changes of one step. Text that
//! does not parse is first repaired, line by line. The arguments determine the result.

use crate::generate::GeneratorConfig;
use crate::script::{
    Act, ConnectionNumber, Content, DeclaredLength, Frame, Kind, Length, Masking, Millis, Pace,
    Piece, Script, Send, Size, Step, Unit,
};
use rand::{Rng, RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;
use std::fmt::Write as _;

/// The longest text that is looked at, in steps: a repaired file may have more. As many for each
/// connection of several.
const MAX_STEPS: usize = 16;

/// Where a target obeys several connections, one change in so many is of whole connections.
const CHANGES_PER_CONNECTION: u32 = 5;

/// A mutation of the script in `data`, of 1 to `most` bytes.
pub(super) fn mutated(config: &GeneratorConfig, data: &[u8], most: usize, seed: u32) -> String {
    let mut rng = Pcg64Mcg::seed_from_u64(u64::from(seed));
    let mut steps = read(data);
    loop {
        if config.connections > 1 && rng.random_ratio(1, CHANGES_PER_CONNECTION) {
            steps = change_connections(config, steps, &mut rng);
        } else {
            change(config, &mut steps, &mut rng);
        }
        if !rng.random_ratio(1, 4) {
            return print_within(steps, most);
        }
    }
}

/// One script of the two in `one` and `other`, of 1 to `most` bytes.
pub(super) fn crossed(one: &[u8], other: &[u8], most: usize, seed: u32) -> String {
    let mut rng = Pcg64Mcg::seed_from_u64(u64::from(seed));
    let (mut steps, mut others) = (read(one), read(other));
    let at = rng.random_range(0..=steps.len());
    let from = rng.random_range(0..=others.len());
    match rng.random_range(0..3) {
        // The one's beginning with the other's end.
        0 => steps.truncate(at),
        // The other's end inside the one.
        1 => {}
        // A part of the other inside the one.
        _ => others.truncate(rng.random_range(from..=others.len())),
    }
    steps.splice(at..at, others.drain(from..));
    print_within(steps, most)
}

/// A script drawn for `seed`, of 1 to `most` bytes.
pub(super) fn draw_within(config: &GeneratorConfig, most: usize, seed: u32) -> String {
    let mut rng = Pcg64Mcg::seed_from_u64(u64::from(seed));
    print_within(config.draw(&mut rng).steps, most)
}

/// The text of the script with these steps, without those at its end that make it longer than `most`.
/// A fuzzer takes no empty input: no steps are an empty line.
fn print_within(steps: Vec<Step>, most: usize) -> String {
    let mut text = String::with_capacity(256);
    for step in Script::of_steps(steps).steps {
        let before = text.len();
        let _ = writeln!(text, "{step}");
        if text.len() > most {
            text.truncate(before);
            break;
        }
    }
    if text.is_empty() { "\n".to_owned() } else { text }
}

/// The steps of a text, repaired where it is no script.
fn read(data: &[u8]) -> Vec<Step> {
    let text = String::from_utf8_lossy(data);
    let script = text.parse::<Script>();
    let script = script.unwrap_or_else(|_| {
        Script::of_steps(text.lines().take(MAX_STEPS).flat_map(repaired).collect())
    });
    let most = MAX_STEPS * usize::from(script.connections());
    let mut steps = script.steps;
    steps.truncate(most);
    steps
}

/// The step that a line begins with, however it goes on; none where it begins with none.
fn repaired(line: &str) -> Vec<Step> {
    let line = line.trim();
    let numbered = line.split_once(':').and_then(|(number, rest)| {
        let number = ConnectionNumber::new(number.parse().ok()?)?;
        Some((number, rest.trim_start()))
    });
    let (connection, mut rest) = numbered.unwrap_or((ConnectionNumber::FIRST, line));
    loop {
        if let Ok(script) = rest.parse::<Script>() {
            return on(connection, script.steps);
        }
        match rest.rsplit_once(char::is_whitespace) {
            Some((start, _)) => rest = start.trim_end(),
            None => return Vec::new(),
        }
    }
}

/// The steps, on this connection.
fn on(connection: ConnectionNumber, mut steps: Vec<Step>) -> Vec<Step> {
    for step in &mut steps {
        step.connection = connection;
    }
    steps
}

/// One change of what connections the script has, or of when they arrive.
fn change_connections<R: Rng>(
    config: &GeneratorConfig,
    steps: Vec<Step>,
    rng: &mut R,
) -> Vec<Step> {
    let mut each = Script::of_steps(steps).each();
    let at = rng.random_range(0..each.len());
    match rng.random_range(0..8) {
        0..=2 if each.len() < usize::from(config.connections) => {
            let one = GeneratorConfig { connections: 1, ..*config };
            let added = if rng.random_ratio(1, 3) { each[at].clone() } else { one.draw(rng) };
            let place = rng.random_range(0..=each.len());
            each.insert(place, added);
        }
        3 | 4 if each.len() > 1 => drop(each.remove(at)),
        5 => {
            let to = rng.random_range(0..each.len());
            each.swap(at, to);
        }
        _ => {
            let steps = &mut each[at].steps;
            if steps.first().is_some_and(Step::connects) {
                steps.remove(0);
            } else {
                steps.insert(0, Act::Connect(pause(config, rng)).into());
            }
        }
    }
    Script::together(&each).steps
}

/// One change of the script.
fn change<R: Rng>(config: &GeneratorConfig, steps: &mut Vec<Step>, rng: &mut R) {
    if steps.is_empty() {
        *steps = config.draw(rng).steps;
        return;
    }
    let at = rng.random_range(0..steps.len());
    let (here, last) = (steps[at].connection, steps[steps.len() - 1].connection);
    match rng.random_range(0..32) {
        0..=5 => drop(steps.splice(at..at, on(here, config.draw_steps(rng)))),
        6..=9 => steps.extend(on(last, config.draw_steps(rng))),
        10..=13 => drop(steps.splice(at..=at, on(here, config.draw_steps(rng)))),
        14..=20 => tweak(config, &mut steps[at].act, rng),
        21..=23 => drop(steps.remove(at)),
        24 => steps.truncate(at + 1),
        25 | 26 => {
            let to = rng.random_range(0..=steps.len());
            steps.insert(to, steps[at].clone());
        }
        27 => {
            let to = rng.random_range(0..steps.len());
            steps.swap(at, to);
        }
        28 | 29 => steps[at].joined = !steps[at].joined,
        // Another script goes on where this one is left.
        30 => {
            let fresh = config.draw(rng).steps;
            steps.splice(at.., fresh.into_iter().skip(1));
        }
        _ => *steps = config.draw(rng).steps,
    }
}

/// A small change of one act; where there is nothing to change in it, another act.
fn tweak<R: Rng>(config: &GeneratorConfig, act: &mut Act, rng: &mut R) {
    match act {
        Act::Wait(time) | Act::Connect(time) => time.0 = neighbour(time.0, u32::MAX / 2, rng),
        Act::Set(_, size) => size.0 = neighbour(size.0, Size::MAX.0, rng),
        Act::App(_, pace) => *pace = repeated(config, rng),
        Act::Send(send) => tweak_send(config, send, rng),
        _ => {
            if let Some(step) = config.draw_steps(rng).pop() {
                *act = step.act;
            }
        }
    }
}

fn tweak_send<R: Rng>(config: &GeneratorConfig, send: &mut Send, rng: &mut R) {
    match (rng.random_range(0..4), &mut send.unit) {
        (0, _) => send.piece = other_piece(send.piece, rng),
        (1, _) => {
            send.pace = match rng.random_range(0..3) {
                0 => Pace::Once,
                1 => repeated(config, rng),
                _ => Pace::Pieces(rng.random_range(1..16), pause(config, rng)),
            }
        }
        (_, Unit::Frame(frame)) => tweak_frame(frame, rng),
        (_, Unit::Raw(content)) => tweak_content(content, rng),
        (_, Unit::Upgrade(header)) => {
            let size = header.map_or(100, |size| neighbour(size.0, 70_000, rng));
            *header = Some(Size(size));
        }
        (_, Unit::Accept(accept)) => {
            let size = accept.filler.map_or(100, |size| neighbour(size.0, 70_000, rng));
            accept.filler = Some(Size(size));
        }
    }
}

fn tweak_frame<R: Rng>(frame: &mut Frame, rng: &mut R) {
    match rng.random_range(0..8) {
        0 => frame.fin = !frame.fin,
        1 => {
            let usual = frame.mask == Masking::Usual;
            frame.mask = if usual { Masking::Unmasked } else { Masking::Usual };
        }
        2 => frame.rsv = rng.random_range(0..8),
        3 if rng.random_ratio(1, 2) => {
            let edge = DeclaredLength::EDGES[rng.random_range(0..DeclaredLength::EDGES.len())];
            frame.declares = if frame.declares.is_some() { None } else { Some(edge) };
        }
        3 => {
            frame.length =
                [Length::Minimal, Length::Bits16, Length::Bits64][rng.random_range(0..3)];
        }
        _ => match &mut frame.kind {
            Kind::Close(Some(code), _) if rng.random_ratio(1, 2) => {
                *code = neighbour(u32::from(*code), u32::from(u16::MAX), rng) as u16;
            }
            Kind::Text(content)
            | Kind::Binary(content)
            | Kind::Continuation(content)
            | Kind::Ping(content)
            | Kind::Pong(content)
            | Kind::Close(_, content)
            | Kind::Other(_, content) => tweak_content(content, rng),
        },
    }
}

fn tweak_content<R: Rng>(content: &mut Content, rng: &mut R) {
    match content {
        Content::Fill(size) => size.0 = neighbour(size.0, 70_000, rng),
        Content::Bytes(bytes) if !bytes.is_empty() => {
            let at = rng.random_range(0..bytes.len());
            bytes[at] = rng.random();
        }
        Content::Empty | Content::Text(_) | Content::Bytes(_) => {
            *content = match rng.random_range(0..4) {
                0 => Content::Empty,
                1 => Content::Fill(Size(rng.random_range(1..=126))),
                2 => Content::Text("\u{20ac}".to_owned()),
                _ => Content::Bytes(vec![rng.random(); rng.random_range(1..4)]),
            };
        }
    }
}

fn other_piece<R: Rng>(piece: Piece, rng: &mut R) -> Piece {
    match piece {
        Piece::First(count) if rng.random_ratio(1, 2) => {
            Piece::First(neighbour(count, 70_000, rng))
        }
        Piece::After(count) if rng.random_ratio(1, 2) => {
            Piece::After(neighbour(count, 70_000, rng))
        }
        _ => match rng.random_range(0..3) {
            0 => Piece::Whole,
            1 => Piece::First(rng.random_range(0..20)),
            _ => Piece::After(rng.random_range(0..20)),
        },
    }
}

fn repeated<R: Rng>(config: &GeneratorConfig, rng: &mut R) -> Pace {
    Pace::Times(rng.random_range(1..=12), pause(config, rng))
}

/// A pause: none, or around the bound and its parts.
fn pause<R: Rng>(config: &GeneratorConfig, rng: &mut R) -> Millis {
    let close = u32::try_from(config.bounds.close.as_millis()).unwrap_or(u32::MAX);
    Millis(match rng.random_range(0..4) {
        0 => 0,
        1 => 1,
        2 => close / rng.random_range(2..8),
        _ => close.saturating_sub(rng.random_range(0..2)),
    })
}

/// A number beside `number`, up to `most`: one less or more, twice or half as much.
fn neighbour<R: Rng>(number: u32, most: u32, rng: &mut R) -> u32 {
    let neighbour = match rng.random_range(0..4) {
        0 => number.saturating_sub(1),
        1 => number.saturating_add(1),
        2 => number / 2,
        _ => number.saturating_mul(2),
    };
    neighbour.min(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const MAX_BYTES: usize = 4096;

    fn after(start: &str, seeds: std::ops::Range<u32>) -> String {
        let config = GeneratorConfig::default();
        let step = |text: String, seed| mutated(&config, text.as_bytes(), MAX_BYTES, seed);
        seeds.fold(start.to_owned(), step)
    }

    #[test]
    fn every_mutation_of_a_script_is_a_script_that_prints_as_it_stands() {
        let mut text = String::new();
        for seed in 0..20_000 {
            text = mutated(&GeneratorConfig::default(), text.as_bytes(), MAX_BYTES, seed);
            let script: Script = text.parse().unwrap_or_else(|error| panic!("{text}\n{error}"));
            assert!(script.steps.is_empty() || script.to_string() == text, "{text}");
        }
    }

    #[test]
    fn every_mutation_of_a_script_of_several_connections_is_one_and_each_change_is_made() {
        let config = GeneratorConfig { connections: 4, ..GeneratorConfig::default() };
        let mut text = String::new();
        let mut counts = [0; 5];
        let (mut grown, mut shrunk, mut arrives) = (0, 0, 0);
        for seed in 0..20_000 {
            let before = text.parse::<Script>().expect("a script").connections();
            text = mutated(&config, text.as_bytes(), MAX_BYTES, seed);
            let script: Script = text.parse().unwrap_or_else(|error| panic!("{text}\n{error}"));
            assert!(script.steps.is_empty() || script.to_string() == text, "{text}");
            counts[usize::from(script.connections())] += 1;
            grown += u32::from(script.connections() > before);
            shrunk += u32::from(script.connections() < before);
            arrives += u32::from(text.contains("connect after"));
        }
        assert!(counts[1..].iter().all(|count| *count > 1_000), "{counts:?}");
        assert!(grown > 500 && shrunk > 500 && arrives > 500, "{grown} {shrunk} {arrives}");
        for seed in 0..2_000 {
            let two = "upgrade\n2: connect after 1s\n2: upgrade\n2: close\n";
            let text = crossed(two.as_bytes(), b"fin\n2: cut\n3: reset\n", MAX_BYTES, seed);
            text.parse::<Script>().unwrap_or_else(|error| panic!("{text}\n{error}"));
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_mutation() {
        assert_eq!(after("upgrade\n", 0..50), after("upgrade\n", 0..50));
        let each: BTreeSet<String> =
            (0..100).map(|seed| after("upgrade\n", seed..seed + 1)).collect();
        assert!(each.len() > 50, "{} of 100 mutations differ", each.len());
    }

    #[test]
    fn no_mutation_is_longer_than_allowed_or_empty() {
        let long = after("", 0..200);
        for most in [1, 2, 4, 7, 30, 200] {
            for seed in 0..200 {
                let one = mutated(&GeneratorConfig::default(), long.as_bytes(), most, seed);
                let two = crossed(long.as_bytes(), b"fin\nclose\n", most, seed);
                let three = draw_within(&GeneratorConfig::default(), most, seed);
                for text in [one, two, three] {
                    assert!((1..=most).contains(&text.len()), "{most}: {text}");
                }
            }
        }
    }

    #[test]
    fn text_that_does_not_parse_keeps_the_step_that_each_line_begins_with() {
        let words = |text: &str| {
            let steps = read(text.as_bytes());
            steps.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(
            words("upgrade now\nfrobnicate\nclose 1000 \"by\nfin"),
            "upgrade; close 1000; fin"
        );
        assert_eq!(words("\u{0}\u{1}"), "");
        assert_eq!(words("9: fin\n3: fin now\nupgrade\n5: cut"), "upgrade; 2: fin; 3: cut");
        assert_eq!(words("wait 5s x 3\n+ ping hex zz\n"), "wait 5s; + ping");
    }

    #[test]
    fn a_crossover_has_steps_of_both() {
        let (mut ones, mut others, mut both) = (false, false, false);
        for seed in 0..200 {
            let text = crossed(b"upgrade\nping\nfin\n", b"close\nreset\ncut\n", MAX_BYTES, seed);
            text.parse::<Script>().expect("a script");
            let one = ["upgrade", "ping", "fin"].iter().any(|word| text.contains(word));
            let other = ["close", "reset", "cut"].iter().any(|word| text.contains(word));
            ones |= one && !other;
            others |= other && !one;
            both |= one && other;
        }
        assert!(ones && others && both);
    }

    #[test]
    fn every_kind_of_step_is_within_reach_of_an_empty_input() {
        let mut words = BTreeSet::new();
        let mut text = String::new();
        for seed in 0..20_000 {
            text = mutated(&GeneratorConfig::default(), text.as_bytes(), 400, seed);
            words.extend(text.split_whitespace().map(str::to_owned));
        }
        let expected = "+ upgrade with header raw first rest after text binary continuation ping pong \
            close opcode unmasked unfinished rsv 16-bit 64-bit hex x every pieces wait await end message \
            stop resume fin reset drop cut window segment send receive app return";
        for word in expected.split_whitespace() {
            assert!(words.contains(word), "no mutation has `{word}`");
        }
    }
}
