//! The scripts that are measured: so many bytes, delivered so, so many at a time. They are made
//! in their simplest form, and read back from it.

use crate::exchange::Delivery;
use crate::script::{
    Act, Content, Frame, Kind, Millis, Pace, Piece, Script, Send, Setting, Size, Step, Unit,
};

/// The fewest bytes of a script, and the most.
const FEWEST: u32 = 4 << 10;
const MOST: u32 = 2 << 20;

/// How many a report names.
const TYPICAL: u32 = 64 << 10;

/// The most pieces: hangup needs a microsecond or two for each.
const MOST_PIECES: u32 = 8192;

/// How many bytes may come at a time. A server that begins anew with each piece shows it with
/// pieces of any size; some refuse smaller ones.
const PIECES: [u32; 3] = [64, 128, 256];

/// The heads beside the bytes that are counted, at most: an opening request, a frame's.
const HEADS: u32 = 1024;

/// A script that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorkScript {
    pub delivery: Delivery,
    /// How many bytes come at a time.
    pub piece: u32,
    /// How many there are: a power of two.
    pub bytes: u32,
}

impl WorkScript {
    /// The smallest script of each delivery, with pieces of sizes that a campaign's seed names.
    pub fn of_campaign(seed: u64) -> impl Iterator<Item = Self> {
        let pieces = (0..).map(move |at| PIECES[(seed.wrapping_add(at) % 3) as usize]);
        let smallest = |(delivery, piece): (&Delivery, u32)| Self::smallest(*delivery, piece);
        Delivery::ALL.iter().zip(pieces).map(smallest)
    }

    /// The smallest script.
    pub const fn smallest(delivery: Delivery, piece: u32) -> Self {
        Self { delivery, piece, bytes: FEWEST }
    }

    /// The smallest one that is delivered so.
    pub const fn smaller(self) -> Self {
        Self::smallest(self.delivery, self.piece)
    }

    /// The one that stands for all sizes in reports and files: which size shows it best depends on
    /// the machine.
    pub const fn typical(self) -> Self {
        Self { bytes: TYPICAL, ..self }
    }

    /// The same with twice the bytes, where that is not too much.
    pub fn doubled(self) -> Option<Self> {
        let bytes = self.bytes * 2;
        (bytes <= MOST && bytes / self.piece <= MOST_PIECES).then_some(Self { bytes, ..self })
    }

    /// The same with a part of the bytes, where that is not too little.
    pub fn shared(self, by: u32) -> Option<Self> {
        let bytes = self.bytes / by;
        (bytes >= FEWEST / 4 && bytes / self.piece >= 2).then_some(Self { bytes, ..self })
    }

    /// The script.
    pub fn script(self) -> Script {
        let Self { delivery, piece, bytes } = self;
        let in_pieces = Pace::Pieces(piece, Millis(0));
        let times = |times| Pace::Times(times, Millis(0));
        let fill = |size| Content::Fill(Size(size));
        let fragment = |kind, fin| Unit::Frame(Frame { fin, ..Frame::new(kind) });
        let upgrade = || send(Unit::Upgrade(None), Pace::Once);
        let count = bytes / piece;
        let steps = match delivery {
            Delivery::Head => vec![send(Unit::Upgrade(Some(Size(bytes))), in_pieces)],
            Delivery::Message => {
                vec![upgrade(), send(fragment(Kind::Text(fill(bytes)), true), in_pieces)]
            }
            Delivery::Fragments => vec![
                upgrade(),
                send(fragment(Kind::Text(fill(piece)), false), Pace::Once),
                send(
                    fragment(Kind::Continuation(fill(piece)), false),
                    times(count.saturating_sub(2).max(1)),
                ),
                send(fragment(Kind::Continuation(fill(piece)), true), Pace::Once),
            ],
            Delivery::Messages => {
                vec![upgrade(), send(fragment(Kind::Text(fill(piece)), true), times(count))]
            }
        };
        Script { steps }
    }

    /// The same bytes at once: a head, or one message.
    pub fn at_once(self) -> Script {
        let room = Act::Set(Setting::ReceiveBuffer, Size(self.bytes + HEADS)).into();
        let message = || Unit::Frame(Frame::new(Kind::Text(Content::Fill(Size(self.bytes)))));
        let head = (self.delivery == Delivery::Head).then_some(Size(self.bytes));
        let mut steps = vec![room, send(Unit::Upgrade(head), Pace::Once)];
        if head.is_none() {
            steps.push(send(message(), Pace::Once));
        }
        Script { steps }
    }

    /// What a script measures, where it is one of these.
    pub fn of(script: &Script) -> Option<Self> {
        let sent = |at: usize| match &script.steps.get(at)?.act {
            Act::Send(send) => Some(send),
            _ => None,
        };
        let content = |send: &Send| match &send.unit {
            Unit::Upgrade(size) => *size,
            Unit::Frame(frame) => match frame.kind.content() {
                Content::Fill(size) => Some(*size),
                _ => None,
            },
            Unit::Raw(_) | Unit::Accept(_) => None,
        };
        let measured = |delivery, at: usize| {
            let send = sent(at)?;
            let Size(size) = content(send)?;
            let (piece, bytes) = match send.pace {
                Pace::Pieces(piece, _) => (piece, size),
                Pace::Times(times, _) if delivery == Delivery::Fragments => {
                    (size, size.checked_mul(times.checked_add(2)?)?)
                }
                Pace::Times(times, _) => (size, size.checked_mul(times)?),
                Pace::Once => return None,
            };
            let is_one = PIECES.contains(&piece) && (FEWEST..=MOST).contains(&bytes);
            let script = Self { delivery, piece, bytes };
            (is_one && bytes.is_power_of_two()).then_some(script)
        };
        let places = [
            (Delivery::Head, 0),
            (Delivery::Message, 1),
            (Delivery::Fragments, 2),
            (Delivery::Messages, 1),
        ];
        let mut all = places.into_iter().filter_map(|(delivery, at)| measured(delivery, at));
        all.find(|measured| measured.script() == *script)
    }
}

fn send(unit: Unit, pace: Pace) -> Step {
    Act::Send(Send { piece: Piece::Whole, unit, pace }).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_legal_notation_and_is_known_again() {
        let mut seen = 0;
        for seed in 0..3 {
            for smallest in WorkScript::of_campaign(seed) {
                let mut next = Some(smallest);
                while let Some(script) = next {
                    let text = script.script().to_string();
                    let read: Script = text.parse().expect("it is notation");
                    assert_eq!(WorkScript::of(&read), Some(script), "{text}");
                    assert!(script.at_once().to_string().parse::<Script>().is_ok());
                    assert_eq!(WorkScript::of(&script.at_once()), None);
                    next = script.doubled();
                    seen += 1;
                }
            }
        }
        assert_eq!(seen, 4 * (8 + 9 + 10));
    }

    #[test]
    fn a_script_that_is_not_in_its_simplest_form_measures_nothing() {
        for text in [
            "upgrade\n",
            "upgrade with 64KiB header\n",
            "upgrade with 64KiB header in pieces of 255 bytes\n",
            "upgrade with 64KiB header in pieces of 256 bytes\nping\n",
            "upgrade with 64KiB header in pieces of 256 bytes every 1ms\n",
            "upgrade\ntext 256B x 65\n",
            "upgrade\ntext 4MiB in pieces of 256 bytes\n",
            "upgrade\nbinary 64KiB in pieces of 256 bytes\n",
        ] {
            let script: Script = text.parse().expect(text);
            assert_eq!(WorkScript::of(&script), None, "{text}");
        }
    }

    #[test]
    fn the_scripts_are_as_short_as_can_be() {
        let script = |delivery| WorkScript { delivery, piece: 256, bytes: 1 << 20 }.script();
        let texts: Vec<String> =
            Delivery::ALL.iter().map(|delivery| script(*delivery).to_string()).collect();
        assert_eq!(
            texts,
            [
                "upgrade with 1MiB header in pieces of 256 bytes\n",
                "upgrade\ntext 1MiB in pieces of 256 bytes\n",
                "upgrade\nunfinished text 256B\nunfinished continuation 256B x 4094\n\
                 continuation 256B\n",
                "upgrade\ntext 256B x 4096\n",
            ]
        );
    }
}
