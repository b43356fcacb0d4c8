//! Numbers of payment cards in text.

/// How printed numbers are grouped; ungrouped ones have 13 to 19 digits.
const GROUPINGS: &[&[usize]] = &[&[4, 4, 4, 4, 3], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];
const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;

/// Whether a number of a known card network with a right check digit stands in `text`, alone or in groups with single
/// spaces or dashes between them. Each group of digits starts at most one search of a bounded length.
pub(super) fn has_card_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut before = b' ';
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        let starts = (b'2'..=b'6').contains(&first) && !is_inside_word(before);
        if starts && starts_card(rest) {
            return true;
        }
        before = first;
        rest = tail;
    }
    false
}

/// Digits after these are the end of a name or a fraction.
const fn is_inside_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

pub(super) fn starts_card(bytes: &[u8]) -> bool {
    let length = bytes
        .iter()
        .take(DIGITS_MAX + 1)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if length >= DIGITS_MIN {
        let digits = bytes.get(..length).unwrap_or_default();
        return ends(bytes.get(length..)) && is_card(digits);
    }
    length == 4
        && GROUPINGS.iter().any(|groups| {
            grouped(bytes, groups)
                .is_some_and(|(digits, rest)| ends(Some(rest)) && is_card(&digits))
        })
}

/// Nothing that makes the digits before part of a longer word or number.
fn ends(rest: Option<&[u8]>) -> bool {
    match rest.unwrap_or_default() {
        [b'.', digit, ..] => !digit.is_ascii_digit(),
        [next, ..] => !next.is_ascii_alphanumeric() && *next != b'_',
        [] => true,
    }
}

/// The digits of groups of these lengths with the same separator between them, and what follows.
fn grouped<'a>(bytes: &'a [u8], groups: &[usize]) -> Option<(Vec<u8>, &'a [u8])> {
    let separator = *bytes.get(4)?;
    if !matches!(separator, b' ' | b'-') {
        return None;
    }
    let mut digits = Vec::with_capacity(DIGITS_MAX);
    let mut rest = bytes;
    for (index, length) in groups.iter().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(&[separator])?;
        }
        let (group, tail) = rest.split_at_checked(*length)?;
        if !group.iter().all(u8::is_ascii_digit) {
            return None;
        }
        digits.extend_from_slice(group);
        rest = tail;
    }
    Some((digits, rest))
}

/// Whether a network gives out numbers of this length and start, and the check digit is right.
fn is_card(digits: &[u8]) -> bool {
    let start = |length: usize| {
        let head = digits.iter().take(length);
        head.fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'))
    };
    let known = match (start(1), start(2), digits.len()) {
        (4, _, 13 | 16 | 19) | (_, 51..=55, 16) | (_, 34 | 37, 15) => true,
        (_, 36 | 38 | 39, 14..=19) | (_, 35, 16..=19) => true,
        (2, _, 16) => (2221..=2720).contains(&start(4)) || (2200..=2204).contains(&start(4)),
        (3, _, 14..=19) => (300..=305).contains(&start(3)),
        (_, 50 | 56..=69, 13..=19) => true,
        _ => false,
    };
    known && has_right_check_digit(digits)
}

/// The formula of Luhn.
fn has_right_check_digit(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let value = u32::from(digit - b'0') << (place % 2);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_found_alone_and_in_groups() {
        for text in [
            "4111111111111111",
            "card 4111 1111 1111 1111, 12/27",
            "4111-1111-1111-1111",
            "paid with 378282246310005.",
            "3782 822463 10005",
            "30569309025904",
            "5555555555554444 12 27",
            "2223003122003222",
            "6011111111111117",
            "4222222222222",
            "order-4111111111111111",
        ] {
            assert!(has_card_number(text), "{text}");
        }
    }

    #[test]
    fn other_long_numbers_are_left_alone() {
        for text in [
            "4111111111111112",
            "4111 1111 1111 1112",
            "4111 1111-1111 1111",
            "4111  1111 1111 1111",
            "0.4111111111111111",
            "4111111111111111.5",
            "41111111111111110000",
            "a4111111111111111",
            "4111111111111111f",
            "1700000000009",
            "1111111111111117",
            "4111 1111 1111",
            "0000000000000000",
            "550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert!(!has_card_number(text), "{text}");
        }
    }
}
