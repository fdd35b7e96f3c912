//! Panics of jobs with little memory left.

use std::fs;
use std::io::Write;

use slurm::error::{JobError, JobErrorKind};
use slurm::{Error, Failure, FailureKind, JobContext};
use slurm_core::events::{Event, EventKind};
use slurm_core::segment::{RecordKind, push_record};

use crate::common::{Site, error_of};
use crate::tasks::panic_with;

trials![
    local a_panic_with_little_memory_left_is_reported_as_a_panic,
    local a_panic_is_noted_before_its_stack_is_resolved,
    slurm resolving_a_stack_does_not_exceed_the_jobs_memory,
];

fn panicked(error: JobError, message: &str) -> Failure {
    let JobErrorKind::Failed(failure) = error.kind else { panic!("{error}") };
    assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Panic, message));
    assert!(failure.location.as_deref().is_some_and(|place| place.contains(".rs:")), "{failure}");
    *failure
}

/// Takes all but `left_mib` MiB of its address space, and panics.
#[slurm::task(time = "5:00")]
fn panic_without_room(limit_kib: usize, left_mib: usize) {
    let mut block: Vec<u8> = Vec::new();
    loop {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
        let used: usize = size.trim().trim_end_matches("kB").trim().parse().unwrap();
        // Another thread of the runner may have taken memory since, because each has a heap of its own.
        if block.try_reserve_exact((limit_kib - used - (left_mib << 10)) << 10).is_ok() {
            break;
        }
    }
    // Unwinding does not free it.
    let block = std::mem::ManuallyDrop::new(block);
    std::hint::black_box(&block);
    panic!("no room");
}

fn a_panic_with_little_memory_left_is_reported_as_a_panic(site: &Site) {
    const LIMIT: usize = 2_000_000;
    let builder = site.builder().job_base_dir(site.base.path()).env("RUST_BACKTRACE", "1");
    let cluster = builder.setup(format!("ulimit -v {LIMIT}")).build().unwrap();
    for left in [16_usize, 32, 64, 96] {
        let job = panic_without_room::job(LIMIT, left).submit(&cluster).unwrap();
        let failure = panicked(error_of(&job), "no room");
        assert_eq!(failure.backtrace, None);
        let text = job.stderr().unwrap();
        assert!(text.contains("the stack of the panic is not shown"), "{text}");
        assert!(text.contains("thread 'slurm-task'") && text.contains("no room"), "{text}");
    }
    let array = panic_without_room::map([(LIMIT, 16)]).submit(&cluster).unwrap();
    let Err(Error::Job(error)) = array.result(0) else { panic!("{:?}", array.result(0)) };
    panicked(*error, "no room");
    // With enough memory, the log has the stack in the form of the standard library.
    let job = panic_with::job("with room").submit(&cluster).unwrap();
    let failure = panicked(error_of(&job), "with room");
    assert!(failure.backtrace.is_some(), "{:?}", job.stderr());
    let text = job.stderr().unwrap();
    assert!(text.contains("stack backtrace:\n") && text.contains("panic_with"), "{text}");
}

/// Ends like a runner that is killed while it resolves a stack.
#[slurm::task(time = "5:00")]
fn die_after_panic(ctx: &JobContext) {
    let place = "src/lib.rs:1:2".to_owned();
    match ctx.item() {
        None => {
            let message = "noted".to_owned();
            let event = Event::now(EventKind::Panicked { message, location: Some(place) });
            event.append_to(&ctx.job_dir().join("events.jsonl")).unwrap();
        }
        Some(item) => {
            let mut failure = Failure::new(FailureKind::Panic, "noted");
            failure.location = Some(place.into());
            let (mut bytes, payload) = (Vec::new(), slurm_core::codec::encode(&failure).unwrap());
            push_record(&mut bytes, RecordKind::Panic, item, &payload);
            let segment = ctx.job_dir().join("results/0");
            let segment = fs::OpenOptions::new().append(true).open(segment);
            segment.unwrap().write_all(&bytes).unwrap();
        }
    }
    std::process::exit(137);
}

fn a_panic_is_noted_before_its_stack_is_resolved(site: &Site) {
    let job = die_after_panic::job().submit(&site.cluster).unwrap();
    panicked(error_of(&job), "noted");
    let array = die_after_panic::map([(), ()]).chunk(2).submit(&site.cluster).unwrap();
    let mut results = array.try_results().unwrap().into_iter();
    let Some(Err(Error::Job(error))) = results.next() else { panic!("no error") };
    panicked(*error, "noted");
    let Some(Err(Error::Job(error))) = results.next() else { panic!("no error") };
    assert_eq!(error.kind, JobErrorKind::Crashed, "the panic belongs to another item");
}

fn resolving_a_stack_does_not_exceed_the_jobs_memory(site: &Site) {
    let builder = site.builder().job_base_dir(site.base.path()).env("RUST_BACKTRACE", "1");
    let cluster = builder.build().unwrap();
    let job = panic_with::job("small").mem("40M").submit(&cluster).unwrap();
    panicked(error_of(&job), "small");
}
