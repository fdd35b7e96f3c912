//! Distribution of items among elements.

use crate::backend::Limits;

/// The chunk size that the caller asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// One item per element, unless there are more items than an array may have elements.
    #[default]
    Each,
    /// This number of items per element.
    Of(u64),
    /// Enough items per element to keep all slots busy.
    Auto,
}

/// Elements per slot; with several, they need not take equally long.
const ROUNDS: u64 = 4;

impl Chunk {
    /// Returns how many items each element gets. `slots` returns how many elements can run at once; it is
    /// called only if that matters.
    pub(crate) fn per_element(
        self,
        items: u64,
        limits: &Limits,
        slots: impl FnOnce() -> u64,
    ) -> u64 {
        let over = |elements: u64| items.div_ceil(elements.max(1)).max(1);
        match self {
            Self::Each => over(limits.elements),
            Self::Of(items) => items.max(1),
            Self::Auto => over(slots().saturating_mul(ROUNDS).min(limits.elements)),
        }
    }
}

/// Returns the number of elements of each Slurm array, if an array may have at most `most`.
pub(crate) fn parts(elements: u64, most: u64) -> Vec<u64> {
    let most = most.max(1);
    let whole = std::iter::repeat_n(most, (elements / most) as usize);
    whole.chain(Some(elements % most).filter(|rest| *rest > 0)).collect()
}

/// Returns how many elements of each Slurm array may run at once, if `most` may run in all of them together.
/// Each may run at least one.
pub(crate) fn throttles(parts: &[u64], most: u64) -> Vec<u64> {
    let elements: u64 = parts.iter().sum();
    // One for each array, and a share of the rest in proportion to its size.
    let left = most.saturating_sub(parts.len() as u64);
    let share = |part: &u64| {
        let share = u128::from(left) * u128::from(*part) / u128::from(elements.max(1));
        1 + share as u64
    };
    let mut shares: Vec<u64> = parts.iter().map(share).collect();
    let rest = most.saturating_sub(shares.iter().sum()) as usize;
    shares.iter_mut().take(rest).for_each(|share| *share += 1);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { elements: 1001 };

    fn per_element(chunk: Chunk, items: u64, slots: u64) -> u64 {
        chunk.per_element(items, &LIMITS, || slots)
    }

    #[test]
    fn an_item_has_its_own_element_while_there_are_enough() {
        assert_eq!(per_element(Chunk::Each, 1, 1), 1);
        assert_eq!(per_element(Chunk::Each, 1001, 1), 1);
        assert_eq!(per_element(Chunk::Each, 1002, 1), 2);
        assert_eq!(per_element(Chunk::Each, 1_000_000, 1), 1000);
        assert_eq!(per_element(Chunk::Of(3), 1_000_000, 1), 3);
    }

    #[test]
    fn automatic_chunks_keep_every_slot_busy() {
        assert_eq!(per_element(Chunk::Auto, 1_000_000, 16), 15_625);
        assert_eq!(per_element(Chunk::Auto, 10, 16), 1);
        assert_eq!(per_element(Chunk::Auto, 1_000_000, 100_000), 1000);
    }

    #[test]
    fn too_many_elements_for_one_array_make_several() {
        assert_eq!(parts(1001, 1001), [1001]);
        assert_eq!(parts(2100, 1001), [1001, 1001, 98]);
        assert_eq!(throttles(&[1001, 1001, 98], 10), [5, 4, 1]);
        assert_eq!(throttles(&[1001, 1001, 98], 1), [1, 1, 1]);
        assert_eq!(throttles(&[7], 3), [3]);
        for most in 3..50 {
            assert_eq!(throttles(&[10, 9, 8], most).iter().sum::<u64>(), most);
        }
    }
}
