//! Hex digits, as keys and topics are written.

/// Fills `bytes` from exactly twice as many hex digits.
pub(crate) fn parse_hex(digits: &str, bytes: &mut [u8]) -> Option<()> {
    if digits.len() != bytes.len().checked_mul(2)? {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let [high, low] =
            <[u8; 2]>::try_from(pair).ok()?.map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? << 4 | low?).ok()?;
    }
    Some(())
}
