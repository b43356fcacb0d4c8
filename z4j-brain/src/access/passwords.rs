//! Which passwords are refused (`reliability.md` S-04).

/// Fewest characters.
pub(crate) const PASSWORD_CHARS_MIN: usize = 12;
/// Most characters.
pub(crate) const PASSWORD_CHARS_MAX: usize = 256;

/// Words that guessers try first, joined and repeated to reach any length.
const COMMON: &str = include_str!("common_words.txt");

/// Why a password is refused; `None` when it is good. `context` are words about the person, such as the address.
pub(crate) fn weakness(password: &str, context: &[&str]) -> Option<&'static str> {
    let chars = password.chars().count();
    if chars < PASSWORD_CHARS_MIN {
        return Some("too_short");
    }
    if chars > PASSWORD_CHARS_MAX {
        return Some("too_long");
    }
    if is_monotonous(password) {
        return Some("too_simple");
    }
    // With and without the usual replacements, which would turn the digits at the end into letters that count.
    let readings = [password.to_lowercase(), plain(password)];
    if readings
        .iter()
        .any(|reading| holds_context(reading, context))
    {
        return Some("names_the_account");
    }
    let is_common = readings
        .iter()
        .any(|reading| is_made_of_common_words(reading));
    is_common.then_some("too_common")
}

/// One sentence for a person.
pub(crate) fn sentence(reason: &str) -> &'static str {
    match reason {
        "too_short" => "The password must have at least 12 characters.",
        "too_long" => "The password must have at most 256 characters.",
        "too_simple" => {
            "The password repeats a few characters or follows the keyboard or the alphabet."
        }
        "names_the_account" => "The password is made of the account's own name or address.",
        _ => "The password is made of words that are tried first.",
    }
}

/// Lower case, with the usual replacements of letters undone.
fn plain(password: &str) -> String {
    password
        .to_lowercase()
        .chars()
        .map(|c| match c {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            other => other,
        })
        .collect()
}

/// Fewer than five different characters, or nearly all of them follow each other in code order.
fn is_monotonous(password: &str) -> bool {
    let chars: Vec<char> = password.chars().collect();
    let different: std::collections::BTreeSet<char> = chars.iter().copied().collect();
    let steps = chars.windows(2).filter(|pair| match pair {
        [a, b] => u32::from(*a).abs_diff(u32::from(*b)) <= 1,
        _ => false,
    });
    different.len() < 5 || steps.count() * 10 >= chars.len().saturating_sub(1) * 8
}

/// What is left without the person's own words is too short to be a password.
fn holds_context(reading: &str, context: &[&str]) -> bool {
    let parts = context
        .iter()
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()))
        .filter(|part| part.chars().count() >= 4);
    let (rest, found) = without(reading, parts);
    found && letters_left(&rest) < PASSWORD_CHARS_MIN / 2
}

/// What is left without common words, digits and signs is next to nothing.
fn is_made_of_common_words(reading: &str) -> bool {
    let (rest, found) = without(reading, COMMON.lines().filter(|word| !word.is_empty()));
    found && letters_left(&rest) < 4
}

/// A password without these words, however they are written, and whether it held any.
fn without<'a>(reading: &str, words: impl Iterator<Item = &'a str>) -> (String, bool) {
    let mut rest = reading.to_owned();
    let mut found = false;
    for word in words.flat_map(|word| [word.to_lowercase(), plain(word)]) {
        if rest.contains(&word) {
            rest = rest.replace(&word, " ");
            found = true;
        }
    }
    (rest, found)
}

fn letters_left(rest: &str) -> usize {
    rest.chars().filter(|c| c.is_alphabetic()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused_with_the_reason() {
        let context = ["jane.smithson@example.org"];
        for (password, reason) in [
            ("elevenchars", Some("too_short")),
            ("aaaaaaaaaaaaaaaa", Some("too_simple")),
            ("abcdefghijklmnop", Some("too_simple")),
            ("123456789012", Some("too_simple")),
            ("password12345", Some("too_common")),
            ("P@ssw0rd-P@ssw0rd", Some("too_common")),
            ("qwertyuiop123", Some("too_common")),
            ("Smithson2026!", Some("names_the_account")),
            ("janesmithson99", Some("names_the_account")),
            ("vexed-otter-plumbing", None),
            ("пароль из нескольких слов", None),
            ("correct horse battery staple", None),
        ] {
            assert_eq!(weakness(password, &context), reason, "{password}");
        }
    }

    #[test]
    fn length_is_counted_in_characters_and_bounded() {
        let long = "kd93 jf".repeat(60);
        assert_eq!(weakness(&long, &[]), Some("too_long"));
        let most: String = long.chars().take(PASSWORD_CHARS_MAX).collect();
        assert_eq!(weakness(&most, &[]), None);
    }

    #[test]
    fn every_reason_has_its_own_sentence() {
        let reasons = [
            "too_short",
            "too_long",
            "too_simple",
            "names_the_account",
            "too_common",
        ];
        let sentences: std::collections::BTreeSet<_> =
            reasons.iter().map(|r| sentence(r)).collect();
        assert_eq!(sentences.len(), reasons.len());
    }
}
