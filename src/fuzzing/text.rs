//! The fuzz targets `notation` and `repro`: parsing never panics, and printing reads back as the
//! same value.

use crate::finding::repro::Repro;
use crate::script::Script;

/// Reads `data` as a script; `false` where it is none.
///
/// # Panics
///
/// If what it is printed as does not read back as the same script, or prints otherwise.
pub fn notation(data: &[u8]) -> bool {
    let Ok(script) = String::from_utf8_lossy(data).parse::<Script>() else { return false };
    let printed = script.to_string();
    let again = printed.parse::<Script>();
    assert_eq!(again.as_ref(), Ok(&script), "printed as\n{printed}");
    assert_eq!(printed.lines().count(), script.steps.len(), "a step is a line:\n{printed}");
    true
}

/// Reads `data` as a repro file; `false` where it is none.
///
/// # Panics
///
/// If what it is printed as does not read back as the same repro, or prints otherwise.
pub fn repro(data: &[u8]) -> bool {
    let Ok(repro) = Repro::parse(&String::from_utf8_lossy(data)) else { return false };
    let printed = repro.to_text();
    let again = Repro::parse(&printed);
    assert_eq!(again.as_ref(), Ok(&repro), "printed as\n{printed}");
    assert_eq!(again.map(|again| again.to_text()), Ok(printed));
    assert!(!repro.file_name().contains('/'), "{}", repro.file_name());
    true
}
