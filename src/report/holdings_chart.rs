//! What a server's processes hold after each wave of connections, as a small chart in text.

use crate::exchange::HeldAfter;
use std::fmt::Write as _;

/// How much of something is held.
type Resource = fn(&HeldAfter) -> u64;

/// How wide the longest bar is.
const WIDTH: u64 = 32;

/// A chart for each resource that grows with every wave, or for all of them where none does: a line a
/// wave, with a bar from zero.
pub(super) fn chart(held: &[HeldAfter]) -> String {
    let resources: [(&str, Resource); 3] = [
        ("descriptors", |held| held.descriptors),
        ("threads", |held| held.threads),
        ("KiB of memory", |held| held.memory >> 10),
    ];
    let grows =
        |of: &Resource| held.len() > 1 && held.windows(2).all(|pair| of(&pair[1]) > of(&pair[0]));
    let any = resources.iter().any(|(_, of)| grows(of));
    let mut out = String::new();
    for (name, of) in resources.iter().filter(|(_, of)| !any || grows(of)) {
        let most = held.iter().map(of).max().unwrap_or(0).max(1);
        let _ = writeln!(out, "{name}, when so many connections had ended:");
        let mut ended = 0;
        for held in held {
            ended += u64::from(held.connections);
            let value = of(held);
            let bar = "#".repeat((value * WIDTH).div_ceil(most) as usize);
            let _ = writeln!(out, "  {ended:>6}  {value:>8}  {bar}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_is_drawn_and_the_rest_only_where_nothing_does() {
        let after = |descriptors, threads| HeldAfter {
            connections: 40,
            descriptors,
            threads,
            memory: 12 << 20,
        };
        let grows = chart(&[after(10, 1), after(50, 1), after(90, 1)]);
        assert_eq!(
            grows,
            "descriptors, when so many connections had ended:\n\
             \x20     40        10  ####\n\
             \x20     80        50  ##################\n\
             \x20    120        90  ################################\n"
        );
        let still = chart(&[after(10, 1), after(10, 1)]);
        assert_eq!(still.matches("connections had ended").count(), 3, "{still}");
        assert!(still.contains("  12288  ###"), "{still}");
    }
}
