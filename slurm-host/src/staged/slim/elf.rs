//! Reads the sections of an ELF file, and rewrites the ones that are not loaded.

use goblin::elf::section_header::{
    SHF_ALLOC, SHF_COMPRESSED, SHT_NOBITS, SHT_NULL, SHT_REL, SHT_RELA,
};
use goblin::elf::{Elf, SectionHeader};

/// The layout of a program.
pub(super) struct Layout<'a> {
    program: &'a [u8],
    sections: Vec<(SectionHeader, &'a str)>,
    /// The index of the section with the names of all sections.
    names: usize,
    /// The end of the loaded part and its headers.
    loaded: usize,
}

/// In 64-bit files: the size of an entry of the section table, and the offset of the field with its position.
const ENTRY: usize = 64;
const PLACE_OF_TABLE: usize = 40;

/// The sections that backtraces of Rust use.
pub(super) const RANGES: &str = ".debug_ranges";

impl<'a> Layout<'a> {
    /// Reads a 64-bit little-endian program whose sections that are not loaded come last.
    pub(super) fn of(program: &'a [u8]) -> Option<Self> {
        let elf = Elf::parse(program).ok()?;
        if !elf.is_64 || !elf.little_endian || usize::from(elf.header.e_shentsize) != ENTRY {
            return None;
        }
        let table = usize::try_from(elf.header.e_shoff).ok()?;
        let mut end = table.checked_add(elf.section_headers.len().checked_mul(ENTRY)?)?;
        let mut loaded = usize::from(elf.header.e_ehsize);
        let headers = usize::from(elf.header.e_phnum) * usize::from(elf.header.e_phentsize);
        loaded = loaded.max(usize::try_from(elf.header.e_phoff).ok()?.checked_add(headers)?);
        for segment in &elf.program_headers {
            loaded =
                loaded.max(usize::try_from(segment.p_offset.checked_add(segment.p_filesz)?).ok()?);
        }
        let mut sections = Vec::new();
        for header in &elf.section_headers {
            let name = elf.shdr_strtab.get_at(header.sh_name)?;
            if has_bytes(header) {
                let ends = usize::try_from(header.sh_offset.checked_add(header.sh_size)?).ok()?;
                end = end.max(ends);
                if is_loaded(header) {
                    loaded = loaded.max(ends);
                }
            }
            sections.push((header.clone(), name));
        }
        let is_after = |header: &SectionHeader| {
            !has_bytes(header) || is_loaded(header) || header.sh_offset >= loaded as u64
        };
        let file = Self { program, sections, names: usize::from(elf.header.e_shstrndx), loaded };
        let usual = file.sections.iter().all(|(header, _)| is_after(header))
            && table >= loaded
            && end == program.len()
            && file.sections.len() == usize::from(elf.header.e_shnum)
            && !file.sections.iter().any(|(header, name)| is_unusual(header, name));
        usual.then_some(file)
    }

    /// Returns the content of a section that is not loaded.
    pub(super) fn section(&self, name: &str) -> Option<&'a [u8]> {
        let is_it = |(header, known): &&(SectionHeader, &str)| {
            *known == name && has_bytes(header) && !is_loaded(header)
        };
        let (header, _) = self.sections.iter().find(is_it)?;
        self.bytes(header)
    }

    fn bytes(&self, header: &SectionHeader) -> Option<&'a [u8]> {
        let start = usize::try_from(header.sh_offset).ok()?;
        let length = usize::try_from(header.sh_size).ok()?;
        self.program.get(start..start.checked_add(length)?)
    }

    /// Returns the program with these sections of debug information and no others. The number and the order of
    /// sections stay, as symbols refer to them.
    pub(super) fn with(&self, debug: &[(&str, &[u8])]) -> Option<Vec<u8>> {
        let mut headers: Vec<SectionHeader> =
            self.sections.iter().map(|(header, _)| header.clone()).collect();
        let mut contents: Vec<Option<Vec<u8>>> = Vec::new();
        for (header, name) in &self.sections {
            contents.push(if !has_bytes(header) || is_loaded(header) {
                None
            } else if is_debug(name) {
                let kept = debug.iter().find(|(kept, _)| kept == name);
                Some(kept.map(|(_, content)| content.to_vec()).unwrap_or_default())
            } else {
                Some(self.bytes(header)?.to_vec())
            });
        }
        // A new section takes the place of a dropped one.
        for (name, content) in debug {
            if self.section(name).is_some() {
                continue;
            }
            let free = (0..headers.len()).find(|&at| {
                is_debug(self.sections[at].1) && contents[at].as_ref().is_some_and(Vec::is_empty)
            })?;
            let names = contents.get_mut(self.names)?.as_mut()?;
            headers[free].sh_name = names.len();
            names.extend_from_slice(name.as_bytes());
            names.push(0);
            contents[free] = Some(content.to_vec());
        }
        let mut order: Vec<usize> = (0..headers.len()).collect();
        order.sort_by_key(|&at| headers[at].sh_offset);
        let mut out = self.program.get(..self.loaded)?.to_vec();
        for at in order {
            let Some(content) = &contents[at] else { continue };
            let header = &mut headers[at];
            if content.is_empty() && is_debug(self.sections[at].1) {
                *header = SectionHeader { sh_name: header.sh_name, ..SectionHeader::default() };
                header.sh_type = SHT_NULL;
                continue;
            }
            let align = usize::try_from(header.sh_addralign).ok()?.clamp(1, 4096);
            out.resize(out.len().next_multiple_of(align), 0);
            header.sh_offset = out.len() as u64;
            header.sh_size = content.len() as u64;
            out.extend_from_slice(content);
        }
        out.resize(out.len().next_multiple_of(8), 0);
        let table = out.len() as u64;
        out.get_mut(PLACE_OF_TABLE..PLACE_OF_TABLE + 8)?.copy_from_slice(&table.to_le_bytes());
        headers.iter().for_each(|header| put(&mut out, header));
        Some(out)
    }
}

fn put(out: &mut Vec<u8>, header: &SectionHeader) {
    // The index of a name has 32 bits, and so had the section that it points into.
    out.extend(u32::try_from(header.sh_name).unwrap_or_default().to_le_bytes());
    out.extend(header.sh_type.to_le_bytes());
    for wide in [header.sh_flags, header.sh_addr, header.sh_offset, header.sh_size] {
        out.extend(wide.to_le_bytes());
    }
    out.extend(header.sh_link.to_le_bytes());
    out.extend(header.sh_info.to_le_bytes());
    out.extend(header.sh_addralign.to_le_bytes());
    out.extend(header.sh_entsize.to_le_bytes());
}

fn has_bytes(header: &SectionHeader) -> bool {
    !matches!(header.sh_type, SHT_NULL | SHT_NOBITS)
}

fn is_loaded(header: &SectionHeader) -> bool {
    header.sh_flags & u64::from(SHF_ALLOC) != 0
}

fn is_debug(name: &str) -> bool {
    (name.starts_with(".debug_") || name == ".gdb_index") && name != ".debug_gdb_scripts"
}

/// Returns whether the debug information is kept in a way that is left alone: compressed, in another file, or not
/// yet at its final addresses.
fn is_unusual(header: &SectionHeader, name: &str) -> bool {
    let relocates = matches!(header.sh_type, SHT_REL | SHT_RELA) && !is_loaded(header);
    name == ".gnu_debugaltlink"
        || name.starts_with(".zdebug_")
        || (is_debug(name) && header.sh_flags & u64::from(SHF_COMPRESSED) != 0)
        || (relocates && name.contains("debug"))
}
