//! What tells the findings of one target apart, and patterns over it.
//!
//! Only this file takes an identity apart: its parts are private, and `tests/architecture.rs`
//! lists who may ask for one of them. To add a part is to change this file, and the judge,
//! which makes identities.

use super::{Cause, Condition, Invariant, Symptom};
use crate::excerpt::{excerpt, nearest, quoted};
use crate::wire::Role;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// What tells the findings of one target apart: a problem, and the variant of it.
///
/// Its text form reads back as the same identity:
///
/// ```
/// use hangup::verdict::{Cause, Condition, Identity, Invariant, Symptom};
///
/// let invariant = Invariant::EndsInTime;
/// let identity = Identity::liveness(invariant, Cause::OwnClose, Condition::Silent);
/// assert_eq!(identity.to_string(), "ends-in-time: the server's own Close, silent");
/// let identity = identity.with_symptom(Symptom::WaitsForRoom);
/// let text = "ends-in-time (waits for room to write, with no timer running): the server's own Close, silent";
/// assert_eq!(identity.to_string(), text);
/// assert_eq!(text.parse(), Ok(identity));
/// ```
///
/// Files and JSON have the parts as fields beside others: flatten it there, and where other
/// fields are errors, flatten [`problem`](Self::problem) and [`variant`](Self::variant).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    variant: Variant,
}

/// What is broken, and what exactly was seen: the part of an [`Identity`] that a maintainer
/// mends once. Prints as `ends-in-time (waits to read, with no timer running)`. Where fields stand between the two parts of an identity, flatten each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Problem {
    invariant: Invariant,
    /// What exactly was seen; `None` in files of before there were symptoms, and in patterns
    /// that leave it open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    symptom: Option<Symptom>,
}

/// Where a problem shows: the other part of an [`Identity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "VariantInWords", into = "VariantInWords")]
pub struct Variant {
    /// What obliged the server, where something did.
    cause: Option<Cause>,
    /// The client's part, where the rule is about time.
    condition: Option<Condition>,
    wording: Wording,
}

/// By which names its words call the two ends: as of a subject in this role. It tells nothing apart.
#[derive(Clone, Copy, Debug, Default)]
struct Wording(Role);

impl PartialEq for Wording {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Wording {}

impl PartialOrd for Wording {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Wording {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl Hash for Wording {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// A variant as files and JSON have it.
#[derive(Serialize, Deserialize)]
struct VariantInWords {
    cause: Option<CauseInWords>,
    condition: Option<Condition>,
}

/// A cause by its name, which is that of a subject in this role.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct CauseInWords(Cause, Role);

impl From<CauseInWords> for String {
    fn from(CauseInWords(cause, subject): CauseInWords) -> Self {
        cause.named(subject).into_owned()
    }
}

impl TryFrom<String> for CauseInWords {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let named = Cause::from_name(&name).map(|(cause, subject)| Self(cause, subject));
        named.ok_or_else(|| format!("unknown variant `{name}`"))
    }
}

impl From<VariantInWords> for Variant {
    fn from(VariantInWords { cause, condition }: VariantInWords) -> Self {
        let wording =
            cause.map_or_else(Wording::default, |CauseInWords(_, subject)| Wording(subject));
        Self { cause: cause.map(|CauseInWords(cause, _)| cause), condition, wording }
    }
}

impl From<Variant> for VariantInWords {
    fn from(Variant { cause, condition, wording: Wording(subject) }: Variant) -> Self {
        Self { cause: cause.map(|cause| CauseInWords(cause, subject)), condition }
    }
}

impl Identity {
    /// Of a rule about time: what obliged the server, and what the client did meanwhile.
    pub const fn liveness(invariant: Invariant, cause: Cause, condition: Condition) -> Self {
        let variant = Variant::new(Some(cause), Some(condition));
        Self { problem: Problem::of(invariant), variant }
    }

    /// Of a rule about what the server did: what made it act, where something did.
    pub const fn safety(invariant: Invariant, cause: Option<Cause>) -> Self {
        Self { problem: Problem::of(invariant), variant: Variant::new(cause, None) }
    }

    /// The same, and exactly this was seen.
    pub const fn with_symptom(mut self, symptom: Symptom) -> Self {
        self.problem.symptom = Some(symptom);
        self
    }

    /// The same, in words of a subject in this role. Without, it is a server.
    pub const fn of_subject(mut self, subject: Role) -> Self {
        self.variant.wording = Wording(subject);
        self
    }

    /// Both parts together again.
    pub const fn of(problem: Problem, variant: Variant) -> Self {
        Self { problem, variant }
    }

    /// What is broken.
    pub const fn problem(self) -> Problem {
        self.problem
    }

    /// Where it shows.
    pub const fn variant(self) -> Variant {
        self.variant
    }

    /// The rule that is broken.
    pub const fn invariant(self) -> Invariant {
        self.problem.invariant
    }

    /// What exactly was seen; `None` only where it was read from a file of before there were
    /// symptoms.
    pub const fn symptom(self) -> Option<Symptom> {
        self.problem.symptom
    }

    /// Whether a violation with the identity `seen` is the one that this identity names: the
    /// same, but for a symptom that is not known.
    pub fn stands_for(self, seen: Self) -> bool {
        let symptom = self.problem.symptom.or(seen.problem.symptom);
        let problem = Problem { symptom, ..self.problem };
        problem == seen.problem && self.variant == seen.variant
    }

    /// Whether two plays that were watched for different times may show one finding under these
    /// two identities. Whether a server ends the connection by itself in the end is seen only by
    /// those who watch on ([`Symptom::may_end_as`]); everything else has to be the same.
    pub fn same_at_the_deadline(self, seen: Self) -> bool {
        self.same_problem_at_the_deadline(seen) && self.variant == seen.variant
    }

    /// The same of the problem alone, whatever the cause and the condition.
    pub(crate) fn same_problem_at_the_deadline(self, seen: Self) -> bool {
        let same_symptom = match (self.symptom(), seen.symptom()) {
            (Some(one), Some(other)) => {
                one == other || one.may_end_as(other) || other.may_end_as(one)
            }
            _ => true,
        };
        same_symptom && self.invariant() == seen.invariant()
    }

    /// The same as far as it is seen over TCP, where nobody knows what a server waits for.
    pub fn over_tcp(self) -> Self {
        self.symptom().map_or(self, |symptom| self.with_symptom(symptom.over_tcp()))
    }

    /// What a play of the same that was watched on may be: this, and, where the server may still
    /// end the connection by itself, that.
    pub fn endings(self) -> impl Iterator<Item = Self> {
        let may_end = |symptom: Symptom| symptom.may_end_as(Symptom::OwnTimer);
        let ended = self.symptom().filter(|symptom| may_end(*symptom));
        std::iter::once(self).chain(ended.map(|_| self.with_symptom(Symptom::OwnTimer)))
    }

    /// What obliged the server, where something did.
    pub const fn cause(self) -> Option<Cause> {
        self.variant.cause
    }

    /// What the client did, where the rule is about time.
    pub const fn condition(self) -> Option<Condition> {
        self.variant.condition
    }

    /// Cause and condition in words, where it has any: `the server's own Close, silent`.
    pub fn words(self) -> String {
        self.variant.text()
    }

    /// The identity as part of a file's name:
    /// `ends-in-time--waits-for-room-to-write--the-servers-own-close--silent`.
    pub fn slug(self) -> String {
        let words = self.variant.words().map(|word| slug(&word));
        let words = std::iter::once(self.problem.slug()).chain(words);
        words.collect::<Vec<_>>().join("--")
    }
}

impl Problem {
    /// A rule, with the symptom left open.
    pub const fn of(invariant: Invariant) -> Self {
        Self { invariant, symptom: None }
    }

    /// The rule that is broken.
    pub const fn invariant(self) -> Invariant {
        self.invariant
    }

    /// What exactly was seen, where that is known.
    pub const fn symptom(self) -> Option<Symptom> {
        self.symptom
    }

    /// The same rule, and exactly this was seen.
    pub const fn with_symptom(mut self, symptom: Symptom) -> Self {
        self.symptom = Some(symptom);
        self
    }

    /// The problems of which this one is a mere case where the target has one of them too
    /// ([`Symptom::case_of`]), the plainest first.
    pub fn case_of(self) -> impl Iterator<Item = Self> {
        let plainer = self.symptom.map_or(&[][..], Symptom::case_of);
        // Of that one alone the plainer ones belong to another rule.
        let invariant = match self.symptom {
            Some(Symptom::AwaitsIllegalRest) => Invariant::RefusesIllegal,
            _ => self.invariant,
        };
        plainer.iter().map(move |symptom| Self::of(invariant).with_symptom(*symptom))
    }

    /// The problem as part of a file's name: the rule and the symptom up to its first comma,
    /// `ends-in-time--waits-for-room-to-write`.
    pub fn slug(self) -> String {
        let symptom =
            self.symptom.map(|symptom| symptom.id().split(',').next().unwrap_or_default());
        let words = std::iter::once(self.invariant.id()).chain(symptom);
        words.map(slug).collect::<Vec<_>>().join("--")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.symptom {
            None => write!(f, "{}", self.invariant),
            Some(symptom) => write!(f, "{} ({symptom})", self.invariant),
        }
    }
}

impl Variant {
    const fn new(cause: Option<Cause>, condition: Option<Condition>) -> Self {
        Self { cause, condition, wording: Wording(Role::Server) }
    }

    /// The role of the subject, by which its words call the two ends.
    pub const fn subject(self) -> Role {
        self.wording.0
    }

    /// Cause and condition in words, where it has any: `the server's own Close, silent`.
    pub fn text(self) -> String {
        self.words().collect::<Vec<_>>().join(", ")
    }

    /// The same, each with what it is, where the rule is about time:
    /// `cause: the server's own Close; client: silent`.
    pub fn labelled(self) -> Option<String> {
        let condition = self.condition?;
        let actor = self.subject().other().word();
        let cause = self.cause.map(|cause| format!("cause: {}; ", cause.named(self.subject())));
        Some(format!("{}{actor}: {}", cause.unwrap_or_default(), condition.id()))
    }

    /// What obliged the server, where something did.
    pub const fn cause(self) -> Option<Cause> {
        self.cause
    }

    /// What the client did, where the rule is about time.
    pub const fn condition(self) -> Option<Condition> {
        self.condition
    }

    fn words(self) -> impl Iterator<Item = Cow<'static, str>> {
        let cause = self.cause.map(|cause| cause.named(self.subject()));
        let condition = self.condition.map(|condition| Cow::Borrowed(condition.id()));
        cause.into_iter().chain(condition)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.problem)?;
        for (index, word) in self.variant.words().enumerate() {
            write!(f, "{} {word}", if index == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

/// Why a text is no [`Identity`] and no [`Pattern`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseIdentityError {
    /// It does not begin with a rule's id.
    Rule(String),
    /// What stands in parentheses behind the rule is no symptom.
    Symptom(String),
    /// What comes next is no cause and no condition.
    Variant(String),
    /// A cause or a condition, but not in its place: the cause comes first, each once.
    Order(String),
}

impl fmt::Display for ParseIdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let near =
            |text: &str, ids: &mut dyn Iterator<Item = &'static str>| quoted(&nearest(text, ids));
        match self {
            Self::Rule(text) => {
                let near = near(text, &mut Invariant::ALL.iter().map(|rule| rule.id()));
                let text = excerpt(text);
                write!(f, "no rule `{text}`; the nearest are: {near}; `hangup rules` lists all")
            }
            Self::Symptom(text) => {
                let near = near(text, &mut Symptom::ALL.iter().map(|symptom| symptom.id()));
                let text = excerpt(text);
                write!(
                    f,
                    "no symptom `{text}`; the nearest are: {near}; `hangup explain RULE` lists a rule's"
                )
            }
            Self::Variant(text) => {
                let causes = Cause::ALL.iter().map(|cause| cause.id());
                let conditions = Condition::ALL.iter().map(|condition| condition.id());
                let near = near(text, &mut causes.chain(conditions));
                let text = excerpt(text);
                write!(f, "no cause and no condition `{text}`; the nearest are: {near}")
            }
            Self::Order(text) => write!(
                f,
                "`{}` is out of place; expected `rule (symptom): cause, condition`, with at most one of \
                 each",
                excerpt(text)
            ),
        }
    }
}

impl std::error::Error for ParseIdentityError {}

impl FromStr for Identity {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rule, words) = match text.split_once(": ") {
            Some((rule, words)) => (rule, Some(words)),
            None => (text, None),
        };
        let (rule, symptom) = match rule.strip_suffix(')').and_then(|rule| rule.split_once(" (")) {
            Some((rule, symptom)) => (rule, Some(symptom)),
            None => (rule, None),
        };
        let invariant = Invariant::from_id(rule);
        let invariant = invariant.ok_or_else(|| ParseIdentityError::Rule(rule.to_owned()))?;
        let known = |id: &str| {
            Symptom::from_id(id).ok_or_else(|| ParseIdentityError::Symptom(id.to_owned()))
        };
        let symptom = symptom.map(known).transpose()?;
        let mut variant = Variant::new(None, None);
        for word in words.into_iter().flat_map(|words| words.split(", ")) {
            let in_place = match (Cause::from_name(word), Condition::from_id(word)) {
                (Some((cause, subject)), _) => {
                    variant.wording = Wording(subject);
                    variant.condition.is_none() && variant.cause.replace(cause).is_none()
                }
                (_, Some(condition)) => variant.condition.replace(condition).is_none(),
                (None, None) => return Err(ParseIdentityError::Variant(word.to_owned())),
            };
            if !in_place {
                return Err(ParseIdentityError::Order(word.to_owned()));
            }
        }
        Ok(Self { problem: Problem { invariant, symptom }, variant })
    }
}

/// An [`Identity`] whose symptom, cause and condition may be left open. Same text form and fields:
/// what is left out is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Pattern(Identity);

impl Pattern {
    /// A rule, whatever the symptom, the cause and the condition.
    pub const fn of(invariant: Invariant) -> Self {
        Self(Identity::safety(invariant, None))
    }

    /// Only with this symptom.
    pub const fn with_symptom(mut self, symptom: Symptom) -> Self {
        self.0.problem.symptom = Some(symptom);
        self
    }

    /// Only with this cause.
    pub const fn with_cause(mut self, cause: Cause) -> Self {
        self.0.variant.cause = Some(cause);
        self
    }

    /// Only under this condition.
    pub const fn with_condition(mut self, condition: Condition) -> Self {
        self.0.variant.condition = Some(condition);
        self
    }

    /// The rule.
    pub const fn invariant(self) -> Invariant {
        self.0.invariant()
    }

    /// Its rule, for a report's fields.
    pub const fn problem(self) -> Problem {
        self.0.problem
    }

    /// Its cause and condition, for a report's fields.
    pub const fn variant(self) -> Variant {
        self.0.variant
    }

    /// Cause and condition in words, as far as it has them.
    pub fn words(self) -> String {
        self.0.words()
    }

    /// Whether it takes `identity` in: the same rule, and the same symptom, cause and condition
    /// where the pattern has one.
    pub fn matches(self, identity: Identity) -> bool {
        let Self(Identity { problem, variant: Variant { cause, condition, .. } }) = self;
        problem.invariant == identity.problem.invariant
            && (problem.symptom.is_none() || problem.symptom == identity.problem.symptom)
            && (cause.is_none() || cause == identity.variant.cause)
            && (condition.is_none() || condition == identity.variant.condition)
    }
}

/// The narrowest pattern that takes it in.
impl From<Identity> for Pattern {
    fn from(identity: Identity) -> Self {
        Self(identity)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Pattern {
    type Err = ParseIdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Small letters, digits and single dashes: `tungstenite/no-deadline` -> `tungstenite-no-deadline`.
pub(crate) fn slug(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            out.push(character.to_ascii_lowercase());
        } else if character != '\'' && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn all() -> impl Iterator<Item = Identity> {
        let options = |count: usize| (0..count).map(Some).chain([None]);
        Invariant::ALL.iter().flat_map(move |invariant| {
            options(Cause::ALL.len()).flat_map(move |cause| {
                options(Condition::ALL.len()).map(move |condition| {
                    let cause = cause.map(|index| Cause::ALL[index]);
                    let condition = condition.map(|index| Condition::ALL[index]);
                    let variant = Variant::new(cause, condition);
                    Identity::of(Problem::of(*invariant), variant)
                })
            })
        })
    }

    #[test]
    fn every_identity_has_a_text_of_its_own_that_reads_back() {
        let mut texts = BTreeSet::new();
        let mut slugs = BTreeSet::new();
        for identity in all() {
            let text = identity.to_string();
            assert_eq!(text.parse(), Ok(identity));
            assert_eq!(text.parse(), Ok(Pattern::from(identity)));
            assert!(texts.insert(text.clone()), "{text}");
            assert!(slugs.insert(identity.slug()), "{text}");
            let fields = toml::to_string(&identity).expect("TOML");
            assert_eq!(toml::from_str::<Identity>(&fields), Ok(identity), "{fields}");
        }
    }

    #[test]
    fn of_a_client_the_words_are_its_own_and_read_back_as_the_same_identity() {
        for server in all() {
            let client = server.of_subject(Role::Client);
            assert_eq!(server, client, "the role tells nothing apart");
            let text = client.to_string();
            let read: Identity = text.parse().expect(&text);
            assert_eq!((read, read.to_string()), (server, text.clone()));
            let pattern: Pattern = server.to_string().parse().expect("what a user wrote down");
            assert!(pattern.matches(client), "{text}");
            let fields = toml::to_string(&client).expect("TOML");
            assert_eq!(toml::from_str::<Identity>(&fields).map(|read| read.to_string()), Ok(text));
        }
        let close =
            Identity::liveness(Invariant::EndsInTime, Cause::ClientClose, Condition::NotReading);
        let text = close.of_subject(Role::Client).to_string();
        assert_eq!(text, "ends-in-time: the server's Close, not reading");
        let own = Identity::safety(Invariant::NoPanic, Some(Cause::OwnClose));
        assert_eq!(own.of_subject(Role::Client).to_string(), "no-panic: the client's own Close");
    }

    #[test]
    fn a_text_that_is_no_identity_says_what_was_expected() {
        let error = |text: &str| match text.parse::<Identity>() {
            Ok(identity) => panic!("{text} is {identity}"),
            Err(error) => error.to_string(),
        };
        for rule in ["", "ends", "ends-in-time:", "ends-in-time,silent", " ends-in-time"] {
            let error = error(rule);
            assert!(error.starts_with(&format!("no rule `{rule}`; the nearest are: ")));
        }
        for (text, word) in [
            ("no-spin: ", ""),
            ("no-spin: Silent", "Silent"),
            ("no-spin: idle client, ", ""),
            ("no-spin: idle client,silent", "idle client,silent"),
        ] {
            let error = error(text);
            assert!(error.starts_with(&format!("no cause and no condition `{word}`; ")), "{error}");
            assert!(error.contains("; the nearest are: "), "{error}");
            assert_eq!(error.matches(", ").count(), word.matches(", ").count() + 4, "{error}");
        }
        for (text, word) in [
            ("no-spin: silent, idle client", "idle client"),
            ("no-spin: silent, silent", "silent"),
            ("no-spin: idle client, the client's FIN", "the client's FIN"),
        ] {
            assert!(error(text).starts_with(&format!("`{word}` is out of place")), "{text}");
        }
    }

    #[test]
    fn a_pattern_takes_in_what_it_leaves_open_and_nothing_else() {
        let rule = Invariant::EndsInTime;
        let own = Identity::liveness(rule, Cause::OwnClose, Condition::Silent);
        let open = Pattern::of(rule);
        assert!(Pattern::from(own).matches(own) && open.matches(own));
        assert!(open.with_cause(Cause::OwnClose).matches(own));
        assert!(open.with_condition(Condition::Silent).matches(own));
        assert!(!open.with_condition(Condition::NotReading).matches(own));
        assert!(!open.with_cause(Cause::ClientClose).matches(own));
        assert!(!Pattern::of(Invariant::AnswersClose).matches(own));
        assert!(!Pattern::from(own).matches(Identity::safety(rule, Some(Cause::OwnClose))));
    }
}
