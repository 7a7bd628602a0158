//! The preamble: what the client sends and waits for behind the opening, before the rest of every
//! script, for servers whose sessions begin with a message of their own.
//!
//! Scripts, files and the shrinker do not have it; it is put in where a script is played. Which
//! server wants which, an [`Opening`] says. Nothing is played here.

use super::{Act, Awaited, Pace, Piece, Script, Send, Step, Unit};
use crate::wire::{InvalidOpening, Opening};

/// A preamble, parsed: at least one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preamble(Script);

/// A script with the preamble in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WithPreamble {
    /// All steps.
    pub script: Script,
    /// The place of the preamble's first step, and how many it has.
    pub at: usize,
    pub steps: usize,
}

impl Opening {
    /// With a preamble, in the notation of scripts: what the client does once the WebSocket is
    /// open, before the rest of every script. It may have frames, pauses and waits:
    ///
    /// ```
    /// use hangup::target::Opening;
    ///
    /// let preamble = "text \"{\\\"type\\\":\\\"connection_init\\\"}\"\nawait message\n";
    /// let opening = Opening::new().with_preamble(preamble)?;
    /// assert_eq!(opening.preamble(), preamble);
    /// assert!(Opening::new().with_preamble("fin").is_err());
    /// # Ok::<(), hangup::target::InvalidOpening>(())
    /// ```
    ///
    /// A script in which the client sends more in the same segment as its request, or does not
    /// read, is played without it. Without a step, there is none.
    ///
    /// # Errors
    ///
    /// One line, where it is no script, or has a step that is none of those.
    pub fn with_preamble(self, preamble: &str) -> Result<Self, InvalidOpening> {
        let mut script: Script =
            preamble.parse().map_err(|error| InvalidOpening::new(format!("preamble: {error}")))?;
        if let Some(step) = script.steps.iter().find(|step| !may_stand_in(&step.act)) {
            return Err(InvalidOpening::new(format!(
                "preamble: `{step}`: a preamble has frames, `wait` and `await`, and nothing that opens \
                 or ends the connection, or stops reading"
            )));
        }
        if script.connections() > 1 {
            let why = "preamble: it is one connection's, and every connection plays it";
            return Err(InvalidOpening::new(why.to_owned()));
        }
        if let Some(first) = script.steps.first_mut() {
            // It waits for the answer to the request.
            first.joined = false;
        }
        Ok(self.with_preamble_text(script.to_string()))
    }
}

const fn may_stand_in(act: &Act) -> bool {
    match act {
        Act::Send(send) => !matches!(send.unit, Unit::Upgrade(_)),
        Act::Wait(_) | Act::Await(_) => true,
        _ => false,
    }
}

impl Preamble {
    /// The preamble that an opening has; `None` where it has none. What was refused when it was
    /// read stands in no opening.
    pub fn of(opening: &Opening) -> Option<Self> {
        if opening.preamble().is_empty() {
            return None;
        }
        let script: Script = opening.preamble().parse().ok()?;
        (!script.steps.is_empty()).then_some(Self(script))
    }

    /// Its steps.
    #[cfg(feature = "tcp")]
    pub const fn script(&self) -> &Script {
        &self.0
    }

    /// `script` with the preamble behind the step that completes the opening; `None` where the script
    /// has no place for it.
    pub fn in_script(&self, script: &Script) -> Option<WithPreamble> {
        let opening = script.steps.iter().position(completes_the_opening)?;
        let mut reads = true;
        for step in &script.steps[..opening] {
            match step.act {
                Act::StopReading => reads = false,
                Act::ResumeReading => reads = true,
                // What leaves the connection leaves it unopened.
                Act::Fin | Act::Reset | Act::Drop | Act::Cut => return None,
                _ => {}
            }
        }
        if !reads || script.steps.get(opening + 1).is_some_and(|next| next.joined) {
            return None;
        }
        // A whole request waits for its answer by itself.
        let waits = Step::from(Act::Await(Awaited::Upgrade));
        let waits = (!is_whole(&script.steps[opening])).then_some(waits);
        let inserted: Vec<Step> = waits.into_iter().chain(self.0.steps.iter().cloned()).collect();
        let (at, steps) = (opening + 1, inserted.len());
        let mut all = script.clone();
        all.steps.splice(at..at, inserted);
        Some(WithPreamble { script: all, at, steps })
    }
}

impl WithPreamble {
    /// How many steps of the script without the preamble that many of this one are.
    pub fn own_steps(&self, begun: u32) -> u32 {
        let (at, steps) = (self.at as u32, self.steps as u32);
        if begun <= at { begun } else { (begun - steps.min(begun - at)).max(at) }
    }

    /// How many bytes the preamble sends.
    pub fn bytes(&self) -> u32 {
        let sent = self.script.steps[self.at..self.at + self.steps].iter().map(|step| {
            let Act::Send(send) = &step.act else { return 0 };
            let mut unit = Vec::new();
            send.unit.encode(&mut unit);
            let times = if let Pace::Times(times, _) = send.pace { times as usize } else { 1 };
            send.piece.of(&unit).len() * times
        });
        sent.sum::<usize>() as u32
    }
}

/// Whether the request is whole once this step is done.
const fn completes_the_opening(step: &Step) -> bool {
    match &step.act {
        Act::Send(Send { piece, unit: Unit::Upgrade(_), pace }) => {
            matches!(piece, Piece::Whole | Piece::After(_)) && !matches!(pace, Pace::Times(..))
        }
        _ => false,
    }
}

/// Whether it sends the whole request at once, and waits for the answer.
const fn is_whole(step: &Step) -> bool {
    matches!(&step.act, Act::Send(Send { piece: Piece::Whole, pace: Pace::Once, .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preamble() -> Preamble {
        let opening = Opening::new().with_preamble("text \"hi\"\nawait message\n").expect("legal");
        Preamble::of(&opening).expect("there is one")
    }

    fn with(script: &str) -> Option<String> {
        let with = preamble().in_script(&script.parse().expect(script))?;
        Some(with.script.to_string().replace('\n', "; "))
    }

    #[test]
    fn it_stands_behind_the_opening_where_the_client_can_play_it() {
        let played = "text \"hi\"; await message; ";
        for (script, whole) in [
            ("upgrade\nclose 1000\n", format!("upgrade; {played}close 1000; ")),
            ("upgrade", format!("upgrade; {played}")),
            ("upgrade\n\nstop reading\n+ ping", format!("upgrade; {played}stop reading; + ping; ")),
            (
                "first 3 bytes of upgrade\nrest after 3 bytes of upgrade\nfin",
                format!(
                    "first 3 bytes of upgrade; rest after 3 bytes of upgrade; await upgrade; {played}fin; "
                ),
            ),
            (
                "upgrade in pieces of 9 bytes every 1s\nping",
                format!("upgrade in pieces of 9 bytes every 1s; await upgrade; {played}ping; "),
            ),
            ("stop reading\nresume reading\nupgrade", {
                format!("stop reading; resume reading; upgrade; {played}")
            }),
        ] {
            assert_eq!(with(script), Some(whole), "{script}");
        }
        for script in [
            "upgrade\n+ close 1000",
            "stop reading\nupgrade\nping",
            "fin\nupgrade",
            "raw \"GET\"",
            "upgrade x 2",
            "first 9 bytes of upgrade\nfin",
        ] {
            assert_eq!(with(script), None, "{script}");
        }
    }

    #[test]
    fn steps_are_counted_without_it() {
        let script: Script = "upgrade\nping\nclose\n".parse().expect("a script");
        let with = preamble().in_script(&script).expect("a place");
        let own: Vec<u32> = (0..=5).map(|begun| with.own_steps(begun)).collect();
        assert_eq!(own, [0, 1, 1, 1, 2, 3]);
    }

    #[test]
    fn what_no_preamble_may_do_is_refused_by_name() {
        for (text, why) in [
            ("fin", "`fin`: a preamble has frames"),
            ("upgrade\ntext", "`upgrade`: a preamble"),
            ("text\nstop reading", "`stop reading`: a preamble"),
            ("app close", "`app close`: a preamble"),
            ("text\n2: text", "it is one connection's"),
            ("txet", "line 1, column 1: found `txet`"),
        ] {
            let error = Opening::new().with_preamble(text).expect_err(text).to_string();
            assert!(error.starts_with("preamble: ") && error.contains(why), "{error}");
        }
        let none = Opening::new().with_preamble("# nothing\n").expect("no step");
        assert_eq!((none.is_usual(), Preamble::of(&none)), (true, None));
    }
}
