//! Set operations against the plain definition, number by number.

use proptest::prelude::*;

use crate::net::{AddressSet, Family, Ranges};

fn ranges() -> impl Strategy<Value = Ranges<u8>> {
    let edge = prop_oneof![Just(0_u8), Just(1), Just(254), Just(255), any::<u8>()];
    prop::collection::vec((edge.clone(), edge), 0..6).prop_map(Ranges::from_ranges)
}

/// Sorted, apart from each other by at least one number, none empty.
fn is_canonical(set: &Ranges<u8>) -> bool {
    let ordered = set.iter().all(|(first, last)| first <= last);
    let apart = set.as_slice().windows(2).all(|pair| u16::from(pair[0].1) + 1 < u16::from(pair[1].0));
    ordered && apart
}

proptest! {
    #[test]
    fn operations_agree_with_their_definitions(a in ranges(), b in ranges()) {
        let results = [a.union(&b), a.intersection(&b), a.difference(&b), a.complement()];
        for set in &results {
            prop_assert!(is_canonical(set), "{set:?}");
        }
        for value in 0..=255_u8 {
            let (left, right) = (a.contains(value), b.contains(value));
            prop_assert_eq!(results[0].contains(value), left || right);
            prop_assert_eq!(results[1].contains(value), left && right);
            prop_assert_eq!(results[2].contains(value), left && !right);
            prop_assert_eq!(results[3].contains(value), !left);
        }
        prop_assert_eq!(a.is_subset(&b), (0..=255).all(|value| !a.contains(value) || b.contains(value)));
        prop_assert_eq!(a.complement().complement(), a);
    }

    #[test]
    fn networks_make_up_the_set_again(ranges in prop::collection::vec((any::<u32>(), any::<u32>()), 0..4)) {
        let set = AddressSet::new(Ranges::from_ranges(ranges), Ranges::empty());
        let networks: Vec<AddressSet> = set.networks(Family::V4).into_iter().map(AddressSet::network).collect();
        prop_assert_eq!(AddressSet::union_of(&networks), set);
    }
}

#[test]
fn whole_and_empty_sets() {
    assert!(Ranges::<u128>::all().complement().is_empty());
    assert!(Ranges::<u16>::empty().complement().is_all());
    let all = AddressSet::network("::/0".parse().unwrap());
    assert_eq!(all.networks(Family::V6).len(), 1);
    assert!(!all.has(Family::V4));
}
