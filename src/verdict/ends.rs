//! The two ends in words.
//!
//! What hangup says of a connection is written once, as of a server under test: there the subject is
//! the server, and the actor the client. Of a client under test the two have each other's names. What
//! is said of a rule that holds for both, and of no connection, speaks of an endpoint and its peer.

use crate::wire::Role;
use std::borrow::Cow;

/// A text that was written as of a server, with the names that the two ends have where the subject has
/// this role; `None`, where it may have either. Names of targets (`reference-client`) stay, and so do
/// frames, which are called by their sender (`client frame without a mask`).
pub fn name_ends(text: &str, subject: Option<Role>) -> Cow<'_, str> {
    if subject == Some(Role::Server) || next_end(text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some((at, written)) = next_end(rest) {
        let (before, behind) = rest.split_at(at);
        let (word, behind) = behind.split_at(written.word().len());
        out.push_str(before);
        let stays = out.ends_with(is_of_a_name) || behind.starts_with(" frame");
        if stays {
            out.push_str(word);
        } else {
            push_named(&mut out, name(written, subject), word.starts_with(char::is_uppercase));
        }
        rest = behind;
    }
    Cow::Owned(out + rest)
}

/// The name of the end that was written as this one.
const fn name(written: Role, subject: Option<Role>) -> &'static str {
    match (written, subject) {
        (Role::Server, None) => "endpoint",
        (Role::Client, None) => "peer",
        (Role::Server, Some(subject)) => subject.word(),
        (Role::Client, Some(subject)) => subject.other().word(),
    }
}

/// Appends the name, with a capital letter where the word had one, and `an` before a vowel.
fn push_named(out: &mut String, name: &str, is_capital: bool) {
    let article = out.trim_end();
    let is_article = ["a", "A"].iter().any(|article_of| {
        article.strip_suffix(article_of).is_some_and(|text| !text.ends_with(char::is_alphanumeric))
    });
    if is_article && article.len() < out.len() && name.starts_with('e') {
        out.insert(article.len(), 'n');
    }
    match name.split_at_checked(1).filter(|_| is_capital) {
        Some((first, others)) => {
            out.push_str(&first.to_ascii_uppercase());
            out.push_str(others);
        }
        None => out.push_str(name),
    }
}

/// What stands before a word that is part of a name.
fn is_of_a_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_' | '/')
}

/// Where the next end is named, and as which.
fn next_end(text: &str) -> Option<(usize, Role)> {
    let words = [
        ("client", Role::Client),
        ("Client", Role::Client),
        ("server", Role::Server),
        ("Server", Role::Server),
    ];
    let found = words.into_iter().filter_map(|(word, role)| Some((text.find(word)?, role)));
    found.min_by_key(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_client_the_ends_have_each_others_names_and_of_either_they_have_none() {
        for (server, client, either) in [
            ("the client's Close", "the server's Close", "the peer's Close"),
            ("the server's own Close", "the client's own Close", "the endpoint's own Close"),
            ("A server reads", "A client reads", "An endpoint reads"),
            ("a\n  server, a client", "a\n  client, a server", "an\n  endpoint, a peer"),
            ("Servers, clients", "Clients, servers", "Endpoints, peers"),
            ("data server", "data client", "data endpoint"),
            (
                "client frame without a mask",
                "client frame without a mask",
                "client frame without a mask",
            ),
            ("against reference-client", "against reference-client", "against reference-client"),
            ("idle", "idle", "idle"),
        ] {
            assert_eq!(name_ends(server, Some(Role::Server)), server);
            assert_eq!(name_ends(server, Some(Role::Client)), client);
            assert_eq!(name_ends(client, Some(Role::Client)), server, "and back");
            assert_eq!(name_ends(server, None), either);
        }
    }
}
