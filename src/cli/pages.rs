//! Results with pictures: `--html`, `--svg`, and what CI shows of a run.

use super::args::RunFormat;
use super::stop::Stop;
use super::{Trouble, output, output_file};
use crate::excerpt;
use crate::report::page::Page;
use crate::report::{self, Picture, Scene};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Where GitHub Actions, and whoever does as it does, has a job's summary written.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

const HTML: &str = "--html";

/// Whether the page that `--html` asks for can be written, as far as can be told before.
pub(super) fn check(file: Option<&Path>) -> Result<(), Trouble> {
    file.map_or(Ok(()), |file| output_file::check(HTML, file))
}

/// Writes a page where `--html` asks for one.
pub(super) fn html(
    file: Option<&Path>,
    page: impl FnOnce() -> Page,
    stop: &Stop,
) -> Result<(), Trouble> {
    file.map_or(Ok(()), |file| output_file::write(HTML, file, &report::html(&page()), stop))
}

/// Draws what happened where `--svg` asks for it.
pub(super) fn svg(file: Option<&Path>, drawn: &Drawn<'_>, stop: &Stop) -> Result<(), Trouble> {
    let Some(file) = file else { return Ok(()) };
    output_file::check("--svg", file)?;
    let Drawn { scene, title, about, broken } = *drawn;
    if scene.items.is_empty() {
        return Err(format!(
            "{}: nothing to draw: an older hangup wrote the file, and this binary does not know the \
             server",
            excerpt::path(file)
        ));
    }
    let picture = Picture { subject: scene.subject, items: &scene.items, title, about, broken };
    output_file::write("--svg", file, &report::svg(&picture), stop)
}

/// What is drawn, and in which words that is said.
#[derive(Clone, Copy)]
pub(super) struct Drawn<'a> {
    pub scene: &'a Scene,
    pub title: &'a str,
    pub about: &'a str,
    /// Whether a rule is broken.
    pub broken: bool,
}

/// Tells CI of a run: annotations where that is asked for, and a summary where there is a place for it.
pub(super) fn tell_ci(format: RunFormat, page: impl FnOnce() -> Page) -> Result<(), Trouble> {
    let summary = std::env::var_os(SUMMARY).filter(|file| !file.is_empty()).map(PathBuf::from);
    if summary.is_none() && format != RunFormat::Github {
        return Ok(());
    }
    let page = page();
    if format == RunFormat::Github {
        output::print(&report::annotations(&page));
    }
    summary.map_or(Ok(()), |file| append(&file, &report::markdown(&page)))
}

/// Others write into a summary too: what is there stays.
fn append(file: &Path, text: &str) -> Result<(), Trouble> {
    let opened = OpenOptions::new().append(true).create(true).open(file);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("{SUMMARY}, {}: {error}", excerpt::path(file)))
}

/// Prints what people read of a run: where GitHub reads it too, without what it would take for commands.
pub(super) fn print(text: &str, format: RunFormat) {
    match format {
        RunFormat::Github => output::print(&report::guarded(text)),
        RunFormat::Human | RunFormat::Json => output::print(text),
    }
}
