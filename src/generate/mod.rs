//! The generator of scripts, written against `rand`'s [`Rng`].
//!
//! Three sources of randomness use it: a seeded one for campaigns, proptest's own for
//! `hangup::scripts()`, and a fuzzer's input for `impl Arbitrary for Script`. It plays nothing.
//!
//! | file | has |
//! |---|---|
//! | `answers` | what a server answers the opening request of a client under test with |
//! | `script_builder` | the shape of each kind of step, with its odds |
//! | `conjunctions` | steps that show a bug only together |
//! | `headers` | declared lengths at each edge, and random bytes |
//! | `several` | scripts of several connections, and what a whole server is told |
//! | `profile` | how often each kind of step occurs in one script |
//! | `fuzzer_input` | a fuzzer's input as a source of randomness |
//!
//! Each script has a profile of its own, as in swarm testing (Groce et al., ISSTA 2012): about
//! half of the kinds of steps are off, the rest unevenly weighted. Rare combinations occur, and
//! a script often exercises one thing.

mod answers;
mod conjunctions;
#[cfg(feature = "arbitrary")]
mod fuzzer_input;
mod headers;
mod profile;
mod script_builder;
mod several;

use self::profile::Profile;
use self::script_builder::ScriptBuilder;
use self::several::SCRIPTS_PER_SEVERAL;
use crate::bounds::Bounds;
use crate::script::AppSteps;
#[cfg(doc)]
use crate::script::ConnectionNumber;
use crate::script::{Script, Step};
use crate::wire::Role;
use crate::wire::handshake::REQUEST;
use rand::{Rng, RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

/// One script in so many has a flood: it takes fifty times as long as another.
const SCRIPTS_PER_FLOOD: u32 = 400;

/// Where the target has no bound for memory, one flood in so many is drawn: no rule can
/// speak of what the server held, and only a limit on a message's size is left to be found.
const FLOODS_WITHOUT_BOUND: u32 = 8;

/// One script in so many is a conjunction: steps that single draws would bring together once in
/// some hundred thousand scripts.
const SCRIPTS_PER_CONJUNCTION: u32 = 12;

/// A cut of the opening request may lie so many bytes behind its end: then it is whole.
const BEYOND_REQUEST: u32 = 200 - REQUEST.len() as u32;

/// The settings of the generator: durations cluster around the bounds, and the application
/// only gets commands that it obeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneratorConfig {
    /// The bounds of the target.
    pub bounds: Bounds,
    /// The commands that its application obeys.
    pub app: AppSteps,
    /// How many connections a script may have: 1 for a target that serves one at a time, at most
    /// [`ConnectionNumber::MOST`].
    pub connections: u8,
    /// How many bytes its opening request has: it is cut anywhere.
    pub request_bytes: u32,
    /// The role of the target: against a client, scripts are a server's.
    pub subject: Role,
}

/// The old name of [`GeneratorConfig`].
#[doc(hidden)]
pub use GeneratorConfig as Grammar;

impl Default for GeneratorConfig {
    /// The default bounds, every command to one connection's application, one connection, and the usual
    /// opening request.
    fn default() -> Self {
        let request_bytes = REQUEST.len() as u32;
        Self {
            bounds: Bounds::default(),
            app: AppSteps::ALL,
            connections: 1,
            request_bytes,
            subject: Role::Server,
        }
    }
}

impl GeneratorConfig {
    /// The script at `index` of the campaign with `seed`. Equal on every machine.
    pub fn nth(&self, seed: u64, index: u64) -> Script {
        let mixed = (u128::from(seed) << 64) | u128::from(index);
        // Neighbouring states of the generator are correlated in their first draws.
        let spread = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        self.draw(&mut Pcg64Mcg::from_seed((spread ^ (spread >> 64)).to_le_bytes()))
    }

    /// Draws a script.
    pub fn draw<R: Rng + ?Sized>(&self, rng: &mut R) -> Script {
        if self.connections > 1 && rng.random_ratio(1, SCRIPTS_PER_SEVERAL) {
            return self.draw_several(rng);
        }
        let mut builder = self.builder(rng);
        builder.add_connection();
        Script { steps: builder.steps }
    }

    fn builder<'a, R: Rng + ?Sized>(&self, rng: &'a mut R) -> ScriptBuilder<'a, R> {
        ScriptBuilder {
            bounds: self.bounds,
            app: self.app,
            subject: self.subject,
            cuts: self.request_bytes.saturating_add(BEYOND_REQUEST),
            profile: Profile::draw(rng, self.app),
            smallest_buffer: 0,
            in_reading_pause: false,
            steps: Vec::with_capacity(8),
            rng,
        }
    }

    /// Draws steps for a mutator to insert: mostly one, sometimes a few that belong together.
    pub(crate) fn draw_steps<R: Rng + ?Sized>(&self, rng: &mut R) -> Vec<Step> {
        let mut builder = self.builder(rng);
        match builder.rng.random_range(0..SCRIPTS_PER_FLOOD) {
            0 if builder.may_flood() => builder.add_flood(),
            1..=25 => builder.add_opening(),
            26..=45 => builder.add_conjunction(),
            _ => builder.add_random_step(),
        }
        builder.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{Act, Command, Content, Kind, Pace, Send, Setting, Size, Unit};
    use sha1::{Digest as _, Sha1};
    use std::collections::BTreeSet;

    #[test]
    fn every_generated_script_prints_and_parses_back_to_itself() {
        for index in 0..20_000 {
            let script = GeneratorConfig::default().nth(1, index);
            let text = script.to_string();
            assert_eq!(text.parse::<Script>().as_ref(), Ok(&script), "{text}");
        }
    }

    /// Campaigns of one connection find what they found, and a seed that somebody wrote down names
    /// the same scripts.
    #[test]
    fn scripts_of_one_connection_are_drawn_as_they_were_before_there_were_several() {
        let bounded = Bounds { memory: Some(1 << 20), ..Bounds::default() };
        let some = AppSteps::CLOSE | AppSteps::SEND;
        let settings =
            [(Bounds::default(), AppSteps::ALL), (bounded, some), (bounded, AppSteps::NONE)];
        let mut hash = Sha1::new();
        for (seed, (bounds, app)) in (1..).zip(settings) {
            let config = GeneratorConfig { bounds, app, ..GeneratorConfig::default() };
            for index in 0..4000 {
                hash.update(config.nth(seed, index).to_string());
            }
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            for _ in 0..500 {
                let drawn = config.draw_steps(&mut rng);
                hash.update(
                    drawn.iter().map(|step| format!("{step}\n")).collect::<Vec<_>>().concat(),
                );
            }
        }
        let digest: Vec<u8> = hash.finalize().to_vec();
        assert_eq!(digest[..8], [31, 147, 41, 35, 71, 72, 123, 27]);
    }

    #[test]
    fn a_seed_and_an_index_give_the_same_script_every_time() {
        let first: String =
            (0..4).map(|index| GeneratorConfig::default().nth(7, index).to_string()).collect();
        let again: String =
            (0..4).map(|index| GeneratorConfig::default().nth(7, index).to_string()).collect();
        assert_eq!(first, again);
        let distinct: BTreeSet<Script> =
            (0..1000).map(|index| GeneratorConfig::default().nth(7, index)).collect();
        assert!(distinct.len() > 900, "{} distinct scripts of 1000", distinct.len());
    }

    #[test]
    fn floods_are_rare_where_memory_has_no_bound_and_nothing_else_differs() {
        let bounded = Bounds { memory: Some(1 << 20), ..Bounds::default() };
        let draw =
            |bounds, index| GeneratorConfig { bounds, ..GeneratorConfig::default() }.nth(1, index);
        let floods = |script: &Script| script.to_string().contains("60KiB x ");
        let (mut with, mut without) = (0, 0);
        for index in 0..40_000 {
            let (held, free) = (draw(bounded, index), draw(Bounds::default(), index));
            if floods(&held) {
                with += 1;
                without += u32::from(floods(&free));
            } else {
                assert_eq!(held, free, "script {index}");
            }
        }
        assert!(with >= 60, "{with} of 40,000 flood a server that bounds its memory");
        assert!((1..=with / 4).contains(&without), "{without} flood one without a bound");
    }

    #[test]
    fn a_close_through_a_tiny_buffer_is_small() {
        let mut closes = 0;
        for index in 0..40_000 {
            let script = GeneratorConfig::default().nth(2, index);
            let is_tiny = |step: &Step| matches!(step.act, Act::Set(_, Size(size)) if size < 64);
            for step in script.steps.iter().skip_while(|step| !is_tiny(step)) {
                if let Act::Send(Send { unit: Unit::Frame(frame), .. }) = &step.act
                    && let Kind::Close(_, reason) = &frame.kind
                {
                    closes += 1;
                    assert!(reason.len() <= 300, "{script}");
                }
            }
        }
        assert!(closes > 100, "{closes} closes");
    }

    #[test]
    fn an_application_gets_only_commands_that_it_obeys() {
        let config = GeneratorConfig { app: AppSteps::CLOSE, ..GeneratorConfig::default() };
        for index in 0..5_000 {
            for step in config.nth(3, index).steps {
                if let Act::App(command, _) = step.act {
                    assert_eq!(AppSteps::of(&command), AppSteps::CLOSE);
                }
            }
        }
    }

    /// Whether buffers are filled to the byte, the application closes, a frame comes, and the
    /// client then reads on and says nothing more.
    fn is_full_close_frame_room(script: &Script) -> bool {
        let (mut send_buffer, mut window) = (4096, 4096);
        let mut rest = script.steps.iter().map(|step| &step.act).peekable();
        for act in rest.by_ref() {
            match act {
                Act::Set(Setting::SendBuffer, Size(size)) => send_buffer = *size,
                Act::Set(Setting::Window, Size(size)) => window = *size,
                Act::StopReading => break,
                _ => {}
            }
        }
        let mut filled = 0;
        while let Some(Act::App(Command::SendText(Content::Fill(Size(size))), Pace::Once)) =
            rest.peek()
        {
            filled += size + if *size < 126 { 2 } else { 4 };
            rest.next();
        }
        let rest: Vec<&Act> = rest.filter(|act| !matches!(act, Act::Wait(_))).collect();
        filled == send_buffer + window
            && matches!(
                rest[..],
                [Act::App(Command::Close(..), _), Act::Send(_), Act::ResumeReading]
            )
    }

    #[test]
    fn what_shows_only_together_is_drawn_together() {
        let scripts = (0..50_000).map(|index| GeneratorConfig::default().nth(9, index));
        let (mut full, mut longest) = (0, 0);
        for script in scripts {
            full += u32::from(is_full_close_frame_room(&script));
            let text = script.to_string();
            longest += u32::from(
                text.lines()
                    .any(|line| line.ends_with("declares 2^64-1") && !line.contains("first")),
            );
        }
        assert!(full >= 30, "{full} of 50,000 fill buffers to the byte, close, and make room");
        assert!(longest >= 300, "{longest} of 50,000 declare the longest length");
    }

    fn several() -> GeneratorConfig {
        let app = AppSteps::ALL | AppSteps::SHUTDOWN | AppSteps::BROADCAST;
        GeneratorConfig { app, connections: 8, ..GeneratorConfig::default() }
    }

    #[test]
    fn scripts_of_several_connections_are_scripts_and_have_as_many_as_they_may() {
        for most in 2..=8 {
            let config = GeneratorConfig { connections: most, ..several() };
            let mut counts = [0_u32; 9];
            for index in 0..4_000 {
                let script = config.nth(6, index);
                let text = script.to_string();
                assert_eq!(text.parse::<Script>().as_ref(), Ok(&script), "{text}");
                counts[usize::from(script.connections())] += 1;
            }
            let several: u32 = counts[2..].iter().sum();
            assert!((1_500..2_500).contains(&several), "{counts:?}");
            assert!(counts[1..=usize::from(most)].iter().all(|count| *count > 20), "{counts:?}");
            assert!(counts[usize::from(most) + 1..].iter().all(|count| *count == 0), "{counts:?}");
        }
    }

    /// What is asked of scripts of several connections, counted: polite clients beside one that is
    /// not, all alike, arrivals before, during and after a shutdown, a broadcast to who does not read.
    #[test]
    fn what_shows_only_beside_others_is_drawn() {
        let words = ["wait ", "connect after ", "app shutdown", "app broadcast text"];
        let mut counts = [0_u32; 4];
        let (mut polite, mut alike, mut deaf, mut late) = (0, 0, 0, 0);
        for index in 0..20_000 {
            let script = several().nth(8, index);
            if script.connections() == 1 {
                continue;
            }
            let each: Vec<String> = script.each().iter().map(ToString::to_string).collect();
            let text = each.concat();
            for (count, word) in counts.iter_mut().zip(words) {
                *count += u32::from(text.contains(word));
            }
            let is_polite =
                |text: &&String| text.starts_with("upgrade\n") && text.ends_with("await end\n");
            let good = each.iter().filter(is_polite).count();
            polite += u32::from(good + 1 == each.len());
            alike += u32::from(each.iter().all(|one| *one == each[0]));
            let is_deaf =
                |text: &String| text.starts_with("upgrade\n") && text.contains("stop reading");
            let broadcasts = text.contains("app broadcast");
            deaf += u32::from(broadcasts && good > 0 && each.iter().any(is_deaf));
            late += u32::from(text.contains("app shutdown") && text.contains("connect after"));
        }
        assert!(counts.iter().all(|count| *count > 2_000), "{counts:?}");
        let found = [polite, alike, deaf, late];
        let least = [2_000, 40, 100, 2_000];
        assert!(found.iter().zip(least).all(|(found, least)| *found > least), "{found:?}");
    }

    #[test]
    fn a_whole_server_is_told_only_what_it_obeys() {
        for (app, shuts, sends) in [
            (AppSteps::ALL, false, false),
            (AppSteps::SHUTDOWN, true, false),
            (AppSteps::BROADCAST, false, true),
        ] {
            for connections in [1, 3] {
                let config = GeneratorConfig { app, connections, ..GeneratorConfig::default() };
                let texts: String =
                    (0..2_000).map(|index| config.nth(4, index).to_string()).collect();
                assert_eq!(texts.contains("app shutdown"), shuts, "{connections} connections");
                assert_eq!(texts.contains("app broadcast"), sends, "{connections} connections");
                assert_eq!(texts.contains("2: "), connections > 1);
            }
        }
    }

    /// Each behaviour that the field's bugs need comes up.
    #[test]
    fn every_kind_of_step_is_generated() {
        let mut words = BTreeSet::new();
        for index in 0..20_000 {
            for step in GeneratorConfig::default().nth(5, index).steps {
                words.extend(step.to_string().split(' ').map(str::to_owned));
            }
        }
        let expected = "+ upgrade with header raw first rest after text binary continuation ping pong \
            close opcode unmasked unfinished rsv 16-bit 64-bit hex x every pieces wait await end message \
            stop resume fin reset drop cut window segment send receive app return declares 2^64-1 \
            2^63 2^31 126";
        for word in expected.split_whitespace() {
            assert!(words.contains(word), "no script has `{word}`");
        }
    }
}
