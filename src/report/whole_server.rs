//! What is remarked of a server over TCP beside its findings, in a line: how its shutdowns went, and what
//! became of a client that did nothing.

use super::count;
use super::model::{IdleClient, Shutdown};
use std::fmt::Write as _;

/// How shutdowns went, and with which codes the server closed.
pub(super) fn told_to_shut_down(shutdowns: &[Shutdown]) -> String {
    let took: Vec<f64> = shutdowns.iter().filter_map(|one| one.seconds).collect();
    let least = took.iter().copied().fold(f64::INFINITY, f64::min);
    let most = took.iter().copied().fold(0.0, f64::max);
    let all = count(shutdowns.len(), "round");
    let mut text = match took.len() {
        0 => format!("told to shut down in {all}: the process ended in none of them"),
        ended => format!(
            "told to shut down in {all}: the process ended in {ended} of them, {least:.2} s to {most:.2} s \
             later"
        ),
    };
    let mut exits: Vec<&str> = shutdowns.iter().filter_map(|one| one.exit.as_deref()).collect();
    exits.sort_unstable();
    exits.dedup();
    if !exits.is_empty() {
        let _ = write!(text, " ({})", exits.join("; "));
    }
    let mut codes: Vec<u16> = shutdowns.iter().flat_map(|one| one.codes.clone()).collect();
    codes.sort_unstable();
    codes.dedup();
    let named = |code: &u16| if *code == 1005 { "no code".to_owned() } else { code.to_string() };
    let others: Vec<String> = codes.iter().filter(|code| **code != 1001).map(named).collect();
    match (codes.is_empty(), others.is_empty()) {
        (true, _) => text.push_str("; it sent no Close"),
        (_, true) => text.push_str("; it closes with 1001"),
        (_, false) => {
            let _ = write!(text, "; it closes with {}, where 7.4.1 has 1001", others.join(", "));
        }
    }
    text
}

/// What became of a client that did nothing, and what that may mean.
pub(super) fn idle_client(idle: &IdleClient) -> String {
    let first = if idle.speaks_first { "the server sends a message first, and " } else { "" };
    let ended = match &idle.ended {
        Some((after, how)) => format!("{how}, {after:.1} s after the opening"),
        None => "keeps the connection open".to_owned(),
    };
    let ended = if idle.speaks_first { ended.replacen("the server ", "", 1) } else { ended };
    format!(
        "a client that opens and does nothing: {first}{ended}. If sessions begin with a message of \
         their own, give it with --preamble FILE: scripts that come before it test little."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shutdowns_say_how_long_they_took_and_which_codes_came() {
        let shutdown = |seconds: Option<f64>, codes: &[u16]| Shutdown {
            seconds,
            exit: seconds.map(|_| "exit code 0".to_owned()),
            codes: codes.to_vec(),
        };
        let all = [shutdown(Some(0.5), &[1001]), shutdown(Some(2.0), &[1001]), shutdown(None, &[])];
        assert_eq!(
            told_to_shut_down(&all),
            "told to shut down in 3 rounds: the process ended in 2 of them, 0.50 s to 2.00 s later (exit \
             code 0); it closes with 1001"
        );
        let others = told_to_shut_down(&[shutdown(Some(1.0), &[1005, 1012])]);
        assert!(others.ends_with("it closes with no code, 1012, where 7.4.1 has 1001"), "{others}");
        let never = told_to_shut_down(&[shutdown(None, &[])]);
        let said =
            "told to shut down in 1 round: the process ended in none of them; it sent no Close";
        assert_eq!(never, said);
    }

    #[test]
    fn a_client_that_does_nothing_hints_at_a_preamble() {
        let told = |speaks_first, ended: Option<(f64, &str)>| {
            let ended = ended.map(|(after, how)| (after, how.to_owned()));
            idle_client(&IdleClient { speaks_first, ended })
        };
        let closed = told(false, Some((3.04, "the server closed with 4408")));
        let said = "a client that opens and does nothing: the server closed with 4408, 3.0 s after the opening.";
        assert!(closed.starts_with(said) && closed.contains("--preamble FILE"), "{closed}");
        let both = told(true, Some((3.0, "the server closed with 4408")));
        assert!(both.contains("the server sends a message first, and closed with 4408"), "{both}");
        let first = told(true, None);
        assert!(first.contains("a message first, and keeps the connection open"), "{first}");
    }
}
