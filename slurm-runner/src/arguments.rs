//! The arguments of calls, read from where the spec places them.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use slurm_core::codec;
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Failure, FailureKind, MissingItem, Outcome};
use slurm_core::segment::{HEADER, Record, RecordKind, Records, check_header};
use slurm_core::spec::{Argument, Upstream};

/// Reads the encoded values of arguments. Each file of an upstream array is read once.
#[derive(Debug)]
pub(crate) struct Resolver<'a> {
    upstream: &'a [Upstream],
    segments: RefCell<HashMap<(u32, usize, u64), Rc<Segment>>>,
    /// The values of the last array that was taken as a whole.
    list: RefCell<Option<(u32, Vec<u8>)>>,
}

/// A segment, and the position of the last record of each item.
#[derive(Debug, Default)]
struct Segment {
    bytes: Vec<u8>,
    items: HashMap<u64, Record>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(upstream: &'a [Upstream]) -> Self {
        Self { upstream, segments: RefCell::default(), list: RefCell::default() }
    }

    /// Returns the encoded values of `arguments`.
    pub(crate) fn resolve<'b>(
        &self,
        arguments: &'b [Argument],
    ) -> Result<Vec<Cow<'b, [u8]>>, Failure> {
        let resolve = |argument: &'b Argument| match argument {
            Argument::Inline(bytes) => Ok(Cow::Borrowed(bytes.as_slice())),
            Argument::ResultOf(path) => of_job(path).map(Cow::Owned),
            Argument::AllOf(array) => self.all_of(*array).map(Cow::Owned),
            Argument::ItemOf(array, index) => {
                let mut value = Vec::new();
                self.item_of(*array, *index, &mut value)?;
                Ok(Cow::Owned(value))
            }
            _ => {
                let message = "an argument of a kind unknown to this runner";
                Err(Failure::new(FailureKind::Version, message))
            }
        };
        arguments.iter().map(resolve).collect()
    }

    /// Returns the values of all items as an encoded list: its length, then the elements.
    fn all_of(&self, array: u32) -> Result<Vec<u8>, Failure> {
        if let Some((_, list)) = self.list.borrow().as_ref().filter(|(known, _)| *known == array) {
            return Ok(list.clone());
        }
        let count = self.array(array)?.count;
        let mut list = codec::encode(&count).map_err(|error| failure(error.to_string()))?;
        for index in 0..count {
            self.item_of(array, index, &mut list)?;
        }
        *self.list.borrow_mut() = Some((array, list.clone()));
        Ok(list)
    }

    /// Appends the value of an item to `value`.
    fn item_of(&self, array: u32, index: u64, value: &mut Vec<u8>) -> Result<(), Failure> {
        let attempts = self.array(array)?.attempts.iter().enumerate().rev();
        let mut why = None;
        for (number, attempt) in attempts {
            let Some(element) = attempt.shares.element_of(index) else { continue };
            let segment = self.segment(array, number, element)?;
            let Some(record) = segment.items.get(&index) else { continue };
            let payload = segment.bytes.get(record.payload.clone()).unwrap_or_default();
            if record.kind == RecordKind::Value {
                value.extend_from_slice(payload);
                return Ok(());
            }
            let failed = codec::decode::<Failure>(payload).ok();
            why = why.or(failed.map(|failure| failure.to_string()));
        }
        Err(missing(self.array(array)?, index, why))
    }

    fn array(&self, array: u32) -> Result<&'a Upstream, Failure> {
        let found = self.upstream.get(array as usize);
        found.ok_or_else(|| failure(format!("the spec does not describe the array {array}")))
    }

    fn segment(&self, array: u32, number: usize, element: u64) -> Result<Rc<Segment>, Failure> {
        let key = (array, number, element);
        if let Some(segment) = self.segments.borrow().get(&key) {
            return Ok(Rc::clone(segment));
        }
        let upstream = self.array(array)?;
        let attempt = upstream.attempts.get(number);
        let attempt = attempt.ok_or_else(|| {
            failure(format!("the spec does not describe attempt {number} of the array"))
        })?;
        let path = JobDir::at(&attempt.dir).segment(element);
        let segment = Rc::new(read(&path, upstream.signature)?);
        let mut segments = self.segments.borrow_mut();
        // Items are read in order, so one segment of each attempt is enough.
        segments.retain(|(of, attempt, _), _| (*of, *attempt) != (array, number));
        segments.insert(key, Rc::clone(&segment));
        Ok(segment)
    }
}

/// Reads a segment. A missing segment has no items.
fn read(path: &Path, signature: u64) -> Result<Segment, Failure> {
    let cannot = |reason: String| failure(format!("cannot use {}: {reason}", path.display()));
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Segment::default()),
        other => other.map_err(|error| cannot(error.to_string()))?,
    };
    if !check_header(&bytes, signature).map_err(|error| cannot(error.to_string()))? {
        return Ok(Segment::default());
    }
    let has_item = |record: &Record| matches!(record.kind, RecordKind::Value | RecordKind::Failure);
    let records = Records::new(&bytes, HEADER).filter(has_item);
    let items = records.map(|record| (record.index, record)).collect();
    Ok(Segment { bytes, items })
}

fn of_job(path: &Path) -> Result<Vec<u8>, Failure> {
    let cannot =
        |reason: String| failure(format!("cannot use the result {}: {reason}", path.display()));
    let bytes = fs::read(path).map_err(|error| cannot(error.to_string()))?;
    let (outcome, _) = Outcome::from_bytes(&bytes).map_err(|error| cannot(error.to_string()))?;
    match outcome.ending {
        Ending::Value(value) => Ok(value),
        Ending::Failure(upstream) => Err(cannot(upstream.to_string())),
    }
}

fn failure(message: String) -> Failure {
    Failure::new(FailureKind::Argument, message)
}

/// Returns the failure for the calls of an element that must not be made.
pub(crate) fn refused(missing: &MissingItem) -> Failure {
    let MissingItem { job, index, .. } = missing;
    let message = format!("element {index} of the array {job}, which it follows, did not succeed");
    Failure { missing: Some(Box::new(missing.clone())), ..failure(message) }
}

/// Returns the failure of a call that needs an item without a value.
fn missing(upstream: &Upstream, item: u64, why: Option<String>) -> Failure {
    let dir = upstream.attempts.first().map_or(Path::new(""), |attempt| &attempt.dir).display();
    let reason = why.as_deref().unwrap_or("it has no result");
    let message = format!("cannot use item {item} of the array in {dir}: {reason}");
    let place = upstream.latest(item).and_then(|(attempt, element)| attempt.place(element));
    let missing = place.map(|(job, index)| {
        let task = upstream.task.clone();
        Box::new(MissingItem { task, job, index, item, failure: why })
    });
    Failure { missing, ..failure(message) }
}
