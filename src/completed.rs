//! Waiting for whichever of several jobs ends next.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::array::Progress;
use crate::edges::Submitted;
use crate::edges::sealed::Watched;
use crate::error::Result;
use crate::poll::{Subject, Watch};
use crate::progress::{self, ProgressMode, Reporter};

/// Waits for jobs and arrays, and gives their positions in `jobs` in the order in which they end.
///
/// ```no_run
/// # #[slurm::task]
/// # fn train(seed: u64) -> f64 { seed as f64 }
/// # fn main() -> slurm::Result<()> {
/// # let cluster = slurm::Cluster::local()?;
/// let one = train::job(1).submit(&cluster)?;
/// let many = train::map(2..9).submit(&cluster)?;
/// for next in slurm::as_completed(&[&one, &many])? {
///     match next? {
///         0 => println!("{}", one.result()?),
///         _ => println!("{:?}", many.results()?),
///     }
/// }
/// # Ok(())
/// # }
/// ```
///
/// An array has ended when all of its items have. The jobs may be of several clusters; that of the first says
/// whether progress is [shown](crate::ProgressMode).
///
/// # Errors
/// If there can be no thread that looks for them.
pub fn as_completed<'a>(jobs: &[&'a dyn Submitted]) -> Result<AsCompleted<'a>> {
    let watched: Vec<Watched<'a>> = jobs.iter().map(|job| job.watched()).collect();
    let mode = watched.first().map_or(ProgressMode::Off, |first| first.cluster.progress());
    AsCompleted::new(watched, mode)
}

/// Waits until one of the jobs and arrays has ended, and returns its position in `jobs`; `None` without
/// any.
///
/// # Errors
/// As [`as_completed`].
pub fn wait_any(jobs: &[&dyn Submitted]) -> Result<Option<usize>> {
    let watched = jobs.iter().map(|job| job.watched()).collect();
    AsCompleted::new(watched, ProgressMode::Off)?.next().transpose()
}

/// The positions of jobs in the order in which they end; see [`as_completed`].
#[derive(Debug)]
pub struct AsCompleted<'a> {
    open: Vec<(usize, Watched<'a>)>,
    all: Vec<Arc<dyn Subject>>,
    reporter: Reporter,
    _watches: Vec<Watch>,
}

/// How often jobs of another cluster than the first are looked at.
const TURN: Duration = Duration::from_millis(20);

impl<'a> AsCompleted<'a> {
    fn new(watched: Vec<Watched<'a>>, mode: ProgressMode) -> Result<Self> {
        let watches = watched
            .iter()
            .map(|watched| {
                watched.cluster.check_is_real("one of several")?;
                watched.cluster.poller().watch(watched.subject.clone())
            })
            .collect::<Result<_>>()?;
        let all = watched.iter().map(|watched| watched.subject.clone()).collect();
        let reporter = Reporter::new(mode, name_of(&watched));
        Ok(Self {
            open: watched.into_iter().enumerate().collect(),
            all,
            reporter,
            _watches: watches,
        })
    }
}

/// Returns what all of them are called together.
fn name_of(watched: &[Watched<'_>]) -> String {
    match watched {
        [first, rest @ ..] if rest.iter().all(|other| other.task == first.task) => {
            progress::short_name(first.task)
        }
        _ => format!("{} jobs", watched.len()),
    }
}

fn progress_of(all: &[Arc<dyn Subject>]) -> Progress {
    let mut sum = Progress::default();
    for of_one in all.iter().map(|subject| subject.progress()) {
        sum.items += of_one.items;
        sum.succeeded += of_one.succeeded;
        sum.failed += of_one.failed;
        sum.running += of_one.running;
    }
    sum
}

impl Iterator for AsCompleted<'_> {
    type Item = Result<usize>;

    fn next(&mut self) -> Option<Result<usize>> {
        let Self { open, all, reporter, .. } = self;
        let (_, first) = open.first()?;
        let poller = first.cluster.poller();
        let several = open.iter().any(|(_, job)| !job.cluster.poller().is(poller));
        let ended = || open.iter().position(|(_, job)| job.subject.is_settled());
        let mut show_at = reporter.next();
        let position = loop {
            let turn = several.then(|| Instant::now() + TURN);
            if let Some(position) = poller.wait(progress::earlier(turn, show_at), ended) {
                break position;
            }
            if show_at.is_some_and(|at| at <= Instant::now()) {
                reporter.show(progress_of(all));
                show_at = reporter.next();
            }
        };
        reporter.pause(|| progress_of(all));
        Some(Ok(self.open.remove(position).0))
    }
}

impl Drop for AsCompleted<'_> {
    fn drop(&mut self) {
        self.reporter.end(|| progress_of(&self.all));
    }
}
