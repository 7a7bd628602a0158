//! What an actor that is the server does first: mostly it accepts, sometimes the opening goes wrong.

use super::script_builder::ScriptBuilder;
use crate::script::{
    Accept, Act, Answer, AppSteps, Content, Masking, Pace, Piece, Send, Size, Unit,
};
use crate::wire::Role;
use rand::{Rng, RngExt as _};

/// An answer is cut below so many bytes: a little longer than the usual one.
const CUTS: u32 = 140;

impl<R: Rng + ?Sized> ScriptBuilder<'_, R> {
    /// Mostly the plain 101; sometimes none, half of one, another status, or one that opens nothing.
    pub(super) fn add_answer(&mut self) {
        let usual = || Unit::Accept(Accept::USUAL);
        let says = |answer| Unit::Accept(Accept { answer, filler: None });
        let (piece, unit, pace) = match self.rng.random_range(0..40) {
            0 => return,
            1 => (Piece::First(self.rng.random_range(0..CUTS)), usual(), Pace::Once),
            2 => {
                let size = self.one_of(&[1, 9, 20, 50]);
                (Piece::Whole, usual(), Pace::Pieces(size, self.pause()))
            }
            3 => {
                let filler = Some(Size(self.one_of(&[100, 4000, 15_000, 70_000])));
                (Piece::Whole, Unit::Accept(Accept { answer: Answer::Opens, filler }), Pace::Once)
            }
            4 => {
                let status = self.one_of(&[200, 302, 401, 404, 503]);
                (Piece::Whole, says(Answer::Status(status)), Pace::Once)
            }
            5 => (Piece::Whole, says(Answer::WrongKey), Pace::Once),
            6 => (Piece::Whole, says(Answer::UnaskedProtocol), Pace::Once),
            7 => (Piece::Whole, Unit::Raw(self.no_answer()), Pace::Once),
            8 if self.app.contain(AppSteps::CLOSE) => return self.close_while_opening(),
            9 => return self.answer_late(),
            _ => (Piece::Whole, usual(), Pace::Once),
        };
        self.add(Act::Send(Send { piece, unit, pace }));
    }

    /// The application closes between the parts of the answer.
    fn close_while_opening(&mut self) {
        let cut = self.rng.random_range(0..CUTS);
        let part = |piece| {
            let unit = Unit::Accept(Accept::USUAL);
            Act::Send(Send { piece, unit, pace: Pace::Once })
        };
        self.add(part(Piece::First(cut)));
        self.app_close();
        self.add(part(Piece::After(cut)));
    }

    /// An answer that comes after a while, often just before or after a bound.
    fn answer_late(&mut self) {
        let time = self.duration();
        self.add(Act::Wait(time));
        self.send(Unit::Accept(Accept::USUAL));
    }

    /// What no client takes for an answer.
    fn no_answer(&mut self) -> Content {
        match self.rng.random_range(0..3) {
            0 => Content::Text("HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned()),
            1 => Content::Bytes(vec![0x15, 3, 1, 0, 2, 2, 10]),
            _ => Content::Text("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_owned()),
        }
    }

    /// The mask of a frame that breaks the rule of the actor's role (5.1).
    pub(super) const fn wrong_mask(&self) -> Masking {
        match self.subject {
            Role::Server => Masking::Unmasked,
            Role::Client => Masking::Masked,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::generate::GeneratorConfig;
    use crate::script::Script;
    use crate::wire::Role;
    use std::collections::BTreeSet;

    #[test]
    fn scripts_for_a_client_are_a_servers_and_all_answers_come_up() {
        let config = GeneratorConfig { subject: Role::Client, ..GeneratorConfig::default() };
        let (mut words, mut opens) = (BTreeSet::new(), 0);
        for index in 0..5_000 {
            let script = config.nth(5, index);
            let text = script.to_string();
            assert_eq!(text.parse::<Script>().as_ref(), Ok(&script), "{text}");
            assert!(!text.contains("upgrade") && !text.contains("unmasked"), "{text}");
            opens += u32::from(text.starts_with("accept\n"));
            words.extend(text.split_whitespace().map(str::to_owned));
        }
        assert!(opens > 3_000, "{opens} of 5,000 begin with the plain answer");
        for word in ["503", "wrong", "unasked", "header", "first", "rest", "pieces", "masked"] {
            assert!(words.contains(word), "no script has `{word}`");
        }
    }
}
