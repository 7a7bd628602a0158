//! A wire log that was saved as text, read back: repro files have the text alone.

use super::timeline::time_of;
use super::wire_log::{BYTES, WireLine};
use crate::exchange::{ConnectionId, Time};

/// The columns of a line's time.
const TIME: usize = 13;

/// The lines of a [`wire_log`](fn@super::wire_log), and how many are left out behind how many.
pub(super) fn lines_of_text(text: &str) -> (Vec<WireLine>, Option<(usize, usize)>) {
    let mut lines: Vec<WireLine> = Vec::new();
    let mut left_out = None;
    let mut last = Time::ZERO;
    for line in text.lines() {
        let chars: Vec<char> = line.chars().collect();
        let part = |from: usize, to: usize| -> String {
            chars.get(from..to.min(chars.len())).unwrap_or_default().iter().collect()
        };
        if let Some(count) = line.trim().strip_prefix("... ") {
            let count =
                count.split(' ').next().and_then(|count| count.replace(',', "").parse().ok());
            left_out = count.map(|count| (lines.len(), count)).or(left_out);
            continue;
        }
        let arrow = chars.get(TIME + 1);
        let (Some('>' | '<'), Some(' ')) = (arrow, chars.get(TIME)) else { continue };
        // Of several connections a line begins with its number: a time leaves that place free.
        let number = chars[0].to_digit(10).and_then(|number| u16::try_from(number).ok());
        let connection = ConnectionId(number.map_or(0, |number| number.saturating_sub(1)));
        last = time_of(part(1, TIME).trim()).unwrap_or(last);
        let (what, bytes) = (part(TIME + 3, TIME + 3 + BYTES), part(TIME + 3 + BYTES, usize::MAX));
        let is_split = what.ends_with(' ') && is_hex(&bytes);
        match lines.last_mut() {
            Some(before) if is_split && what.trim().is_empty() => before.bytes = bytes,
            _ => lines.push(WireLine {
                connection,
                at: last,
                from_client: arrow == Some(&'>'),
                what: if is_split { what.trim_end().to_owned() } else { what + &bytes },
                bytes: if is_split { bytes } else { String::new() },
            }),
        }
    }
    (lines, left_out)
}

/// `88 85 37 fa .. 11 B`
fn is_hex(text: &str) -> bool {
    let mut words = text.split(' ').take_while(|word| *word != "..");
    words.all(|word| word.len() == 2 && word.chars().all(|digit| digit.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{wire_lines, wire_log};
    use crate::run::virtual_time::play_and_judge;
    use crate::target::Registry;
    use std::sync::Arc;

    #[test]
    fn a_saved_text_has_the_lines_of_the_exchange() {
        let registry = Registry::built_in();
        let target = Arc::clone(registry.find("reference").expect("a target"));
        for script in [
            "upgrade\nping \"hi\"\nclose 1000 \"a reason of forty and more characters, which is long\"\nfin\n",
            "upgrade in pieces of 50 bytes every 1ms\ntext \"a > b < c\"\nunmasked close 1000\n",
            "fin\n",
            "upgrade\nping\n2: upgrade\n2: wait 1s\n2: close 1000 \"bye\"\n3: unmasked text 9B\n",
        ] {
            let played = script.parse().expect(script);
            let (exchange, _) = play_and_judge(&target, &target.bounds(), &played, 0);
            let (saved, left_out) = lines_of_text(&wire_log(&exchange));
            let millis = |at: Time| Time(at.0.div_ceil(1000) * 1000);
            let fresh = wire_lines(&exchange).into_iter();
            let fresh: Vec<WireLine> =
                fresh.map(|line| WireLine { at: millis(line.at), ..line }).collect();
            assert_eq!((saved, left_out), (fresh, None), "{script}");
        }
    }

    #[test]
    fn odd_text_is_no_line_and_a_gap_is_counted() {
        assert_eq!(lines_of_text("nothing was sent\n\u{e9}\n").0, []);
        let (lines, left_out) =
            lines_of_text("      0.000 s > FIN\n  ... 1,200 lines left out ...\n");
        assert_eq!((lines.len(), left_out), (1, Some((1, 1200))));
    }
}
