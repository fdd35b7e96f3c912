//! Writes items to the file that a submission takes.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use slurm_core::durable;
use slurm_core::items::{ItemTable, ItemWriter};
use slurm_core::spec::Argument;

use super::prepare::Settings;
use super::reference::ElementSet;
use super::{ArrayUpstream, CallArguments};
use crate::cluster::{Cluster, Shape};
use crate::error::{Error, HostError, Result};
use crate::model::Edge;

/// Items that were read and checked, and written to a file if they are to be submitted.
#[derive(Debug)]
pub(crate) struct Spooled {
    pub(super) file: Option<PathBuf>,
    pub(super) table: ItemTable,
    pub(super) edges: Vec<Edge>,
    /// The arrays whose results are arguments.
    pub(super) arrays: Vec<Arc<ArrayUpstream>>,
    /// For each of these arrays, whether each item takes the item of the same index.
    pub(super) aligned: Vec<bool>,
    /// For each array, the elements whose items are taken one by one; not all of them, if there are many.
    elements: Vec<ElementSet>,
    /// The parameters whose arguments hold a secret.
    pub(super) secrets: Vec<&'static str>,
}

impl Spooled {
    pub(crate) fn count(&self) -> u64 {
        self.table.count
    }

    /// Returns a hash of the items, by which a workflow recognises them, and their shape.
    pub(crate) fn digest(&self) -> Result<(blake3::Hash, Shape)> {
        let mut hasher = blake3::Hasher::new();
        let mut shape = Shape::new();
        hasher.update(b"items");
        let mut left = self.table.offset as usize;
        let mut take = |bytes: &[u8]| {
            hasher.update(bytes);
            // The table behind the items has their checksums, which depend on the order of the items.
            shape.update(&bytes[..bytes.len().min(left)]);
            left -= bytes.len().min(left);
        };
        if let Some(path) = &self.file {
            let read = File::open(path).and_then(|file| {
                let mut file = BufReader::with_capacity(1 << 16, file);
                loop {
                    let bytes = file.fill_buf()?;
                    if bytes.is_empty() {
                        return Ok(());
                    }
                    take(bytes);
                    let length = bytes.len();
                    file.consume(length);
                }
            });
            read.map_err(|error| HostError::file("read", path, error))?;
        }
        for array in &self.arrays {
            hasher.update(array.submission_id.as_str().as_bytes());
            shape.update(array.submission_id.as_str().as_bytes());
        }
        Ok((hasher.finalize(), shape))
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        // A submission has moved the file already.
        let _ = self.file.as_deref().map(std::fs::remove_file);
    }
}

/// Reads all items, and writes them to a file if `keep` is set.
pub(crate) fn spool(
    cluster: &Cluster,
    items: impl Iterator<Item = CallArguments>,
    keep: bool,
) -> Result<Spooled> {
    let mut spooled = Spooled {
        file: None,
        table: ItemTable { count: 0, offset: 0 },
        edges: Vec::new(),
        arrays: Vec::new(),
        aligned: Vec::new(),
        elements: Vec::new(),
        secrets: Vec::new(),
    };
    let mut known = HashSet::new();
    let mut writer = None;
    let mut count = 0;
    for (index, call) in (0_u64..).zip(items) {
        let CallArguments { mut arguments, edges, arrays, items, error, secrets } = call;
        if let Some(source) = error {
            return Err(Error::Item { index, source: Box::new(source) });
        }
        for name in secrets {
            if !spooled.secrets.contains(&name) {
                spooled.secrets.push(name);
            }
        }
        for edge in edges {
            if known.insert((edge.kind, edge.job)) {
                spooled.edges.push(edge);
            }
        }
        spooled.take_arrays(index, &arrays, &items, &mut arguments);
        if keep {
            if writer.is_none() {
                let dir = cluster.backend().host().spool_dir(cluster.job_base_dir())?;
                let path = durable::temporary_beside(&dir.join("items"));
                let created = ItemWriter::create(&path);
                writer = Some(created.map_err(|error| HostError::file("create", &path, error))?);
                spooled.file = Some(path);
            }
            if let Some(writer) = &mut writer {
                writer.push(&arguments).map_err(|error| cannot_write(&spooled, error))?;
            }
        }
        count += 1;
    }
    spooled.aligned(count);
    spooled.table.count = count;
    if let Some(writer) = writer {
        spooled.table = writer.finish().map_err(|error| cannot_write(&spooled, error))?;
    }
    Ok(spooled)
}

fn cannot_write(spooled: &Spooled, error: std::io::Error) -> Error {
    HostError::file("write", spooled.file.as_deref().unwrap_or(Path::new("")), error).into()
}

impl Spooled {
    /// Adds the arrays to which the arguments of an item refer, and changes the references to positions in
    /// `self.arrays`.
    fn take_arrays(
        &mut self,
        index: u64,
        arrays: &[Arc<ArrayUpstream>],
        items: &[(Arc<ArrayUpstream>, u64)],
        arguments: &mut [Argument],
    ) {
        if arrays.is_empty() {
            return;
        }
        let positions: Vec<u32> =
            arrays.iter().map(|array| ArrayUpstream::position(&mut self.arrays, array)).collect();
        // An array that first appears after the first item is not aligned.
        self.aligned.resize(self.arrays.len(), index == 0);
        self.elements.resize(self.arrays.len(), ElementSet::default());
        for argument in arguments {
            if let Argument::AllOf(array) | Argument::ItemOf(array, _) = argument
                && let Some(position) = positions.get(*array as usize)
            {
                *array = *position;
            }
        }
        for (array, item) in items {
            let position = ArrayUpstream::position(&mut self.arrays, array) as usize;
            array.note_element(*item, &mut self.elements[position]);
            self.aligned[position] &= *item == index;
        }
    }

    fn aligned(&mut self, count: u64) {
        for ((aligned, array), elements) in
            self.aligned.iter_mut().zip(&self.arrays).zip(&self.elements)
        {
            *aligned &= !elements.is_empty() && array.upstream.count == count;
        }
    }
}

impl Spooled {
    /// Returns the arrays whose items are taken one by one, the elements that make these items, and whether
    /// each item takes the item of the same index.
    pub(super) fn taken_by_item(
        &self,
    ) -> impl Iterator<Item = (&ArrayUpstream, &ElementSet, bool)> {
        let taken = self.arrays.iter().zip(&self.elements).zip(&self.aligned);
        let taken = taken.filter(|((_, elements), _)| !elements.is_empty());
        taken.map(|((array, elements), aligned)| (array.as_ref(), elements, *aligned))
    }

    /// Returns the arrays that this one may follow element by element.
    pub(super) fn candidates<'a>(
        &'a self,
        settings: &'a Settings,
    ) -> impl Iterator<Item = &'a Arc<ArrayUpstream>> {
        let aligned = self.arrays.iter().zip(&self.aligned);
        let aligned = aligned.filter_map(|(array, aligned)| aligned.then_some(array));
        settings.corresponding.iter().chain(aligned)
    }
}
