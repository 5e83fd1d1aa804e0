//! RLP read once more, in another way than the library does: whoever disagrees is wrong.

/// An item: whether it is a list, and what is in it.
pub(crate) type Item<'a> = (bool, &'a [u8]);

/// The first item of `bytes` and what follows it; nothing unless it is canonical and whole.
pub(crate) fn item(bytes: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        return Some(((false, &bytes[..1]), rest));
    }
    let list = first >= 0xc0;
    let form = usize::from(if list { first - 0xc0 } else { first - 0x80 });
    let (length, rest) = if form <= 55 { (form as u128, rest) } else { long(form - 55, rest)? };
    let (payload, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let needs_no_prefix = !list && payload.len() == 1 && payload[0] < 0x80;
    (!needs_no_prefix).then_some(((list, payload), rest))
}

/// All items of `bytes`; nothing unless each of them is canonical and whole.
pub(crate) fn items(mut bytes: &[u8]) -> Option<Vec<Item<'_>>> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        let (next, rest) = item(bytes)?;
        items.push(next);
        bytes = rest;
    }
    Some(items)
}

/// An integer of at most `width` bytes.
pub(crate) fn uint((list, bytes): Item<'_>, width: usize) -> Option<u64> {
    let canonical = !list && bytes.len() <= width && bytes.first() != Some(&0);
    canonical.then(|| bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// A length of more than 55, which takes `width` bytes.
fn long(width: usize, bytes: &[u8]) -> Option<(u128, &[u8])> {
    let (length, rest) = bytes.split_at_checked(width)?;
    let value = length.iter().fold(0, |value, byte| value << 8 | u128::from(*byte));
    (length[0] != 0 && value > 55).then_some((value, rest))
}
