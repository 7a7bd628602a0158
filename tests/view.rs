//! What somebody at the client's end alone can say, against what both ends show: it may be
//! less, and never more.

use hangup::Registry;
use hangup::exchange::{ConnectionId, Exchange};
use hangup::generate::GeneratorConfig;
use hangup::judge::judge;
use hangup::run::virtual_time::play;
use hangup::verdict::{Invariant, Level, Verdict};
use std::collections::BTreeMap;

/// How many scripts are played against each target.
const SCRIPTS: u64 = 120;

/// The rules that must be kept and are certainly broken.
fn musts(verdict: &Verdict) -> Vec<Invariant> {
    let certain = verdict.violations.iter().filter(|violation| violation.doubts.is_empty());
    let musts = certain.filter(|violation| violation.level == Level::Must);
    musts.map(|violation| violation.identity.invariant()).collect()
}

#[test]
fn a_client_alone_never_finds_a_must_that_both_ends_do_not_show() {
    let registry = Registry::built_in();
    let (mut more, mut seen_musts) = (BTreeMap::new(), BTreeMap::<Invariant, u32>::new());
    let is_played = |name: &str| !name.starts_with("nasty/") && !name.starts_with("clock/");
    for target in registry.iter().filter(|target| is_played(target.name())) {
        let bounds = target.bounds();
        let config = GeneratorConfig { bounds, app: target.obeys(), ..GeneratorConfig::default() };
        for index in 0..SCRIPTS {
            let script = config.nth(5, index);
            let both: Exchange = play(target, &bounds, &script, index);
            let alone = both.seen_by_actor();
            assert!(alone.bytes(ConnectionId::FIRST).to_actor.len() <= 1 << 26);
            let full = musts(&judge(&both, &bounds));
            for invariant in musts(&judge(&alone, &bounds)) {
                *seen_musts.entry(invariant).or_default() += 1;
                if !full.contains(&invariant) {
                    more.entry((target.name(), invariant)).or_insert((index, script.to_string()));
                }
            }
        }
    }
    assert_eq!(more, BTreeMap::new(), "{} more", more.len());
    // The client alone sees something at all.
    assert!(seen_musts.len() >= 3, "{seen_musts:?}");
}

/// Each two bytes of it would be a frame that breaks a rule.
#[test]
fn noise_is_read_no_further_than_a_thousand_broken_frames() {
    use hangup::view::View;
    use hangup::wire::Fault;
    use hangup::wire::handshake::REQUEST;
    let mut exchange = Exchange::new(true);
    let sent = [REQUEST.as_bytes(), &[0x7f, 0x00].repeat(100_000)].concat();
    exchange.bytes_mut(ConnectionId::FIRST).to_subject.clone_from(&sent);
    let bytes = sent.len() as u32;
    exchange.push(hangup::exchange::Time::ZERO, hangup::exchange::What::Arrived { bytes });
    let view = View::of(&exchange, ConnectionId::FIRST);
    assert_eq!(view.actor_frames.len(), 1_000);
    let fault = view.actor_fault.expect("a fault");
    assert_eq!((fault.fault, fault.offset), (Fault::ReservedBits(7), REQUEST.len() + 1));
}
