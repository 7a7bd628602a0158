//! The commands for a finding's file, as a page shows them. A page is handed on: the values of headers,
//! which may be secrets, are left out of it.

use super::super::model::FindingReport;
use super::super::text::{pasteable, quoted};
use super::SavedFile;

/// Headers whose values are no secrets.
const PLAIN: [&str; 3] = ["origin", "user-agent", "host"];

const EXPORT: &str = "Print a Python program that plays it";
const DRAW: &str = "Draw it, to attach to an issue";

/// What to paste for a finding that was saved, and what has to be done before.
pub(super) fn commands(
    finding: &FindingReport,
    program: &str,
) -> (Vec<(&'static str, String)>, Option<String>) {
    let Some(path) = finding.path.as_deref().map(pasteable) else { return (Vec::new(), None) };
    let mut commands = vec![("Show it", format!("{program} show {path}"))];
    let mut variables = Vec::new();
    let url = finding.url.as_ref().map(|url| format!(" --url {}", quoted(url)));
    let options = words(&finding.options, &mut variables);
    let replay = format!("{program} replay {path}{}{options}", url.unwrap_or_default());
    commands.push(("Play it again", replay));
    if finding.exports {
        commands.push((EXPORT, format!("{program} export {path} --as python")));
    }
    commands.push((DRAW, format!("{program} show {path} --svg finding.svg")));
    let before = (!variables.is_empty()).then(|| {
        format!(
            "Set {} first: values of headers may be secrets, and are left out here.",
            variables.join(", ")
        )
    });
    (commands, before)
}

/// What to paste for a file whose finding was made elsewhere.
pub(super) fn of_file(file: &SavedFile, program: &str) -> Vec<(&'static str, String)> {
    let path = pasteable(&file.path);
    let mut commands = vec![("Show it", format!("{program} show {path}"))];
    if file.is_known_here {
        commands.push(("Play it again", format!("{program} replay {path}")));
    }
    let url = &file.repro.target.0;
    // One with a place for the port has to be started first, and nobody says how.
    if url.contains("://") && !url.contains('{') {
        commands.push(("Play it again", format!("{program} replay {path} --url {}", quoted(url))));
    }
    if file.exports {
        commands.push((EXPORT, format!("{program} export {path} --as python")));
    }
    commands.push((DRAW, format!("{program} show {path} --svg finding.svg")));
    commands
}

/// Options as a shell takes them, with variables for the values of headers.
fn words(options: &[String], variables: &mut Vec<String>) -> String {
    let mut text = String::new();
    let mut is_header = false;
    for word in options {
        let hidden = word.split_once(':').filter(|(name, _)| is_header && !is_plain(name));
        let word_of_shell = match hidden {
            Some((name, _)) => {
                let name = name.trim();
                let shell =
                    |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
                let variable: String =
                    std::iter::once('$').chain(name.chars().map(shell)).collect();
                let value = format!("{}\": {variable}\"", quoted(name));
                variables.push(variable);
                value
            }
            None => quoted(word),
        };
        text.push(' ');
        text.push_str(&word_of_shell);
        is_header = word == "--header";
    }
    text
}

fn is_plain(name: &str) -> bool {
    PLAIN.contains(&name.trim().to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_headers_are_left_to_the_shell() {
        let options = ["--header", "Origin: http://localhost", "--header", "X-Key: a b"];
        let options: Vec<String> = options.map(str::to_owned).to_vec();
        let mut variables = Vec::new();
        let text = words(&options, &mut variables);
        assert_eq!(text, " --header 'Origin: http://localhost' --header X-Key\": $X_KEY\"");
        assert_eq!(variables, ["$X_KEY"]);
    }
}
