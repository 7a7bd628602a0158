//! `hangup compare`: two runs, by their reports in JSON.

use super::args::{Compare, Format};
use super::{CLEAN, Done, FINDINGS, Trouble, output};
use crate::excerpt;
use crate::finding::input;
use crate::report::comparison::{self, ComparedRun, Comparison};
use std::path::Path;

pub(super) fn run(options: &Compare) -> Done {
    let (old, new) = (read(&options.old)?, read(&options.new)?);
    let comparison = Comparison::of(&old, &new)?;
    match options.format {
        Format::Human => output::print(&comparison::text(&comparison, output::style())),
        Format::Json => output::line(&comparison::json(&comparison)?),
    }
    Ok(if comparison.is_worse() { FINDINGS } else { CLEAN })
}

fn read(file: &Path) -> Result<ComparedRun, Trouble> {
    let text = input::text(file, input::REPORT);
    let run = text.map_err(|error| error.to_string()).and_then(|text| comparison::read(&text));
    run.map_err(|error| format!("{}: {error}", excerpt::path(file)))
}
