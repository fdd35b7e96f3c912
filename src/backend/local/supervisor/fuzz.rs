//! The supervisor's parsers, for the fuzz targets.

use std::time::Duration;

use slurm_core::ids::JobId;

use super::core::{Array, Core, Entry, Job, Machine};
use super::{effects, identity, journal, log_path};
use crate::backend::local::capacity::Capacity;
use crate::backend::local::protocol::{JobRequest, Request};

/// Reads bytes as a request, a journal, and a line of `/proc`.
pub(in crate::backend::local) fn read_anything(bytes: &[u8], request: Option<Request>) {
    if let Some(Request::Submit(request)) = request {
        start_anything(*request);
    }
    let core = replayed(journal::parse(bytes).0);
    let lines = journal::lines(&core.entries()).unwrap_or_default();
    let again = replayed(journal::parse(&lines).0);
    let rewritten = journal::lines(&again.entries()).unwrap_or_default();
    assert!(rewritten == lines, "what is rewritten tells the same");
    let _ = identity::parse(bytes);
}

fn start_anything(request: JobRequest) {
    let Some(id) = JobId::new(7) else { return };
    let Ok(array) = Array::new(id, request) else { return };
    let job = Job::new(id, &array, 0, 0);
    let _ = log_path::log_path(&array.request.stdout, &array, &job);
    let _ = super::core::Alarms::new(&array.request, effects::now().at, Duration::ZERO, None);
}

fn replayed(entries: Vec<Entry>) -> Core {
    let machine = Machine { whole: Capacity::default(), host: String::new(), boot: None };
    let mut core = Core::new(machine);
    for entry in entries {
        let _ = core.replay(entry);
    }
    core
}
