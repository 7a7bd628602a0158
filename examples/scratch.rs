use hangup::{
    judge, sim,
    target::{Registry, Target},
};
fn main() {
    let name = std::env::args().nth(1).unwrap();
    let text = std::io::read_to_string(std::io::stdin()).unwrap();
    let script: hangup::script::Script = text.parse().unwrap_or_else(|e| panic!("{e}"));
    let r = Registry::built_in();
    let t = r.find(&name).unwrap();
    let trace = sim::play(t, &t.bounds(), &script, 0);
    for e in &trace.events {
        println!("{} {:?}", e.at, e.what);
    }
    println!("{:?}", String::from_utf8_lossy(&trace.to_client));
    println!("{:#?}", judge::judge(&trace, &t.bounds()));
    let n: u32 = std::env::args().nth(2).map_or(100000, |s| s.parse().unwrap());
    let t0 = std::time::Instant::now();
    for _ in 0..n {
        std::hint::black_box(judge::judge(&sim::play(t, &t.bounds(), &script, 0), &t.bounds()));
    }
    println!("{:?} per script", t0.elapsed() / n);
    let t0 = std::time::Instant::now();
    for _ in 0..n {
        std::hint::black_box(judge::judge(&trace, &t.bounds()));
    }
    println!("{:?} per judge", t0.elapsed() / n);
}
