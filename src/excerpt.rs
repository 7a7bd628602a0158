//! What a stranger wrote, in a form that a message may repeat: short, without control characters
//! and without marks that turn the direction of a line; and the names that come nearest to a wrong one.
//!
//! It prints nothing and knows no message.

use std::path::Path;

/// The most characters of what was read that a message repeats.
pub const MOST: usize = 40;

/// The most characters of a path, a URL or a command, which whoever typed it looks for.
pub const MOST_OF_A_PATH: usize = 120;

/// The most names that a message lists.
pub const MOST_NAMES: usize = 5;

/// The most characters of a message that another library made.
const MOST_OF_A_MESSAGE: usize = 300;

/// What stands for what is left out.
const CUT: &str = "...";

/// At most [`MOST`] characters of `text`, what is cut included.
pub fn excerpt(text: &str) -> String {
    clipped(text, MOST)
}

/// As [`excerpt`], with at most so many characters.
pub fn clipped(text: &str, most: usize) -> String {
    // What is escaped gets longer: so much of it is always enough.
    let mut out = escaped(&text.chars().take(most + 1).collect::<String>());
    if out.chars().count() > most {
        let end = out.char_indices().nth(most.saturating_sub(CUT.len())).map_or(0, |(at, _)| at);
        out.truncate(end);
        out.push_str(CUT);
    }
    out
}

/// A path: where it is too long, its beginning and its end.
pub fn path(path: &Path) -> String {
    let whole = escaped(&path.display().to_string());
    let length = whole.chars().count();
    if length <= MOST_OF_A_PATH {
        return whole;
    }
    let (head, tail) = (MOST_OF_A_PATH / 3, MOST_OF_A_PATH * 2 / 3 - CUT.len());
    let start: String = whole.chars().take(head).collect();
    let end: String = whole.chars().skip(length - tail).collect();
    format!("{start}{CUT}{end}")
}

/// All of `text`, with control characters, line breaks included, and marks of direction escaped.
pub fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, character| {
        if is_plain(character) {
            out.push(character);
        } else {
            out.extend(character.escape_default());
        }
        out
    })
}

/// As [`escaped`], of text that has lines.
pub fn escaped_lines(text: &str) -> String {
    let line = |line: &str| match line.strip_suffix('\n') {
        Some(line) => escaped(line) + "\n",
        None => escaped(line),
    };
    text.split_inclusive('\n').map(line).collect()
}

/// Whether a terminal shows a character as itself, in its place: no control character, no mark of
/// direction, nothing without width, no line of Unicode's own.
fn is_plain(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The [`MOST_NAMES`] of `names` that come nearest to `name`, the nearest first; all of them, in
/// their order, where they are not more.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<&str> = names.into_iter().collect();
    if names.len() > MOST_NAMES {
        let wrong: Vec<char> = name.chars().take(MOST).flat_map(char::to_lowercase).collect();
        names.sort_by_cached_key(|name| distance(&wrong, &name.chars().collect::<Vec<_>>()));
        names.truncate(MOST_NAMES);
    }
    names
}

/// Names in a sentence, each in quotes: some have commas.
pub fn quoted(names: &[&str]) -> String {
    format!("`{}`", names.join("`, `"))
}

/// How many characters have to be added, taken out or replaced to make one of the other. What is
/// added around a whole word costs little, and what is added behind it: people leave parts of long names out.
fn distance(wrong: &[char], name: &[char]) -> usize {
    let is_part = wrong.len() > 2 && name.windows(wrong.len()).any(|part| part == wrong);
    if is_part {
        return 0;
    }
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (at, one) in wrong.iter().enumerate() {
        let mut before = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in name.iter().enumerate() {
            let replaced = before + usize::from(one != other);
            before = row[column + 1];
            row[column + 1] = replaced.min(before + 1).min(row[column] + 1);
        }
    }
    let beginnings = row.iter().enumerate().map(|(end, cost)| cost + behind(name.len() - end));
    beginnings.min().unwrap_or(name.len())
}

/// What so many characters behind what was typed cost.
const fn behind(characters: usize) -> usize {
    match characters {
        0 => 0,
        some => 1 + some / 4,
    }
}

/// A message of another library on one line: what it quotes between backquotes is shortened, and
/// so is its list of what it expected, to the names nearest to what it found first.
pub fn tidy(message: &str) -> String {
    let parts: Vec<&str> = message.split('`').collect();
    let quoted: Vec<&str> = parts.iter().skip(1).step_by(2).copied().collect();
    let from = parts.iter().step_by(2).position(|text| text.contains("expected one of"));
    let mut out = String::new();
    if let Some(from) = from.filter(|from| quoted.len().saturating_sub(*from) > MOST_NAMES) {
        let found = quoted.first().copied().unwrap_or_default();
        let names = nearest(found, quoted[from..].iter().copied());
        let names: Vec<String> =
            names.into_iter().map(|name| format!("`{}`", excerpt(name))).collect();
        out.push_str(&shortened(&parts[..=2 * from]));
        out.push_str(&names.join(", "));
        out.push_str(", ..");
    } else {
        out.push_str(&shortened(&parts));
    }
    clipped(&out, MOST_OF_A_MESSAGE)
}

/// The parts of a message, with those between backquotes shortened, in their backquotes.
fn shortened(parts: &[&str]) -> String {
    let part = |(index, part): (usize, &&str)| match index % 2 {
        1 => format!("`{}`", excerpt(part)),
        _ => escaped(&part.replace('\n', " ")),
    };
    parts.iter().enumerate().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_has_forty_characters_at_most_and_shows_what_would_not_be_seen() {
        assert_eq!(excerpt("upgrade"), "upgrade");
        assert_eq!(
            excerpt("a\u{202e}b\u{1b}[31m\n\u{7f}\u{2066}"),
            r"a\u{202e}b\u{1b}[31m\n\u{7f}\u{2066}"
        );
        assert_eq!(excerpt("שלום, 世界"), "שלום, 世界", "letters are no marks");
        let exact = "x".repeat(MOST);
        assert_eq!(excerpt(&exact), exact);
        for long in ["x".repeat(MOST + 1), "\0".repeat(1 << 20), "é".repeat(99)] {
            let short = excerpt(&long);
            assert!(short.chars().count() <= MOST && short.ends_with("..."), "{short}");
        }
    }

    #[test]
    fn a_long_path_keeps_its_beginning_and_its_end() {
        assert_eq!(path(Path::new("a/b\n.toml")), r"a/b\n.toml");
        let long = format!("/first/{}/last.toml", "x/".repeat(400));
        let short = path(Path::new(&long));
        assert!(short.chars().count() <= MOST_OF_A_PATH, "{short}");
        assert!(short.starts_with("/first/x") && short.ends_with("x//last.toml"), "{short}");
    }

    #[test]
    fn text_keeps_its_lines_and_loses_what_would_move_them() {
        assert_eq!(
            escaped_lines("one\r\n\ttwo\u{202e}\n\nlast"),
            "one\\r\n\\ttwo\\u{202e}\n\nlast"
        );
    }

    #[test]
    fn the_nearest_names_come_first_and_are_five() {
        let names = ["upgrade", "text", "binary", "ping", "pong", "close", "fin"];
        assert_eq!(nearest("clsoe", names)[0], "close");
        assert_eq!(nearest("Bin", names)[0], "binary", "a part of it");
        let targets = ["nasty/exits", "reference", "tungstenite/no-deadline", "clock/a", "b", "c"];
        assert_eq!(nearest("tungsteniet/", targets)[0], "tungstenite/no-deadline", "its beginning");
        assert_eq!(nearest(&"\u{1f980}".repeat(10_000), names).len(), MOST_NAMES);
        assert_eq!(nearest("x", ["b", "a"]), ["b", "a"]);
    }

    #[test]
    fn the_message_of_a_library_quotes_little_and_lists_five_names() {
        let long = "m".repeat(1000);
        let names =
            ["`one`", "`two`", "`three`", "`four`", "`five`", "`six`", "`seventeen`"].join(", ");
        let tidied = tidy(&format!("unknown field `sevnteen`, expected one of {names}"));
        assert!(tidied.starts_with("unknown field `sevnteen`, expected one of `seventeen`, "));
        assert_eq!(tidied.matches('`').count(), 2 * (1 + MOST_NAMES), "{tidied}");
        let tidied = tidy(&format!("invalid type: string `{long}`,\nexpected u32 `\u{1b}`"));
        assert!(tidied.ends_with("...`, expected u32 `\\u{1b}`"), "{tidied}");
        assert_eq!(
            tidy("unknown variant `x`, expected `y` or `z`"),
            "unknown variant `x`, expected `y` or `z`"
        );
        assert!(tidy(&long).chars().count() <= MOST_OF_A_MESSAGE);
    }
}
