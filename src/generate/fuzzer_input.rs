//! A fuzzer's input as the generator's source of randomness.

use super::{GeneratorConfig, Script};
use arbitrary::{Arbitrary, Result, Unstructured};
use rand::TryRng;
use std::convert::Infallible;

/// Draws from a fuzzer's input, then zeros.
struct Source<'a, 'b>(&'a mut Unstructured<'b>);

impl TryRng for Source<'_, '_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> std::result::Result<u32, Infallible> {
        Ok(self.0.arbitrary().unwrap_or_default())
    }

    fn try_next_u64(&mut self) -> std::result::Result<u64, Infallible> {
        Ok(self.0.arbitrary().unwrap_or_default())
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> std::result::Result<(), Infallible> {
        if self.0.fill_buffer(to).is_err() {
            to.fill(0);
        }
        Ok(())
    }
}

impl<'a> Arbitrary<'a> for Script {
    /// A script of the default [`GeneratorConfig`]; the input is its source of randomness.
    fn arbitrary(input: &mut Unstructured<'a>) -> Result<Self> {
        Ok(GeneratorConfig::default().draw(&mut Source(input)))
    }
}
