//! How planted faults are listed: a name, a sentence and the problems of each.

/// Defines an enum of the planted faults of a family of targets: of each its story, its name behind that
/// of the family, and the problems that it shows.
macro_rules! planted {
    ($(#[$outer:meta])* $faults:ident of $family:literal {
        $($(#[doc = $about:literal])+ $variant:ident = $name:literal,
            shows [$($rule:ident: $symptom:ident),+];)+
    }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $faults {
            $($(#[doc = $about])+ $variant,)+
        }

        impl $faults {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The target's name.
            pub const fn target(self) -> &'static str {
                match self { $(Self::$variant => concat!($family, "/", $name)),+ }
            }

            /// What it gets wrong, in a sentence.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => concat!($($about),+).trim_ascii()),+ }
            }

            /// The problems that it shows, and no others.
            pub const fn shows(self) -> &'static [$crate::verdict::Problem] {
                use $crate::verdict::{Invariant, Problem, Symptom};
                match self {
                    $(Self::$variant => const { &[
                        $(Problem::of(Invariant::$rule).with_symptom(Symptom::$symptom)),+
                    ] }),+
                }
            }
        }
    };
}
pub(super) use planted;
