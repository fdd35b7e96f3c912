//! Which elements of an array may start: `aftercorr` pairs each with that of the same index.
//!
//! All is done on ranges, for an array may have many elements, and they are judged often.

use slurm_core::ids::JobId;
use slurm_core::options::{Dependency, DependencyItem, DependencyKind, JobReference};

use super::array::{Array, Elements};
use super::dependency::{self, Verdict};
use super::jobs::Jobs;

/// What dependencies say of the elements of an array; the others wait.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) met: Elements,
    pub(super) never: Elements,
}

/// Judges the elements of `array` that wait, and returns of those that may start at least the first `wanted`. The
/// dependencies of those that have run before were met, and are not asked again.
pub(super) fn judge(
    array: &Array,
    jobs: &Jobs,
    wanted: usize,
    now: u64,
    singleton_is_free: impl Fn() -> bool,
) -> Judged {
    let judged = match &array.dependency {
        None => Judged::alike(array, Verdict::Met),
        // Only elements have partners.
        Some(dependency) if !array.is_array() || !has_pairs(dependency) => {
            Judged::alike(array, dependency::judge(dependency, jobs, now, singleton_is_free))
        }
        Some(dependency) => {
            let judged = dependency.items.iter().flat_map(|item| match item {
                DependencyItem::Singleton => {
                    vec![Judged::alike(array, dependency::of_singleton(&singleton_is_free))]
                }
                DependencyItem::Jobs { kind, jobs: references } => {
                    let each = references
                        .iter()
                        .flat_map(|reference| of_reference(array, *kind, reference, jobs, now));
                    each.collect()
                }
            });
            let any = dependency.any;
            judged
                .reduce(|a, b| a.and(&b, any))
                .unwrap_or_else(|| Judged::alike(array, Verdict::Met))
        }
    };
    let (mut met, mut never) = (judged.met, &judged.never & &array.pending);
    for index in array.requeued.keys() {
        met.insert(*index..=*index);
        never.remove(*index..=*index);
    }
    let met = met.intersection(&array.pending).take(wanted).collect();
    Judged { met, never }
}

fn has_pairs(dependency: &Dependency) -> bool {
    dependency
        .items
        .iter()
        .any(|item| matches!(item, DependencyItem::Jobs { kind: DependencyKind::AfterCorr, .. }))
}

fn of_reference(
    array: &Array,
    kind: DependencyKind,
    reference: &JobReference,
    jobs: &Jobs,
    now: u64,
) -> Vec<Judged> {
    let other = JobId::new(reference.id).and_then(|id| jobs.array(id));
    let other = other.filter(|other| other.is_array());
    match other {
        // As slurmctld does it: any index that the reference names says nothing here.
        Some(other) if kind == DependencyKind::AfterCorr => vec![of_pairs(array, other, jobs, now)],
        _ => {
            let verdicts = dependency::of_reference(kind, reference, jobs, now).into_iter();
            verdicts.map(|verdict| Judged::alike(array, verdict)).collect()
        }
    }
}

/// Pairs elements of the same index. An element without a partner waits for the whole of `other`, as in slurmctld.
fn of_pairs(array: &Array, other: &Array, jobs: &Jobs, now: u64) -> Judged {
    let ended = |well| {
        let ends = other.ended.iter().filter(move |(end, _)| end.is_well() == well);
        // There is hardly ever more than one.
        ends.map(|(_, elements)| elements.clone()).reduce(|a, b| &a | &b).unwrap_or_default()
    };
    let (mut met, mut never) = (ended(true), ended(false));
    if array.size > other.size {
        let without = other.size..=array.size - 1;
        match dependency::of_array(DependencyKind::AfterOk, other, jobs, now) {
            Verdict::Met => met.insert(without),
            Verdict::Never => never.insert(without),
            Verdict::Waiting => {}
        }
    }
    Judged { met, never }
}

impl Judged {
    fn alike(array: &Array, verdict: Verdict) -> Self {
        let all_if = |wanted| (verdict == wanted).then(|| array.indices()).into_iter().collect();
        Self { met: all_if(Verdict::Met), never: all_if(Verdict::Never) }
    }

    /// Joins what two dependencies say: both are needed, or any of them.
    fn and(&self, other: &Self, any: bool) -> Self {
        let (both, either): (fn(_, _) -> _, fn(_, _) -> _) =
            (|a: &Elements, b: &Elements| a & b, |a: &Elements, b: &Elements| a | b);
        match any {
            true => {
                Self { met: either(&self.met, &other.met), never: both(&self.never, &other.never) }
            }
            false => {
                Self { met: both(&self.met, &other.met), never: either(&self.never, &other.never) }
            }
        }
    }
}
