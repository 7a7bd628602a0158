//! What bytes cost, in words: the figures of one measurement, which no other has.

use crate::exchange::Work;
use std::time::Duration;

/// `256 KiB took 0.17 s of processor time, 128 KiB 0.043 s; the 256 KiB at once, 0.010 s`.
pub fn figures(work: &Work) -> String {
    let points = work.points.iter().rev();
    let points = points.map(|point| (size(point.bytes), seconds(point.took)));
    let told: Vec<String> = points
        .enumerate()
        .map(|(index, (bytes, took))| match index {
            0 => format!("{bytes} took {took} of processor time"),
            _ => format!("{bytes} {took}"),
        })
        .collect();
    let largest = work.points.last().map_or_else(String::new, |point| size(point.bytes));
    format!("{}; the {largest} at once, {}", told.join(", "), seconds(work.at_once))
}

fn size(bytes: u32) -> String {
    match bytes {
        bytes if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes if bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} B"),
    }
}

/// Two digits that count.
fn seconds(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let digits = if seconds >= 0.995 {
        1
    } else if seconds >= 0.0995 {
        2
    } else {
        3
    };
    format!("{seconds:.digits$} s")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Delivery, WorkPoint};

    #[test]
    fn each_size_is_told_with_its_time_the_largest_first() {
        let point = |bytes, millis| WorkPoint { bytes, took: Duration::from_millis(millis) };
        let work = Work {
            delivery: Delivery::Head,
            piece: 64,
            points: vec![point(512 << 10, 107), point(1 << 20, 430), point(2 << 20, 1720)],
            at_once: Duration::from_millis(2),
        };
        assert_eq!(
            figures(&work),
            "2 MiB took 1.7 s of processor time, 1 MiB 0.43 s, 512 KiB 0.11 s; the 2 MiB at once, \
             0.002 s"
        );
    }
}
