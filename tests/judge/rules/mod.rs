//! The rules one by one, as in `src/judge/rules/`; `process` has those about the server as a
//! program.

mod accepts_legal;
mod answers_close;
mod closes_once;
mod delivers_every_message;
mod echoes_code;
mod ends_in_time;
mod handshake_and_idle_in_time;
mod legal_close;
mod lets_server_close_tcp;
mod no_data_after_close;
mod no_silent_end;
mod process;
mod refuses_illegal;
mod releases_in_time;
mod reports_end_correctly;
mod sends_close;
mod sends_every_message;
mod sends_valid_frames;
mod waits_for_answer;
mod whole_server;

use hangup::verdict::Invariant;

#[test]
fn a_rule_says_what_it_rests_on() {
    assert_eq!(Invariant::AnswersClose.rule().basis(), "RFC 6455 5.5.1");
    assert_eq!(Invariant::NoPanic.rule().basis(), "RFC 6455 is silent");
}
