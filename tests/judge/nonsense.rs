//! Any exchange at all: no bytes and no order of events make the judge panic.

use crate::story::{DEATHS, Story, TEXT, causes, close, encoded, owing};
use hangup::bounds::Bounds;
use hangup::exchange::{
    AfterDeadline, ConnectionId, Delivery, End, Exchange, Note, What, Work, WorkPoint,
};
use hangup::judge::{judge, next_deadline};
use hangup::verdict::{Invariant, Verdict};
use hangup::wire::{FrameHead, MASK, Opcode};
use std::collections::BTreeSet;
use std::time::Duration;

// Any exchange at all.

/// Knuth's MMIX generator: enough to be arbitrary, small enough to be read.
struct Lcg(u64);

impl Lcg {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.0 >> 33) % u64::from(limit)) as u32
    }

    fn pick<const N: usize>(&mut self, from: &[What; N]) -> What {
        from[self.below(N as u32) as usize].clone()
    }

    /// Some frames, some noise.
    fn bytes(&mut self, mask: Option<[u8; 4]>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..self.below(8) {
            let mut payload: Vec<u8> = (0..self.below(9)).map(|_| self.below(256) as u8).collect();
            if self.below(2) == 0 {
                payload = close(1000 + self.below(16) as u16, b"");
            } else {
                let is_text = self.below(2) == 0;
                payload = if is_text { b"ab".to_vec() } else { payload };
            }
            let opcode = Opcode::new([8, self.below(16) as u8][self.below(2) as usize]);
            let head = FrameHead { mask, ..FrameHead::server(opcode) };
            bytes.extend(if self.below(6) == 0 { payload } else { encoded(head, &payload) });
        }
        bytes
    }

    fn event(&mut self) -> (End, What) {
        let what = self.what();
        let at_actor = matches!(what, What::Read { .. } | What::ReadEnd | What::ReadReset);
        let end = if at_actor && self.below(3) == 0 { End::Actor } else { what.usual_end() };
        (end, what)
    }

    fn what(&mut self) -> What {
        let bytes = [self.below(8), self.below(300), u32::MAX][self.below(3) as usize];
        let ticking = AfterDeadline::Ticking { wakes: bytes, lasting: u64::MAX };
        let told = Note::ToldOfEnd { code: [None, Some(1000)][self.below(2) as usize] };
        let given = Note::Received { bytes: [4, bytes][self.below(2) as usize] };
        let message = [&b""[..], b"ab"][self.below(2) as usize];
        let notes = [
            Note::Reports,
            given,
            told,
            Note::BeganToClose,
            Note::BeganToReturn,
            Note::sends(bytes == 0, message),
            Note::received(message),
        ];
        let of_servers = [
            What::Offered,
            What::Accepted,
            What::Refused,
            What::ToldToShutDown,
            What::StoppedListening,
            What::ServerReturned,
            What::ServerBecame(AfterDeadline::Quiet),
            What::Rests { tasks: bytes, heap: Some(1 << 20) },
        ];
        match self.below(23) {
            22 => self.pick(&of_servers),
            0..=3 => What::Arrived { bytes },
            4..=7 => What::Read { bytes },
            8..=10 => What::Wrote { bytes },
            11 => {
                self.pick(&[What::FinArrived, What::ResetArrived, What::ReadEnd, What::ReadReset])
            }
            12 => self.pick(&[What::StoppedReading, What::ResumedReading, What::Cut, What::Froze]),
            13 => self.pick(&[What::WriteBlocked, What::Writable, What::Flushed]),
            14 => self.pick(&[What::Shut, What::ReadEnd, What::ReadReset, What::Returned]),
            15 => What::Dropped { reset: bytes == 0 },
            16 => self.pick(&notes.map(What::Noted)),
            17 => self.pick(&[What::Panicked("oops".into()), What::Spun { polls: bytes }]),
            18 => What::Outlived { tasks: bytes },
            19 => self.pick(&DEATHS.map(What::Died)),
            _ => {
                self.pick(&[AfterDeadline::Quiet, AfterDeadline::GaveUp, ticking].map(What::Became))
            }
        }
    }
}

/// An exchange of nonsense. Where it `fits`, no more bytes move than there are, and time goes forward.
fn nonsense(seed: u64, fits: bool) -> Story {
    let mut rng = Lcg(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut story = if rng.below(4) > 0 { Story::open() } else { Story::accepted() };
    if seed.is_multiple_of(32) {
        // Of all that can go wrong, to be given a message twice needs the most to be right.
        story = story.reports().client(TEXT).server_reads_all().given();
    }
    let mut promise = || Duration::from_millis(rng.below(9000).into());
    story.bounds = Bounds::close_within(promise());
    story.bounds.handshake = (seed & 1 == 0).then(&mut promise);
    story.bounds.idle = (seed & 2 == 0).then(&mut promise);
    story.bounds.memory = (seed & 4 == 0).then_some(1000);
    story.exchange.peak_heap = (seed & 8 == 0).then_some(rng.below(2000).into());
    story.exchange.both_ends = rng.below(3) > 0;
    let (to_server, to_client) = (rng.bytes(Some(MASK)), rng.bytes(None));
    let (mut arriving, mut leaving) = (to_server.len() as u32, to_client.len() as u32);
    story.exchange.bytes_mut(ConnectionId::FIRST).to_subject.extend(to_server);
    story.exchange.bytes_mut(ConnectionId::FIRST).to_actor.extend(to_client);
    for _ in 0..rng.below(30) {
        let (end, mut what) = rng.event();
        let leaves = end == End::Actor || matches!(what, What::Wrote { .. });
        if let (true, What::Arrived { bytes }) = (fits, &mut what) {
            *bytes = arriving.min(*bytes);
            arriving -= *bytes;
        } else if let (true, true, What::Wrote { bytes } | What::Read { bytes }) =
            (fits, leaves, &mut what)
        {
            *bytes = leaving.min(*bytes);
            leaving -= *bytes;
        }
        let past = if fits { story.now.0 / 1000 } else { 0 };
        story = story.at(past + u64::from(rng.below(3000)));
        story = if end == End::Actor { story.actor(what) } else { story.then(what) };
    }
    story.exchange.work = (seed & 16 == 0).then(|| figures(&mut rng));
    story
}

/// Figures of work: any number of points, in any order.
fn figures(rng: &mut Lcg) -> Work {
    let took = |rng: &mut Lcg| Duration::from_micros(u64::from(rng.below(9)).pow(5));
    let count = rng.below(5);
    let mut point = || WorkPoint { bytes: rng.below(3) << 20, took: took(rng) };
    let points = (0..count).map(|_| point()).collect();
    let delivery = Delivery::ALL[rng.below(4) as usize];
    Work { delivery, piece: rng.below(99), points, at_once: took(rng) }
}

/// Judges much nonsense: nothing panics, and what is reported is in order and in the exchange.
fn judge_nonsense(fits: bool) {
    let mut broken = BTreeSet::new();
    for seed in 0..6_000 {
        let Story { exchange, bounds, .. } = nonsense(seed, fits);
        let Verdict { violations, .. } = judge(&exchange, &bounds);
        assert!(violations.is_sorted_by_key(|violation| violation.identity), "seed {seed}");
        for violation in violations {
            let in_trace = violation.events.iter().all(|&event| event < exchange.events.len());
            assert!(in_trace, "seed {seed}: {violation:?}");
            broken.insert(violation.identity.invariant());
        }
        let _ = next_deadline(&exchange, ConnectionId::FIRST, &bounds);
    }
    // Of a whole server most take a second connection.
    let is_one_servers = |rule: &Invariant| !rule.is_of_a_whole_server() && !rule.is_of_clients();
    broken.retain(is_one_servers);
    let rules = Invariant::ALL.iter().filter(|rule| is_one_servers(rule));
    assert_eq!(broken.len(), rules.count(), "only these were ever broken: {broken:?}");
}

#[test]
fn no_bytes_and_no_order_of_events_make_the_judge_panic() {
    for cause in causes() {
        assert!(judge(&Exchange::default(), &owing(cause).bounds).is_clean());
    }
    judge_nonsense(true);
}

#[test]
fn counts_that_do_not_fit_the_bytes_do_not_make_the_judge_panic() {
    judge_nonsense(false);
}
