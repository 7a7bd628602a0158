//! Which clients a round of `--stop` has, and which simpler ones may show the same. Plain data.

use crate::script::{Act, Command, ConnectionNumber, Pace, Script, Step};
use crate::verdict::Invariant;

/// A client of a round: what it does before the server is told to shut down, and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    before: &'static str,
    after: &'static str,
}

/// Idle, answers a Close as it should, and ends TCP when the server does.
const POLITE: Client =
    Client { before: "upgrade\n", after: "await close\nclose 1001\nawait end\ndrop\n" };
/// Idle, and answers nothing.
const SILENT: Client = Client { before: "upgrade\n", after: "" };
/// Does not read what it asked for.
const DEAF: Client = Client { before: "upgrade\nstop reading\ntext 64KiB x 64\n", after: "" };
/// Is in the middle of its opening request, and sends the rest while the server shuts down.
const OPENING: Client = Client {
    before: "first 9 bytes of upgrade\n",
    after: "wait 1s\nrest after 9 bytes of upgrade\n",
};
/// In the middle of a frame.
const HALF: Client = Client { before: "upgrade\nfirst 3 bytes of text \"hangup\"\n", after: "" };
/// Goes on sending, whatever comes.
const DRIPPING: Client = Client { before: "upgrade\n", after: "ping x 100 every 100ms\n" };
/// Comes while the server shuts down.
const NEWCOMER: Client = Client {
    before: "connect after 1s\nupgrade\n",
    after: "await close\nclose 1001\nawait end\ndrop\n",
};

/// The clients of each round, at most as many as a script has connections.
const ROUNDS: &[&[Client]] = &[
    &[POLITE, POLITE, POLITE],
    &[SILENT, SILENT, SILENT],
    &[POLITE, DRIPPING, HALF, OPENING],
    &[POLITE, DEAF, POLITE],
    &[SILENT, POLITE, NEWCOMER],
    &[SILENT; 8],
];

/// How many rounds a probe of a shutdown has.
pub const SHUTDOWN_ROUNDS: usize = ROUNDS.len();

/// A round: its clients, and the script that they make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::run::real_time) struct Round(Vec<Client>);

impl Round {
    /// All rounds of a probe, in order.
    pub fn all() -> Vec<Self> {
        ROUNDS.iter().map(|clients| Self(clients.to_vec())).collect()
    }

    /// Simpler rounds that may show the same, the simplest first: nobody, one client, three of a
    /// kind; then this one without one or another of its clients.
    pub fn simpler(&self, rule: Invariant) -> Vec<Self> {
        let mut kinds: Vec<Client> = Vec::new();
        for client in &self.0 {
            if !kinds.contains(client) {
                kinds.push(*client);
            }
        }
        let is_alone = |client: &Client| vec![*client];
        let three = |client: &Client| vec![*client; 3];
        let ones = kinds.iter().map(is_alone).chain(kinds.iter().map(three));
        let without = (0..self.0.len()).map(|left_out| {
            let mut fewer = self.0.clone();
            fewer.remove(left_out);
            fewer
        });
        // Without a client only the process can be late.
        let nobody = (rule == Invariant::ShutsDownInTime).then(Vec::new);
        let mut all: Vec<Self> = Vec::new();
        for clients in nobody.into_iter().chain(ones).chain(without) {
            let is_smaller = clients.len() < self.0.len()
                || clients.len() <= 3 && *self != Self(clients.clone());
            let round = Self(clients);
            if is_smaller && !all.contains(&round) {
                all.push(round);
            }
        }
        all.sort_by_key(|round| round.0.len());
        all
    }

    /// Its script: the server is told to shut down behind what the first client does before that.
    pub fn script(&self) -> Script {
        let shutdown = Step::from(Act::App(Command::Shutdown, Pace::Once));
        let mut steps = Vec::new();
        // Who comes later cannot tell when to begin.
        let teller = self.0.first().is_some_and(|client| *client != NEWCOMER);
        if !teller {
            steps.push(shutdown.clone());
        }
        for (index, client) in self.0.iter().enumerate() {
            let number = index + 1 + usize::from(!teller);
            let number = ConnectionNumber::new(number as u8).expect("a round has few clients");
            let part = |text: &str| {
                let script: Script = text.parse().expect("a script");
                script.steps.into_iter().map(move |step| Step { connection: number, ..step })
            };
            steps.extend(part(client.before));
            if index == 0 && teller {
                steps.push(Step { connection: number, ..shutdown.clone() });
            }
            steps.extend(part(client.after));
        }
        Script { steps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_is_a_script_that_parses_back() {
        for round in Round::all() {
            let script = round.script();
            let text = script.to_string();
            assert_eq!(text.parse(), Ok(script), "{text}");
            assert_eq!(text.matches("app shutdown").count(), 1, "{text}");
            for simpler in round.simpler(Invariant::ShutsDownInTime) {
                let text = simpler.script().to_string();
                assert_eq!(text.parse(), Ok(simpler.script()), "{text}");
                assert_eq!(text.matches("app shutdown").count(), 1, "{text}");
            }
        }
    }

    #[test]
    fn simpler_rounds_begin_with_nobody_and_one_client() {
        let round = Round(vec![SILENT, POLITE, NEWCOMER]);
        let simpler: Vec<String> = round
            .simpler(Invariant::ShutsDownInTime)
            .iter()
            .map(|round| round.script().to_string().replace('\n', "; "))
            .collect();
        assert_eq!(simpler[0], "app shutdown; ");
        assert_eq!(simpler[1], "upgrade; app shutdown; ");
        assert_eq!(simpler[2], "upgrade; app shutdown; await close; close 1001; await end; drop; ");
        assert_eq!(
            simpler[3],
            "app shutdown; 2: connect after 1s; 2: upgrade; 2: await close; 2: close 1001; \
             2: await end; 2: drop; "
        );
        let three = "upgrade; app shutdown; 2: upgrade; 3: upgrade; ";
        assert!(simpler.contains(&three.to_owned()), "{simpler:?}");
        assert!(!round.simpler(Invariant::ClosesAllAtShutdown).contains(&Round(Vec::new())));
    }
}
