//! The check of a client's command before the test: does its program connect, open a WebSocket and keep
//! it, and does its application act as its role says.
//!
//! It plays polite scripts, with nothing illegal in them, by the same code as a campaign.

use super::client_process::TO_TRUST;
use super::play::{PlayConfig, Played, Watching};
use super::process_group::shown;
use super::remote_subject::UrlRole;
use super::subject::Subject;
use crate::exchange::{ConnectionId, Exchange};
use crate::run::preflight::{is_sent_away, polite, reason};
use crate::script::Script;
use crate::view::View;
use crate::wire::Role;
use std::time::Duration;

/// The script that shows whether an application closes once it is open, and the one of an echo.
const UNTIL_IT_CLOSES: &str = "accept\nawait close\n";
const ECHO: &str = "accept\ntext \"hangup\"\nawait message\n";

/// Why a program cannot be tested as one that keeps its connection.
const CLOSES: &str =
    "it closes the connection by itself; give it as --closes (its scripts say `app close`)";
const LEAVES: &str = "it opens a WebSocket and ends the connection within 1 s without a Close, of a server \
     that only accepts and of one that sends a text; a program for --run keeps its connection";

/// The result for a command that can be tested.
pub(super) struct ClientChecked {
    /// Whether the kernel's table shows the client's end of its connections.
    pub in_kernel_table: bool,
    /// How long after the opening the application acted.
    pub application_delay: Duration,
}

/// Plays politely, and checks that the application acts as `role` says.
///
/// # Errors
///
/// One line: what is wrong, and what to do.
pub(super) async fn check_client(
    config: &PlayConfig,
    subject: &Subject,
    role: UrlRole,
) -> Result<ClientChecked, String> {
    match role {
        UrlRole::Plain => check_plain(config, subject).await,
        UrlRole::Bye => check_acts(config, subject, UNTIL_IT_CLOSES, role).await,
        UrlRole::Echo | UrlRole::Push => check_acts(config, subject, ECHO, role).await,
    }
}

/// One that keeps its connection: one of the polite servers at least is not left at once.
async fn check_plain(config: &PlayConfig, subject: &Subject) -> Result<ClientChecked, String> {
    let mut first = None;
    for script in polite(Role::Client) {
        let (played, in_kernel_table) = play(config, subject, &script).await?;
        let view = View::of(&played.exchange, ConnectionId::FIRST);
        let why = match () {
            () if view.own_close().is_some() => Some(CLOSES.to_owned()),
            () if is_sent_away(&played.exchange) => Some(LEAVES.to_owned()),
            () => why_not(subject, &played.exchange),
        };
        match why {
            Some(why) => _ = first.get_or_insert(why),
            None => {
                return Ok(ClientChecked { in_kernel_table, application_delay: Duration::ZERO });
            }
        }
    }
    Err(format!("{}: {}", shown(subject.name()), first.unwrap_or_default()))
}

async fn check_acts(
    config: &PlayConfig,
    subject: &Subject,
    script: &str,
    role: UrlRole,
) -> Result<ClientChecked, String> {
    let (played, in_kernel_table) =
        play(config, subject, &script.parse().expect("it is a script")).await?;
    let refused = |why: &str| Err(format!("`{}`: {why}", shown(subject.name())));
    let exchange = &played.exchange;
    let view = View::of(exchange, ConnectionId::FIRST);
    let Some(opened) = view.opened else {
        let why = why_not(subject, exchange);
        return refused(why.as_deref().unwrap_or("no WebSocket opens"));
    };
    let acted = match role {
        UrlRole::Bye => view.own_close().map(|close| close.started).or(view.ended()),
        _ => {
            view.subject_frames.iter().find(|frame| frame.opcode.is_data()).and_then(|it| it.ended)
        }
    };
    let Some(acted) = acted else {
        return refused(match role {
            UrlRole::Bye => {
                "the client sent no Close of its own. This has to be a program that closes the connection as \
                 soon as it is open (--closes of `listen`, --run of `replay`)"
            }
            _ => {
                "the client did not echo a message. This has to be a program that echoes (--echoes)"
            }
        });
    };
    let since = |event| view.at(event).since_accept();
    let application_delay = since(acted).saturating_sub(since(opened));
    Ok(ClientChecked { in_kernel_table, application_delay })
}

/// Why this play shows that the client cannot be tested. Some clients look at a certificate only when the
/// TLS handshake is done.
fn why_not(subject: &Subject, exchange: &Exchange) -> Option<String> {
    let ends_at_once = View::of(exchange, ConnectionId::FIRST).ended().is_some()
        && exchange.bytes(ConnectionId::FIRST).to_actor.is_empty();
    if subject.speaks_tls() && ends_at_once {
        return Some(format!(
            "the client ends the connection after the TLS handshake and sends nothing; it may not trust \
             hangup's certificate: {TO_TRUST}"
        ));
    }
    reason(exchange)
}

/// Plays a script once, and says whether the kernel's table shows the client's end.
async fn play(
    config: &PlayConfig,
    subject: &Subject,
    script: &Script,
) -> Result<(Played, bool), String> {
    let opened = config.open(subject, script, config.slack).await;
    let mut connection = opened.map_err(|why| format!("`{}`: {why}", shown(subject.name())))?;
    let is_seen = connection.is_seen().await;
    Ok((config.play_on(connection, script, Watching::ToDeadline).await, is_seen))
}
