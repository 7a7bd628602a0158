//! Findings as problems: what belongs together, which script is shown, and what comes first.

use hangup::bounds::Bounds;
use hangup::finding::problem::{Sighting, Sightings};
use hangup::finding::repro::Repro;
use hangup::report::Scene;
use hangup::report::model::{FindingReport, ProblemReport, Repeats, problems};
use hangup::target::Opening;
use hangup::verdict::{Cause, Condition, Ending, Identity, Invariant, Level, Symptom, Time};
use hangup::wire::Role;

fn found(identity: Identity, level: Level, ending: Ending, script: &str) -> FindingReport {
    let repro = Repro {
        hangup: "0.1.0".to_owned(),
        target: ("mine".to_owned(), "-".to_owned()),
        role: Role::Server,
        opening: Opening::new(),
        bounds: Bounds::default(),
        identity,
        level,
        ending: ending.kind().to_owned(),
        at_seconds: None,
        sentence: "The server hangs.".to_owned(),
        script: script.parse().expect("a script"),
        runtime_seed: 0,
        digest: String::new(),
        confirmed: true,
        seen: None,
    };
    let repeats = Repeats::Share(1.0);
    let (since, path, url) = (None, None, None);
    FindingReport {
        stated: hangup::bounds::Bounds::default(),
        repro,
        ending,
        since,
        shrunk: true,
        cut_short: false,
        plays: 1,
        repeats,
        measured: None,
        path,
        url,
        options: Vec::new(),
        scene: Scene::default(),
        exports: false,
        matters: Vec::new(),
    }
}

fn late(symptom: Symptom, cause: Cause, condition: Condition) -> Identity {
    Identity::liveness(Invariant::EndsInTime, cause, condition).with_symptom(symptom)
}

fn safety(invariant: Invariant, symptom: Symptom) -> Identity {
    Identity::safety(invariant, Some(Cause::ClientClose)).with_symptom(symptom)
}

fn scripts(problems: &[ProblemReport<'_>]) -> Vec<String> {
    let script = |problem: &ProblemReport<'_>| problem.headline.repro.script.to_string();
    problems.iter().map(|problem| script(problem).trim_end().replace('\n', "; ")).collect()
}

#[test]
fn variants_of_one_problem_are_one_with_the_simplest_as_its_headline() {
    let waits = |cause, condition| late(Symptom::WaitsToRead, cause, condition);
    let (deaf, silent) = (
        waits(Cause::ClientClose, Condition::NotReading),
        waits(Cause::OwnClose, Condition::Silent),
    );
    let dripping = waits(Cause::OwnClose, Condition::StillSending);
    let mut unshrunk = found(dripping, Level::Should, Ending::Never, "fin\n");
    unshrunk.shrunk = false;
    let findings = [
        found(deaf, Level::Must, Ending::Never, "upgrade\nstop reading\nclose\n"),
        found(silent, Level::Should, Ending::Never, "upgrade\napp close\n"),
        unshrunk,
    ];
    let mut sightings = Sightings::default();
    sightings.add(deaf, Sighting { first: 7, scripts: 2, level: Level::Should });
    sightings.add(silent, Sighting { first: 9, scripts: 30, level: Level::Should });
    sightings.add(deaf, Sighting { first: 5, scripts: 1, level: Level::Should });
    let told = problems(&findings, &sightings, 100);
    assert_eq!(scripts(&told), ["upgrade; app close"]);
    assert_eq!((told[0].level, told[0].variants.len()), (Level::Must, 3));
    assert_eq!((told[0].first_script, told[0].shown), (Some(5), 33));
    assert!((told[0].rate - 0.33).abs() < 1e-9, "{}", told[0].rate);
}

#[test]
fn a_mere_case_of_a_plainer_symptom_goes_with_it_where_that_shows_too() {
    let unanswered = |symptom| safety(Invariant::AnswersClose, symptom);
    let case = |symptom, script| found(unanswered(symptom), Level::Must, Ending::InTime, script);
    let private = case(Symptom::PrivateCode, "close 3000\n");
    let findings = [private.clone(), case(Symptom::EmptyClose, "upgrade\nclose\n")];
    let told = problems(&findings, &Sightings::default(), 10);
    assert_eq!(scripts(&told), ["upgrade; close"], "the script is about the plainer one");
    assert_eq!(told[0].problem.symptom(), Some(Symptom::EmptyClose));
    assert_eq!(told[0].variants.len(), 2);
    assert_eq!((told[0].first_script, told[0].shown), (None, 0));
    let alone = [private];
    let told = problems(&alone, &Sightings::default(), 10);
    assert_eq!(told[0].problem.symptom(), Some(Symptom::PrivateCode));
}

#[test]
fn what_hangs_comes_first_then_what_the_rfc_demands_then_what_is_short() {
    let hangs = |symptom| late(symptom, Cause::OwnClose, Condition::Silent);
    let later = Ending::Late(Time(6_000_000));
    let findings = [
        found(
            safety(Invariant::EchoesCode, Symptom::OtherCode),
            Level::Should,
            Ending::Never,
            "fin\n",
        ),
        found(
            safety(Invariant::ClosesOnce, Symptom::SecondClose),
            Level::Must,
            Ending::InTime,
            "fin\nfin\n",
        ),
        found(hangs(Symptom::OwnTimer), Level::Should, later, "cut\n"),
        found(hangs(Symptom::WaitsForRoom), Level::Must, Ending::Never, "upgrade\nfin\ncut\n"),
        found(hangs(Symptom::WaitsToRead), Level::Should, Ending::Open(Time(9)), "upgrade\nfin\n"),
        found(hangs(Symptom::Forgotten), Level::Should, Ending::Ticking(1), "upgrade\nclose\n"),
    ];
    let told = problems(&findings, &Sightings::default(), 10);
    let expected =
        ["upgrade; fin", "upgrade; close", "upgrade; fin; cut", "fin; fin", "cut", "fin"];
    assert_eq!(scripts(&told), expected);
    let mut turned = findings;
    turned.reverse();
    let told = problems(&turned, &Sightings::default(), 10);
    assert_eq!(scripts(&told), expected, "in whatever order they are found");
}
