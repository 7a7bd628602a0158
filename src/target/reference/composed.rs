//! Several planted faults in one server: `reference/FAULT+FAULT`.

use super::Reference;
use super::faults::PlantedFault;
use std::borrow::Cow;
use std::fmt;

/// The family of the names, which each fault's target begins with.
const FAMILY: &str = "reference/";

/// Why one server cannot have two faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannotCompose {
    /// The same fault twice.
    Twice(PlantedFault),
    /// Their servers are written in different styles.
    Styles(PlantedFault, PlantedFault),
    /// Both change the habit of this name.
    Habit(PlantedFault, PlantedFault, &'static str),
}

impl fmt::Display for CannotCompose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(fault) => write!(f, "`{}` is named twice", short(*fault)),
            Self::Styles(one, other) => {
                let (a, b) = (one.style(), other.style());
                write!(
                    f,
                    "`{}` is in a server with {a}, `{}` in one with {b}",
                    short(*one),
                    short(*other)
                )
            }
            Self::Habit(one, other, habit) => {
                write!(f, "`{}` and `{}` both change `{habit}`", short(*one), short(*other))
            }
        }
    }
}

impl std::error::Error for CannotCompose {}

impl Reference {
    /// A server with all of `faults`, in the style in which people write them. Their order
    /// does not matter; without any, it is the honest server.
    ///
    /// # Errors
    ///
    /// Which two of them one server cannot have, and why.
    pub fn with_faults(faults: &[PlantedFault]) -> Result<Self, CannotCompose> {
        let mut faults = faults.to_vec();
        faults.sort_unstable();
        for (index, fault) in faults.iter().enumerate() {
            for other in &faults[index + 1..] {
                fault.composes_with(*other)?;
            }
        }
        match faults[..] {
            [] => Ok(Self::HONEST),
            [fault] => Ok(Self::with(fault)),
            [first, ..] => {
                let join = |part: fn(PlantedFault) -> &'static str, by: &str| {
                    faults.iter().map(|fault| part(*fault)).collect::<Vec<_>>().join(by)
                };
                let name = Cow::Owned(format!("{FAMILY}{}", join(short, "+")));
                let about = Cow::Owned(join(PlantedFault::about, " "));
                Ok(Self { style: first.style(), faults, name, about })
            }
        }
    }
}

impl PlantedFault {
    /// The fault with this target.
    pub(in crate::target) fn of_target(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| fault.target() == name)
    }

    /// Whether one server can have both.
    fn composes_with(self, other: Self) -> Result<(), CannotCompose> {
        if self == other {
            return Err(CannotCompose::Twice(self));
        }
        if self.style() != other.style() {
            return Err(CannotCompose::Styles(self, other));
        }
        let shared = self.changes().iter().find(|habit| other.changes().contains(habit));
        shared.map_or(Ok(()), |habit| Err(CannotCompose::Habit(self, other, habit)))
    }
}

/// The targets whose faults a composed name names: `reference/A` and `reference/B` of
/// `reference/A+B`. `None` for any other name.
pub(in crate::target) fn parts(name: &str) -> Option<Vec<String>> {
    let parts = name.strip_prefix(FAMILY).filter(|parts| parts.contains('+'))?;
    Some(parts.split('+').map(|part| format!("{FAMILY}{part}")).collect())
}

/// A fault's name without its family.
fn short(fault: PlantedFault) -> &'static str {
    fault.target().trim_start_matches(FAMILY)
}
