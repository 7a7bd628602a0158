//! What is said of a server that died while it was tested over TCP.

use super::text::{count, pasteable, quoted, thousands};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The deaths of a server, and what is known of who did it.
#[derive(Clone, Debug, Default)]
pub struct ServerDeaths {
    /// Each death that was seen, in order; of a server that hangup did not start, none is.
    pub seen: Vec<DeathSeen>,
    /// Whether it died, seen or not.
    pub died: bool,
    /// Whether one script is proven to take it down alone.
    pub proven: bool,
    /// The files of the suspects, the likeliest first, where none is proven.
    pub suspects: Vec<SuspectFile>,
    /// Scripts that were not played to their end.
    pub not_played: u64,
    /// Whether hangup started the server.
    pub started: bool,
    /// What a server that hangup started printed.
    pub output: Option<PathBuf>,
}

/// A script that was saved since the server may have died of it.
#[derive(Clone, Debug)]
pub struct SuspectFile {
    /// The file.
    pub path: PathBuf,
    /// Where it was played.
    pub url: String,
    /// The options with which the server was asked, as words of a command.
    pub options: Vec<String>,
}

/// One death of a server that hangup had started.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeathSeen {
    /// What it did: `aborted its process (signal 6)`.
    pub how: String,
    /// How many connections it had been asked for since its start.
    pub connections: u64,
    /// How long it had listened.
    pub after_seconds: f64,
    /// The resident memory of its largest process once it listened, in bytes; `null` where that is
    /// not seen.
    pub memory_first: Option<u64>,
    /// The most that was measured since.
    pub memory_most: Option<u64>,
}

/// As an object of JSON.
#[cfg(feature = "cli")]
#[derive(Serialize)]
pub(super) struct JsonDeaths<'a> {
    seen: &'a [DeathSeen],
    proven: bool,
    suspects: Vec<String>,
    not_played: u64,
    output: Option<String>,
}

#[cfg(feature = "cli")]
impl<'a> JsonDeaths<'a> {
    pub(super) fn of(deaths: &'a ServerDeaths) -> Option<Self> {
        let text = |path: &Path| path.display().to_string();
        deaths.died.then(|| Self {
            seen: &deaths.seen,
            proven: deaths.proven,
            suspects: deaths.suspects.iter().map(|suspect| text(&suspect.path)).collect(),
            not_played: deaths.not_played,
            output: deaths.output.as_deref().map(text),
        })
    }
}

impl SuspectFile {
    /// What to paste, to play it again.
    fn command(&self, program: &str) -> String {
        let options =
            self.options.iter().fold(String::new(), |all, word| all + " " + &quoted(word));
        let (path, url) = (pasteable(&self.path), quoted(&self.url));
        format!("{program} replay {path} --url {url}{options}")
    }
}

impl DeathSeen {
    /// `aborted its process (signal 6) after 12 connections and 0.4 s; ..`
    fn told(&self) -> String {
        let Self { how, connections, after_seconds, memory_first, memory_most } = self;
        let asked = count(*connections as usize, "connection");
        let grew =
            memory_first.zip(*memory_most).filter(|(first, most)| mebibytes(most - first) > 0.1);
        let memory = grew.map_or_else(String::new, |(first, most)| {
            format!(
                "; the resident memory of its largest process grew from {:.1} MiB to {:.1} MiB",
                mebibytes(first),
                mebibytes(most)
            )
        });
        format!("{how} after {asked} and {after_seconds:.1} s{memory}")
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

impl ServerDeaths {
    /// The paragraphs of a report.
    pub(super) fn told(&self, program: &str) -> Vec<String> {
        let mut said = Vec::new();
        if let Some(first) = self.seen.first() {
            let times = match self.seen.len() {
                1 => "once".to_owned(),
                deaths => format!("{} times", thousands(deaths as u64)),
            };
            said.push(format!("The server died {times}. First it {}.", first.told()));
        }
        if self.died && !self.proven {
            said.push(if self.started {
                "hangup found no single script that kills the server; it may take several, or a \
                     leak. The scripts that were last active before the first death, likeliest \
                     first:"
                    .to_owned()
            } else {
                "hangup does not know which script killed the server. The scripts that were last \
                     active, likeliest first, are below. Restart the server before each, or let \
                     hangup start it with --run: then it finds the script."
                    .to_owned()
            });
            said.extend(self.suspects.iter().map(|suspect| suspect.command(program)));
        }
        if self.not_played > 0 {
            said.push(format!(
                "{} not played to the end: the server died of them, or too often. Fix that, and they \
                 are played.",
                count(self.not_played as usize, "script")
            ));
        }
        said.extend(self.output.as_deref().map(printed));
        said
    }
}

/// Where that is what a server printed that hangup started.
pub fn printed(output: &Path) -> String {
    format!("What the server printed: {}", pasteable(output))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> DeathSeen {
        let (memory_first, memory_most) = (Some(12 << 20), Some(251_658_240));
        let how = "ended its process with exit code 1".to_owned();
        DeathSeen { how, connections: 214, after_seconds: 3.25, memory_first, memory_most }
    }

    #[test]
    fn a_death_says_the_connections_and_the_growth_of_memory() {
        let told = ServerDeaths {
            seen: vec![seen(), seen()],
            died: true,
            started: true,
            suspects: vec![SuspectFile {
                path: "a b.toml".into(),
                url: "ws://127.0.0.1:{port}/".to_owned(),
                options: vec!["--run".to_owned(), "node server.js {port}".to_owned()],
            }],
            not_played: 7,
            output: Some("/tmp/server.log".into()),
            ..ServerDeaths::default()
        }
        .told("hangup");
        assert_eq!(
            told[0],
            "The server died 2 times. First it ended its process with exit code 1 after 214 \
             connections and 3.2 s; the resident memory of its largest process grew from 12.0 MiB to \
             240.0 MiB."
        );
        assert!(told[1].starts_with("hangup found no single script that kills the server"));
        let command =
            "hangup replay 'a b.toml' --url 'ws://127.0.0.1:{port}/' --run 'node server.js {port}'";
        assert_eq!(told[2], command);
        assert!(told[3].starts_with("7 scripts not played to the end"), "{told:?}");
        assert_eq!(told[4], "What the server printed: /tmp/server.log");
    }

    #[test]
    fn a_death_that_nobody_saw_says_how_to_find_the_script() {
        let told = ServerDeaths { died: true, ..ServerDeaths::default() }.told("hangup");
        assert!(told[0].contains("with --run: then it finds the script"), "{told:?}");
        assert!(ServerDeaths::default().told("hangup").is_empty());
    }
}
