//! Waiting for whichever of several jobs ends next.

use std::time::{Duration, Instant};

use crate::edges::Submitted;
use crate::edges::sealed::Watched;
use crate::error::Result;
use crate::poll::Watch;

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
/// An array has ended when all of its items have. The jobs may be of several clusters.
///
/// # Errors
/// If there can be no thread that looks for them.
pub fn as_completed<'a>(jobs: &[&'a dyn Submitted]) -> Result<AsCompleted<'a>> {
    let watched: Vec<Watched<'a>> = jobs.iter().map(|job| job.watched()).collect();
    let watches = watched
        .iter()
        .map(|watched| {
            watched.cluster.check_is_real("one of several")?;
            watched.cluster.poller().watch(watched.subject.clone())
        })
        .collect::<Result<_>>()?;
    Ok(AsCompleted { open: watched.into_iter().enumerate().collect(), _watches: watches })
}

/// Waits until one of the jobs and arrays has ended, and returns its position in `jobs`; `None` without
/// any.
///
/// # Errors
/// As [`as_completed`].
pub fn wait_any(jobs: &[&dyn Submitted]) -> Result<Option<usize>> {
    as_completed(jobs)?.next().transpose()
}

/// The positions of jobs in the order in which they end; see [`as_completed`].
#[derive(Debug)]
pub struct AsCompleted<'a> {
    open: Vec<(usize, Watched<'a>)>,
    _watches: Vec<Watch>,
}

/// How often jobs of another cluster than the first are looked at.
const TURN: Duration = Duration::from_millis(20);

impl Iterator for AsCompleted<'_> {
    type Item = Result<usize>;

    fn next(&mut self) -> Option<Result<usize>> {
        let (_, first) = self.open.first()?;
        let poller = first.cluster.poller();
        let several = self.open.iter().any(|(_, job)| !job.cluster.poller().is(poller));
        let ended = || self.open.iter().position(|(_, job)| job.subject.is_settled());
        let position = loop {
            let deadline = several.then(|| Instant::now() + TURN);
            if let Some(position) = poller.wait(deadline, ended) {
                break position;
            }
        };
        Some(Ok(self.open.remove(position).0))
    }
}
