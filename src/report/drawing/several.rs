//! A picture of several connections: one below the other, each as if it were alone, with what is the whole
//! server's in each.

use super::super::timeline::{Item, Lane, Row, connection_number};
use super::scale::Places;
use super::{Picture, WIDTH, body};
use crate::exchange::ConnectionId;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Between two connections.
const GAP: i32 = 12;

/// What is drawn of each connection; nothing where there is one only.
pub(super) fn parts(items: &[Item]) -> Vec<(ConnectionId, Vec<Item>)> {
    let mut parts: BTreeMap<ConnectionId, Vec<Item>> = BTreeMap::new();
    for item in items {
        if let Item::Row(row) = item
            && row.lane != Lane::Whole
        {
            parts.entry(row.connection).or_default();
        }
    }
    if parts.len() < 2 {
        return Vec::new();
    }
    // Whose rows the last ones are; `None` for those of all.
    let mut rows: Vec<Option<ConnectionId>> = Vec::new();
    for item in items {
        match item {
            Item::Row(row) => {
                let whose = (row.lane != Lane::Whole).then_some(row.connection);
                rows.push(whose);
                for (connection, part) in &mut parts {
                    match whose {
                        None => part.push(Item::Row(Row { lane: Lane::Across, ..row.clone() })),
                        Some(own) if own == *connection => part.push(item.clone()),
                        Some(_) => {}
                    }
                }
            }
            Item::Again { rows: count, times, until } => {
                let last = &rows[rows.len().saturating_sub(*count)..];
                for (connection, part) in &mut parts {
                    let is_own =
                        |whose: &&Option<ConnectionId>| whose.is_none_or(|own| own == *connection);
                    let own = last.iter().filter(is_own).count();
                    if own > 0 {
                        part.push(Item::Again { rows: own, times: *times, until: *until });
                    }
                }
            }
            Item::LeftOut(_) => parts.values_mut().for_each(|part| part.push(item.clone())),
        }
    }
    parts.into_iter().collect()
}

/// The parts, one below the other, and how high that is.
pub(super) fn stacked(picture: &Picture<'_>, parts: &[(ConnectionId, Vec<Item>)]) -> (Markup, i32) {
    let mut top = 0;
    let drawn: Vec<Markup> = parts
        .iter()
        .map(|(connection, items)| {
            let places = Places::of(items);
            let height = places.height;
            let y = top;
            top += height + GAP;
            let part = Picture { items, ..*picture };
            html! {
                svg y=(y) width=(WIDTH) height=(height) viewBox=(format!("0 0 {WIDTH} {height}")) {
                    (body(&part, &places))
                    text class="dim" x="14" y="24" { "connection " (connection_number(*connection)) }
                }
            }
        })
        .collect();
    (html! { @for part in &drawn { (part) } }, top - GAP)
}

#[cfg(test)]
mod tests {
    use super::super::svg;
    use super::*;
    use crate::exchange::Time;
    use crate::report::Kind;
    use crate::wire::Role;

    fn row(connection: u16, lane: Lane, text: &str) -> Item {
        let (at, event, marked, text) = (Time(0), None, false, text.to_owned());
        let connection = ConnectionId(connection);
        Item::Row(Row { at, connection, event, lane, kind: Kind::Other, text, marked })
    }

    #[test]
    fn each_connection_has_its_own_rows_and_those_of_the_whole_server() {
        let again = |rows| Item::Again { rows, times: 4, until: Time(9) };
        let (to, from) = (Lane::ToServer, Lane::ToClient(true));
        let items = [
            row(0, to, "a"),
            row(1, to, "b"),
            row(0, from, "c"),
            again(3),
            row(0, Lane::Whole, "shuts down"),
            Item::LeftOut(7),
            row(1, from, "d"),
            again(1),
        ];
        let whole = row(0, Lane::Across, "shuts down");
        let first =
            vec![row(0, to, "a"), row(0, from, "c"), again(2), whole.clone(), Item::LeftOut(7)];
        let second =
            vec![row(1, to, "b"), again(1), whole, Item::LeftOut(7), row(1, from, "d"), again(1)];
        assert_eq!(parts(&items), [(ConnectionId(0), first), (ConnectionId(1), second)]);
        let text = svg(&Picture {
            subject: Role::Server,
            items: &items,
            title: "two",
            about: "both",
            broken: true,
        });
        assert_eq!(text.matches("<svg ").count(), 3);
        for name in ["connection 1", "connection 2"] {
            assert!(text.contains(&format!(">{name}</text>")), "{text}");
        }
    }

    #[test]
    fn one_connection_is_drawn_as_it_was() {
        let items = [row(0, Lane::ToServer, "a"), row(0, Lane::Whole, "shuts down")];
        assert_eq!(parts(&items), []);
    }
}
