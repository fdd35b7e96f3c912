//! Dependencies between jobs: `update_job_dependency` of `src/slurmctld/job_scheduler.c`.

mod read;
mod value;

pub use value::{ArrayIndex, Dependency, DependencyItem, DependencyKind, JobReference};

use crate::options::grammar::{Grammar, LONG};
use crate::options::suggest::without_blanks;

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`type:job[:job]` joined by `,` (all of) or `?` (any of)",
    example: "afterok:12",
    details: "Types are `after`, `afterany`, `afterok`, `afternotok`, `aftercorr`, \
              `afterburstbuffer`, `expand`, and `singleton`, which names no job. A job is `id`, \
              `id_index`, `id_*` or `id_[1-3,5]`; `after` takes `+minutes` behind it. Bare ids \
              mean `afterany` and come last. `,` and `?` cannot be mixed.",
    canonical: |text| Ok(Dependency::read(text)?.to_string()),
    longest: LONG,
    separator: Some(","),
    words: &[
        "after",
        "afterany",
        "afterburstbuffer",
        "aftercorr",
        "afternotok",
        "afterok",
        "expand",
        "singleton",
    ],
    instead: |part| part.starts_with("afterburst").then_some("afterburstbuffer"),
    nearby: |value, _| nearby(value),
    ..Grammar::ANY
};

fn nearby(value: &str) -> Vec<String> {
    let compact = without_blanks(value);
    let mut proposals = vec![
        compact.trim_end_matches([',', '?', ':', '+']).to_owned(),
        compact.replace('?', ","),
        compact.replace(":after", ",after"),
        compact.replace(['&', ';'], ","),
        compact.replace('|', "?"),
        format!("afterany:{compact}"),
    ];
    if let Some((_, rest)) = compact.split_once('=') {
        proposals.push(rest.to_owned());
    }
    if let Some((head, _)) = compact.split_once('(') {
        proposals.push(head.to_owned());
    }
    if let Some((head, _)) = compact.rsplit_once('+') {
        proposals.push(head.to_owned());
    }
    if compact.starts_with("singleton") {
        proposals.push("singleton".to_owned());
    }
    proposals
}
