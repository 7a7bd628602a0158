//! Whether a text is well-formed XML, as far as hangup's reports use it: elements, attributes, the five
//! entities. It knows no schema.

/// Fails with the place where `text` is no XML.
#[track_caller]
pub(crate) fn assert_well_formed(text: &str) {
    if let Err((why, at)) = parse(text) {
        panic!("{why} at byte {at} of\n{text}");
    }
}

fn parse(text: &str) -> Result<(), (&'static str, usize)> {
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    let mut rest = text.strip_prefix(head).ok_or(("no declaration", 0))?;
    let (mut open, mut roots) = (Vec::new(), 0);
    loop {
        let at = |rest: &str| text.len() - rest.len();
        let Some(tag) = rest.find('<') else {
            let is_end = open.is_empty() && roots == 1 && rest.trim().is_empty();
            return if is_end { Ok(()) } else { Err(("an end before the end", at(rest))) };
        };
        let before = &rest[..tag];
        if !is_text(before) || open.is_empty() && !before.trim().is_empty() {
            return Err(("no text", at(rest)));
        }
        let end = rest[tag..].find('>').ok_or(("a tag without an end", at(rest)))? + tag;
        let inside = &rest[tag + 1..end];
        let place = at(&rest[tag..]);
        rest = &rest[end + 1..];
        if let Some(name) = inside.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(("an end of another element", place));
            }
            continue;
        }
        let (inside, is_empty) = match inside.strip_suffix('/') {
            Some(inside) => (inside, true),
            None => (inside, false),
        };
        let (name, attributes) = inside.split_once(' ').unwrap_or((inside, ""));
        roots += usize::from(open.is_empty());
        if name.is_empty() || !are_attributes(attributes) {
            return Err(("no element", place));
        }
        if !is_empty {
            open.push(name);
        }
    }
}

fn are_attributes(text: &str) -> bool {
    let mut rest = text.trim();
    while !rest.is_empty() {
        let Some((name, after)) = rest.split_once("=\"") else { return false };
        let Some((value, after)) = after.split_once('"') else { return false };
        if !name.chars().all(|c| c.is_ascii_alphabetic()) || !is_text(value) {
            return false;
        }
        rest = after.trim_start();
    }
    true
}

/// Without what XML has in no form, and with whole entities.
fn is_text(text: &str) -> bool {
    let is_legal = |c: char| !c.is_control() || c == '\n' || c == '\t';
    let entities = ["amp;", "lt;", "gt;", "quot;", "apos;"];
    let mut parts = text.split('&');
    parts.next();
    text.chars().all(is_legal) && parts.all(|part| entities.iter().any(|one| part.starts_with(one)))
}

#[test]
fn a_report_that_is_cut_or_not_escaped_is_no_xml() {
    let whole =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"c &amp; d\">\n  <e/>f &lt; g</a>\n";
    assert_eq!(parse(whole), Ok(()));
    for cut in 0..whole.len() - 1 {
        assert!(parse(&whole[..cut]).is_err(), "{cut}");
    }
    for (from, to) in
        [("&amp;", "&"), ("&lt;", "<"), ("c &", "\" &"), ("<e/>", "<e>"), ("f", "\u{1}")]
    {
        assert!(parse(&whole.replacen(from, to, 1)).is_err(), "{to}");
    }
    assert!(parse(&whole.repeat(2)).is_err());
}
