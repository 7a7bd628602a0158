//! `hangup report`: runs that were reported in JSON, as one page.

use super::args::Report;
use super::files::{self, Content};
use super::stop::Stop;
use super::{CLEAN, Done, Trouble, export, output, output_file, pages};
use crate::excerpt;
use crate::finding::input;
use crate::report;
use crate::report::page::{self, SavedFile, SavedRun};
use crate::target::Registry;
use std::path::{Path, PathBuf};

/// The most characters of a title that are printed: a target's name is whatever the file says.
const TITLE: usize = 120;

pub(super) fn run(registry: &Registry, options: &Report, stop: &Stop) -> Done {
    pages::check(options.html.as_deref())?;
    let runs = options.runs.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
    let find = |run: &SavedRun, path: &PathBuf| found(registry, run, path);
    let mut page = page::of_saved(&runs, &find, options.survey, output::program());
    page.is_survey = options.survey;
    if let Some(title) = &options.title {
        page.title.clone_from(title);
    }
    if let Some(file) = &options.about {
        page.about = paragraphs(&files::text(file, input::REPORT)?);
    }
    if !options.facts.is_empty() {
        page.facts.clone_from(&options.facts);
    }
    if let Some(file) = &options.markdown {
        output_file::write("--markdown", file, &report::markdown(&page), stop)?;
    }
    output::line(&excerpt::clipped(&page.title, TITLE));
    pages::html(options.html.as_deref(), || page, stop)?;
    Ok(CLEAN)
}

/// The paragraphs of a text, each in a line.
fn paragraphs(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let paragraphs = lines.split(|line| line.is_empty()).filter(|lines| !lines.is_empty());
    paragraphs.map(|lines| lines.join(" ")).collect()
}

fn read(file: &Path) -> Result<SavedRun, Trouble> {
    let at = files::named(file);
    let text = files::text(file, input::REPORT)?;
    let mut run = page::read(&text).map_err(|error| format!("{at}: {error}"))?;
    run.from = file.display().to_string();
    Ok(run)
}

/// A finding's file: where the report says, or from there beside the report.
fn found(registry: &Registry, run: &SavedRun, path: &PathBuf) -> Option<SavedFile> {
    let beside = Path::new(&run.from).parent().map(|directory| directory.join(path));
    let mut places = std::iter::once(path.clone()).chain(beside);
    places.find_map(|path| {
        // A report may name a FIFO, which nobody writes to.
        if !path.is_file() {
            return None;
        }
        let Ok(Content::Repro(repro)) = files::read(&path) else { return None };
        Some(saved(registry, path, *repro))
    })
}

/// A finding's file, and what this program can do with it.
pub(super) fn saved(
    registry: &Registry,
    path: PathBuf,
    repro: crate::finding::repro::Repro,
) -> SavedFile {
    let is_known_here = registry.resolve(&repro.target.0).is_ok();
    SavedFile { path, exports: export::can(&repro), is_known_here, repro }
}
