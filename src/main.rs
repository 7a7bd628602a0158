//! The command `hangup`, with the targets that come with it.

use std::process::ExitCode;

fn main() -> ExitCode {
    hangup::cli::main(hangup::Registry::built_in())
}
