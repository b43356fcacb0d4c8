//! Floating-point numbers as the protocol spells them: Python's `repr`.

use std::fmt::Write as _;

use super::refusal::JsonError;

/// A short text on the stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NumberText {
    bytes: [u8; 32],
    len: usize,
}

impl NumberText {
    const fn new() -> Self {
        Self {
            bytes: [0; 32],
            len: 0,
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl std::fmt::Write for NumberText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.len + text.len();
        self.bytes
            .get_mut(self.len..end)
            .ok_or(std::fmt::Error)?
            .copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// The canonical spelling of a literal that has a point or an exponent.
pub(crate) fn float_text(literal: &str) -> Result<NumberText, JsonError> {
    let value: f64 = literal.parse().map_err(|_| JsonError::Syntax)?;
    if !value.is_finite() {
        return Err(JsonError::NotFinite);
    }
    let mut short = NumberText::new();
    // `Debug` of f64 changes to an exponent at the same sizes as Python; only the exponent's spelling differs.
    write!(short, "{value:?}").map_err(|_| JsonError::NotFinite)?;
    let Some(split) = short.as_bytes().iter().position(|byte| *byte == b'e') else {
        return Ok(short);
    };
    let text = std::str::from_utf8(short.as_bytes()).map_err(|_| JsonError::Syntax)?;
    let (mantissa, exponent) = text.split_at(split);
    let exponent = exponent.trim_start_matches('e');
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    let mut long = NumberText::new();
    write!(long, "{mantissa}e{sign}{digits:0>2}").map_err(|_| JsonError::NotFinite)?;
    Ok(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(literal: &str) -> String {
        String::from_utf8(float_text(literal).unwrap().as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn floats_are_spelled_as_python_spells_them() {
        for (literal, python) in [
            ("1.0", "1.0"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1.5E300", "1.5e+300"),
            ("5e-324", "5e-324"),
            ("-0.0", "-0.0"),
            ("-1e-400", "-0.0"),
            ("-2.2250738585072014e-308", "-2.2250738585072014e-308"),
            ("9007199254740993.0", "9007199254740992.0"),
        ] {
            assert_eq!(spelled(literal), python);
        }
        assert_eq!(float_text("1e400").unwrap_err(), JsonError::NotFinite);
    }
}
