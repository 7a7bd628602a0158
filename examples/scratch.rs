use hangup::{campaign::*, report, target::Registry};
use std::ops::ControlFlow;
fn main() {
    let name = std::env::args().nth(1).unwrap();
    let n: u64 = std::env::args().nth(2).unwrap().parse().unwrap();
    let seed: u64 = std::env::args().nth(3).unwrap().parse().unwrap();
    let r = Registry::built_in();
    let t = r.find(&name).unwrap();
    let bounds = t.bounds();
    let t0 = std::time::Instant::now();
    let out = Campaign { bounds, seed, scripts: Some(n) }.run(t, |_| ControlFlow::Continue(()));
    let dt = t0.elapsed();
    for f in &out.findings {
        let repro = report::repro(&**t, bounds, f);
        println!("{}\nplays {} index {} rate {}\n", report::finding(&repro, f), f.plays, f.index, f.rate);
    }
    for a in &out.accepted { println!("accepted {:?} {}", a.deviation.invariant, a.fired); }
    println!("{} {:.0}/s", out.scripts, out.scripts as f64 / dt.as_secs_f64());
}
