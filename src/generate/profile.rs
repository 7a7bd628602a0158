//! What one script is about: the kinds of steps, unevenly weighted, half of them off.

use crate::script::AppSteps;
use rand::{Rng, RngExt as _};

/// The kinds of steps that a profile weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Data,
    Ping,
    Close,
    OddClose,
    Fragments,
    Illegal,
    Partial,
    Drip,
    Burst,
    Wait,
    Await,
    Reading,
    Fin,
    Gone,
    Cut,
    Buffers,
    AppSend,
    AppPing,
    AppClose,
    AppReturn,
    AppKeep,
    AppPush,
}

impl Topic {
    const ALL: [Self; 22] = [
        Self::Data,
        Self::Ping,
        Self::Close,
        Self::OddClose,
        Self::Fragments,
        Self::Illegal,
        Self::Partial,
        Self::Drip,
        Self::Burst,
        Self::Wait,
        Self::Await,
        Self::Reading,
        Self::Fin,
        Self::Gone,
        Self::Cut,
        Self::Buffers,
        Self::AppSend,
        Self::AppPing,
        Self::AppClose,
        Self::AppReturn,
        Self::AppKeep,
        Self::AppPush,
    ];

    /// The command that the application must obey for this topic to be of use.
    const fn needs(self) -> AppSteps {
        match self {
            Self::AppSend | Self::AppPush => AppSteps::SEND,
            Self::AppPing => AppSteps::PING,
            Self::AppClose => AppSteps::CLOSE,
            Self::AppReturn => AppSteps::RETURN,
            Self::AppKeep => AppSteps::KEEP,
            _ => AppSteps::NONE,
        }
    }
}

/// How often each topic comes up in one script.
#[derive(Clone, Copy, Debug)]
pub(super) struct Profile {
    weights: [u8; Topic::ALL.len()],
    total: u32,
}

impl Profile {
    pub fn draw<R: Rng + ?Sized>(rng: &mut R, app: AppSteps) -> Self {
        let mut weights = [0; Topic::ALL.len()];
        let mut bits = u128::from(rng.next_u64()) | u128::from(rng.next_u64()) << 64;
        for (weight, topic) in weights.iter_mut().zip(Topic::ALL) {
            // Three bits a topic: off in half of the cases, else 1, 1, 4 or 8.
            *weight = match bits & 7 {
                0..=3 => 0,
                4 | 5 => 1,
                6 => 4,
                _ => 8,
            };
            bits >>= 3;
            if !app.contain(topic.needs()) {
                *weight = 0;
            }
        }
        let total = weights.iter().map(|weight| u32::from(*weight)).sum();
        Self { weights, total }
    }

    /// Whether this topic comes up at all.
    pub fn has(&self, topic: Topic) -> bool {
        self.weights[topic as usize] > 0
    }

    pub fn pick<R: Rng + ?Sized>(&self, rng: &mut R) -> Topic {
        if self.total == 0 {
            return Topic::Close;
        }
        let mut left = rng.random_range(0..self.total);
        for (weight, topic) in self.weights.iter().zip(Topic::ALL) {
            match left.checked_sub(u32::from(*weight)) {
                Some(rest) => left = rest,
                None => return topic,
            }
        }
        Topic::Close
    }
}
