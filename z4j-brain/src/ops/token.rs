//! The form of agent tokens: a prefix that scanners find, 256 random bits, and a checksum that tells a typo.

use secrecy::SecretString;
use z4j_core::env::Env;
use zeroize::Zeroizing;

/// What every token of ours begins with.
const PREFIX: &str = "z4ja_";
/// 256 bits in base 62.
const RANDOM_CHARS: usize = 43;
/// 32 bits in base 62.
const CHECK_CHARS: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Makes a token.
pub(super) fn mint(env: &Env) -> SecretString {
    let bytes = Zeroizing::new(env.secret_bytes::<32>());
    let random = Zeroizing::new(base62(bytes.as_slice(), RANDOM_CHARS));
    let check = base62(&crc32(random.as_bytes()).to_be_bytes(), CHECK_CHARS);
    SecretString::from([PREFIX, random.as_str(), check.as_str()].concat())
}

/// Whether `token` claims to be ours and its checksum is wrong: such a token needs no look-up.
pub(crate) fn is_mistyped(token: &str) -> bool {
    let Some(body) = token.strip_prefix(PREFIX) else {
        return false;
    };
    match body.split_at_checked(RANDOM_CHARS) {
        Some((random, check)) => {
            base62(&crc32(random.as_bytes()).to_be_bytes(), CHECK_CHARS) != check
        }
        None => true,
    }
}

/// A big-endian number in base 62, as many digits as asked for.
fn base62(bytes: &[u8], chars: usize) -> String {
    let mut number = Zeroizing::new(bytes.to_vec());
    let mut digits = Vec::with_capacity(chars);
    for _ in 0..chars {
        let mut rest = 0_usize;
        for byte in number.iter_mut() {
            let value = rest * 256 + usize::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        digits.push(char::from(DIGITS.get(rest).copied().unwrap_or(b'0')));
    }
    digits.iter().rev().collect()
}

/// CRC-32 as in IEEE 802.3.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn the_checksum_is_the_common_crc_32() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_token_has_the_form_that_scanners_look_for_and_tells_a_typo() {
        let token = mint(&Env::system());
        let token = token.expose_secret();
        assert_eq!(token.len(), PREFIX.len() + RANDOM_CHARS + CHECK_CHARS);
        assert!(!is_mistyped(token));
        let other = if token.ends_with('0') { '1' } else { '0' };
        let typo = format!("{}{other}", &token[..token.len() - 1]);
        assert!(is_mistyped(&typo));
        assert!(is_mistyped("z4ja_short"));
        assert!(!is_mistyped("a-token-of-another-form"));
    }

    #[test]
    fn the_largest_number_fits_into_the_digits() {
        assert_eq!(base62(&[0xFF; 4], CHECK_CHARS), "4gfFC3");
        assert_eq!(base62(&[0; 32], RANDOM_CHARS), "0".repeat(RANDOM_CHARS));
    }
}
