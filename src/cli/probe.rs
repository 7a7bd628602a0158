//! `hangup probe`: a campaign over real TCP against a running server.

use super::args::Probe as Options;
use super::remote::{asking, endpoint, seconds};
use super::start::{Started, ToStart};
use super::stop::Stop;
use super::tcp_campaign::{TcpCampaign, say};
use super::{Done, Trouble};
use crate::report;
use crate::run::real_time::{Probe, RemoteSubject, SHUTDOWN_ROUNDS, UrlRole, longest_script};

pub(super) fn run(options: &Options, stop: &Stop) -> Done {
    let mut words = options.reach.words();
    words.extend(options.campaign.bound_options.words());
    words.extend(options.start.words());
    let campaign = TcpCampaign {
        name: options.url(),
        options: &options.campaign,
        scripts: options.scripts,
        concurrency: options.concurrency,
        rate: options.rate,
        signal: options.start.stop.map(Into::into),
        words,
        subject: &|| server(options, stop),
        announce: &|probe| announce(probe, options),
    };
    campaign.run(stop)
}

/// The server, and its process where hangup starts it.
fn server(options: &Options, stop: &Stop) -> Result<(RemoteSubject, Option<Started>), Trouble> {
    let parts = [
        (UrlRole::Bye, &options.bye),
        (UrlRole::Echo, &options.echo),
        (UrlRole::Push, &options.push),
    ];
    let plain = options.url();
    let others = parts.iter().filter_map(|(part, url)| Some((*part, url.as_deref()?)));
    let urls: Vec<&str> =
        std::iter::once(plain).chain(others.clone().map(|(_, url)| url)).collect();
    let asking = asking(&options.reach, &urls)?;
    let to_start = ToStart::new(&options.start, plain)?;
    let endpoint = |url: &str| endpoint(url, &asking, &options.reach, to_start.as_ref());
    let plain = endpoint(plain)?;
    let mut server = RemoteSubject::new(plain.clone());
    for (part, url) in others {
        server = server.with(part, endpoint(url)?);
    }
    let started = to_start.map(|to_start| to_start.at(&plain, stop)).transpose()?;
    if let Some(started) = &started {
        server = server.started_by(started.process.clone());
    }
    Ok((server, started.map(Started::Server)))
}

/// Says what is going to be done, before it is.
fn announce(probe: &Probe, options: &Options) {
    let say = |line: &str| say(line, options.campaign.format);
    let bounds = &probe.limits.bounds;
    if let Some(signal) = probe.stop {
        say(&report::wrap(&format!(
            "{signal} to {}, in {} of clients: the server has {} to shut down and {} of slack",
            options.url(),
            report::count(SHUTDOWN_ROUNDS, "round"),
            seconds(bounds.shutdown()),
            seconds(probe.limits.slack),
        )));
        return;
    }
    say(&report::wrap(&format!(
        "{} against {}: at most {} at once, {} new connections per second. Pauses in a script: at \
             most {}. Bound for closing: {}, plus {} slack",
        report::count(probe.scripts as usize, "script"),
        options.url(),
        report::count(probe.concurrency, "connection"),
        probe.rate,
        seconds(longest_script(bounds)),
        seconds(bounds.close),
        seconds(probe.limits.slack),
    )));
}
