use hangup::Target;
use hangup::campaign::Campaign;
use hangup::target::reference::{Reference, faults::Fault};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    sync::Arc,
};
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let n: u64 = args[0].parse().unwrap();
    let mut servers: Vec<Reference> = Reference::STYLES.to_vec();
    servers.extend(Fault::ALL.iter().map(|f| Reference::with(*f)));
    for s in servers {
        let name = s.name().to_string();
        if args.len() > 1 && !args[1..].iter().any(|a| name.ends_with(a.as_str())) {
            continue;
        }
        eprint!("{name} ");
        let t: Arc<dyn Target> = Arc::new(s);
        let out = Campaign { bounds: t.bounds(), seed: 1, scripts: Some(n) }
            .run(&t, |_| ControlFlow::Continue(()));
        let found: BTreeSet<_> = out.findings.iter().map(|f| f.violation.key.invariant).collect();
        let declared: BTreeSet<_> =
            s.fault.map_or(vec![], |f| f.breaks().to_vec()).into_iter().collect();
        if found == declared {
            eprintln!("ok");
            continue;
        }
        eprintln!(
            "MISSING {:?} EXTRA {:?}",
            declared.difference(&found).collect::<Vec<_>>(),
            found.difference(&declared).collect::<Vec<_>>()
        );
        let mut seen = BTreeMap::new();
        for f in &out.findings {
            if !declared.contains(&f.violation.key.invariant)
                && seen.insert((f.violation.key.invariant, f.violation.key.cause), ()).is_none()
            {
                eprintln!(
                    "   {:?} {} {:?} rate {}\n      {}",
                    f.violation.key,
                    f.violation.fact,
                    f.violation.ending,
                    f.rate,
                    f.script.to_string().replace('\n', "; ")
                );
            }
        }
    }
}
