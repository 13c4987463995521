//! What stands for any rules, and for any addresses.
//!
//! Guests differ in their rules and addresses, and in little else. A proof of what stands around these, in which a packet's
//! [`Field::Stand`] says what the rules decide about it and whether it has a source of the NIC, holds for all of them: whatever
//! rules decide, and whichever sources they are, there is a value for each packet. Both sides of a proof must ask for the same
//! value where they ask for the same.

use crate::net::{Family, Mac, Ranges};

use super::field::{self, Field};

/// The hardware address that stands for a NIC's own. No NIC has it (IEEE 802: it is nobody's).
pub const MAC: Mac = Mac([0; 6]);

/// The bit of [`Field::Stand`] that packets from a NIC's own sources have; those below it say what rules decide.
const OWN: u128 = 4;

/// The packets that rules accept which stand for any others. Rules are about IP.
#[must_use]
pub fn accepted() -> Vec<(Field, Ranges<u128>)> {
    decided(1)
}

/// And those that they drop.
#[must_use]
pub fn dropped() -> Vec<(Field, Ranges<u128>)> {
    decided(2)
}

fn decided(number: u128) -> Vec<(Field, Ranges<u128>)> {
    let ip = Family::BOTH.map(|family| (field::frame(family), field::frame(family)));
    let numbers = [number, number | OWN].map(|number| (number, number));
    vec![(Field::Frame, Ranges::from_ranges(ip)), (Field::Stand, Ranges::from_ranges(numbers))]
}

/// Frames of these types, from sources that stand for a NIC's own.
#[must_use]
pub fn sources(frames: impl Iterator<Item = u128>) -> Vec<(Field, Ranges<u128>)> {
    let frames = Ranges::from_ranges(frames.map(|frame| (frame, frame)));
    [(Field::Frame, frames)].into_iter().chain(own_sources()).collect()
}

/// Packets from sources that stand for a NIC's own.
#[must_use]
pub fn own_sources() -> Vec<(Field, Ranges<u128>)> {
    vec![(Field::Stand, Ranges::range(OWN, OWN | 3))]
}
