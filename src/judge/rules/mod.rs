//! The rules, one file each: the RFC's sentence, what it asks and of which role and why
//! ([`Rule::asked_of`]), the text behind `hangup explain`, and a check.
//!
//! A rule that holds for both roles is written once, as of a server under test, with its texts and its
//! facts: [`Rule::says`] and [`decide`](super::decide) give the two ends the names that they have. The
//! texts of a rule of one role stay as they are written.
//!
//! A check reads a [`View`] and returns suspicions with the excuses that hold. It knows no
//! script, plays nothing, and acquits nobody: that is [`decide`](super::decide)'s business.
//! Whoever adds a rule adds a file here, a line in [`RULES`], and a planted fault.

mod accepts_legal;
mod answers_close;
mod bounded_memory;
mod close_returns;
mod closes_all_at_shutdown;
mod closes_once;
mod connects_in_time;
mod delivers_every_message;
mod echoes_code;
mod ends_in_time;
pub(super) mod frees_resources;
mod fresh_masking_key;
mod handshake_in_time;
mod idle_in_time;
pub(super) mod isolates_clients;
mod legal_close;
mod lets_server_close_tcp;
mod linear_work;
mod no_data_after_close;
mod no_leak;
mod no_panic;
mod no_silent_end;
mod no_spin;
mod refuses_bad_opening;
mod refuses_illegal;
mod releases_in_time;
mod reports_end_correctly;
mod sends_close;
mod sends_every_message;
mod sends_valid_frames;
mod shuts_down_in_time;
mod stops_accepting;
mod waits_for_answer;

pub use linear_work::is_out_of_proportion;

use super::excuses;
use crate::bounds::Bounds;
use crate::verdict::{
    Cause, Class, Condition, Ending, Excuse, Invariant, Level, Owed, Prompt, Symptom, name_ends,
};
use crate::view::{Frame, View};
use crate::wire::Role;
use std::borrow::Cow;
use std::fmt;

/// A rule: what it asks, in which words, and how it is checked.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name.
    pub invariant: Invariant,
    /// Liveness or safety.
    pub class: Class,
    /// The sections of RFC 6455 that it rests on; `-` where the RFC is silent.
    pub section: &'static str,
    /// The sentence of the RFC that decides it, as it stands at the code that does, with its
    /// section; `None` where the RFC is silent.
    pub quote: Option<(&'static str, &'static str)>,
    /// What a subject that keeps it does, in one sentence.
    says: &'static str,
    /// Why it matters, how a subject comes to break it, and what to do.
    explains: &'static str,
    /// Of whom it is asked, and why of them.
    pub asked_of: AskedOf,
    /// From when on it is judged.
    pub judged_from: JudgedFrom,
    /// What may be seen where it is broken: each tells one mistake of a subject's.
    pub symptoms: &'static [Symptom],
    /// Finds what looks as if the rule were broken.
    pub(super) check: fn(&Case<'_>, &mut Suspicions),
}

/// Of which role a rule is asked, with the reason: the RFC's word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedOf {
    /// Of clients and servers.
    Both(&'static str),
    /// Of servers alone.
    Server(&'static str),
    /// Of clients alone.
    Client(&'static str),
}

/// From when on a rule is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JudgedFrom {
    /// From the start: it is about time, or about the subject as a program.
    Accept,
    /// Once the connection is open: it is about what the server sends by itself, and frames mean
    /// nothing before.
    Opening,
    /// As [`Opening`](Self::Opening), of what the server makes of what the client sends: bytes
    /// of the client's before the 101 may excuse it ([`Excuse::EarlyBytes`]).
    Answers,
}

impl AskedOf {
    /// Whether a subject in this role has to keep the rule.
    pub const fn includes(self, role: Role) -> bool {
        match self {
            Self::Both(_) => true,
            Self::Server(_) => matches!(role, Role::Server),
            Self::Client(_) => matches!(role, Role::Client),
        }
    }
}

impl fmt::Display for AskedOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Both(why) => write!(f, "servers and clients: {why}"),
            Self::Server(why) => write!(f, "servers: {why}"),
            Self::Client(why) => write!(f, "clients: {why}"),
        }
    }
}

impl Rule {
    /// What a subject that keeps it does, in one sentence, with the names that the ends have where it
    /// has this role; `None` where nobody knows which.
    pub fn says(&self, subject: Option<Role>) -> Cow<'static, str> {
        self.named(self.says, subject)
    }

    /// Why it matters, how a subject comes to break it, and what to do; named as by [`says`](Self::says).
    pub fn explains(&self, subject: Option<Role>) -> Cow<'static, str> {
        self.named(self.explains, subject)
    }

    fn named(&self, text: &'static str, subject: Option<Role>) -> Cow<'static, str> {
        match self.asked_of {
            AskedOf::Both(_) => name_ends(text, subject),
            AskedOf::Server(_) | AskedOf::Client(_) => Cow::Borrowed(text),
        }
    }

    /// What it rests on, as a phrase: the sections of the RFC, or that there are none.
    pub fn basis(&self) -> String {
        match self.section {
            "-" => "RFC 6455 is silent".to_owned(),
            sections => format!("RFC 6455 {sections}"),
        }
    }
}

/// All rules, in the order of [`Invariant::ALL`].
pub const RULES: &[Rule] = &[
    ends_in_time::RULE,
    releases_in_time::RULE,
    handshake_in_time::RULE,
    idle_in_time::RULE,
    answers_close::RULE,
    sends_close::RULE,
    no_silent_end::RULE,
    closes_once::RULE,
    no_data_after_close::RULE,
    legal_close::RULE,
    refuses_illegal::RULE,
    accepts_legal::RULE,
    echoes_code::RULE,
    waits_for_answer::RULE,
    sends_valid_frames::RULE,
    reports_end_correctly::RULE,
    sends_every_message::RULE,
    delivers_every_message::RULE,
    no_panic::RULE,
    no_spin::RULE,
    no_leak::RULE,
    bounded_memory::RULE,
    linear_work::RULE,
    shuts_down_in_time::RULE,
    closes_all_at_shutdown::RULE,
    isolates_clients::RULE,
    stops_accepting::RULE,
    frees_resources::RULE,
    connects_in_time::RULE,
    close_returns::RULE,
    fresh_masking_key::RULE,
    lets_server_close_tcp::RULE,
    refuses_bad_opening::RULE,
];

impl Invariant {
    /// The rule of this name.
    pub const fn rule(self) -> &'static Rule {
        &RULES[self as usize]
    }
}

/// What a check is given.
pub(super) struct Case<'a> {
    /// The connection.
    pub view: &'a View<'a>,
    /// The bounds of the subject.
    pub bounds: &'a Bounds,
    /// What it owes first, where it owes an end.
    pub owed: Option<Owed>,
}

impl Case<'_> {
    /// Whether an end is owed for such a cause.
    pub fn owes(&self, is_it: impl Fn(Cause) -> bool) -> bool {
        self.owed.is_some_and(|owed| is_it(owed.cause))
    }
}

/// What checks found.
pub(super) type Suspicions = Vec<Suspicion>;

/// Something that looks as if a rule were broken, with what may excuse it.
#[derive(Debug)]
pub(super) struct Suspicion {
    /// How strongly the RFC asks for it in this case.
    pub level: Level,
    /// What exactly was seen: one of its rule's.
    pub symptom: Symptom,
    /// What the server did: `sent Text after its Close`.
    pub fact: Cow<'static, str>,
    /// The events that prove it, the one with which it happened first; none where it
    /// is a matter of the whole connection.
    pub events: Vec<usize>,
    /// Of a rule about time: what was owed, what the client did meanwhile, how it ended.
    pub timing: Option<(Owed, Condition, Ending)>,
    /// The excuses that hold, by name.
    pub excuses: Vec<Excuse>,
    /// What seems to have made the server act so.
    pub prompt: Option<Prompt>,
}

impl Suspicion {
    /// A suspicion that nothing excuses so far.
    pub fn new(
        level: Level,
        symptom: Symptom,
        fact: impl Into<Cow<'static, str>>,
        events: Vec<usize>,
    ) -> Self {
        Self {
            level,
            symptom,
            fact: fact.into(),
            events,
            timing: None,
            excuses: Vec::new(),
            prompt: None,
        }
    }

    /// With an excuse, where it holds.
    pub fn unless(mut self, excuse: Option<Excuse>) -> Self {
        self.excuses.extend(excuse);
        self
    }

    /// About an answer to `frame`: where only the actor's end was seen, nobody knows what the
    /// server had read by then.
    pub fn about_an_answer(self, view: &View<'_>, frame: &Frame) -> Self {
        let prompt = Some(Prompt::Sent { from: view.sent_before(frame) });
        Self { prompt, ..self }.unless(excuses::unseen_what_was_read(view))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_stand_in_the_order_of_their_names() {
        let listed: Vec<Invariant> = RULES.iter().map(|rule| rule.invariant).collect();
        assert_eq!(listed, Invariant::ALL);
    }

    #[test]
    fn every_symptom_belongs_to_a_rule() {
        let listed = |symptom| RULES.iter().any(|rule| rule.symptoms.contains(symptom));
        let strays: Vec<_> = Symptom::ALL.iter().filter(|symptom| !listed(*symptom)).collect();
        assert!(strays.is_empty(), "{strays:?}");
    }

    /// Whether a text names an end, `client` or `server`, that is no name and no frame.
    fn names_an_end(text: &str) -> bool {
        name_ends(text, None) != text
    }

    #[test]
    fn every_rule_names_the_ends_by_the_role_for_which_it_holds() {
        for rule in RULES {
            let id = rule.invariant;
            let texts = |subject| [rule.says(subject), rule.explains(subject)];
            for role in [Role::Server, Role::Client] {
                let held = texts(Some(role));
                match rule.asked_of {
                    // What is true of one role is true of the other with the names exchanged.
                    AskedOf::Both(_) => {
                        let swapped = texts(Some(role.other()));
                        let named =
                            held.map(|text| name_ends(&text, Some(Role::Client)).into_owned());
                        assert_eq!(named, swapped, "{id}");
                    }
                    // A text of one role is what it is.
                    _ => assert_eq!(held, texts(None), "{id}"),
                }
            }
            let says = rule.says(None);
            match rule.asked_of {
                AskedOf::Both(_) => {
                    let texts = texts(None);
                    assert!(!texts.iter().any(|text| names_an_end(text)), "{id}: {texts:#?}");
                }
                AskedOf::Server(_) => {
                    assert!(says.to_lowercase().contains("server"), "{id}: {says}");
                }
                AskedOf::Client(_) => {
                    assert!(says.to_lowercase().contains("client"), "{id}: {says}");
                }
            }
        }
    }

    #[test]
    fn every_rule_says_of_whom_it_is_asked_and_why() {
        for rule in RULES {
            let (AskedOf::Both(why) | AskedOf::Server(why) | AskedOf::Client(why)) = rule.asked_of;
            let is_clients = rule.invariant.is_of_clients();
            assert_eq!(rule.asked_of.includes(Role::Server), !is_clients, "{}", rule.invariant);
            assert!(!why.is_empty(), "{}", rule.invariant);
        }
    }
}
