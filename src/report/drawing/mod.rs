//! A timeline as a picture, in SVG: the two ends as lines, what is sent as arrows, time to scale, the
//! bound and what goes beyond it, and the moment that proves the violation. It can be read without
//! its words. What happened is in the items of a [`Timeline`](super::Timeline); here is their layout alone.

mod scale;
mod several;
mod signs;

use super::timeline::{Item, Kind, Lane, NEVER, Row, Sort, clip, short};
use crate::exchange::Time;
use crate::verdict::name_ends;
use crate::wire::Role;
use maud::{Markup, PreEscaped, html};
use scale::{Places, Span};
use std::borrow::Cow;

/// The colours and lines, light and dark. A page with pictures has it once.
pub(super) const STYLE: &str = include_str!("drawing.css");

/// The picture's width. Its height depends on what happened.
const WIDTH: i32 = 680;
/// Where times end, where the measure of time stands, and the lines of the client, the server and
/// the application.
const TIMES: i32 = 94;
const MEASURE: i32 = 112;
const CLIENT: i32 = 176;
const SERVER: i32 = 540;
const APPLICATION: i32 = 600;
const PROOF: i32 = 654;
const MIDDLE: i32 = i32::midpoint(CLIENT, SERVER);
/// How many characters of a line's text fit between client and server.
const TEXT: usize = 46;

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    /// Which end was tested: it has a bound, and it has to let go of its socket.
    pub subject: Role,
    /// What happened.
    pub items: &'a [Item],
    /// What it is, in a line.
    pub title: &'a str,
    /// What it shows, in a few sentences: for those who do not see it.
    pub about: &'a str,
    /// Whether a rule is broken.
    pub broken: bool,
}

/// The picture as a file of its own.
pub fn svg(picture: &Picture<'_>) -> String {
    let drawn = drawn(picture, None);
    let text = html! { (PreEscaped("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")) (drawn) };
    short_tags(&super::html::harmless(&text.into_string())) + "\n"
}

/// The picture as a part of a page, whose other pictures have other numbers.
pub(super) fn inline(picture: &Picture<'_>, number: usize) -> Markup {
    // Text in it has no `>` of its own: that is escaped.
    PreEscaped(short_tags(&drawn(picture, Some(number)).into_string()))
}

/// What has nothing in it, in one tag: a page has many.
fn short_tags(text: &str) -> String {
    let shapes = ["rect", "line", "path", "circle"];
    shapes.iter().fold(text.to_owned(), |text, shape| text.replace(&format!("></{shape}>"), "/>"))
}

fn drawn(picture: &Picture<'_>, number: Option<usize>) -> Markup {
    let number_text = number.map_or_else(String::new, |number| number.to_string());
    let (title, about) = (format!("title{number_text}"), format!("about{number_text}"));
    let labels = format!("{title} {about}");
    let parts = several::parts(picture.items);
    let (inside, height) = if parts.is_empty() {
        let places = Places::of(picture.items);
        (body(picture, &places), places.height)
    } else {
        several::stacked(picture, &parts)
    };
    let size = number.is_none().then_some(());
    html! {
        svg class="d" xmlns=[size.map(|()| "http://www.w3.org/2000/svg")] viewBox=(format!("0 0 {WIDTH} {height}"))
            width=[size.map(|()| WIDTH)] height=[size.map(|()| height)] role="img" aria-labelledby=(labels) {
            title id=(title) { (picture.title) }
            desc id=(about) { (picture.about) }
            @if number.is_none() { style { (PreEscaped(STYLE)) } }
            (inside)
        }
    }
}

/// One connection.
fn body(picture: &Picture<'_>, places: &Places) -> Markup {
    let story = Story::of(picture, places);
    let height = places.height;
    html! {
        rect class="paper" width=(WIDTH) height=(height) rx="8" {}
        (story.link(places))
        (halos(picture, places))
        (story.rails(places))
        (heads(picture))
        (story.bound())
        @for span in &places.spans { (story.measure(*span)) }
        (story.begins(places))
        (rows(picture, places))
        (story.proof(places))
        @if !picture.broken { (kept(places)) }
        rect class="frame" x=".5" y=".5" width=(WIDTH - 1) height=(height - 1) rx="8" {}
    }
}

/// Where the line of an end is.
const fn line_of(end: Role) -> i32 {
    match end {
        Role::Client => CLIENT,
        Role::Server => SERVER,
    }
}

/// Where what begins and ends, in the picture's height.
struct Story {
    /// Which end was tested.
    subject: Role,
    /// The first line.
    begin: i32,
    /// Where the connection has ended for the client.
    ended: Option<i32>,
    /// Where the server lets go of its socket.
    released: Option<i32>,
    /// Where the client falls silent.
    silent: Option<i32>,
    /// Since when the end was owed, by when, and where that is.
    owed: Option<(Time, Time, i32)>,
    /// Where what obliges the server stands.
    begin_owed: Option<i32>,
    /// The line that proves the violation.
    proof: Option<usize>,
    bottom: i32,
}

impl Story {
    fn of(picture: &Picture<'_>, places: &Places) -> Self {
        let rows = || {
            let items = picture.items.iter().zip(&places.lines);
            items.filter_map(
                |(item, y)| if let Item::Row(row) = item { Some((row, *y)) } else { None },
            )
        };
        let first =
            |wanted: &dyn Fn(&Row) -> bool| rows().find(|(row, _)| wanted(row)).map(|(_, y)| y);
        let lane = |row: &Row| match picture.subject {
            Role::Client => row.lane.mirrored(),
            Role::Server => row.lane,
        };
        let is_end = |row: &Row| match lane(row) {
            Lane::ToClient(_) => matches!(row.kind, Kind::Fin | Kind::Reset),
            Lane::ToServer => row.kind == Kind::Reset,
            // Who lets go without a FIN of its own sends it by that.
            _ => row.kind == Kind::Released,
        };
        let is_release = |row: &Row| {
            row.kind == Kind::Released || row.kind == Kind::Reset && lane(row) != Lane::ToServer
        };
        let owed = rows().find_map(|(row, y)| match row.kind {
            Kind::Deadline { since } => Some((since, row.at, y)),
            _ => None,
        });
        let marked = |item: &Item| matches!(item, Item::Row(row) if row.marked);
        let begin_owed = owed.and_then(|(since, ..)| {
            let then = |row: &Row| row.at == since && !matches!(row.kind, Kind::Deadline { .. });
            first(&|row| row.marked && then(row)).or_else(|| first(&then))
        });
        let bottom = places.height;
        Self {
            subject: picture.subject,
            begin: places.lines.first().map_or(bottom, |y| y - 20),
            ended: first(&is_end),
            released: first(&is_release),
            silent: first(&|row| row.kind == Kind::Silent),
            owed,
            begin_owed,
            proof: picture.items.iter().rposition(marked),
            bottom,
        }
    }

    /// Where the bound has passed.
    fn due(&self) -> i32 {
        self.owed.map_or(self.bottom, |(_, _, y)| y)
    }

    /// The connection as an area between the two ends: it goes on past the bound, or ends before.
    fn link(&self, places: &Places) -> Markup {
        let end = self.ended.unwrap_or(self.bottom - 8);
        let due = self.due().min(end);
        let width = SERVER - CLIENT;
        let open = self.ended.is_none();
        let last = places.lines.last().copied().unwrap_or(self.bottom);
        html! {
            rect class="link" x=(CLIENT) y=(self.begin) width=(width) height=(due - self.begin) {}
            @if end > due {
                rect class="late" x=(CLIENT) y=(due) width=(width) height=(end - due) {}
                path class="late" d=(stripes(due, end.min(last.max(due)))) {}
            }
            @if open {
                // Torn off: it goes on below.
                path class="paper" d=(torn(end)) {}
            }
        }
    }

    /// The lines of the two ends. The server's is thick while it has its socket; the client's is dotted
    /// once it does nothing more.
    fn rails(&self, places: &Places) -> Markup {
        let end = places.height - 6;
        let silent = self.silent.unwrap_or(end);
        let held = self.released.unwrap_or(end);
        let due = self.due().min(held);
        let (actor, subject) = (line_of(self.subject.other()), line_of(self.subject));
        html! {
            line class="rail" x1=(actor) x2=(actor) y1="78" y2=(silent) {}
            line class="rail quiet" x1=(actor) x2=(actor) y1=(silent) y2=(end) {}
            line class="rail" x1=(subject) x2=(subject) y1="78" y2=(end) {}
            line class="hold" x1=(subject) x2=(subject) y1=(self.begin) y2=(due) {}
            @if held > due { line class="held" x1=(subject) x2=(subject) y1=(due) y2=(held) {} }
        }
    }

    /// How long the subject may take.
    fn bound(&self) -> Markup {
        let within = self.owed.map(|(since, deadline, _)| deadline.0.saturating_sub(since.0));
        html! { @if let Some(within) = within { (signs::bound(self.subject, line_of(self.subject), 32, &scale::duration(within))) } }
    }

    /// That the time begins where the server is obliged, and not where the first pause is.
    fn begins(&self, places: &Places) -> Markup {
        let Some((since, ..)) = self.owed else { return html! {} };
        let passes = places.spans.iter().find(|span| span.since >= since).map(|span| span.from);
        let Some((begin, passes)) = self.begin_owed.zip(passes) else { return html! {} };
        html! {
            rect class="ok" x=(MEASURE - 5) y=(begin) width="10" height=((passes - begin).max(0)) {}
            (signs::watch_starts(MEASURE, begin))
        }
    }

    fn proof(&self, places: &Places) -> Markup {
        html! { @if let Some(line) = self.proof { (signs::warning(PROOF, places.lines[line] - 4)) } }
    }

    /// Time that passes: thin where it is free, in one colour up to the bound, in another one beyond.
    fn measure(&self, span: Span) -> Markup {
        let Span { from, to, since, until, broken } = span;
        let class = match self.owed {
            Some((_, deadline, _)) if since >= deadline => "bad",
            Some((begin, ..)) if since >= begin => "ok",
            _ => "tip",
        };
        let wide = if class == "tip" { 4 } else { 10 };
        let x = MEASURE - wide / 2;
        let middle = i32::midpoint(from, to);
        let says = scale::lasting(span).filter(|_| to - from >= 44);
        html! {
            rect class=(class) x=(x) y=(from) width=(wide) height=(to - from) {}
            @if broken {
                path class="paper" d=(format!("M{} {}l24-8v10l-24 8z", MEASURE - 12, middle)) {}
                path class="open" d=(format!("M{} {}l24-8m-24 18l24-8", MEASURE - 12, middle)) {}
            }
            @if until == NEVER {
                path class="alarm" d=(format!("M{} {}l9 10l9-10", MEASURE - 9, to - 8)) {}
            }
            @if let Some(says) = says { text class="time" x=(TIMES) y=(middle + 4) { (says) } }
        }
    }
}

/// What proves the violation stands out.
fn halos(picture: &Picture<'_>, places: &Places) -> Markup {
    let marked = picture.items.iter().zip(&places.lines).filter_map(|(item, y)| match item {
        Item::Row(row) if row.marked => Some((matches!(row.kind, Kind::Open | Kind::Never), *y)),
        _ => None,
    });
    html! {
        @for (open, y) in marked {
            @let (above, high) = if open { (28, 56) } else { (22, 34) };
            rect class="halo" x="6" y=(y - above) width=(WIDTH - 12) height=(high) rx="6" {}
        }
    }
}

/// Stripes, so that it is told from time within the bound without colours.
fn stripes(from: i32, to: i32) -> String {
    let width = SERVER - CLIENT;
    let stripe = |y: i32| format!("M{CLIENT} {y}h{width}v4h-{width}z");
    (from + 12..to).step_by(12).map(stripe).collect()
}

/// The edge of what is torn off.
fn torn(y: i32) -> String {
    let teeth = "l13-8l13 8".repeat(((SERVER - CLIENT) / 26) as usize);
    format!("M{CLIENT} {y}{teeth}V{}H{CLIENT}z", y + 12)
}

fn heads(picture: &Picture<'_>) -> Markup {
    let at_server = |row: &Row| row.lane == Lane::Server && is_application(row);
    let has_application =
        picture.items.iter().any(|item| matches!(item, Item::Row(row) if at_server(row)));
    html! {
        (signs::laptop(CLIENT, 34))
        text class="mid strong" x=(CLIENT) y="70" { "client" }
        (signs::rack(SERVER, 34))
        text class="mid strong" x=(SERVER) y="70" { "server" }
        @if has_application {
            (signs::application(false, APPLICATION + 8, 34))
            text class="mid dim" x=(APPLICATION + 8) y="70" { "app" }
        }
    }
}

fn rows(picture: &Picture<'_>, places: &Places) -> Markup {
    let mut last = None;
    let lines: Vec<Markup> = picture
        .items
        .iter()
        .zip(&places.lines)
        .map(|(item, y)| {
            let at = scale::time(item).filter(|at| last != Some(*at));
            last = scale::time(item).or(last);
            let at = at.map(|at| if at == NEVER { "for ever".to_owned() } else { short(at) });
            html! {
                @if let Some(at) = at { text class="time" x=(TIMES) y=(y + 4) { (at) } }
                (line(item, *y, picture.subject))
            }
        })
        .collect();
    let tick = |y: &i32| format!("M{} {y}h12", MEASURE - 6);
    let ticks: String = places.lines.iter().map(tick).collect();
    html! {
        path class="tick" d=(ticks) {}
        @for line in lines { (line) }
    }
}

fn line(item: &Item, y: i32, subject: Role) -> Markup {
    let aside = |text: String| html! { text class="mid dim" x=(MIDDLE) y=(y + 4) { (text) } };
    match item {
        Item::Row(row) => match row.lane {
            Lane::ToServer => arrow(row, y, true, true),
            Lane::ToClient(arrives) => arrow(row, y, false, arrives),
            Lane::Client => html! {
                // There is no room beside the client for a line of its application's.
                @if is_application(row) {
                    (signs::application(row.kind == Kind::ApplicationCloses, CLIENT, y))
                } @else {
                    (signs::own(row.kind, CLIENT, y))
                }
                text x=(CLIENT + 20) y=(y + 4) { (clip(&text_of(row), TEXT)) }
            },
            Lane::Server => server(row, y),
            Lane::Across | Lane::Whole => across(row, y, subject),
        },
        Item::Again { rows: 1, times, .. } => aside(format!("the same, {times} times more")),
        Item::Again { rows, times, .. } => aside(format!("these {rows}, {times} times more")),
        Item::LeftOut(lines) => aside(format!("{lines} lines left out")),
    }
}

/// Something on its way: the sign stands with the sender, the tip with the receiver.
fn arrow(row: &Row, y: i32, to_server: bool, arrives: bool) -> Markup {
    let (from, mut to) =
        if to_server { (CLIENT + 3, SERVER - 5) } else { (SERVER - 5, CLIENT + 3) };
    if !arrives {
        to += 70;
    }
    let sign = if to_server { from + 26 } else { from - 26 };
    let class = match row.kind {
        Kind::Frame { sort: Sort::Close, whole: true, .. } => "close",
        Kind::Frame { whole: false, .. } | Kind::PartOfOpening => "part",
        _ if !arrives => "lost",
        _ => "sent",
    };
    html! {
        g class=(class) {
            line class="arrow" x1=(from) x2=(to) y1=(y) y2=(y) {}
            @if arrives {
                path class="tip" d=(tip(to, y, to_server, class == "close")) {}
            } @else {
                path class="alarm" d=(format!("M{} {}l10 10m0-10l-10 10", to - 5, y - 5)) {}
            }
            (signs::on_its_way(row.kind, sign, y))
            text class="mid" x=(MIDDLE) y=(y - 7) { (clip(&row.text, TEXT)) }
        }
    }
}

/// The tip of an arrow that ends here, and comes from the left or from the right.
fn tip(x: i32, y: i32, from_left: bool, large: bool) -> String {
    let (long, half) = if large { (13, 7) } else { (10, 5) };
    let long = if from_left { -long } else { long };
    format!("M{x} {y}l{long} -{half}v{}z", 2 * half)
}

/// Whether the row is the application's, of whichever end.
const fn is_application(row: &Row) -> bool {
    matches!(row.kind, Kind::Application | Kind::ApplicationCloses)
}

/// What the row says, as short as the picture has it.
fn text_of(row: &Row) -> Cow<'_, str> {
    match row.text.strip_prefix("application: ") {
        Some(text) => Cow::Owned(format!("app: {text}")),
        None => Cow::Borrowed(&row.text),
    }
}

fn server(row: &Row, y: i32) -> Markup {
    let text = text_of(row);
    let speaks = row.kind == Kind::ApplicationCloses || text.starts_with("app: sends");
    html! {
        @if is_application(row) {
            @let to = if speaks { SERVER + 5 } else { APPLICATION - 4 };
            @let closes = row.kind == Kind::ApplicationCloses;
            g class=(if closes { "close" } else { "sent" }) {
                line class="arrow" x1=(SERVER + 5) x2=(APPLICATION - 4) y1=(y) y2=(y) {}
                path class="tip" d=(tip(to, y, !speaks, closes)) {}
            }
            (signs::application(closes, APPLICATION + 8, y))
        } @else {
            (signs::own(row.kind, SERVER, y))
        }
        text class="end" x=(SERVER - 20) y=(y + 4) {
            (clip(&text, TEXT))
        }
    }
}

/// The network, the bound, or that it is still open.
fn across(row: &Row, y: i32, subject: Role) -> Markup {
    let text = clip(&row.text, TEXT);
    let (own, inside) = (line_of(subject), if subject == Role::Server { -44 } else { 44 });
    match row.kind {
        Kind::Deadline { .. } => html! {
            line class="due" x1=(MEASURE) x2=(SERVER + 12) y1=(y) y2=(y) {}
            (signs::watch_ends(MEASURE, y))
            text class="mid red" x=(MIDDLE) y=(y - 7) { (text) }
        },
        Kind::Never => html! {
            (signs::for_ever(MIDDLE, y - 8))
            (signs::no_timer(own + inside, y - 6))
            (signs::sleeps(own, y - 8))
            text class="mid red" x=(MIDDLE) y=(y + 20) { (text) }
        },
        Kind::Open => html! {
            @if row.at == NEVER { (signs::for_ever(MIDDLE, y - 8)) } @else { (signs::and_on(MIDDLE, y - 8)) }
            text class="mid red" x=(MIDDLE) y=(y + 20) { (text) }
        },
        Kind::Cut => html! {
            path class="alarm" d=(format!("M{} {y}h120l8-12l12 24l12-24l12 24l8-12h120", MIDDLE - 146)) {}
            text class="mid" x=(MIDDLE) y=(y - 14) { (text) }
        },
        _ => html! { text class="mid" x=(MIDDLE) y=(y + 4) { (text) } },
    }
}

/// The signs, and what they mean where the subjects have this role; `None`, where some have the other.
pub(super) fn key(subject: Option<Role>) -> Vec<(Markup, Cow<'static, str>)> {
    let sort = |sort, whole, legal| signs::on_its_way(Kind::Frame { sort, whole, legal }, 20, 16);
    let own = |kind| signs::own(kind, 24, 16);
    let measure = |class: &str| html! { rect class=(class) x="19" y="3" width="10" height="26" {} };
    let signs = [
        (sort(Sort::Close, true, true), "a Close frame"),
        (sort(Sort::Message, true, true), "a message"),
        (sort(Sort::Control, true, true), "a ping or a pong"),
        (sort(Sort::Message, false, true), "a piece of a frame"),
        (sort(Sort::Message, true, false), "a frame that breaks the protocol"),
        (signs::on_its_way(Kind::Opening, 20, 16), "the opening, and its answer"),
        (signs::on_its_way(Kind::Fin, 20, 16), "FIN: no more is sent that way"),
        (signs::on_its_way(Kind::Reset, 20, 16), "RST: the connection is reset"),
        (own(Kind::Silent), "the client does nothing more"),
        (own(Kind::StopsReading), "the client does not read"),
        (own(Kind::Waits), "the server waits"),
        (own(Kind::Blocked), "the server has no room to write"),
        (own(Kind::Crash), "the server panics, spins or dies"),
        (own(Kind::Released), "the server lets go of its socket"),
        (measure("ok"), "the allowed time, to scale"),
        (measure("bad"), "time beyond that"),
        (signs::watch_starts(24, 18), "here the allowed time begins"),
        (signs::watch_ends(24, 18), "that time is over"),
        (signs::for_ever(24, 16), "open for ever"),
        (signs::sleeps(24, 16), "no task of the server can run"),
        (
            signs::no_timer(24, 18),
            "no timer of the server is set: with that, open for ever is proven",
        ),
        (signs::warning(24, 16), "the moment that proves it"),
    ];
    let small = |sign: Markup| {
        html! { svg class="d" viewBox="0 0 48 32" aria-hidden="true" focusable="false" { (sign) } }
    };
    let named = |(sign, meaning)| (small(sign), name_ends(meaning, subject));
    signs.into_iter().map(named).collect()
}

/// Every rule is kept.
fn kept(places: &Places) -> Markup {
    let y = places.lines.last().map_or(40, |y| y - 4);
    html! { path class="fine" d=(format!("M{} {y}l6 7l12-14", PROOF - 9)) {} }
}
