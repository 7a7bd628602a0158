//! The guides of `docs/`, as pages.
//!
//! Start with [`frameworks`] (from axum's `Router`, hyper, actix-web and others to a
//! [`Connection`](crate::Connection)) and [`closing_well`] (what a server has to do to hang up in
//! time; [`shutdown`] is about all connections together). [`probe`] tests a running server in any language. Nothing here is code.
//!
//! The whole files of three of them need frameworks that this crate does not depend on. Their tests are
//! those of `peers/examples`, so rustdoc does not take them for examples of its own: it would build
//! even ignored ones under `cargo test -- --ignored`.

#[doc = "[glossary.md]: crate::guide::glossary"]
#[doc = "[internals.md]: crate::guide::internals"]
#[doc = ""]
#[doc = include_str!("../docs/architecture.md")]
pub mod architecture {}

#[doc = "[frameworks.md]: crate::guide::frameworks"]
#[doc = "[frameworks.md#actix-web]: crate::guide::frameworks#actix-web"]
#[doc = "[frameworks.md#axum]: crate::guide::frameworks#axum"]
#[doc = "[frameworks.md#hyper]: crate::guide::frameworks#hyper"]
#[doc = "[frameworks.md#poem]: crate::guide::frameworks#poem"]
#[doc = "[frameworks.md#salvo]: crate::guide::frameworks#salvo"]
#[doc = "[frameworks.md#warp]: crate::guide::frameworks#warp"]
#[doc = ""]
#[cfg_attr(not(doctest), doc = include_str!("../docs/closing-well.md"))]
pub mod closing_well {}

#[doc = "[closing-well.md]: crate::guide::closing_well"]
#[doc = "[probe.md]: crate::guide::probe"]
#[doc = ""]
#[cfg_attr(not(doctest), doc = include_str!("../docs/frameworks.md"))]
pub mod frameworks {}

#[doc = include_str!("../docs/glossary.md")]
pub mod glossary {}

#[doc = "[architecture.md]: crate::guide::architecture"]
#[doc = "[architecture.md#excuses]: crate::guide::architecture#excuses"]
#[doc = ""]
#[doc = include_str!("../docs/internals.md")]
pub mod internals {}

#[doc = include_str!("../docs/notation.md")]
pub mod notation {}

#[doc = "[regressions.md]: crate::guide::regressions"]
#[doc = ""]
#[doc = include_str!("../docs/probe.md")]
pub mod probe {}

#[doc = include_str!("../docs/regressions.md")]
pub mod regressions {}

#[doc = include_str!("../docs/reports.md")]
pub mod reports {}

#[doc = "[notation.md]: crate::guide::notation"]
#[doc = "[suites.md]: crate::guide::suites"]
#[doc = ""]
#[doc = include_str!("../docs/repro.md")]
pub mod repro {}

#[doc = include_str!("../docs/rules.md")]
pub mod rules {}

#[doc = "[closing-well.md]: crate::guide::closing_well"]
#[doc = "[probe.md]: crate::guide::probe"]
#[doc = ""]
#[cfg_attr(not(doctest), doc = include_str!("../docs/shutdown.md"))]
pub mod shutdown {}

#[doc = "[probe.md]: crate::guide::probe"]
#[doc = "[repro.md]: crate::guide::repro"]
#[doc = "[shutdown.md]: crate::guide::shutdown"]
#[doc = ""]
#[doc = include_str!("../docs/suites.md")]
pub mod suites {}
