//! `hangup export`: a finding for a maintainer without Rust, as one file of Python, as an issue, or as a
//! capture.

mod python;

use super::args::{Export, ExportForm};
use super::files::{self, Content};
use super::patience::Patience;
use super::stop::Stop;
use super::{CLEAN, Done, Trouble, output, start};
use crate::finding::input;
use crate::finding::repro::Repro;
use crate::report::{self, BugReport};
use crate::run::real_time::BROWSER;
use crate::target::Registry;
use crate::wire::Role;
use python::python;
use std::io::IsTerminal as _;
use std::path::Path;

pub(super) fn run(registry: &Registry, options: &Export, stop: &Stop) -> Done {
    let at = files::named(&options.file);
    let repro = match files::read(&options.file)? {
        Content::Repro(repro) => repro,
        Content::Script(_) => {
            return Err(format!(
                "{at}: this is a script; export needs a repro \
             file, such as those in hangup-findings/"
            ));
        }
    };
    let (program, file) = (output::program(), report::pasteable(&options.file));
    match options.form {
        ExportForm::Python => {
            let patience = Patience::with(format!("exporting {at}"));
            let text = python(&repro).map_err(|why| {
                let (options, _) = options_to_replay(registry, &repro);
                format!("{at}: {why}; `{program} replay {file}{options}` plays it again")
            })?;
            drop(patience);
            output::print(&text);
        }
        ExportForm::Issue => {
            output::print(&issue(registry, &repro, options)?);
        }
        ExportForm::Pcapng if std::io::stdout().is_terminal() => {
            return Err(format!(
                "a capture is no text: `{program} export {file} --as pcapng > finding.pcapng`"
            ));
        }
        ExportForm::Pcapng => {
            output::bytes(&files::capture(registry, &options.file, *repro, stop)?);
        }
    }
    Ok(CLEAN)
}

/// The finding as an issue to paste. What was found on a running server names no port: it is another one
/// where the issue is read.
fn issue(registry: &Registry, repro: &Repro, options: &Export) -> Result<String, Trouble> {
    let file = options.file.as_path();
    // Where they stand on this machine is nothing to whoever reads the issue.
    let program = output::program().rsplit('/').next().unwrap_or_default().trim_end_matches('\'');
    let program = report::pasteable(Path::new(program));
    let file_name = file.file_name().unwrap_or_default();
    let path = report::pasteable(Path::new(file_name));
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let (options_of_it, is_known) = options_to_replay(registry, repro);
    let replay = format!("{program} replay {path}{options_of_it}");
    let picture = report::pasteable(Path::new(&format!("{name}.svg")));
    let draw = format!("{program} show {path} --svg {picture}");
    let python = python(repro).map(|program| match &options.seen_on {
        Some(library) => seen_on(&program, &repro.target.0, library),
        None => program,
    });
    let server = options.server.as_deref();
    let source = server.map(|server| files::text(server, input::REPRO)).transpose()?;
    let server = server.and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    Ok(report::bug_report(&BugReport {
        repro,
        python: python.as_deref().map_err(String::as_str),
        name: &name,
        file: &file_name.to_string_lossy(),
        commands: (Some(&*replay).filter(|_| is_known || repro.plays_over_tcp()), &draw),
        is_known,
        seen_on: options.seen_on.as_deref(),
        server: source.as_deref().map(|source| (server.as_ref(), source)),
    }))
}

/// What `replay` has to be told beside the file to play it again, for whoever has another machine; and whether
/// that, or hangup, knows what to play it to.
fn options_to_replay(registry: &Registry, repro: &Repro) -> (String, bool) {
    let route = report::route(&repro.target.0);
    let url = match route.map(|route| format!("ws://HOST:PORT{route}")) {
        Some(_) if repro.says_shutdown() => " --run 'SERVER {port}' --stop TERM".to_owned(),
        Some(url) => format!(" --url {}", report::pasteable(Path::new(&url))),
        None => String::new(),
    };
    // A client over TCP goes by its command.
    let is_command = repro.role == Role::Client && repro.is_over_tcp();
    let is_known = is_command || !url.is_empty() || registry.find(&repro.target.0).is_some();
    let run = match repro.target.0.as_str() {
        _ if !is_known && !repro.plays_over_tcp() => String::new(),
        _ if !is_known && repro.says_shutdown() => " --run 'SERVER {port}' --stop TERM".to_owned(),
        _ if !is_known && repro.role == Role::Server => " --url ws://HOST:PORT/".to_owned(),
        _ if !is_known => " --run 'CLIENT {url}'".to_owned(),
        _ if !is_command => String::new(),
        BROWSER => " --browser".to_owned(),
        line => {
            let bare = report::without_folders(line);
            format!(" --run {}{}", report::pasteable(Path::new(&bare)), start::tls_of(line))
        }
    };
    (url + &run, is_known)
}

/// The program, with the library in the place of a URL that is gone.
fn seen_on(program: &str, url: &str, library: &str) -> String {
    let line = |target: &str| format!("Seen on: {}\n", report::wrap_to(&python::plain(target), 86));
    program.replacen(&line(url), &line(library), 1)
}

/// Whether a finding can be exported as a program.
pub(super) fn can(repro: &Repro) -> bool {
    python(repro).is_ok()
}
