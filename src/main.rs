//! The command `hangup`, with the targets that come with it.

use std::process::ExitCode;

/// Measures what a target holds for one connection.
#[global_allocator]
static HEAP: hangup::heap::Counting = hangup::heap::Counting;

fn main() -> ExitCode {
    hangup::cli::main(hangup::Registry::built_in())
}
