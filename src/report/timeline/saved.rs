//! A timeline that was saved as text, read back for a picture: repro files have the text alone.
//!
//! Files keep the words of the hangup that wrote them: what a line says in words that are not known here is
//! drawn without a sign of its own.

use super::columns::Layout;
use super::{Item, Kind, Lane, NEVER, Row, Sort, TIME};
use crate::exchange::{ConnectionId, Time};
use crate::wire::Opcode;

/// The lines of a timeline in columns, as [`Timeline::text`](super::Timeline::text) lays it out; none
/// of a text that is no timeline.
pub(in crate::report) fn items_of_text(text: &str) -> Vec<Item> {
    let mut last = Time::ZERO;
    let head = text.lines().next().unwrap_or_default();
    if let Some(layout) = Layout::of(head) {
        return layout.items(text);
    }
    let lines = text.lines().skip(1);
    lines.filter_map(|line| item(line, &mut last)).collect()
}

/// The same where a client was tested: what its lines mean is said as of a server's.
pub(in crate::report) fn name_as_of_a_client(items: &mut [Item]) {
    for item in items {
        if let Item::Row(row) = item {
            row.kind = kind(row.lane.mirrored(), &row.text);
        }
    }
}

fn item(line: &str, last: &mut Time) -> Option<Item> {
    let margin: String = line.chars().take(TIME).collect();
    let said: String = line.chars().skip(TIME).collect();
    if let Some(said) = said.strip_prefix("... ") {
        return counted(said, last);
    }
    let time = margin.get(1..)?.trim();
    *last = if time.is_empty() { *last } else { time_of(time)? };
    let (lane, text) = lane(&said)?;
    let kind = kind(lane, &text);
    let marked = margin.starts_with('!');
    let connection = ConnectionId::FIRST;
    Some(Item::Row(Row { at: *last, connection, event: None, lane, kind, text, marked }))
}

/// `this 29 times more, to 30.000 s`, `these 2 lines 29 times more, to ..`, `12 lines left out ...`.
pub(super) fn counted(said: &str, last: &mut Time) -> Option<Item> {
    let words: Vec<&str> = said.split(' ').collect();
    match words[..] {
        ["this", times, "times", "more,", "to", until, "s"] => {
            *last = seconds(until)?;
            Some(Item::Again { rows: 1, times: times.parse().ok()?, until: *last })
        }
        ["these", rows, "lines", times, "times", "more,", "to", until, "s"] => {
            *last = seconds(until)?;
            Some(Item::Again { rows: rows.parse().ok()?, times: times.parse().ok()?, until: *last })
        }
        [lines, _, "left", "out", ..] => Some(Item::LeftOut(lines.replace(',', "").parse().ok()?)),
        _ => None,
    }
}

pub(in crate::report) fn time_of(text: &str) -> Option<Time> {
    if text == "for ever" { Some(NEVER) } else { seconds(text.strip_suffix(" s")?) }
}

fn seconds(text: &str) -> Option<Time> {
    let seconds: f64 = text.parse().ok()?;
    (0.0..1e12).contains(&seconds).then(|| Time((seconds * 1e6).round() as u64))
}

/// Whose doing a line is, and its words.
fn lane(said: &str) -> Option<(Lane, String)> {
    let owned = |lane, text: &str| Some((lane, text.trim().to_owned()));
    if let Some(text) = said.strip_prefix("<-") {
        return owned(Lane::ToClient(true), text.trim_start_matches('-'));
    }
    if let Some(text) = said.strip_prefix("x -") {
        let text = text.trim_start_matches(" -");
        return owned(Lane::ToClient(false), text);
    }
    if let Some(text) = said.strip_suffix("->") {
        return owned(Lane::ToServer, text.trim_end_matches('-'));
    }
    if said.starts_with("= ") || said.starts_with("==") {
        return owned(Lane::Across, said.trim_matches('='));
    }
    match said {
        "" => None,
        said if said.starts_with(' ') => owned(Lane::Server, said),
        said => owned(Lane::Client, said),
    }
}

pub(super) fn kind(lane: Lane, text: &str) -> Kind {
    let plain = text.trim_end_matches(" (inferred)").trim_end_matches(" (not read)");
    match (lane, plain) {
        (Lane::Client, "stops reading") => Kind::StopsReading,
        (Lane::Client, "reads again") => Kind::ReadsAgain,
        (Lane::Client, "does nothing more") => Kind::Silent,
        (Lane::Client, _) => Kind::Other,
        (Lane::Across, "the network is cut") => Kind::Cut,
        (Lane::Across | Lane::Whole, text) => across(text),
        (Lane::Server, text) => of_server(text),
        (Lane::ToServer | Lane::ToClient(_), text) => sent(text),
    }
}

fn across(text: &str) -> Kind {
    let words = [" s after ", ", since ", ": deadline, set at "];
    let since = words.iter().find_map(|words| text.split_once(words));
    let since = since.and_then(|(_, at)| time_of(at));
    match since {
        Some(since) => Kind::Deadline { since },
        None if text.contains("no task can run") => Kind::Never,
        None => Kind::Open,
    }
}

fn of_server(text: &str) -> Kind {
    let begins = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
    match text {
        "socket closed" | "transport dropped" => Kind::Released,
        "can write again" => Kind::Writable,
        "application: closes" | "application: returns" => Kind::ApplicationCloses,
        "reads the reset"
        | "is told of the reset"
        | "accepts the connection"
        | "server: stops listening" => Kind::Other,
        "server: shutdown command" | "server: is told to shut down" => Kind::ApplicationCloses,
        "server: has shut down" => Kind::Released,
        _ if begins(&["server: broadcast command", "server: is told to send "]) => {
            Kind::Application
        }
        _ if begins(&["application: "]) => Kind::Application,
        _ if begins(&["cannot write"]) => Kind::Blocked,
        _ if begins(&[
            "waits to ",
            "does not read",
            "has input",
            "holds its socket",
            "room for ",
        ]) =>
        {
            Kind::Waits
        }
        _ if [" room to send", " free to send", " free in its send buffer"]
            .iter()
            .any(|end| text.ends_with(end)) =>
        {
            Kind::Waits
        }
        _ if text.ends_with(" left behind") || text.contains(" bytes not sent on") => Kind::Waits,
        _ => Kind::Crash,
    }
}

fn sent(text: &str) -> Kind {
    let frame = |name: &str, whole| {
        let legal = !has_fault(text);
        let opcode = (0..16).map(Opcode::new).find(|opcode| opcode.to_string() == name);
        opcode.map(|opcode| Kind::frame(opcode, whole, legal))
    };
    if text.starts_with("FIN") {
        return Kind::Fin;
    }
    if text.starts_with("RST") {
        return Kind::Reset;
    }
    if text.starts_with("more of it") {
        return Kind::Frame { sort: Sort::More, whole: false, legal: !has_fault(text) };
    }
    if text.contains(" of its ") || text.contains(" in place of its ") {
        return Kind::PartOfOpening;
    }
    if text.ends_with("bytes of messages, not kept") {
        return Kind::Frame { sort: Sort::Message, whole: true, legal: true };
    }
    if let Some(rest) = text.strip_prefix("part of a ") {
        let name = rest.split_once(" frame").map_or(rest, |(name, _)| name);
        return frame(name, false).unwrap_or(Kind::Other);
    }
    let text = text.strip_prefix("rest of ").unwrap_or(text);
    let reserved = text.strip_prefix("Opcode ").map(|rest| {
        let number = rest.split([',', ':', ' ']).next().unwrap_or_default();
        format!("Opcode {number}")
    });
    let name =
        reserved.unwrap_or_else(|| text.split([',', ' ', ':']).next().unwrap_or("").to_owned());
    match frame(&name, true) {
        Some(kind) => kind,
        None if text == "upgrade request" || text.starts_with(|c: char| c.is_ascii_digit()) => {
            if text.ends_with(" after its response") || text.ends_with(" behind its response") {
                Kind::Other
            } else {
                Kind::Opening
            }
        }
        None => Kind::Opening,
    }
}

/// Whether a fault is told behind a colon: not the one inside a Close's reason, which is quoted.
fn has_fault(text: &str) -> bool {
    let behind = text.rfind('"').map_or(text, |quote| &text[quote..]);
    behind.contains(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Timeline, timeline};
    use crate::run::virtual_time::play_and_judge;
    use crate::script::Script;
    use crate::target::Registry;
    use std::sync::Arc;

    /// What is drawn of a story, but for what the text leaves out.
    fn drawn(items: Vec<Item>) -> Vec<Item> {
        let millis = |at: Time| if at == NEVER { at } else { Time(at.0.div_ceil(1000) * 1000) };
        let plain = |item| match item {
            Item::Row(row) => {
                let kind = match row.kind {
                    Kind::Deadline { since } => Kind::Deadline { since: millis(since) },
                    kind => kind,
                };
                Item::Row(Row { at: millis(row.at), event: None, kind, ..row })
            }
            Item::Again { rows, times, until } => Item::Again { rows, times, until: millis(until) },
            left_out @ Item::LeftOut(_) => left_out,
        };
        items.into_iter().map(plain).collect()
    }

    #[test]
    fn a_saved_text_is_drawn_as_the_exchange_is() {
        let registry = Registry::built_in();
        for script in [
            "upgrade\napp close\n",
            "upgrade\nping \"hi\"\ntext \"a\"\nclose 1000 \"bye: x\"\nfin\n",
            "upgrade\nstop reading\napp send text 1MiB\napp close 1000\nwait 1s\nresume reading\n",
            "upgrade\napp close\nping x 30 every 1s\n",
            "upgrade in pieces of 50 bytes every 1s\nreset\n",
            "upgrade\napp close 1005\nfirst 3 bytes of text \"hello\"\ncut\n",
            "upgrade\nfirst 2 bytes of unmasked text 9B\n",
            "upgrade\nunmasked text \"a\"\n",
            "upgrade\nrsv 7 opcode 15 3B\nwait 1s\nreset\n",
            "upgrade\nclose hex 03\n",
            "upgrade\napp return\n",
        ] {
            for name in ["reference", "tungstenite/no-deadline", "reference/reads-the-end-again"] {
                let target = Arc::clone(registry.find(name).expect("a target"));
                let played = script.parse().expect(script);
                let (exchange, verdict) = play_and_judge(&target, &target.bounds(), &played, 0);
                let violation = verdict.violations.first();
                let fresh = Timeline::of(&exchange, violation).items();
                let saved = items_of_text(&timeline(&exchange, violation));
                assert_eq!(saved, drawn(fresh), "{script} on {name}");
            }
        }
    }

    /// A table has those together that do the same: connection by connection it is the same.
    #[test]
    fn a_saved_text_of_several_connections_is_drawn_as_the_exchange_is() {
        let registry = Registry::built_in();
        let more = "3: upgrade\n3: unmasked text 9B\n4: upgrade\n4: close\n5: upgrade\n5: close\n";
        for script in [
            "upgrade\napp close\n2: upgrade\n2: ping \"hi\"\n2: close 1000 \"bye: x\"\n",
            "upgrade\nstop reading\napp send text 1MiB\n2: upgrade\n2: ping x 30 every 1s\n3: upgrade\n3: cut\n",
            "upgrade\nstop reading\napp send text 1MiB\napp close\n2: connect after 3s\n2: upgrade\n2: reset\n",
            &format!("upgrade\napp close\n2: upgrade\n2: cut\n{more}"),
        ] {
            for name in ["reference", "tungstenite/no-deadline"] {
                let target = Arc::clone(registry.find(name).expect("a target"));
                let played: Script = script.parse().expect(script);
                let (exchange, verdict) = play_and_judge(&target, &target.bounds(), &played, 0);
                let violation = verdict.violations.first();
                let fresh = drawn(Timeline::of(&exchange, violation).items());
                let text = timeline(&exchange, violation);
                let saved = items_of_text(&text);
                if played.connections() <= 3 {
                    assert_eq!(saved, fresh, "{script} on {name}\n{text}");
                }
                for connection in exchange.connections() {
                    let of = |items: &[Item]| -> Vec<Row> {
                        let rows = items.iter().filter_map(|item| match item {
                            Item::Row(row) if row.connection == connection => Some(row.clone()),
                            _ => None,
                        });
                        rows.collect()
                    };
                    assert_eq!(of(&saved), of(&fresh), "{script} on {name}\n{text}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_timeline_is_not_drawn() {
        for head in ["connection", "connection 1    connection 2"] {
            let odd = format!(
                "         time  {head}\n!   1e99 s  x\n   0.0 s   9-99999  > a\n  é\n\u{1}\n"
            );
            let _ = items_of_text(&odd);
        }
        assert_eq!(items_of_text(""), []);
        assert_eq!(items_of_text("time\n\u{e9}\u{1}\n!   1e99 s  client\n"), []);
        let left_out = "h\n               ... 1,204 lines left out ...\n";
        assert_eq!(items_of_text(left_out), [Item::LeftOut(1204)]);
    }
}
