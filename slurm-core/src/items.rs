//! The item file of an array: the arguments of every call, read by position.
//!
//! ```text
//! offset  size  field
//!      0     8  magic, "SLURMITM"
//!      8     2  format version, little endian, as all numbers here
//!     10     6  zero
//!     16     …  the items, one after another, each encoded as the list of its arguments
//!      …  24·n  the table: offset, length and checksum of each item, 8 bytes each
//! ```
//!
//! The spec has the offset of the table and the number of items. An element reads its part of
//! the table and then its own items: two reads if its items lie side by side, for any size of the
//! file. Items stream through the writer, so that their number costs no memory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::codec;
use crate::durable;
use crate::frame::{FORMAT_VERSION, MAX_PAYLOAD};
use crate::spec::Argument;

const MAGIC: [u8; 8] = *b"SLURMITM";
const HEADER: u64 = 16;
/// The size of an entry of the table.
const ENTRY: usize = 24;

/// Writes an item file.
#[derive(Debug)]
pub struct ItemWriter {
    path: PathBuf,
    table_path: PathBuf,
    items: BufWriter<File>,
    table: BufWriter<File>,
    offset: u64,
    count: u64,
    finished: bool,
}

/// The place of the table in an item file, which stands in the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemTable {
    /// The number of items.
    pub count: u64,
    /// The offset of the table.
    pub offset: u64,
}

impl ItemWriter {
    /// Creates the file at `path`, and a second one beside it that is removed when the first is complete.
    ///
    /// # Errors
    /// If one of them cannot be created.
    pub fn create(path: &Path) -> io::Result<Self> {
        let create = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
        let table_path = durable::temporary_beside(path);
        let mut items = BufWriter::with_capacity(1 << 18, create(path)?);
        let table =
            match OpenOptions::new().read(true).write(true).create_new(true).open(&table_path) {
                Ok(table) => BufWriter::with_capacity(1 << 16, table),
                Err(error) => {
                    let _ = fs::remove_file(path);
                    return Err(error);
                }
            };
        items.write_all(&MAGIC)?;
        items.write_all(&FORMAT_VERSION.to_le_bytes())?;
        items.write_all(&[0; 6])?;
        let path = path.to_owned();
        Ok(Self { path, table_path, items, table, offset: HEADER, count: 0, finished: false })
    }

    /// Returns how many items were added.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds an item.
    ///
    /// # Errors
    /// If it cannot be written, or is larger than a frame may be.
    pub fn push(&mut self, arguments: &[Argument]) -> io::Result<()> {
        let bytes = codec::encode(arguments).map_err(io::Error::other)?;
        self.items.write_all(&bytes)?;
        for number in [self.offset, bytes.len() as u64, check(self.count, &bytes)] {
            self.table.write_all(&number.to_le_bytes())?;
        }
        self.offset += bytes.len() as u64;
        self.count += 1;
        Ok(())
    }

    /// Adds the table and returns its place for the spec. The file is not synced.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(mut self) -> io::Result<ItemTable> {
        self.table.flush()?;
        let mut table = self.table.get_ref();
        table.seek(SeekFrom::Start(0))?;
        io::copy(&mut table, &mut self.items)?;
        self.items.flush()?;
        self.finished = true;
        Ok(ItemTable { count: self.count, offset: self.offset })
    }
}

impl Drop for ItemWriter {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.table_path);
        if !self.finished {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Reads items of an item file by their index.
#[derive(Debug)]
pub struct ItemReader {
    file: File,
    /// How long the file was when it was opened, in bytes.
    size: u64,
    table: ItemTable,
}

impl ItemReader {
    /// Opens the file at `path`, whose spec says `table`.
    ///
    /// # Errors
    /// If it cannot be read, or is not an item file of this version.
    pub fn open(path: &Path, table: ItemTable) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut header = [0; HEADER as usize];
        file.read_exact(&mut header)?;
        if header[..8] != MAGIC {
            return Err(damaged("it is not an item file"));
        }
        let version = u16::from_le_bytes([header[8], header[9]]);
        if version != FORMAT_VERSION {
            return Err(damaged(&format!(
                "it is written in format version {version}; this program reads version {FORMAT_VERSION}"
            )));
        }
        let size = file.metadata()?.len();
        Ok(Self { file, size, table })
    }

    /// Returns the arguments of the item `index`.
    ///
    /// # Errors
    /// If the item does not exist, or the file is damaged there.
    pub fn read(&self, index: u64) -> io::Result<Vec<Argument>> {
        if index >= self.table.count {
            return Err(damaged(&format!("it has no item {index}")));
        }
        let at = index.checked_mul(ENTRY as u64);
        let at = at
            .and_then(|at| at.checked_add(self.table.offset))
            .ok_or_else(|| damaged("its table is beyond its end"))?;
        let mut entry = [0; ENTRY];
        self.file.read_exact_at(&mut entry, at)?;
        let (offset, length, expected) = (number(&entry, 0), number(&entry, 8), number(&entry, 16));
        // Checked before memory is reserved: the file must have the bytes, and an item may have that many.
        let end = offset.saturating_add(length);
        let limit = self.table.offset.min(self.size);
        if length > MAX_PAYLOAD as u64 || offset < HEADER || end > limit {
            return Err(damaged(&format!("the position of item {index} is outside of the data")));
        }
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, offset)?;
        if check(index, &bytes) != expected {
            return Err(damaged(&format!("the checksum of item {index} does not fit")));
        }
        codec::decode(&bytes).map_err(|error| damaged(&format!("item {index} {error}")))
    }
}

fn number(bytes: &[u8; ENTRY], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

fn check(index: u64, bytes: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&index.to_le_bytes()).update(bytes);
    let mut number = [0; 8];
    number.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(number)
}

fn damaged(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inline(text: &str) -> Vec<Argument> {
        vec![Argument::Inline(text.as_bytes().to_vec())]
    }

    #[test]
    fn items_are_read_by_position() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("items");
        let mut writer = ItemWriter::create(&path).unwrap();
        for text in ["zero", "", "two"] {
            writer.push(&inline(text)).unwrap();
        }
        let table = writer.finish().unwrap();
        let reader = ItemReader::open(&path, table).unwrap();
        assert_eq!(reader.read(2).unwrap(), inline("two"));
        assert_eq!(reader.read(1).unwrap(), inline(""));
        assert!(reader.read(3).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn damage_is_reported_for_the_damaged_item() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("items");
        let mut writer = ItemWriter::create(&path).unwrap();
        writer.push(&inline("good")).unwrap();
        writer.push(&inline("bad")).unwrap();
        let table = writer.finish().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes[table.offset as usize - 1] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let reader = ItemReader::open(&path, table).unwrap();
        assert!(reader.read(0).is_ok());
        assert!(reader.read(1).unwrap_err().to_string().contains("item 1"));
        let nonsense = ItemTable { count: u64::MAX, offset: u64::MAX - 8 };
        assert!(ItemReader::open(&path, nonsense).unwrap().read(1 << 60).is_err());
    }

    #[test]
    fn a_writer_that_is_given_up_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = ItemWriter::create(&dir.path().join("items")).unwrap();
        writer.push(&inline("x")).unwrap();
        drop(writer);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
