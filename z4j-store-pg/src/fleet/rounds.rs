//! One statement takes many rows, but each row of a table only once.

use std::collections::HashMap;
use std::hash::Hash;

/// Divides `items` so that no part has two of one key, and that of two with one key the first is in an earlier part.
pub(super) fn rounds<'i, T, K: Eq + Hash>(
    items: impl IntoIterator<Item = &'i T>,
    key: impl Fn(&'i T) -> K,
) -> Vec<Vec<&'i T>> {
    let mut seen: HashMap<K, usize> = HashMap::new();
    let mut rounds: Vec<Vec<&'i T>> = Vec::new();
    for item in items {
        let round = seen.entry(key(item)).or_default();
        match rounds.get_mut(*round) {
            Some(part) => part.push(item),
            None => rounds.push(vec![item]),
        }
        *round += 1;
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::rounds;

    #[test]
    fn items_of_one_key_keep_their_order_over_the_rounds() {
        let items = [("a", 1), ("b", 2), ("a", 3), ("a", 4), ("b", 5)];
        let divided = rounds(&items, |item| item.0);
        let numbers: Vec<Vec<i32>> = divided
            .iter()
            .map(|part| part.iter().map(|item| item.1).collect())
            .collect();
        assert_eq!(numbers, [vec![1, 2], vec![3, 5], vec![4]]);
        assert!(rounds(&items[..0], |item| item.0).is_empty());
    }
}
