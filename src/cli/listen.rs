//! `hangup listen`: a campaign over real TCP against a client, which is started for each script, or
//! against a browser, which opens a socket for each.

use super::args::Listen as Options;
use super::remote::seconds;
use super::start::{Clients, Started};
use super::stop::Stop;
use super::tcp_campaign::{TcpCampaign, say};
use super::{Done, Trouble, output};
use crate::excerpt;
use crate::report;
use crate::run::real_time::{
    BROWSER, BrowserPage, PageTold, Probe, RemoteSubject, Subject, UrlRole, longest_script,
};
use crate::script::Millis;

/// How many programs are begun a second at most: each takes a processor for a while.
const RATE: u32 = 100;

pub(super) fn run(options: &Options, stop: &Stop) -> Done {
    let mut words = options.campaign.bound_options.words();
    words.extend(start_words(options));
    let page = options.browser.then(|| open_page(options.start_within)).transpose()?;
    let subject = || match &page {
        Some(page) => Ok((browser(page), None)),
        None => client(options, stop),
    };
    let campaign = TcpCampaign {
        name: commands(options).next().map_or(BROWSER, |(_, line)| line),
        options: &options.campaign,
        scripts: options.scripts,
        concurrency: options.concurrency,
        rate: RATE,
        signal: None,
        words,
        subject: &subject,
        announce: &|probe| announce(probe, options, page.as_ref()),
    };
    let done = campaign.run(stop);
    if let Some(page) = &page {
        let PageTold { opened, messages, clean, unclean } = page.told();
        output::note(&format!(
            "the page was told of {} opened, {}, {} ended with wasClean and {unclean} without",
            report::count(opened as usize, "socket"),
            report::count(messages as usize, "message"),
            report::count(clean as usize, "socket"),
        ));
    }
    done
}

/// The page of a browser under test; each socket has so long to connect.
pub(super) fn open_page(connect_within: Millis) -> Result<BrowserPage, Trouble> {
    let page = BrowserPage::new(connect_within.duration());
    page.map_err(|error| format!("no port for the page: {error}"))
}

/// A browser with all that the page can do.
fn browser(page: &BrowserPage) -> RemoteSubject {
    let does = |role| Subject::Browser(page.browser(role));
    RemoteSubject::new(does(UrlRole::Plain))
        .with(UrlRole::Bye, does(UrlRole::Bye))
        .with(UrlRole::Echo, does(UrlRole::Echo))
}

/// The commands that were given, each with what the application does by itself.
fn commands(options: &Options) -> impl Iterator<Item = (UrlRole, &str)> {
    let all = [
        (UrlRole::Plain, &options.run),
        (UrlRole::Bye, &options.closes),
        (UrlRole::Echo, &options.echoes),
    ];
    all.into_iter().filter_map(|(role, line)| Some((role, line.as_deref()?)))
}

fn client(options: &Options, stop: &Stop) -> Result<(RemoteSubject, Option<Started>), Trouble> {
    let clients = Clients::new(options.start_within, options.tls, stop)?;
    let mut parts =
        commands(options).map(|(role, line)| Ok((role, Subject::Client(clients.command(line)?))));
    let no_command = || Err("no command: say --run, --closes or --echoes".to_owned());
    let (role, first) = parts.next().unwrap_or_else(no_command)?;
    let first = RemoteSubject::with_role(role, first);
    let subject = parts.try_fold(first, |all, part: Result<_, Trouble>| {
        part.map(|(role, part)| all.with(role, part))
    })?;
    Ok((subject, Some(Started::Clients(clients))))
}

/// The options of `replay` that are needed: it gives a program longer to connect by default.
fn start_words(options: &Options) -> Vec<String> {
    let within = options.start_within;
    let is_longer = !options.browser && within > Millis(30_000);
    let within = is_longer.then(|| ["--start-within".to_owned(), within.to_string()]);
    let tls = options.tls.then(|| "--tls".to_owned());
    within.into_iter().flatten().chain(tls).collect()
}

fn announce(probe: &Probe, options: &Options, page: Option<&BrowserPage>) {
    let bounds = &probe.limits.bounds;
    let lines: Vec<String> = commands(options)
        .map(|(_, line)| format!("`{}`", excerpt::clipped(line, excerpt::MOST_OF_A_PATH)))
        .collect();
    let (against, at_once) = match page {
        Some(page) => {
            say(&format!("open this page in the browser: {}", page.url()), options.campaign.format);
            ("the browser".to_owned(), report::count(probe.concurrency, "socket"))
        }
        None => (lines.join(" and "), report::count(probe.concurrency, "program")),
    };
    say(
        &report::wrap(&format!(
            "{} against {against}: at most {at_once} at once. Pauses in a script: at most {}. Bound for \
             closing: {}, plus {} slack",
            report::count(probe.scripts as usize, "script"),
            seconds(longest_script(bounds)),
            seconds(bounds.close),
            seconds(probe.limits.slack),
        )),
        options.campaign.format,
    );
}
