//! A card in several small QR codes, for terminals and weak cameras.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use super::base45;
use super::text::TextError;
use super::whole::Card;
use crate::hash::sha256;

impl Card {
    /// The card as the texts of `count` QR codes, from 1 to [`MAX_PARTS`] of them: a number outside
    /// is brought inside. Five are codes of version 11, 61 modules wide.
    ///
    /// ```text
    /// WSC1/ ‖ i ‖ n ‖ / ‖ first 4 bytes of the card's SHA-256 hash ‖ : ‖ slice i of the Base45 text
    /// ```
    pub fn to_parts(&self, count: usize) -> Vec<String> {
        let bytes = self.to_bytes();
        let text = base45::encode(&bytes);
        let count = count.clamp(1, MAX_PARTS);
        let slices = text.as_bytes().chunks(text.len().div_ceil(count));
        let name = name(&bytes);
        let part = |(i, slice): (usize, &[u8])| {
            let number = i.saturating_add(1);
            let mut part = String::from(PREFIX);
            let _ = write!(part, "{number}{count}/{name}:");
            part.extend(slice.iter().copied().map(char::from));
            part
        };
        slices.enumerate().map(part).collect()
    }
}

/// The parts of one card that have been seen, in any order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Parts {
    name: String,
    slices: Vec<Option<String>>,
}

impl Parts {
    /// None yet.
    pub const fn new() -> Self {
        Self { name: String::new(), slices: Vec::new() }
    }

    /// How many parts are still to be seen; `None` before the first.
    pub fn missing(&self) -> Option<usize> {
        let missing = self.slices.iter().filter(|slice| slice.is_none()).count();
        (!self.slices.is_empty()).then_some(missing)
    }

    /// Takes a part, and gives the card with the last one. The part of another card starts anew.
    ///
    /// # Errors
    /// [`TextError`] if the text is no part, which changes nothing; or if all parts are there and
    /// are not those of one card, after which it starts anew.
    pub fn add(&mut self, text: &str) -> Result<Option<Card>, TextError> {
        let part = Part::parse(text)?;
        if self.name != part.name || self.slices.len() != part.count {
            self.name = String::from(part.name);
            self.slices = alloc::vec![None; part.count];
        }
        if let Some(slice) = self.slices.get_mut(part.index) {
            *slice = Some(String::from(part.slice));
        }
        if self.missing() != Some(0) {
            return Ok(None);
        }
        let Self { name, slices } = core::mem::take(self);
        join(&name, &slices.into_iter().flatten().collect::<Vec<_>>()).map(Some)
    }
}

struct Part<'a> {
    index: usize,
    count: usize,
    name: &'a str,
    slice: &'a str,
}

impl<'a> Part<'a> {
    fn parse(text: &'a str) -> Result<Self, TextError> {
        let rest = text.strip_prefix(PREFIX).ok_or(TextError::NotACard)?;
        Self::parse_rest(rest).ok_or(TextError::Damaged)
    }

    fn parse_rest(rest: &'a str) -> Option<Self> {
        let (numbers, rest) = rest.split_once('/')?;
        let &[number, count] = numbers.as_bytes() else { return None };
        let [number, count] = [number, count].map(|digit| usize::from(digit.wrapping_sub(b'0')));
        let (name, slice) = rest.split_once(':')?;
        let good_name = name.len() == NAME
            && name.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
        let good_numbers = (1..=MAX_PARTS).contains(&count) && (1..=count).contains(&number);
        let good = good_name && good_numbers && !slice.is_empty() && slice.len() <= LONGEST;
        good.then(|| Self { index: number.saturating_sub(1), count, name, slice })
    }
}

/// All slices but the last are equally long, and their card has the name.
fn join(own_name: &str, slices: &[String]) -> Result<Card, TextError> {
    let (last, others) = slices.split_last().ok_or(TextError::Parts)?;
    let length = others.first().map_or(last.len(), String::len);
    if others.iter().any(|slice| slice.len() != length) || last.len() > length {
        return Err(TextError::Parts);
    }
    let bytes = base45::decode(&slices.concat()).ok_or(TextError::Parts)?;
    if name(&bytes) != own_name {
        return Err(TextError::Parts);
    }
    Ok(Card::from_bytes(&bytes)?)
}

fn name(bytes: &[u8]) -> String {
    let mut name = String::with_capacity(NAME);
    for byte in sha256(bytes).iter().take(NAME / 2) {
        let _ = write!(name, "{byte:02X}");
    }
    name
}

/// How many parts a card may have: spec/session.md, 3.2, as all here.
pub const MAX_PARTS: usize = 8;
const PREFIX: &str = "WSC1/";
/// Hex digits of the name of a card.
const NAME: usize = 8;
/// More characters no card has, in Base45.
const LONGEST: usize = 3_000;
