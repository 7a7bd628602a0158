//! The candidates of a script of several connections that are about whole connections: without one,
//! with one's steps on connection 1, and in another order.

use crate::script::{Act, Command, ConnectionNumber, Script, Step};

/// The kind of candidate that is tried, and the position in it.
#[derive(Clone, Copy, Debug)]
pub(super) enum ConnectionPass {
    /// Without this connection.
    Without(u8),
    /// With what this connection does done by connection 1, behind its own steps.
    Fold(u8),
    /// With what this step tells the whole server told by connection 1.
    Move(usize),
    /// With the numbers of this connection and of the next exchanged.
    Exchange(u8),
}

impl ConnectionPass {
    pub const FIRST: Self = Self::Without(1);

    /// The candidate that the pass stands at, where there is one.
    pub fn candidate(self, script: &Script) -> Option<Script> {
        let mut steps = script.steps.clone();
        match self {
            Self::Without(number) => steps.retain(|step| step.connection.get() != number),
            Self::Fold(number) => {
                for step in steps.iter_mut().filter(|step| step.connection.get() == number) {
                    step.connection = ConnectionNumber::FIRST;
                }
            }
            Self::Move(at) => {
                let step = steps.get_mut(at)?;
                if step.connection == ConnectionNumber::FIRST || !tells_server(step) {
                    return None;
                }
                (step.connection, step.joined) = (ConnectionNumber::FIRST, false);
            }
            Self::Exchange(number) => {
                let (one, other) =
                    (ConnectionNumber::new(number)?, ConnectionNumber::new(number + 1)?);
                for step in &mut steps {
                    step.connection = match step.connection {
                        its if its == one => other,
                        its if its == other => one,
                        its => its,
                    };
                }
            }
        }
        Some(Script::of_steps(steps))
    }

    /// Where to go on once the candidate became the script.
    pub const fn accepted(self) -> Self {
        match self {
            // The next connection has this number now.
            Self::Without(_) | Self::Fold(_) => self,
            Self::Exchange(number) if number > 1 => Self::Exchange(number - 1),
            Self::Move(_) | Self::Exchange(_) => self.rejected(),
        }
    }

    /// The position behind this one.
    pub const fn rejected(self) -> Self {
        match self {
            Self::Without(number) => Self::Without(number + 1),
            Self::Fold(number) => Self::Fold(number + 1),
            Self::Move(at) => Self::Move(at + 1),
            Self::Exchange(number) => Self::Exchange(number + 1),
        }
    }

    /// Whether nothing of `script` is at this position.
    pub fn is_beyond(self, script: &Script) -> bool {
        let connections = script.connections();
        connections == 1
            || match self {
                Self::Without(number) | Self::Fold(number) => number > connections,
                Self::Move(at) => at >= script.steps.len(),
                Self::Exchange(number) => number >= connections,
            }
    }

    /// The pass after this one.
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Without(_) => Some(Self::Fold(2)),
            Self::Fold(_) => Some(Self::Move(0)),
            Self::Move(_) => Some(Self::Exchange(1)),
            Self::Exchange(_) => None,
        }
    }
}

/// Whether it is all the same whose step it is.
const fn tells_server(step: &Step) -> bool {
    matches!(step.act, Act::App(Command::Shutdown | Command::Broadcast(_), _))
}
