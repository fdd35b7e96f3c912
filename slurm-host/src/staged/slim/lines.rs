//! Debug information with files and lines only.

use std::borrow::Cow;
use std::collections::BTreeSet;

use gimli::{AttributeValue, Dwarf, EndianSlice, LineProgramHeader, LittleEndian, SectionId};

use super::elf::{Layout, RANGES};

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// The sections that backtraces need.
pub(super) struct Lines<'a>(Vec<(&'static str, Cow<'a, [u8]>)>);

/// DWARF 4, whatever the original has: an entry of it can refer to a line table of any version.
const VERSION: u16 = 4;

/// A unit with its line table, addresses, name and directory (DWARF 4, section 7.5.3).
#[rustfmt::skip]
const ABBREVIATIONS: &[u8] = &[
    1, 0x11, 0,    // 1: DW_TAG_compile_unit without children
    0x10, 0x17,    // DW_AT_stmt_list, DW_FORM_sec_offset
    0x11, 0x01,    // DW_AT_low_pc, DW_FORM_addr
    0x55, 0x17,    // DW_AT_ranges, DW_FORM_sec_offset
    0x03, 0x08,    // DW_AT_name, DW_FORM_string
    0x1b, 0x08,    // DW_AT_comp_dir, DW_FORM_string
    0, 0,
    0,
];

/// Reads the units of a program.
pub(super) fn only<'a>(file: &Layout<'a>) -> Option<Lines<'a>> {
    let line = file.section(".debug_line")?;
    let load = |id: SectionId| -> Result<Slice<'a>, gimli::Error> {
        Ok(EndianSlice::new(file.section(id.name()).unwrap_or_default(), LittleEndian))
    };
    let dwarf = Dwarf::load(load).ok()?;
    let mut written = Written::default();
    let mut units = dwarf.units();
    while let Some(header) = units.next().ok()? {
        written.add(&dwarf, &dwarf.unit(header).ok()?)?;
    }
    let Written { info, ranges, names } = written;
    let mut sections = vec![
        (".debug_abbrev", Cow::Borrowed(ABBREVIATIONS)),
        (".debug_info", Cow::Owned(info)),
        (RANGES, Cow::Owned(ranges)),
        (".debug_line", Cow::Borrowed(line)),
    ];
    for name in names {
        sections.extend(file.section(name).map(|content| (name, Cow::Borrowed(content))));
    }
    Some(Lines(sections))
}

impl Lines<'_> {
    pub(super) fn sections(&self) -> Vec<(&str, &[u8])> {
        self.0.iter().map(|(name, content)| (*name, &**content)).collect()
    }
}

#[derive(Default)]
struct Written {
    info: Vec<u8>,
    ranges: Vec<u8>,
    /// The sections in which line tables have their names.
    names: BTreeSet<&'static str>,
}

impl Written {
    /// Adds a unit; `None` if it cannot be understood.
    fn add<'a>(&mut self, dwarf: &Dwarf<Slice<'a>>, unit: &gimli::Unit<Slice<'a>>) -> Option<()> {
        let Some(program) = &unit.line_program else { return Some(()) };
        self.names.extend(names_of(program.header()));
        let start = u32::try_from(self.ranges.len()).ok()?;
        let mut ranges = dwarf.unit_ranges(unit).ok()?;
        while let Some(range) = ranges.next().ok()? {
            // Code that the linker has dropped begins at 0.
            if range.begin != 0 && range.begin < range.end {
                self.ranges.extend(range.begin.to_le_bytes());
                self.ranges.extend(range.end.to_le_bytes());
            }
        }
        if self.ranges.len() as u64 == u64::from(start) {
            return Some(());
        }
        self.ranges.extend([0; 16]);
        let mut entry = Vec::new();
        entry.extend(VERSION.to_le_bytes());
        entry.extend(0_u32.to_le_bytes());
        entry.push(8);
        entry.push(1);
        entry.extend(u32::try_from(program.header().offset().0).ok()?.to_le_bytes());
        // What the ranges are relative to.
        entry.extend(0_u64.to_le_bytes());
        entry.extend(start.to_le_bytes());
        for text in [unit.name, unit.comp_dir] {
            entry.extend_from_slice(text.as_ref().map_or(&[], |text| text.slice()));
            entry.push(0);
        }
        self.info.extend(u32::try_from(entry.len()).ok()?.to_le_bytes());
        self.info.extend(entry);
        Some(())
    }
}

/// The sections in which a line table has the names of files and directories. Before DWARF 5 they were in the table.
fn names_of<'a>(header: &LineProgramHeader<Slice<'a>>) -> impl Iterator<Item = &'static str> {
    let directories = header.include_directories().iter().copied();
    let files = header.file_names().iter().map(gimli::FileEntry::path_name);
    let sections: BTreeSet<&'static str> = directories
        .chain(files)
        .filter_map(|name| match name {
            AttributeValue::DebugLineStrRef(_) => Some(".debug_line_str"),
            AttributeValue::DebugStrRef(_) => Some(".debug_str"),
            _ => None,
        })
        .collect();
    sections.into_iter()
}
