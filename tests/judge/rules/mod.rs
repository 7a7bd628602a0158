//! The rules one by one, as in `src/judge/rules/`; `process` has those about the server as a
//! program.

mod accepts_legal;
mod answers_close;
mod closes_once;
mod echoes_code;
mod ends_in_time;
mod frames_well;
mod hands_on_every_message;
mod handshake_and_idle_in_time;
mod legal_close;
mod lets_the_polite_finish;
mod no_silent_end;
mod process;
mod quiet_application;
mod refuses_illegal;
mod releases_in_time;
mod sends_close;
mod sends_every_message;
mod silent_after_close;
mod whole_server;

use hangup::verdict::Invariant;

#[test]
fn a_rule_says_what_it_rests_on() {
    assert_eq!(Invariant::AnswersClose.rule().basis(), "RFC 6455 5.5.1");
    assert_eq!(Invariant::NoPanic.rule().basis(), "RFC 6455 is silent");
}
