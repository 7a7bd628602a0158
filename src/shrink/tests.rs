//! Tests of the shrinker: its candidates, their order, and its result.

use super::*;
use crate::generate::GeneratorConfig;

fn script(text: &str) -> Script {
    text.parse().expect(text)
}

fn shrunk(text: &str, fails: impl Fn(&Script) -> bool) -> String {
    let shrunk = shrink(script(text), BUDGET, |candidate| fails(candidate));
    shrunk.script.to_string()
}

fn has(script: &Script, word: &str) -> bool {
    script.to_string().lines().any(|line| line.contains(word))
}

#[test]
fn steps_that_the_failure_does_not_need_are_removed() {
    let text = "upgrade\nping\nwait 2s\nclose 1000\nfin\nwait 5s\ncut";
    assert_eq!(shrunk(text, |script| has(script, "fin")), "fin\n");
}

#[test]
fn two_steps_that_can_only_go_together_are_removed_together() {
    let even = |script: &Script| {
        let stops = script.to_string().matches("stop reading").count();
        let resumes = script.to_string().matches("resume reading").count();
        stops == resumes && has(script, "fin")
    };
    assert_eq!(shrunk("stop reading\nresume reading\nfin", even), "fin\n");
}

#[test]
fn a_number_ends_at_its_exact_border() {
    let waits = |script: &Script| {
        script.steps.iter().any(|step| match step.act {
            crate::script::Act::Wait(time) => time.0 > 5000,
            _ => false,
        })
    };
    assert_eq!(shrunk("upgrade\nwait 43210ms", waits), "wait 5001ms\n");
}

#[test]
fn neighbours_end_in_their_usual_order() {
    let both = |script: &Script| has(script, "stop") && has(script, "app close");
    let expected = "stop reading\napp close\n";
    assert_eq!(shrunk("app close 1000 \"bye\"\nstop reading", both), expected);
    assert_eq!(shrunk("stop reading\n+ app close", both), expected);
}

/// The bug class: any bytes of the client's after the application's close.
#[test]
fn a_hundred_failing_scripts_of_one_bug_end_as_one() {
    let fails = |script: &Script| {
        let acts: Vec<String> = script.steps.iter().map(|step| step.act.to_string()).collect();
        let close = acts.iter().position(|act| act.starts_with("app close"));
        let sends = |act: &String| {
            ["text", "binary", "ping", "pong", "close", "opcode", "unmasked"]
                .iter()
                .any(|word| act.starts_with(word))
        };
        acts.first().is_some_and(|act| act == "upgrade")
            && close.is_some_and(|close| acts[close..].iter().any(sends))
    };
    let failing =
        (0..).map(|index| GeneratorConfig::default().nth(11, index)).filter(fails).take(100);
    for start in failing {
        let shrunk = shrink(start.clone(), BUDGET, fails);
        assert_eq!(shrunk.script.to_string(), "upgrade\napp close\nping\n", "from\n{start}");
        assert!(shrunk.plays <= 200, "{} plays from\n{start}", shrunk.plays);
    }
}

#[test]
fn nothing_smaller_than_the_result_was_left_untried() {
    let fails = |script: &Script| has(script, "fin") && has(script, "wait");
    let result = shrink(script("upgrade\nwait 9s\nping \"x\"\nfin"), BUDGET, fails).script;
    let mut again = Shrinker::new(result.clone());
    while let Some(candidate) = again.candidate() {
        let failed = fails(candidate);
        assert!(!failed, "{candidate} is smaller than {result}");
        again.tell(failed);
    }
}

/// All that is proposed for `text`, where `fails` says what of it fails.
fn proposed(text: &str, fails: impl Fn(&str) -> bool) -> Vec<String> {
    let mut shrinker = Shrinker::new(script(text));
    let mut all = Vec::new();
    while let Some(candidate) = shrinker.candidate() {
        let lines = candidate.to_string().trim_end().replace('\n', "; ");
        let failed = fails(&lines);
        shrinker.tell(failed);
        all.push(lines);
    }
    all
}

#[test]
fn halves_go_first_then_quarters_then_acts_are_simpler_then_pairs_go() {
    let found = proposed("upgrade\nwait 2ms\nreset\nfin", |_| false);
    let expected = [
        "reset; fin",
        "upgrade; wait 2ms",
        "wait 2ms; reset; fin",
        "upgrade; reset; fin",
        "upgrade; wait 2ms; fin",
        "upgrade; wait 2ms; reset",
        "upgrade; wait 2ms; fin; fin",
        "upgrade; wait 1ms; reset; fin",
        "upgrade; wait 2ms; fin; reset",
        "wait 2ms; fin",
        "wait 2ms; reset",
        "upgrade; fin",
        "upgrade; reset",
    ];
    assert_eq!(found, expected);
}

#[test]
fn shrinking_goes_on_from_the_new_best_and_then_tries_everything_once_more() {
    let text = "upgrade\nfin\nreset\ncut\ndrop\nstop reading\nresume reading";
    let found = proposed(text, |lines| lines.contains("upgrade") && lines.contains("drop"));
    let expected = [
        "drop; stop reading; resume reading",
        "upgrade; fin; reset; cut",
        "reset; cut; drop; stop reading; resume reading",
        "upgrade; fin; drop; stop reading; resume reading",
        "upgrade; fin; resume reading",
        "upgrade; fin; drop; stop reading",
        "fin; drop; stop reading",
        "upgrade; drop; stop reading",
        "upgrade; stop reading",
        "upgrade; drop",
        "upgrade; fin",
        "upgrade; reset",
        "",
        "drop",
        "upgrade",
    ];
    assert_eq!(found, expected);
    assert_eq!(proposed("cut", |_| true), [""]);
    // As large as what is left: then smaller ones.
    let found = proposed(text, |lines| lines.contains("drop") && lines.contains("resume"));
    let first = ["drop; stop reading; resume reading", "", "stop reading; resume reading"];
    assert_eq!((&found[..3], &*found[3]), (&first.map(str::to_owned)[..], "drop; resume reading"));
}

#[test]
fn two_parts_of_a_frame_become_one_frame() {
    let [first, rest] = ["first 3 bytes of close 1000", "rest after 3 bytes of close 1000"];
    let fails = |lines: &str| {
        let both = lines.contains("first 3") && lines.contains("rest");
        lines.contains("upgrade") && (both || lines.contains("; close"))
    };
    let found = proposed(&format!("upgrade\n{first}\n{rest}"), fails);
    let merged = ["upgrade; ping", "upgrade; first 1 byte of ping", "upgrade; close"];
    let at = found.iter().position(|lines| lines == merged[0]).expect("merged");
    assert_eq!(found[at..at + 3], merged);
    let joined = proposed(&format!("upgrade\n{first}\n+ {rest}"), fails);
    assert!(joined.contains(&merged[0].to_owned()), "the one frame comes as the first part did");
    let fins = proposed("fin\nfin\nreset", |lines| lines.contains("; "));
    assert_eq!(fins, ["reset", "fin; fin", "fin", ""]);
}

#[test]
fn a_number_is_bisected_between_what_passes_and_what_fails() {
    let millis = |lines: &str| lines.strip_prefix("wait ")?.strip_suffix("ms")?.parse().ok();
    let found = proposed("wait 20ms", |lines| millis(lines).is_some_and(|ms: u32| ms >= 7));
    let expected = ["", "wait 1ms", "wait 10ms", "wait 5ms", "wait 7ms", "wait 6ms", "wait 4ms"];
    assert_eq!(found, expected);
}

#[test]
fn neighbours_are_swapped_back_as_far_as_they_can_go_and_then_pairs_go() {
    let all = |lines: &str| ["fin", "keep", "stop"].iter().all(|word| lines.contains(word));
    let expected = [
        "stop reading",
        "fin; app keep",
        "app keep; stop reading",
        "fin; stop reading",
        "app keep; fin; stop reading",
        "app keep; stop reading; fin",
        "stop reading; app keep; fin",
        "fin",
        "app keep",
        "app keep; fin",
        "stop reading; fin",
        "stop reading; app keep",
    ];
    assert_eq!(proposed("fin\napp keep\nstop reading", all), expected);
    let paired =
        |lines: &str| lines.contains("stop") == lines.contains("resume") && lines.contains("fin");
    let expected = [
        "resume reading",
        "stop reading; fin",
        "fin; resume reading",
        "stop reading; resume reading",
        "stop reading; resume reading; fin",
        "fin",
        "",
    ];
    assert_eq!(proposed("stop reading\nfin\nresume reading", paired), expected);
}

#[test]
fn each_candidate_is_smaller_than_the_best_and_is_played_once() {
    for index in 0..40 {
        let start = GeneratorConfig::default().nth(5, index);
        let mut shrinker = Shrinker::new(start);
        let mut passed = BTreeSet::new();
        while let Some(candidate) = shrinker.candidate().cloned() {
            assert_eq!(shrinker.candidate(), Some(&candidate), "asked twice");
            assert!(Complexity::of(&candidate) < Complexity::of(shrinker.best()), "{candidate}");
            assert!(!passed.contains(&candidate), "{candidate}");
            let failed = candidate.steps.len() > 1 && candidate.to_string().len() % 3 == 0;
            shrinker.tell(failed);
            if failed {
                assert_eq!(shrinker.best(), &candidate);
            } else {
                passed.insert(candidate);
            }
        }
        assert_eq!(shrinker.candidate(), None, "the end is the end");
        shrinker.tell(true);
    }
}

#[test]
fn no_more_than_the_budget_is_played() {
    let text = "upgrade\nping\nwait 2s\nfin";
    for budget in 0..4 {
        assert_eq!(shrink(script(text), budget, |_| false).plays, budget);
    }
    let enough = shrink(script("fin"), BUDGET, |_| false);
    assert_eq!(enough, Shrunk { script: script("fin"), plays: 1 });
}

/// Whether two connections are one that does not read, and another one that opens.
fn deaf_beside_another(script: &Script) -> bool {
    let each = script.each();
    let deaf = |one: &Script| has(one, "upgrade") && has(one, "stop reading");
    each.iter().any(deaf) && each.iter().filter(|one| has(one, "upgrade")).count() > 1
}

#[test]
fn whole_connections_go_first_then_fold_and_then_steps_go() {
    let found = proposed("upgrade\nping\n2: fin\n3: cut\n3: app shutdown", |_| false);
    let first = [
        "fin; 2: cut; 2: app shutdown",
        "upgrade; ping; 2: cut; 2: app shutdown",
        "upgrade; ping; 2: fin",
        "upgrade; ping; fin; 2: cut; 2: app shutdown",
        "upgrade; ping; cut; app shutdown; 2: fin",
        "upgrade; ping; app shutdown; 2: fin; 3: cut",
        // Connection 3 would come before connection 2, since it does more.
        "upgrade; ping; 2: cut; 2: app shutdown; 3: fin",
        "cut; app shutdown",
    ];
    assert_eq!(found[..first.len()], first);
    let one = |lines: &str| lines == "upgrade; ping; 2: fin; 3: cut";
    let found = proposed("upgrade\nping\n2: fin\n3: cut\n4: reset", one);
    assert_eq!(found[3], "upgrade; ping; 2: fin; 3: cut", "the last one has gone");
    assert_eq!(found[4], "upgrade; ping; fin; 2: cut", "and then the second one folds");
}

#[test]
fn of_many_connections_those_stay_that_the_failure_needs_in_their_usual_order() {
    let polite = "{}: upgrade\n{}: text \"hello\"\n{}: await close\n{}: close 1000\n";
    let mut text: String = (1..=8)
        .filter(|number| *number != 5)
        .map(|n| polite.replace("{}", &n.to_string()))
        .collect();
    text +=
        "5: connect after 3s\n5: upgrade\n5: ping\n5: stop reading\n5: app broadcast text 64KiB\n";
    let expected = "upgrade\nstop reading\n2: upgrade\n";
    assert_eq!(shrunk(&text, deaf_beside_another), expected);
    assert_eq!(shrunk("upgrade\n2: upgrade\n2: stop reading\n", deaf_beside_another), expected);
    let shuts = |script: &Script| deaf_beside_another(script) && has(script, "app shutdown");
    let expected = "upgrade\nstop reading\napp shutdown\n2: upgrade\n";
    assert_eq!(shrunk(&format!("{text}7: app shutdown"), shuts), expected);
    // It does not matter who says so: one connection is enough for both.
    let both = |script: &Script| has(script, "app shutdown") && has(script, "fin");
    assert_eq!(shrunk("upgrade\n+ app shutdown\n2: upgrade\n2: fin", both), "app shutdown\nfin\n");
}

#[test]
fn when_a_connection_arrives_is_a_number_like_others_and_stays_first() {
    let late = |script: &Script| {
        script.steps.iter().any(|step| match step.act {
            crate::script::Act::Connect(time) => time.0 > 700,
            _ => false,
        }) && script.connections() == 2
    };
    assert_eq!(
        shrunk("upgrade\n2: connect after 5s\n2: upgrade\n2: window 1B", late),
        "upgrade\n2: connect after 701ms\n"
    );
}
