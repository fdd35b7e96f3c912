//! Waiting for the next of several jobs to end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::edges::Awaitable;
use crate::edges::sealed::Watched;
use crate::error::Result;
use crate::model::Progress;
use crate::poll::{Poller, Subject, Watch};
use crate::progress::{self, About, Reporter, Tale, View};

/// Waits for jobs and arrays, and returns their positions in `jobs` in the order in which they end.
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
/// An array has ended when all of its items have. The jobs may be on several clusters; the cluster of the first
/// decides whether progress is [shown](crate::ProgressMode).
///
/// # Errors
/// If the thread that watches the jobs cannot be started.
pub fn as_completed<'a>(jobs: &[&'a dyn Awaitable]) -> Result<AsCompleted<'a>> {
    AsCompleted::new(jobs.iter().map(|job| job.watched()).collect())
}

/// Waits until one of the jobs and arrays has ended, and returns its position in `jobs`, or `None` if `jobs` is
/// empty.
///
/// # Errors
/// As for [`as_completed`].
pub fn wait_any(jobs: &[&dyn Awaitable]) -> Result<Option<usize>> {
    AsCompleted::new(jobs.iter().map(|job| job.watched()).collect())?.next().transpose()
}

/// The positions of jobs in the order in which they end; see [`as_completed`].
#[derive(Debug)]
pub struct AsCompleted<'a> {
    open: Vec<(usize, Watched<'a>)>,
    all: Vec<(Arc<dyn Subject>, Poller)>,
    /// `None` without any jobs.
    reporter: Option<Reporter>,
    _watches: Vec<Watch>,
}

/// The interval at which jobs of other clusters than the first are checked.
const TURN: Duration = Duration::from_millis(20);

impl<'a> AsCompleted<'a> {
    fn new(watched: Vec<Watched<'a>>) -> Result<Self> {
        let watches = watched
            .iter()
            .map(|watched| {
                watched.cluster.check_is_real("one of several")?;
                watched.cluster.poller().watch(watched.subject.clone())
            })
            .collect::<Result<_>>()?;
        let all = watched
            .iter()
            .map(|watched| (watched.subject.clone(), watched.cluster.poller().clone()))
            .collect();
        let reporter = watched.first().map(|first| {
            Reporter::new(first.cluster.progress(), about(first, &watched), &Tale::default())
        });
        Ok(Self {
            open: watched.into_iter().enumerate().collect(),
            all,
            reporter,
            _watches: watches,
        })
    }
}

/// Returns the common description of the jobs for progress output.
fn about(first: &Watched<'_>, watched: &[Watched<'_>]) -> About {
    let mut asked = Vec::new();
    watched.iter().for_each(|watched| watched.subject.jobs(&mut asked));
    About {
        name: name_of(watched),
        jobs: asked.into_iter().map(|asked| asked.job).collect(),
        place: first.cluster.backend().place(),
        dir: None,
        is_job: false,
    }
}

/// Returns the common name of the jobs.
fn name_of(watched: &[Watched<'_>]) -> String {
    match watched {
        [first, rest @ ..] if rest.iter().all(|other| other.task == first.task) => {
            progress::short_name(first.task)
        }
        _ => format!("{} jobs", watched.len()),
    }
}

fn view_of(all: &[(Arc<dyn Subject>, Poller)]) -> View {
    let mut sum = Progress::default();
    for of_one in all.iter().map(|(subject, _)| subject.progress()) {
        sum.items += of_one.items;
        sum.succeeded += of_one.succeeded;
        sum.failed += of_one.failed;
        sum.running += of_one.running;
    }
    let statuses = all.iter().flat_map(|(subject, _)| subject.statuses()).collect();
    let mut pollers: Vec<&Poller> = Vec::new();
    for (_, poller) in all {
        if !pollers.iter().any(|known| known.is(poller)) {
            pollers.push(poller);
        }
    }
    let silences = pollers.into_iter().flat_map(Poller::silences).collect();
    View { progress: sum, statuses, silences }
}

impl Iterator for AsCompleted<'_> {
    type Item = Result<usize>;

    fn next(&mut self) -> Option<Result<usize>> {
        let Self { open, all, reporter, .. } = self;
        let (_, first) = open.first()?;
        let reporter = reporter.as_mut()?;
        let poller = first.cluster.poller();
        let several = open.iter().any(|(_, job)| !job.cluster.poller().is(poller));
        let ended = || open.iter().position(|(_, job)| job.subject.is_settled());
        let mut position = ended();
        let position = loop {
            if let Some(position) = position {
                break position;
            }
            reporter.tick(|| view_of(all));
            let turn = several.then(|| Instant::now() + TURN);
            position = poller.wait(progress::earlier(turn, reporter.next()), ended);
        };
        reporter.pause(|| view_of(all));
        Some(Ok(self.open.remove(position).0))
    }
}

impl Drop for AsCompleted<'_> {
    fn drop(&mut self) {
        if let Some(reporter) = &mut self.reporter {
            reporter.end(|| view_of(&self.all));
        }
    }
}
