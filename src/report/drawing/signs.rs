//! The signs of a picture, drawn around a place: what is seen before anything is read.

use super::super::timeline::{Kind, Sort};
use crate::wire::Role;
use maud::{Markup, html};

/// The sign on an arrow, for what is on its way.
pub(super) fn on_its_way(kind: Kind, x: i32, y: i32) -> Markup {
    match kind {
        // A door that opens.
        Kind::Opening => html! {
            rect class="sign" x=(x - 8) y=(y - 11) width="16" height="22" {}
            path class="full" d=(format!("M{} {}l10 4v20l-10-3z", x - 8, y - 11)) {}
        },
        Kind::PartOfOpening => half(x, y),
        Kind::Frame { sort, whole, legal } => html! {
            @match (sort, whole) {
                (Sort::Close, true) => (close(x, y)),
                (Sort::Control, true) => circle class="full" cx=(x) cy=(y) r="5" {},
                (Sort::Message, true) => (message(x, y)),
                _ => (half(x, y)),
            }
            @if !legal { (warning(x + 17, y - 9)) }
        },
        Kind::Fin => html! { rect class="full" x=(x - 6) y=(y - 6) width="12" height="12" {} },
        Kind::Reset => bolt(x, y),
        _ => html! { circle class="sign" cx=(x) cy=(y) r="4" {} },
    }
}

/// A box with a cross, as it closes a window: a Close.
pub(super) fn close(x: i32, y: i32) -> Markup {
    html! {
        rect class="box" x=(x - 10) y=(y - 10) width="20" height="20" rx="4" {}
        path class="cross" d=(format!("M{} {}l9 9m0-9l-9 9", x - 4, y - 4)) {}
    }
}

/// A sheet with lines: a message.
fn message(x: i32, y: i32) -> Markup {
    html! {
        rect class="sign" x=(x - 11) y=(y - 8) width="22" height="16" rx="2" {}
        path class="open" d=(format!("M{} {}h14m-14 5h9", x - 7, y - 2)) {}
    }
}

/// A sheet of which half is there: a piece of a frame.
fn half(x: i32, y: i32) -> Markup {
    html! {
        rect class="sign gap" x=(x - 11) y=(y - 8) width="22" height="16" rx="2" {}
        path class="full" d=(format!("M{} {}v-15h9l3 4l-3 4l3 4l-3 3z", x - 11, y + 7)) {}
    }
}

fn bolt(x: i32, y: i32) -> Markup {
    html! { path class="bad" d=(format!("M{} {}l-9 13h7l-3 11l11-15h-7l4-9z", x + 1, y - 12)) {} }
}

/// A triangle with an exclamation mark.
pub(super) fn warning(x: i32, y: i32) -> Markup {
    html! {
        path class="bad" d=(format!("M{x} {}l10 17h-20z", y - 9)) {}
        path class="cross" d=(format!("M{x} {}v5m0 4v.1", y - 3)) {}
    }
}

/// What one end does by itself, on its line.
pub(super) fn own(kind: Kind, x: i32, y: i32) -> Markup {
    let disc = |inside: String| {
        html! { circle class="sign" cx=(x) cy=(y) r="11" {} path class="open" d=(inside) {} }
    };
    match kind {
        // Two bars: a pause that nobody ends.
        Kind::Silent => html! {
            circle class="sign" cx=(x) cy=(y) r="11" {}
            path class="full" d=(format!("M{} {}h2v9h-2zm6 0h2v9h-2z", x - 4, y - 5)) {}
        },
        Kind::StopsReading => disc(format!("M{} {}l16 16m-8-13v8m-4-4l4 5l4-5", x - 8, y - 8)),
        Kind::ReadsAgain => disc(format!("M{x} {}v9m-4-4l4 5l4-5", y - 6)),
        Kind::Blocked => html! {
            rect class="sign" x=(x - 9) y=(y - 9) width="18" height="18" {}
            rect class="full" x=(x - 6) y=(y - 6) width="12" height="12" {}
        },
        Kind::Writable => html! {
            rect class="sign" x=(x - 9) y=(y - 9) width="18" height="18" {}
            rect class="full" x=(x - 6) y=(y + 2) width="12" height="4" {}
        },
        // An hourglass.
        Kind::Waits => html! {
            circle class="sign" cx=(x) cy=(y) r="12" {}
            path class="full" d=(format!("M{} {}h10l-5 6l5 6h-10l5-6z", x - 5, y - 6)) {}
        },
        // The line ends here.
        Kind::Released => html! {
            rect class="full" x=(x - 12) y=(y - 3) width="24" height="6" rx="2" {}
        },
        Kind::Crash => html! {
            path class="bad" d=(format!("M{x} {}l4 8l8-4l-4 8l8 4l-8 4l4 8l-8-4l-4 8l-4-8l-8 4l4-8l-8-4l8-4l-4-8l8 4z", y - 16)) {}
        },
        _ => html! { circle class="sign" cx=(x) cy=(y) r="5" {} },
    }
}

/// The application's window, beside the server; with a cross where it closes.
pub(super) fn application(closes: bool, x: i32, y: i32) -> Markup {
    if closes {
        return close(x, y);
    }
    html! {
        rect class="sign" x=(x - 11) y=(y - 9) width="22" height="18" rx="3" {}
        path class="open" d=(format!("M{} {}h22", x - 11, y - 4)) {}
    }
}

/// A stop watch that begins to run, for the time that the server is allowed.
pub(super) fn watch_starts(x: i32, y: i32) -> Markup {
    html! {
        circle class="start" cx=(x) cy=(y) r="11" {}
        path class="open" d=(format!("M{x} {y}v-7m-3-8h6")) {}
    }
}

/// A stop watch whose time is over.
pub(super) fn watch_ends(x: i32, y: i32) -> Markup {
    html! {
        rect class="full" x=(x - 3) y=(y - 16) width="6" height="5" {}
        circle class="over" cx=(x) cy=(y) r="11" {}
        path class="cross" d=(format!("M{x} {y}v-6m0 6h-5")) {}
    }
}

/// What an end says by itself, in a bubble beside it: its stop watch, and how long it may take.
pub(super) fn bound(of: Role, line: i32, y: i32, within: &str) -> Markup {
    let (left, bubble) = match of {
        Role::Server => (line - 126, "h84q5 0 5 5v7l11 6l-11 3q0 5-5 5h-84q-5 0-5-5v-16q0-5 5-5z"),
        Role::Client => (line + 42, "h84q5 0 5 5v16q0 5-5 5h-84q-5 0-5-5l-11-3l11-6v-7q0-5 5-5z"),
    };
    html! {
        path class="sign" d=(format!("M{left} {}{bubble}", y - 13)) {}
        circle class="start" cx=(left + 12) cy=(y + 1) r="8" {}
        path class="open" d=(format!("M{} {}v-5m-3-6h6", left + 12, y + 1)) {}
        text class="mid" x=(left + 54) y=(y + 5) { "≤ " (within) }
    }
}

/// Sleep: no task of the server can run.
pub(super) fn sleeps(x: i32, y: i32) -> Markup {
    html! {
        circle class="sign" cx=(x) cy=(y) r="14" {}
        path class="open" d=(format!("M{} {}h8l-8 9h8m3-15h6l-6 7h6", x - 9, y - 1)) {}
    }
}

/// A stop watch, crossed out: no timer of the server is set.
pub(super) fn no_timer(x: i32, y: i32) -> Markup {
    html! {
        circle class="sign" cx=(x) cy=(y) r="11" {}
        path class="open" d=(format!("M{x} {y}v-7m-3-8h6")) {}
        path class="alarm" d=(format!("M{} {}l26 26", x - 13, y - 13)) {}
    }
}

/// The sign of infinity.
pub(super) fn for_ever(x: i32, y: i32) -> Markup {
    let path = format!("M{x} {y}c-7-11-24-13-24 0s17 11 24 0c7-11 24-13 24 0s-17 11-24 0");
    html! { path class="alarm" d=(path) {} }
}

/// Three dots: and so on.
pub(super) fn and_on(x: i32, y: i32) -> Markup {
    html! { path class="alarm" d=(format!("M{} {y}h.1m12 0h.1m12 0h.1", x - 12)) {} }
}

/// A laptop.
pub(super) fn laptop(x: i32, y: i32) -> Markup {
    html! {
        rect class="sign" x=(x - 16) y=(y - 13) width="32" height="21" rx="2" {}
        path class="full" d=(format!("M{} {}h44l-4 5h-36z", x - 22, y + 10)) {}
    }
}

/// A stack of machines.
pub(super) fn rack(x: i32, y: i32) -> Markup {
    html! {
        rect class="sign" x=(x - 17) y=(y - 14) width="34" height="30" rx="2" {}
        path class="open" d=(format!("M{} {}h34m-34 10h34m-7-15h1m-1 10h1m-1 10h1", x - 17, y - 4)) {}
    }
}
