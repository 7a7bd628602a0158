//! A whole server over TCP: several connections at once, its shutdown, and what it holds when
//! they have ended.
//!
//! | file | has |
//! |---|---|
//! | `together` | a script of several connections, played in real time |
//! | `merge` | what each of them saw, put together in one exchange |
//! | `round` | the clients of a shutdown's rounds, and simpler ones |
//! | `waves` | waves of connections, and what the process holds after each |
//! | `isolation` | a client that does not read, and others |
//! | `player` | a player's plays of all these, with their controls |
//!
//! It judges nothing: the exchanges go to the judge.

pub(super) mod isolation;
mod merge;
mod player;
mod round;
mod together;
pub(super) mod waves;

pub use player::says_shutdown;
pub(super) use round::Round;
pub use round::SHUTDOWN_ROUNDS;
