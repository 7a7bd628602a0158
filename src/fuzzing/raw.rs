//! The fuzz target `bytes`: reads raw bytes and pauses after the upgrade from a fuzzer's input.
//!
//! The result is a script of `raw` steps, which shrinks, prints and replays as any other. The
//! fuzzer's own mutations of bytes reach frames that no other step describes.

use crate::generate::GeneratorConfig;
use crate::script::{Act, Command, Content, Millis, Pace, Piece, Script, Send, Step, Unit};
use arbitrary::{Arbitrary, Result, Unstructured};

/// A pause is counted in parts of the close bound and milliseconds.
const PAUSE_PARTS: u32 = 8;

/// The script of `data`, for the config's bounds.
pub(super) fn script(data: &[u8], config: &GeneratorConfig) -> Script {
    let close = u32::try_from(config.bounds.close.as_millis()).unwrap_or(u32::MAX);
    let mut input = Unstructured::new(data);
    let mut steps = vec![Step::from(whole(Unit::Upgrade(None)))];
    while !input.is_empty() {
        let Ok(next) = RawStep::arbitrary(&mut input) else { break };
        steps.push(next.step(close));
    }
    Script { steps }
}

/// A step of a client that sends raw bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RawStep {
    /// Sends bytes, at most 255.
    Send(Vec<u8>),
    /// Sends them at once with what was sent before.
    SendJoined(Vec<u8>),
    /// Waits for so many eighths of the close bound, and one millisecond less than so many.
    Wait(u8, u8),
    /// Tells the application to close.
    AppClose,
    /// Stops reading.
    StopReading,
    /// Reads again.
    ResumeReading,
    /// Sends FIN.
    Fin,
}

impl<'a> Arbitrary<'a> for RawStep {
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        let bytes = |input: &mut Unstructured<'a>| {
            let size = usize::from(input.arbitrary::<u8>()?).min(input.len());
            input.bytes(size).map(<[u8]>::to_vec)
        };
        Ok(match input.arbitrary::<u8>()? % 16 {
            0..=5 => Self::Send(bytes(input)?),
            6 | 7 => Self::SendJoined(bytes(input)?),
            8..=11 => Self::Wait(input.arbitrary()?, input.arbitrary()?),
            12 => Self::AppClose,
            13 => Self::StopReading,
            14 => Self::ResumeReading,
            _ => Self::Fin,
        })
    }
}

impl RawStep {
    /// The bytes that read back as this step.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Send(bytes) | Self::SendJoined(bytes) => {
                let size = bytes.len().min(255);
                out.extend([if matches!(self, Self::Send(_)) { 0 } else { 6 }, size as u8]);
                out.extend(&bytes[..size]);
            }
            Self::Wait(eighths, millis) => out.extend([8, *eighths, *millis]),
            Self::AppClose => out.push(12),
            Self::StopReading => out.push(13),
            Self::ResumeReading => out.push(14),
            Self::Fin => out.push(15),
        }
    }

    fn step(self, close: u32) -> Step {
        let raw = |bytes| whole(Unit::Raw(Content::Bytes(bytes)));
        Step::from(match self {
            Self::Send(bytes) => raw(bytes),
            Self::SendJoined(bytes) => return Step { joined: true, ..Step::from(raw(bytes)) },
            Self::Wait(eighths, millis) => {
                let part = u64::from(close) * u64::from(eighths) / u64::from(PAUSE_PARTS);
                let time = (part + u64::from(millis)).saturating_sub(1);
                Act::Wait(Millis(u32::try_from(time).unwrap_or(u32::MAX)))
            }
            Self::AppClose => Act::App(Command::Close(None, Content::Empty), Pace::Once),
            Self::StopReading => Act::StopReading,
            Self::ResumeReading => Act::ResumeReading,
            Self::Fin => Act::Fin,
        })
    }
}

const fn whole(unit: Unit) -> Act {
    Act::Send(Send { piece: Piece::Whole, unit, pace: Pace::Once })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_raw_step_is_read_back_from_its_bytes_and_appears_in_the_script() {
        let raw_steps = [
            RawStep::Send(b"\x89\x80\0\0\0\0".to_vec()),
            RawStep::SendJoined(vec![0x88]),
            RawStep::Wait(8, 0),
            RawStep::Wait(16, 2),
            RawStep::AppClose,
            RawStep::StopReading,
            RawStep::ResumeReading,
            RawStep::Fin,
        ];
        let mut bytes = Vec::new();
        for each in &raw_steps {
            each.encode(&mut bytes);
        }
        let text = script(&bytes, &GeneratorConfig::default()).to_string();
        assert_eq!(
            text,
            "upgrade\nraw hex 898000000000\n+ raw hex 88\nwait 4999ms\nwait 10001ms\napp close\n\
             stop reading\nresume reading\nfin\n"
        );
        assert_eq!(text.parse::<Script>(), Ok(script(&bytes, &GeneratorConfig::default())));
    }

    #[test]
    fn any_bytes_make_a_script() {
        for seed in 0..=255_u8 {
            let bytes: Vec<u8> = (0..40_u8).map(|place| place.wrapping_mul(seed)).collect();
            let script = script(&bytes, &GeneratorConfig::default());
            assert!(script.steps.len() > 1);
            assert_eq!(script.to_string().parse(), Ok(script));
        }
    }
}
