//! The results of an array.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use slurm_core::outcome::RunReport;

use super::JobArray;
use super::ended::Item;
use super::state::{Element, NO_ITEM, Slot, failure};
use crate::conclude;
use crate::error::{Error, JobError, JobErrorKind, Result};
use crate::model::Progress;
use crate::poll::{End, Watch};
use crate::progress::{self, Reporter};

impl<T> JobArray<T> {
    /// Waits for all items and returns their values, in their order.
    ///
    /// Waits for all items and returns their values in the order of the items.
    /// [`Error::Job`] with the first item, by position, that ended without a value. The error is returned as
    /// soon as all items before it have ended; the array keeps running.
    pub fn results(&self) -> Result<Vec<T>> {
        self.results_of(0..self.len())
    }

    /// Does what [`results`](Self::results) does, but only for the items in `range`.
    ///
    /// # Errors
    /// As [`results`](Self::results).
    pub fn results_of(&self, range: Range<usize>) -> Result<Vec<T>> {
        let mut wait = self.begin_wait()?;
        let mut values = Vec::with_capacity(range.len());
        for index in self.within(range)? {
            values.push(self.take(index, wait.for_item(index)?)?);
        }
        Ok(values)
    }

    /// Waits for all items and returns the value or the error of each, in the order of the items.
    ///
    /// # Errors
    /// If the backend can never be asked.
    pub fn try_results(&self) -> Result<Vec<Result<T>>> {
        let mut wait = self.begin_wait()?;
        let mut values = Vec::with_capacity(self.len());
        for index in 0..self.handle.items {
            values.push(self.take(index, wait.for_item(index)?));
        }
        Ok(values)
    }

    /// Waits for the item `index` and returns its value.
    ///
    /// # Errors
    /// [`Error::Job`] if it ended without one.
    pub fn result(&self, index: usize) -> Result<T> {
        let index = self.within(index..index.saturating_add(1))?.start;
        let slot = self.begin_wait()?.for_item(index)?;
        self.take(index, slot)
    }

    /// Returns where and when the element of the item `index` ran, as far as this process knows. It is the
    /// latest run; the end is missing if the run has not ended by itself.
    pub fn report(&self, index: usize) -> Option<RunReport> {
        let state = self.watch.state();
        let mut attempts = state.attempts.iter().rev();
        attempts.find_map(|attempt| {
            attempt.element(attempt.shares.element_of(index as u64)?)?.run.clone()
        })
    }

    /// Waits until all items have ended, with or without a value.
    ///
    /// # Errors
    /// If the backend can never be asked.
    pub fn wait(&self) -> Result<Progress> {
        let mut wait = self.begin_wait()?;
        (0..self.handle.items).try_for_each(|index| wait.for_item(index).map(drop))?;
        Ok(self.progress())
    }

    /// Does what [`wait`](Self::wait) does, for at most `limit`, and returns the progress of the array at that
    /// time.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, limit: Duration) -> Result<Progress> {
        let (watch, mut reporter) = (self.watched()?, self.reporter());
        let deadline = Instant::now().checked_add(limit);
        let ended = || self.watch.check(|state| state.is_complete().then_some(()));
        loop {
            let until = progress::earlier(deadline, reporter.next());
            if let Some(ended) = self.cluster.poller().wait(until, ended) {
                ended?;
                reporter.end(|| self.view());
                break;
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                // A caller that waits in portions does not want a line for each.
                reporter.pause(|| self.view());
                break;
            }
            reporter.tick(|| self.view());
        }
        drop(watch);
        self.tell_end();
        Ok(self.progress())
    }

    /// Waits until all elements that have ended are settled, so that the others are pending or running. Waits
    /// no longer than a settlement may take.
    pub(crate) fn settle(&self) -> Result<()> {
        let _watch = self.watched()?;
        if let Err(error) = self.cluster.poller().refresh(&self.subject()) {
            log::warn!("the backend did not answer, asking again: {error}");
        }
        let deadline = Instant::now().checked_add(self.cluster.backend().cadence().longest_end());
        let settled = || self.watch.check(|state| state.open_elements_live().then_some(()));
        self.cluster.poller().wait(deadline, settled).transpose()?;
        Ok(())
    }

    /// Returns an iterator over the items in the order in which they end, with the position of each. It blocks
    /// until the next item has ended, and finishes after the last one.
    ///
    /// # Errors
    /// If the thread that looks for results cannot be started.
    ///
    /// # Errors
    /// If there can be no thread that looks for them.
    pub fn stream(&self) -> Result<Stream<'_, T>> {
        Ok(Stream { array: self, given: 0, reporter: self.reporter(), _watch: self.watched()? })
    }

    pub(super) fn watched(&self) -> Result<Watch> {
        self.cluster.check_is_real(&self.handle.task)?;
        self.cluster.poller().watch(self.watch.clone())
    }

    /// Calls the callbacks for the end of all items, once for each attempt.
    pub(super) fn tell_end(&self) {
        let (is_complete, attempts) = {
            let state = self.watch.state();
            (state.is_complete(), state.attempts.len())
        };
        if is_complete && self.told.fetch_max(attempts, Ordering::Relaxed) < attempts {
            self.cluster.callbacks().on_array_ended(&self.handle, &self.progress());
        }
    }

    fn within(&self, range: Range<usize>) -> Result<Range<u64>> {
        if range.end > self.len() {
            return Err(Error::Config {
                message: format!("there is no item {}", range.end - 1),
                hint: format!("the array has {} items, counted from 0", self.len()),
            });
        }
        Ok(range.start as u64..range.end as u64)
    }

    fn begin_wait(&self) -> Result<Wait<'_, T>> {
        Ok(Wait { array: self, reporter: self.reporter(), _watch: self.watched()? })
    }

    fn reporter(&self) -> Reporter {
        Reporter::new(self.cluster.progress(), self.about(), &self.tale)
    }

    /// Returns the value or the error of an item.
    fn take(&self, index: u64, slot: Slot) -> Result<T> {
        let case = |attempt: Option<(usize, u64)>| Item::new(self, index, attempt);
        match slot {
            Slot::Value(bytes, range) => {
                let value = bytes.get(range).unwrap_or_default();
                let undecodable = |error| conclude::undecodable(&case(None), &error);
                Ok((self.decode)(value).map_err(undecodable)?)
            }
            Slot::Failed(bytes, range) => {
                let failure = failure(bytes.get(range).unwrap_or_default());
                let case = case(None);
                Err(conclude::failed(&case, failure, case.node(), None).into())
            }
            Slot::Ended(attempt, element) => {
                Err(self.ended(&case(Some((attempt, element)))).into())
            }
            Slot::Open => Err(conclude::ended(&case(None), &End::never_submitted()).into()),
        }
    }

    fn ended(&self, item: &Item<'_, T>) -> JobError {
        let (end, damaged) = {
            let state = self.watch.state();
            let element = item
                .attempt
                .and_then(|(attempt, element)| state.attempts.get(attempt)?.element(element));
            let end = element.and_then(|element| element.end.clone());
            let end = end.unwrap_or_else(End::never_submitted);
            // A run that ended by itself has written whole records and a record of its end.
            let cut = element.filter(|_| end.tells_of_result()).and_then(Element::cut);
            (end, element.and_then(|element| element.damaged.clone()).or(cut.map(str::to_owned)))
        };
        let mut error = conclude::ended(item, &end);
        if let Some(reason) = damaged {
            error.kind = JobErrorKind::Corrupt { reason };
        }
        error
    }
}

/// A wait for items, with progress output if the cluster's settings ask for it.
struct Wait<'a, T> {
    array: &'a JobArray<T>,
    reporter: Reporter,
    _watch: Watch,
}

impl<T> Wait<'_, T> {
    /// Waits until an item has ended.
    fn for_item(&mut self, index: u64) -> Result<Slot> {
        let array = self.array;
        let ended =
            || array.watch.check(|state| state.slot(index).filter(|slot| !slot.is_open()).cloned());
        loop {
            // Progress is also due between items that have already ended or end shortly after one another.
            self.reporter.tick(|| array.view());
            // The first look does without the poller's lock, for items that have already ended.
            let slot = ended().or_else(|| array.cluster.poller().wait(self.reporter.next(), ended));
            if let Some(slot) = slot {
                return slot;
            }
        }
    }
}

impl<T> Drop for Wait<'_, T> {
    fn drop(&mut self) {
        self.reporter.end(|| self.array.view());
        self.array.tell_end();
    }
}

/// The items of an array in the order in which they end; see [`JobArray::stream`].
pub struct Stream<'a, T> {
    array: &'a JobArray<T>,
    /// The number of entries of `ended` that were returned already.
    given: usize,
    reporter: Reporter,
    _watch: Watch,
}

impl<T> Drop for Stream<'_, T> {
    fn drop(&mut self) {
        self.reporter.end(|| self.array.view());
    }
}

impl<T> fmt::Debug for Stream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("array", self.array).finish_non_exhaustive()
    }
}

impl<T> Iterator for Stream<'_, T> {
    type Item = (usize, Result<T>);

    fn next(&mut self) -> Option<Self::Item> {
        let (array, given, reporter) = (self.array, &mut self.given, &mut self.reporter);
        let mut next = || {
            array.watch.check(|state| {
                while state.ended.get(*given) == Some(&NO_ITEM) {
                    *given += 1;
                }
                match state.ended.get(*given) {
                    Some(index) => {
                        Some(Some((*index, state.slot(*index).cloned().unwrap_or_default())))
                    }
                    None => state.is_complete().then_some(None),
                }
            })
        };
        // The first look does without the poller's lock, for items that have already ended.
        let mut found = next();
        let found = loop {
            if let Some(found) = found {
                break found;
            }
            reporter.tick(|| array.view());
            found = array.cluster.poller().wait(reporter.next(), &mut next);
        };
        reporter.pause(|| array.view());
        match found {
            Ok(Some((index, slot))) => {
                self.given += 1;
                Some((index as usize, self.array.take(index, slot)))
            }
            // The error is returned once; then the iterator ends.
            Err(error) if self.given < usize::MAX => {
                self.given = usize::MAX;
                Some((0, Err(error)))
            }
            Ok(None) => {
                array.tell_end();
                None
            }
            Err(_) => None,
        }
    }
}
