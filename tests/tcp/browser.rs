//! `hangup listen --browser`: headless Chromium, of Debian's package `chromium`.

use crate::server::{Desk, Run};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

/// A browser, and all its processes: it ends with the test.
struct Browser(Child);

impl Browser {
    /// Opens a page, with a profile of its own in `desk`.
    fn open(desk: &Desk, url: &str) -> Self {
        let mut command = Command::new("chromium");
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]);
        command.arg(format!("--user-data-dir={}", desk.path("profile").display())).arg(url);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        Self(command.spawn().expect("this test needs Debian's package `chromium`"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.0.wait();
    }
}

/// `hangup ARGUMENTS`, with the browser on the page that it names on stderr.
fn hangup(desk: &Desk, arguments: &str) -> Run {
    let mut command = desk.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut playing = command.spawn().expect("it starts");
    let mut stderr = BufReader::new(playing.stderr.take().expect("it was piped"));
    let mut told = String::new();
    let url = loop {
        let mut line = String::new();
        assert_ne!(stderr.read_line(&mut line).expect("text"), 0, "no page: {told}");
        told.push_str(&line);
        if let Some((_, url)) = line.trim_end().split_once("open this page in the browser: ") {
            break url.to_owned();
        }
    };
    let browser = Browser::open(desk, &url);
    let rest = std::thread::spawn(move || {
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).expect("text");
        rest
    });
    let output = playing.wait_with_output().expect("it ends");
    drop(browser);
    let stderr = (told + &rest.join().expect("it reads")).into_bytes();
    Run::of(std::process::Output { stderr, ..output })
}

/// Chromium waits a minute for the server's Close, and two seconds for its FIN.
#[test]
#[ignore = "real time, in headless Chromium: by hand (CONTRIBUTING.md)"]
fn a_browser_that_waits_longer_than_the_bound_is_found_and_one_that_does_not_is_clean() {
    let desk = Desk::new();
    desk.write("silent.hangup", "accept\napp close\n");
    let silent = hangup(&desk, "replay silent.hangup --browser --close-within 3s");
    let found = silent.out.starts_with("breaks a rule on browser\nends-in-time: ");
    assert!(silent.code == Some(1) && found, "{silent:?}");
    desk.write("closes.hangup", "accept\nclose 1000\n");
    let closed = hangup(&desk, "replay closes.hangup --browser --close-within 3s");
    assert_eq!(closed.code, Some(0), "{closed:?}");
    let shown = hangup(&desk, "show closes.hangup --browser --close-within 3s");
    assert!(shown.out.contains("application: end reported, code 1000"), "{shown:?}");
}

/// What the page is told is judged: that it is told of the end, once, and with the right code.
#[test]
#[ignore = "real time, in headless Chromium: by hand (CONTRIBUTING.md)"]
fn a_campaign_against_a_browser_judges_what_its_page_is_told() {
    let desk = Desk::new();
    let campaign = "listen --browser --seed 1 --scripts 24 --concurrency 8 --close-within 3s \
                    --watch 0s --format json";
    let found = hangup(&desk, campaign);
    assert!(matches!(found.code, Some(0 | 1)), "{found:?}");
    assert!(found.err.contains("the page was told of"), "{found:?}");
    let json = found.json();
    let target = &json["targets"][0];
    let not_judged = target["not_judged"].as_array().expect("a list");
    assert!(!not_judged.contains(&"reports-end-correctly".into()), "{not_judged:?}");
    // It waits for a minute for the server's Close; all else Chromium does as it should.
    for problem in target["problems"].as_array().expect("a list") {
        let rule = problem["invariant"].as_str().expect("a rule");
        assert!(["ends-in-time", "releases-in-time"].contains(&rule), "{found:?}");
    }
}

#[test]
#[ignore = "real time, in headless Chromium: by hand (CONTRIBUTING.md)"]
fn a_servers_file_is_not_for_a_browser() {
    let desk = Desk::new();
    desk.write("upgrades.hangup", "upgrade\nclose\n");
    let refused =
        Run::of(desk.command("show upgrades.hangup --browser").output().expect("it starts"));
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("a browser is a client"), "{refused:?}");
}
