//! How far scripts got, in words, and what had no effect.

use super::text::{count, thousands};
use crate::run::campaign::{NoEffect, Reach};
use crate::script::AppSteps;
use crate::verdict::name_ends;
use crate::wire::Role;
use std::borrow::Cow;

/// How far the scripts got: how many opened, reached a Close, and ended for each cause.
pub(super) fn reach(reach: &Reach) -> String {
    let Reach { subject, scripts, opened, closed, ended_unowed, open_unowed, .. } = reach;
    let ended = reach.ended().map(|(cause, scripts)| (cause.named(*subject), scripts));
    let mut ended: Vec<(Cow<'_, str>, u64)> = ended.collect();
    // Those that are equal stay in the order of causes.
    ended.sort_by_key(|(_, scripts)| std::cmp::Reverse(*scripts));
    let ended: Vec<String> =
        ended.iter().map(|(cause, scripts)| format!("{cause} {}", thousands(*scripts))).collect();
    let ended = if ended.is_empty() { "none".into() } else { ended.join(", ") };
    let owed = reach.open_owed();
    let owed = (owed > 0).then(|| {
        format!(
            ". Obliged, and not seen to end: {} (findings, accepted, or not judged)",
            thousands(owed)
        )
    });
    let unowed = [(*ended_unowed, "ended"), (*open_unowed, "stayed open (allowed)")];
    let unowed: Vec<String> = unowed
        .into_iter()
        .filter(|(scripts, _)| *scripts > 0)
        .map(|(scripts, became)| format!("{} {became}", thousands(scripts)))
        .collect();
    let unowed =
        (!unowed.is_empty()).then(|| format!(". With no obligation to end: {}", unowed.join(", ")));
    format!(
        "reached: {} of {} opened a WebSocket, {} saw a Close. Obliged to end, and ended, after: \
         {ended}{}{}",
        thousands(*opened),
        count(usize::try_from(*scripts).unwrap_or(usize::MAX), "script"),
        thousands(*closed),
        owed.unwrap_or_default(),
        unowed.unwrap_or_default(),
    )
}

/// What had no effect on a subject in this role, and what to do.
pub(crate) fn no_effect(what: NoEffect, subject: Role) -> String {
    let text = match what {
        NoEffect::HardlyOpens(opened, scripts) => format!(
            "only {} of {} scripts opened a WebSocket, although a polite client gets one first: \
             hardly anything was tested. Does the server keep something from one connection to \
             the next, such as a limit? Give each connection its own.",
            thousands(opened),
            thousands(scripts)
        ),
        NoEffect::NoClose(scripts) => format!(
            "in none of {} scripts was a Close sent, by the server or by the client: nothing of \
             the closing handshake was tested. Does the server end every connection before that?",
            thousands(scripts)
        ),
        NoEffect::NeverTaken(command, given) => {
            let (name, what) = match command {
                AppSteps::CLOSE => ("CLOSE", "the server's own close"),
                AppSteps::RETURN => ("RETURN", "an application that returns"),
                _ => ("SEND", "output of the application's"),
            };
            format!(
                "the suite says `.obeying(AppSteps::{name})`, but the application took that \
                     command in none of {} scripts: {what} was not tested. Take commands from \
                 `conn.application().command()`, in a `select!` beside the reads, or take `{name}` \
                 out of `.obeying(..)`.",
                thousands(given)
            )
        }
        NoEffect::ClosesUnasked(unasked, opened) => format!(
            "the suite says `.obeying(AppSteps::CLOSE)`, but the application closed before the \
                 command came in {} of {} scripts that opened a WebSocket: little else was \
                 tested. Often the future that forwards the commands is dropped early, and the \
                 server takes the closed channel for a shutdown. If your server always closes at \
                 once, take `CLOSE` out of `.obeying(..)`.",
            thousands(unasked),
            thousands(opened)
        ),
    };
    name_ends(&text, Some(subject)).into_owned()
}
