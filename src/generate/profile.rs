//! The profile of one script: a weight for each kind of step, about half of them 0.

use crate::script::AppSteps;
use rand::{Rng, RngExt as _};

/// The kinds of steps that a profile weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StepKind {
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
    ResetOrDrop,
    Cut,
    Buffers,
    AppSend,
    AppPing,
    AppClose,
    AppReturn,
    AppKeep,
    AppRepeat,
    AppShutdown,
    AppBroadcast,
}

impl StepKind {
    const ALL: [Self; 24] = [
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
        Self::ResetOrDrop,
        Self::Cut,
        Self::Buffers,
        Self::AppSend,
        Self::AppPing,
        Self::AppClose,
        Self::AppReturn,
        Self::AppKeep,
        Self::AppRepeat,
        Self::AppShutdown,
        Self::AppBroadcast,
    ];

    /// The command that the application must obey for this kind to make sense.
    const fn needs(self) -> AppSteps {
        match self {
            Self::AppSend | Self::AppRepeat => AppSteps::SEND,
            Self::AppPing => AppSteps::PING,
            Self::AppClose => AppSteps::CLOSE,
            Self::AppReturn => AppSteps::RETURN,
            Self::AppKeep => AppSteps::KEEP,
            Self::AppShutdown => AppSteps::SHUTDOWN,
            Self::AppBroadcast => AppSteps::BROADCAST,
            _ => AppSteps::NONE,
        }
    }
}

/// How often each kind of step occurs in one script.
#[derive(Clone, Copy, Debug)]
pub(super) struct Profile {
    weights: [u8; StepKind::ALL.len()],
    total: u32,
}

impl Profile {
    pub fn draw<R: Rng + ?Sized>(rng: &mut R, app: AppSteps) -> Self {
        let mut weights = [0; StepKind::ALL.len()];
        let mut bits = u128::from(rng.next_u64()) | u128::from(rng.next_u64()) << 64;
        for (weight, kind) in weights.iter_mut().zip(StepKind::ALL) {
            // Three bits a kind: off in half of the cases, else 1, 1, 4 or 8.
            *weight = match bits & 7 {
                0..=3 => 0,
                4 | 5 => 1,
                6 => 4,
                _ => 8,
            };
            bits >>= 3;
            if !app.contain(kind.needs()) {
                *weight = 0;
            }
        }
        let total = weights.iter().map(|weight| u32::from(*weight)).sum();
        Self { weights, total }
    }

    /// Whether this kind occurs at all.
    pub fn has(&self, kind: StepKind) -> bool {
        self.weights[kind as usize] > 0
    }

    pub fn pick<R: Rng + ?Sized>(&self, rng: &mut R) -> StepKind {
        if self.total == 0 {
            return StepKind::Close;
        }
        let mut left = rng.random_range(0..self.total);
        for (weight, kind) in self.weights.iter().zip(StepKind::ALL) {
            match left.checked_sub(u32::from(*weight)) {
                Some(rest) => left = rest,
                None => return kind,
            }
        }
        StepKind::Close
    }
}
