//! What bytes cost: plays of the same script with more and more bytes, by a processor's time.
//!
//! [`look`] begins with few bytes, and doubles the bytes until work that is out of proportion would show, or until it has
//! seen enough. What looks so is measured again, in turns, and the least time of each size
//! counts: other work on the machine makes a play slower, and none makes it faster. hangup's own
//! part of a play is in the figures, and grows with the bytes as it should.
//!
//! It judges nothing: [`is_out_of_proportion`] does. The caller supplies the function that plays.

mod clock;
mod scripts;

pub(crate) use clock::timed;
pub(crate) use scripts::WorkScript;

use crate::bounds::Bounds;
use crate::exchange::{Work, WorkPoint};
use crate::judge::is_out_of_proportion;
use crate::run::virtual_time::play;
use crate::script::Script;
use crate::target::Target;
use std::sync::Arc;
use std::time::Duration;

/// A play that takes less says little: other costs than those of bytes outweigh it.
const WORTH_A_LOOK: Duration = Duration::from_millis(8);

/// Where a play takes this long and the work is in proportion, it stays so.
const SEEN_ENOUGH: Duration = Duration::from_millis(40);

/// Where work is a little out of proportion, no play longer than this one is doubled.
const LONGEST: Duration = Duration::from_millis(400);

/// What is out of proportion is shown by a play that takes this long, where there is one.
const CLEAR: Duration = Duration::from_millis(100);

/// Twice the bytes in this many times the time are worth a measurement, in so many going on.
const SUSPICIOUS: f64 = 2.5;
const PERHAPS: f64 = 2.2;

/// With so many of the plays before one is compared.
const LOOKS_BACK: u32 = 3;

/// How often a play is repeated before growth is believed to be small.
const AGAIN: u32 = 2;

/// How often each size is played in turn, at least, at most, and before it is given up.
const ROUNDS: usize = 3;
const MOST_ROUNDS: usize = 12;
const ROUNDS_OF_DOUBT: usize = 6;

/// Plays a script and says how much of the processor's time that took; `None` where nobody can
/// say, or the target did not survive it.
pub(crate) type TimeScript<'a, E> = dyn FnMut(&Script) -> Result<Option<Duration>, E> + 'a;

/// Plays a script in this process.
pub(crate) fn time(target: &Arc<dyn Target>, bounds: &Bounds, script: &Script) -> Option<Duration> {
    timed(|| play(target, bounds, script, 0)).1
}

/// Looks for work out of proportion in what is delivered as in `script`, from few bytes on: the
/// figures that show it.
pub(crate) fn look<E>(script: WorkScript, time: &mut TimeScript<'_, E>) -> Result<Option<Work>, E> {
    let mut before: Vec<Duration> = Vec::new();
    let mut next = Some(script.smaller());
    while let Some(script) = next {
        let Some(took) = time(&script.script())? else { return Ok(None) };
        let enough = !before.is_empty() && took >= SEEN_ENOUGH;
        let mut growth = a_doubling(&before, took);
        if enough && growth < SUSPICIOUS {
            // Something may have made the play before it slower. It is the last word on it: again.
            growth = growth.max(ratio(took, least(script, 2, AGAIN, time)?));
        }
        if took >= WORTH_A_LOOK && growth >= SUSPICIOUS {
            let work = measure(script, time)?;
            if let Some(work) = work.filter(is_out_of_proportion) {
                return clearer(script, work, time).map(Some);
            }
        }
        if took >= LONGEST && !before.is_empty() || enough && growth < PERHAPS {
            return Ok(None);
        }
        before.push(took);
        next = script.doubled();
    }
    Ok(None)
}

/// The most that each doubling of the bytes can have made it grow since one of the plays before:
/// something else may have made one of them slower.
fn a_doubling(before: &[Duration], took: Duration) -> f64 {
    let since = before.iter().rev().zip(1..=LOOKS_BACK);
    since
        .map(|(before, doublings)| ratio(took, *before).powf(1.0 / f64::from(doublings)))
        .fold(0.0, f64::max)
}

/// The least time of so many plays with a part of the bytes.
fn least<E>(
    script: WorkScript,
    part: u32,
    plays: u32,
    time: &mut TimeScript<'_, E>,
) -> Result<Duration, E> {
    let mut least = Duration::MAX;
    let Some(script) = script.shared(part) else { return Ok(least) };
    for _ in 0..plays {
        least = least.min(time(&script.script())?.unwrap_or(Duration::MAX));
    }
    Ok(least)
}

/// The figures with more bytes, until a play takes long enough to show it under any load.
fn clearer<E>(
    mut script: WorkScript,
    mut work: Work,
    time: &mut TimeScript<'_, E>,
) -> Result<Work, E> {
    while work.points.last().is_some_and(|last| last.took < CLEAR)
        && let Some(doubled) = script.doubled()
        && let Some(again) = measure(doubled, time)?.filter(is_out_of_proportion)
    {
        (script, work) = (doubled, again);
    }
    Ok(work)
}

/// Measures what a script takes, and what half and a quarter of its bytes do. `None` where that
/// cannot be told.
fn measure<E>(largest: WorkScript, time: &mut TimeScript<'_, E>) -> Result<Option<Work>, E> {
    let (Some(half), Some(quarter)) = (largest.shared(2), largest.shared(4)) else {
        return Ok(None);
    };
    let sizes = [quarter, half, largest];
    let mut work = Work {
        delivery: largest.delivery,
        piece: largest.piece,
        points: Vec::new(),
        at_once: Duration::ZERO,
    };
    let point = |size: &WorkScript| WorkPoint { bytes: size.bytes, took: Duration::MAX };
    work.points.extend(sizes.iter().map(point));
    for round in 1..=MOST_ROUNDS {
        for (size, point) in sizes.iter().zip(&mut work.points) {
            let Some(took) = time(&size.script())? else { return Ok(None) };
            point.took = point.took.min(took);
        }
        let hopeless = work.growth().any(|growth| growth < PERHAPS);
        if round >= ROUNDS && is_out_of_proportion(&work) || round >= ROUNDS_OF_DOUBT && hopeless {
            break;
        }
    }
    if is_out_of_proportion(&work) {
        let Some(at_once) = time(&largest.at_once())? else { return Ok(None) };
        work.at_once = at_once;
    }
    Ok(Some(work))
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64().max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Delivery;
    use std::convert::Infallible;

    /// What [`look`] finds where a play takes what `cost` says in nanoseconds, of so many bytes
    /// and of how many plays there were before; and the longest play.
    fn looks(cost: impl Fn(f64, u32) -> f64) -> (Option<Work>, Duration) {
        let smallest = WorkScript::smallest(Delivery::Head, 256);
        let (mut plays, mut longest) = (0, Duration::ZERO);
        let mut time = |script: &Script| {
            plays += 1;
            let bytes = WorkScript::of(script).map_or(0, |script| script.bytes);
            let took = Duration::from_nanos(cost(f64::from(bytes), plays) as u64);
            longest = longest.max(took);
            Ok::<_, Infallible>(Some(took))
        };
        let Ok(found) = look(smallest, &mut time);
        (found, longest)
    }

    #[test]
    fn work_that_grows_with_the_square_is_found_and_work_that_grows_with_the_bytes_is_not() {
        let (work, _) = looks(|bytes, _| bytes * 16.0 + bytes * bytes * 0.0004);
        let growth: Vec<f64> = work.expect("found").growth().collect();
        assert!(growth.len() == 2 && growth.iter().all(|growth| (3.0..4.1).contains(growth)));
        for nanos_a_byte in [0.0, 1.0, 16.0, 200.0, 20_000.0] {
            assert_eq!(looks(|bytes, _| bytes * nanos_a_byte + 50_000.0).0, None);
        }
        assert_eq!(looks(|bytes, _| bytes * bytes.ln() * 4.0).0, None, "sorted, as it were");
    }

    #[test]
    fn a_server_that_is_merely_slow_is_left_alone_soon() {
        let (found, longest) = looks(|bytes, _| bytes * 20_000.0);
        assert_eq!(found, None);
        assert!(longest < Duration::from_millis(200), "{longest:?}");
    }

    #[test]
    fn plays_that_other_work_makes_slower_are_not_held_against_a_server() {
        // Each play takes up to three times its time, by its number.
        let noisy = |bytes: f64, play: u32| bytes * 30.0 * f64::from(1 + play * 7 % 5 / 2);
        assert_eq!(looks(noisy).0, None);
        let noisy_square =
            |bytes: f64, play: u32| bytes * bytes * 0.002 * f64::from(1 + play * 7 % 5 / 2);
        assert!(looks(noisy_square).0.is_some());
    }

    #[test]
    fn where_nobody_can_say_what_a_play_took_nothing_is_found() {
        let smallest = WorkScript::smallest(Delivery::Head, 256);
        let mut plays = 0;
        let found = look(smallest, &mut |_: &Script| {
            plays += 1;
            Ok::<_, Infallible>(None)
        });
        assert_eq!((found, plays), (Ok(None), 1));
    }
}
