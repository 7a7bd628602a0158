//! A player's plays of a whole server: with its shutdown, wave after wave, and with a control in which
//! the clients that behave are alone.

use super::isolation;
use super::together::{Together, TogetherPlayed, may_be_waited_for};
use super::waves;
use crate::exchange::Exchange;
use crate::judge::{Decision, judge};
use crate::run::real_time::player::{MAX_TRIES, Player};
use crate::run::real_time::process_group::StopSignal;
use crate::run::real_time::subject::Subject;
use crate::script::{Act, Command, Script};
use crate::verdict::{Control, Invariant, Verdict, Violation};
use std::time::Duration;

impl Player {
    /// Plays a script of a whole server: one that says `app shutdown` with this signal to the process,
    /// another with its control.
    ///
    /// # Errors
    ///
    /// One line: the server does not start, or cannot be told.
    pub async fn play_whole(
        &self,
        subject: &Subject,
        signal: Option<StopSignal>,
        script: &Script,
        rule: Option<Invariant>,
    ) -> Result<(Exchange, Verdict), String> {
        if rule == Some(Invariant::FreesResources) {
            let exchange = self.play_waves(subject).await;
            let exchange = exchange.ok_or("what the server's processes hold is not seen here")?;
            let verdict = judge(&exchange, &self.config.bounds);
            return Ok((exchange, verdict));
        }
        if says_shutdown(script) {
            let signal = signal.ok_or(
                "the script says `app shutdown`: with which signal? --run 'COMMAND' --stop TERM",
            )?;
            let played = self.play_shutdown(subject, signal, script, true).await?;
            return Ok((played.exchange, played.verdict));
        }
        Ok(self.play_apart(subject, script).await)
    }

    /// A round: a server that runs, the clients of `script`, and the signal. No process is left behind
    /// it. One that is late is watched on `to_the_horizon`, or not.
    pub(in crate::run::real_time) async fn play_shutdown(
        &self,
        subject: &Subject,
        signal: StopSignal,
        script: &Script,
        to_the_horizon: bool,
    ) -> Result<TogetherPlayed, String> {
        let process = self.process().ok_or("--stop wants a server that --run starts")?;
        let mut tries = 0;
        loop {
            tries += 1;
            if !process.runs() {
                process.start().await?;
            }
            let stop = Some((process, signal));
            let horizon = self.config.horizon.max(self.config.bounds.shutdown());
            let beyond = if to_the_horizon { horizon } else { Duration::ZERO };
            let config = &self.config;
            let together = Together { config, subject, stop, watched: Duration::ZERO, beyond };
            let mut played = together.play(script).await;
            let stopped = process.clone();
            let _ = tokio::task::spawn_blocking(move || stopped.stop_within(Duration::ZERO)).await;
            if !played.was_late || tries >= MAX_TRIES {
                let is_kept = |it: &Violation| is_of_the_whole(it) || is_of_a_shutdown(it);
                played.verdict.violations.retain(is_kept);
                return Ok(played);
            }
        }
    }

    /// Waves of connections against a server that hangup started; `None` where what it holds is not
    /// seen.
    pub(in crate::run::real_time) async fn play_waves(
        &self,
        subject: &Subject,
    ) -> Option<Exchange> {
        waves::play(&self.config, subject, self.process()?).await
    }

    /// Several clients at once, of which some may not read, or not finish their opening; and, where one of
    /// the others waits, the same without those.
    pub(in crate::run::real_time) async fn play_apart(
        &self,
        subject: &Subject,
        script: &Script,
    ) -> (Exchange, Verdict) {
        let bounds = &self.config.bounds;
        let watched = isolation::watched(script, bounds, self.config.slack);
        let (config, beyond) = (&self.config, Duration::ZERO);
        let together = Together { config, subject, stop: None, watched, beyond };
        let TogetherPlayed { exchange, mut verdict, .. } = together.play(script).await;
        let certain = std::mem::take(&mut verdict.violations);
        // What a control has to decide is dismissed for now.
        let open = std::mem::take(&mut verdict.dismissals);
        let open = open.into_iter().map(|open| open.violation).filter(|it| !it.doubts.is_empty());
        let mut seen = Vec::new();
        for violation in certain.into_iter().chain(open).filter(is_of_the_whole) {
            if seen.contains(&violation.identity) {
                continue;
            }
            seen.push(violation.identity);
            let connection = violation.connection;
            let mut decision = Decision::on(violation, &exchange, connection, bounds);
            while let Some(control) = decision.control() {
                match without_others(script, usize::from(connection.0)) {
                    Some(alone) if control == Control::Alone => {
                        decision.tell(&together.play(&alone).await.exchange);
                    }
                    _ => decision.cannot_play(),
                }
            }
            decision.made().add_to(&mut verdict);
        }
        (exchange, verdict)
    }
}

/// Whether a violation is one that a play of several connections is played for. What each does by
/// itself, other scripts show.
fn is_of_the_whole(violation: &Violation) -> bool {
    violation.identity.invariant().is_of_a_whole_server()
}

/// Whether a violation is one that the code of a shutdown may make, which nothing else runs: what the
/// server then sends, and how its process ends.
fn is_of_a_shutdown(violation: &Violation) -> bool {
    matches!(
        violation.identity.invariant(),
        Invariant::LegalClose
            | Invariant::NoDataAfterClose
            | Invariant::SendsValidFrames
            | Invariant::NoPanic
    )
}

/// Whether a script tells the server to shut down.
pub fn says_shutdown(script: &Script) -> bool {
    script.steps.iter().any(|step| matches!(step.act, Act::App(Command::Shutdown, _)))
}

/// The script without the connections that others may wait for, and with the one of this place first;
/// `None` where there are none, or it is one of them.
fn without_others(script: &Script, accused: usize) -> Option<Script> {
    let all = script.each();
    let first = all.get(accused).filter(|script| !may_be_waited_for(script))?.clone();
    let others =
        all.iter().enumerate().filter(|(place, own)| *place != accused && !may_be_waited_for(own));
    let kept: Vec<Script> =
        std::iter::once(first).chain(others.map(|(_, script)| script.clone())).collect();
    (kept.len() < all.len()).then(|| Script::together(&kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_has_the_client_that_waits_first_and_none_that_it_may_wait_for() {
        let script: Script =
            "upgrade\n2: upgrade\n2: ping\n3: stop reading\n".parse().expect("one");
        let alone = |accused| without_others(&script, accused).map(|script| script.to_string());
        assert_eq!(alone(0).as_deref(), Some("upgrade\n2: upgrade\n2: ping\n"));
        assert_eq!(alone(1).as_deref(), Some("upgrade\nping\n2: upgrade\n"));
        assert_eq!(alone(2), None);
        let script: Script = "first 9 bytes of upgrade\n2: upgrade\n".parse().expect("one");
        assert_eq!(
            without_others(&script, 1).map(|it| it.to_string()).as_deref(),
            Some("upgrade\n")
        );
        assert_eq!(without_others(&"upgrade\n2: upgrade\n".parse().expect("one"), 0), None);
    }
}
