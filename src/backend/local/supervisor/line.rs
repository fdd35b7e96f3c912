//! Lines of the supervisor's files: JSON, with a checksum.
//!
//! A line is an array of a checksum and of what is told: `["0123abcd",{…}]`. A bit that a disk has changed may leave
//! JSON that means something else.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// How many hexadecimal digits a checksum has.
const DIGITS: usize = 8;

/// Returns the line that tells `content`, with its end.
pub(super) fn write(content: &impl Serialize) -> io::Result<Vec<u8>> {
    let content = serde_json::to_vec(content)?;
    let mut line = Vec::with_capacity(content.len() + DIGITS + 6);
    line.extend(b"[\"");
    line.extend(checksum(&content).as_bytes());
    line.extend(b"\",");
    line.extend(content);
    line.extend(b"]\n");
    Ok(line)
}

/// Reads what a line tells, given without its end.
pub(super) fn read<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let rest = line.strip_prefix(b"[\"")?.strip_suffix(b"]")?;
    let (sum, rest) = rest.split_at_checked(DIGITS)?;
    let content = rest.strip_prefix(b"\",")?;
    (sum == checksum(content).as_bytes()).then(|| serde_json::from_slice(content).ok())?
}

fn checksum(content: &[u8]) -> String {
    let mut digits = blake3::hash(content).to_hex().to_string();
    digits.truncate(DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_changed_bit_and_no_cut_is_believed() {
        let line = write(&("afterok:7", 1_000_000, [true])).unwrap();
        let line = line.strip_suffix(b"\n").unwrap();
        let read = |line: &[u8]| read::<(String, u32, [bool; 1])>(line);
        assert_eq!(read(line), Some(("afterok:7".to_owned(), 1_000_000, [true])));
        serde_json::from_slice::<serde_json::Value>(line).unwrap();
        for place in 0..line.len() {
            assert_eq!(read(&line[..place]), None, "cut at {place}");
            for bit in 0..8 {
                let mut changed = line.to_vec();
                changed[place] ^= 1 << bit;
                assert_eq!(read(&changed), None, "bit {bit} of byte {place}");
            }
        }
    }
}
