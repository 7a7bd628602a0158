//! Pages and pictures: how they look under snapshot, that nothing of a server's is more than text, that
//! nothing is loaded, and what a reader with a keyboard or a screen reader needs.

use hangup::exchange::{ConnectionId, Death, Exchange, Time, What};
use hangup::finding::Finding;
use hangup::judge::judge;
use hangup::report::model::FindingReport;
use hangup::report::page::{self, Page};
use hangup::report::{self, Picture, Scene};
use hangup::run::virtual_time;
use hangup::verdict::Violation;
use hangup::wire::{FrameHead, Opcode, Role};
use hangup::{Registry, Script};
use std::collections::BTreeSet;

/// A long story, in which much happens.
const DEAF: &str = "upgrade\nstop reading\napp send text 1MiB\nfirst 3 bytes of text \"hello\"\nunmasked ping\n\
                    wait 12h\nresume reading\nping x 30 every 1s\napp close\ncut\n";

/// What a script shows on a target that is built in.
fn finding(target: &str, script: &str) -> FindingReport {
    let script: Script = script.parse().expect("a script");
    let registry = Registry::built_in();
    let target = registry.find(target).expect("built in");
    let bounds = target.bounds();
    let (exchange, verdict) = virtual_time::play_and_judge(target, &bounds, &script, 0);
    let violation =
        verdict.violations.first().unwrap_or_else(|| panic!("keeps every rule: {script}"));
    report_of(target.as_ref(), script, exchange, violation.clone())
}

fn report_of(
    target: &dyn hangup::Target,
    script: Script,
    exchange: Exchange,
    violation: Violation,
) -> FindingReport {
    let finding = Finding {
        violation,
        script,
        shrunk: true,
        index: 0,
        runtime_seed: 0,
        plays: 0,
        rate: 1.0,
        exchange,
        cut_short: false,
        dismissed: None,
    };
    FindingReport::of(target, target.bounds(), &finding, Some("hangup-findings/it.toml".into()))
}

fn picture(finding: &FindingReport) -> String {
    let title = report::headline(&finding.repro);
    let about = &finding.repro.sentence;
    report::svg(&Picture {
        subject: finding.scene.subject,
        items: &finding.scene.items,
        title: &title,
        about,
        broken: true,
    })
}

fn shown(finding: &FindingReport) -> Page {
    let target = (finding.repro.target.0.as_str(), finding.repro.target.1.as_str());
    page::of_shown(target, Role::Server, Ok(finding), true, Vec::new(), "hangup")
}

/// A text without what stands between two marks, which are in it once at least.
fn without(text: &str, begin: &str, end: &str) -> String {
    let (before, rest) = text.split_once(begin).expect(begin);
    let (_, behind) = rest.split_once(end).expect(end);
    format!("{before}{begin}{end}{behind}")
}

/// A tag in a line: a difference is seen at once.
fn lines(text: &str) -> String {
    without(text, "<style>", "</style>").replace('<', "\n<").trim_start().to_owned()
}

#[test]
fn the_story_of_the_article_is_drawn() {
    insta::assert_snapshot!(lines(&picture(&finding(
        "tungstenite/no-deadline",
        "upgrade\napp close\n"
    ))));
}

#[test]
fn a_deaf_client_a_piece_of_a_frame_and_a_cut_are_drawn() {
    insta::assert_snapshot!(lines(&picture(&finding("tungstenite/no-deadline", DEAF))));
}

#[test]
fn a_page_of_one_problem() {
    insta::assert_snapshot!(lines(&report::html(&shown(&finding(
        "tungstenite/no-deadline",
        "upgrade\napp close\n"
    )))));
}

#[test]
fn what_keeps_every_rule_is_drawn_with_a_tick_and_no_alarm() {
    let registry = Registry::built_in();
    let target = registry.find("reference").expect("built in");
    let script = "upgrade\nping \"hi\"\nclose 1000 \"bye\"\nfin\n".parse().expect("a script");
    let exchange = virtual_time::play(target, &target.bounds(), &script, 0);
    let scene = Scene::of(&exchange, None);
    let picture = Picture {
        subject: scene.subject,
        items: &scene.items,
        title: "a",
        about: "b",
        broken: false,
    };
    let svg = without(&report::svg(&picture), "<style>", "</style>");
    assert!(svg.contains("class=\"fine\"") && !svg.contains("class=\"late\""), "{svg}");
    assert!(!svg.contains("class=\"halo\"") && !svg.contains("class=\"bad\""), "{svg}");
}

/// A server that says whatever would do harm where it is not taken for text.
fn hostile() -> FindingReport {
    const HARM: &str = "</style></svg><script>alert(1)</script>\u{7}\u{1b}[31m\u{202e}\"' onload=x ]]> & ``` | ::error::";
    let script: Script = "upgrade\nclose 1000\n".parse().expect("a script");
    let registry = Registry::built_in();
    let target = registry.find("reference").expect("built in");
    let mut exchange = virtual_time::play(target, &target.bounds(), &script, 0);
    let mut close = Vec::new();
    let payload = [b"\x03\xe8", HARM.as_bytes()].concat();
    FrameHead::server(Opcode::CLOSE).encode(&payload, &mut close);
    exchange.bytes_mut(ConnectionId::FIRST).to_actor.extend(&close);
    exchange.push(Time(1_000_000), What::Wrote { bytes: close.len() as u32 });
    exchange.push(Time(1_500_000), What::Panicked(HARM.into()));
    exchange.push(Time(1_500_000), What::Died(Death::Signal(6)));
    let violation = judge(&exchange, &target.bounds()).violations.remove(0);
    let mut finding = report_of(target.as_ref(), script, exchange, violation);
    finding.repro.sentence = format!("The server said {HARM}");
    finding.repro.target = (format!("ws://a/{HARM}"), HARM.to_owned());
    finding.path = Some(HARM.into());
    finding
}

/// What of a text in Markdown is in no block of code.
fn outside_of_code(markdown: &str) -> String {
    let mut fence = None;
    let mut outside = String::new();
    for line in markdown.lines() {
        match fence {
            None if line.starts_with("```") => {
                fence = Some(line.trim_end_matches(char::is_alphabetic));
            }
            Some(begun) if line == begun => fence = None,
            Some(_) => {}
            None => outside += line,
        }
    }
    assert_eq!(fence, None, "a block without an end: {markdown}");
    outside
}

/// Every tag's name and attributes, of a page that is well-formed.
fn tags(text: &str) -> Vec<&str> {
    let text = text.split_once("</style>").map_or(text, |(_, behind)| behind);
    text.split('<').skip(1).map(|tag| tag.split('>').next().unwrap_or(tag)).collect()
}

#[test]
fn what_a_server_says_is_text_and_nothing_else() {
    let finding = hostile();
    let page = shown(&finding);
    let (html, svg) = (report::html(&page), picture(&finding));
    let harmless = shown(&self::finding("reference/drops-at-close", "upgrade\napp close\n"));
    let known: BTreeSet<String> = {
        let (html, svg) = (report::html(&harmless), picture(&finding));
        assert!(svg.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{svg}");
        let more = ["g", "/g", "ol", "/ol", "li", "/li", "nav", "/nav", "br"].map(str::to_owned);
        let names = |tag: &str| tag.split([' ', '/']).next().unwrap_or_default().to_owned();
        let all = tags(&html).into_iter().map(names).chain(more);
        all.chain(
            ["?xml", "svg", "path", "rect", "circle", "line", "text", "title", "desc"]
                .map(str::to_owned),
        )
        .collect()
    };
    for text in [&html, &svg] {
        assert!(!text.contains("<script") && !text.contains("onload=x <"), "{text}");
        assert!(text.contains("&lt;script&gt;"), "{text}");
        let odd = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!text.contains(odd), "{text:?}");
        for tag in tags(text) {
            let name = tag.split([' ', '/']).next().unwrap_or_default();
            assert!(name.is_empty() || known.contains(name), "<{tag}> in {text}");
            let handlers = tag.split(' ').filter(|attribute| attribute.starts_with("on"));
            // What is quoted has no quote of its own: it is escaped.
            let outside = tag.split('"').step_by(2).collect::<String>();
            assert!(handlers.count() == 0 || !outside.contains("onload"), "<{tag}>");
        }
    }
    let markdown = report::markdown(&page);
    assert!(
        !markdown.contains('\u{1b}') && !outside_of_code(&markdown).contains('<'),
        "{markdown}"
    );
    let annotations = report::annotations(&page);
    assert!(
        annotations.lines().count() == 1 && annotations.starts_with("::error title="),
        "{annotations}"
    );
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    for page in
        [shown(&finding("tungstenite/no-deadline", "upgrade\napp close\n")), shown(&hostile())]
    {
        let html = report::html(&page);
        let tags = tags(&html);
        for tag in &tags {
            let name = tag.split(' ').next().unwrap_or_default();
            let loads = [
                "script", "link", "img", "image", "use", "iframe", "object", "embed", "form",
                "base",
            ];
            assert!(!loads.contains(&name), "<{tag}>");
            assert!(!tag.contains(" src=") && !tag.contains(" style="), "<{tag}>");
            let target = tag.split_once(" href=\"").and_then(|(_, rest)| rest.split('"').next());
            let target = target.unwrap_or("#");
            assert!(
                target.starts_with('#')
                    || target.starts_with("https://www.rfc-editor.org/rfc/rfc6455"),
                "<{tag}>"
            );
        }
        assert!(!html.contains("url(") && !html.contains("@import"), "{html}");
        assert!(html.contains("content=\"default-src 'none'; style-src 'unsafe-inline'"), "{html}");
    }
}

/// The values of an attribute, in order.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let begin = format!(" {attribute}=\"");
    html.split(&begin as &str).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn headings_tables_and_links_are_sound() {
    let mut page = shown(&finding("tungstenite/no-deadline", "upgrade\napp close\n"));
    // Two problems of two targets, so that there are a matrix, links back, and a rule told once.
    let problem = page.targets[0].problems[0].clone();
    page.targets[0].problems.push(problem);
    page.targets[0].remarks.push(vec!["a".to_owned(), "b".to_owned()]);
    page.targets.push(page.targets[0].clone());
    assert_is_sound(&report::html(&page));
}

/// Headings go down step by step, heads of tables say what they are of, every link leads somewhere.
pub(super) fn assert_is_sound(html: &str) {
    let levels: Vec<u32> = tags(html)
        .iter()
        .filter_map(|tag| tag.split(' ').next()?.strip_prefix('h')?.parse().ok())
        .collect();
    assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1, "{levels:?}");
    assert!(levels[0] == 1 && levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    for tag in tags(html).iter().filter(|tag| tag.starts_with("th ") || **tag == "th") {
        assert!(tag.contains("scope=\"col\"") || tag.contains("scope=\"row\""), "<{tag}>");
    }
    let ids = values(html, "id");
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "{ids:?}");
    let labels = values(html, "aria-labelledby").into_iter().flat_map(|labels| labels.split(' '));
    let links = values(html, "href").into_iter().filter_map(|link| link.strip_prefix('#'));
    for id in labels.chain(links) {
        assert!(unique.contains(id), "no {id} among {ids:?}");
    }
    assert!(html.contains("<html lang=\"en\">") && html.contains("<title>"), "{html}");
    for picture in html.split("<svg ").skip(1) {
        let tag = picture.split('>').next().unwrap_or_default();
        assert!(
            tag.contains("role=\"img\"") || tag.contains("aria-hidden=\"true\""),
            "<svg {tag}>"
        );
    }
}

#[test]
fn fifty_problems_are_a_few_hundred_kibibytes() {
    let mut page = shown(&finding("tungstenite/no-deadline", "upgrade\napp close\n"));
    let scripts = [
        ("tungstenite/no-deadline", "upgrade\napp close\nping x 30 every 1s\n"),
        ("reference/drops-at-close", "upgrade\napp close\n"),
        ("tungstenite/no-deadline", "upgrade\napp close\nfirst 1 byte of ping\n"),
        ("tungstenite/no-deadline", DEAF),
    ];
    let others = scripts
        .map(|(target, script)| shown(&finding(target, script)).targets[0].problems[0].clone());
    for index in 1..50 {
        page.targets[0].problems.push(others[index % others.len()].clone());
    }
    let size = report::html(&page).len();
    assert!(size < 450 << 10, "{size} bytes");
}
