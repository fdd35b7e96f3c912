//! Damaged files, missing programs and full disks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use slurm::Error;
use slurm::error::{HostError, JobErrorKind, SubmitError};
use slurm_core::segment::{HEADER, Record, RecordKind, Records};

use crate::common::{Site, kind_of, result_of};
use crate::roles;
use crate::tasks::*;

trials![
    all a_job_without_a_valid_program_never_starts,
    all an_unwritable_base_directory_is_named,
    all a_damaged_result_is_corrupt,
    local a_damaged_item_is_corrupt,
    local every_cut_of_a_spec_is_refused,
    local a_damaged_spec_is_not_reported_as_a_damaged_result,
    local a_spec_of_another_program_is_refused,
    local submitting_without_init_is_refused,
    local a_full_disk_leaves_nothing_half_written,
    slurm a_missing_sbatch_is_named,
];

fn a_job_without_a_valid_program_never_starts(site: &Site) {
    let program = site.path("program");
    fs::write(&program, [0x7f, b'E', b'L', b'F', 0, 0]).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let cluster =
        site.builder().job_base_dir(site.base.path()).runner_binary(&program).build().unwrap();
    let job = add::job(1, 2).submit(&cluster).unwrap();
    let error = crate::common::error_of(&job);
    assert_eq!(error.kind, JobErrorKind::NotStarted, "{error}");
    assert!(error.job.stderr_tail.contains("program"), "the log has the shell's message: {error}");
}

fn an_unwritable_base_directory_is_named(site: &Site) {
    let base = site.path("file");
    fs::write(&base, "not a directory").unwrap();
    let cluster = site.builder().job_base_dir(&base).build().unwrap();
    let error = add::job(1, 2).submit(&cluster).unwrap_err();
    assert!(
        matches!(&error, Error::Host(HostError::File { path, .. }) if path.starts_with(&base)),
        "{error:?}"
    );
}

fn a_damaged_result_is_corrupt(site: &Site) {
    let job = add::job(1, 2).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 3);
    let path = job.job_dir().join("result");
    let good = fs::read(&path).unwrap();
    let again = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        kind_of(&site.cluster.attach::<add>(job.handle()).unwrap())
    };
    assert!(matches!(again(&good[..good.len() - 1]), JobErrorKind::Corrupt { .. }));
    assert!(matches!(again(b""), JobErrorKind::Corrupt { .. }));
    let mut flipped = good.clone();
    flipped[good.len() - 1] ^= 1;
    assert!(matches!(again(&flipped), JobErrorKind::Corrupt { .. }));
    let mut newer = good.clone();
    newer[8] = 99;
    let kind = again(&newer);
    assert!(
        matches!(&kind, JobErrorKind::VersionMismatch { reason } if reason.contains("99")),
        "{kind:?}"
    );
}

fn a_damaged_item_is_corrupt(site: &Site) {
    let array = square::map(0..4).chunk(4).submit(&site.cluster).unwrap();
    assert_eq!(array.results().unwrap(), [0, 1, 4, 9]);
    let path = array.job_dir().join("results/0");
    let good = fs::read(&path).unwrap();
    let again = |bytes: &[u8]| -> Vec<Result<i64, JobErrorKind>> {
        fs::write(&path, bytes).unwrap();
        let array = site.cluster.attach_array::<square>(array.handle()).unwrap();
        let kind = |error| match error {
            Error::Job(error) => error.kind,
            other => panic!("{other}"),
        };
        array.try_results().unwrap().into_iter().map(|result| result.map_err(kind)).collect()
    };
    let mut flipped = good.clone();
    let mut records = Records::new(&good, HEADER);
    let value = |record: &Record| record.kind == RecordKind::Value && record.index == 2;
    let at = records.find(value).unwrap().payload.start;
    flipped[at] = 5;
    let cut = &good[..at + 3];
    for bytes in [&flipped, cut] {
        let found = again(bytes);
        assert_eq!(found[..2], [Ok(0), Ok(1)]);
        for item in &found[2..] {
            assert!(matches!(item, Err(JobErrorKind::Corrupt { .. })), "{found:?}");
        }
    }
    // The segment lacks whole records.
    let (mut records, mut end) = (Records::new(&good, HEADER), HEADER);
    while records.next().is_some_and(|record| !value(&record)) {
        end = records.position();
    }
    let found = again(&good[..end]);
    assert_eq!(found[..2], [Ok(0), Ok(1)]);
    for item in &found[2..] {
        assert!(matches!(item, Err(JobErrorKind::Corrupt { .. })), "{found:?}");
    }
    assert_eq!(again(&good), [Ok(0), Ok(1), Ok(4), Ok(9)]);
}

/// Runs the runner on a given spec, and returns its exit code.
fn run_on(dir: &Path, spec: &[u8]) -> Option<i32> {
    fs::create_dir_all(dir).unwrap();
    let path = dir.join("spec");
    fs::write(&path, spec).unwrap();
    let program = std::env::current_exe().unwrap();
    Command::new(program).args(["__slurm", "run"]).arg(&path).output().unwrap().status.code()
}

fn every_cut_of_a_spec_is_refused(site: &Site) {
    let job = add::job(1, 2).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 3);
    let spec = fs::read(job.job_dir().join("spec")).unwrap();
    let dir = site.path("cut");
    for len in (0..spec.len()).step_by(7) {
        assert_eq!(run_on(&dir, &spec[..len]), Some(110), "cut at {len}");
    }
    let mut flipped = spec.clone();
    flipped[spec.len() / 2] ^= 4;
    assert_eq!(run_on(&dir, &flipped), Some(110));
    let mut newer = spec.clone();
    newer[8] = 99;
    assert_eq!(run_on(&dir, &newer), Some(112));
    assert_eq!(run_on(&dir, &spec), Some(0), "the whole spec runs");
}

fn a_damaged_spec_is_not_reported_as_a_damaged_result(site: &Site) {
    let job = add::job(1, 2).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 3);
    let spec = fs::read(job.job_dir().join("spec")).unwrap();
    // The runner uses the job's own directory, so that the client sees its files.
    fs::remove_file(job.job_dir().join("result")).unwrap();
    assert_eq!(run_on(job.job_dir(), &spec[..spec.len() - 1]), Some(110));
    let error = crate::common::error_of(&site.cluster.attach::<add>(job.handle()).unwrap());
    assert_eq!(error.kind, JobErrorKind::NotStarted, "{error}");
    let text = error.to_string();
    assert!(text.contains("before the task was started") && text.contains("/spec: "), "{text}");
    assert!(!text.contains("left a result"), "{text}");
}

fn a_spec_of_another_program_is_refused(site: &Site) {
    use slurm_core::spec::Spec;
    let job = add::job(1, 2).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 3);
    let bytes = fs::read(job.job_dir().join("spec")).unwrap();
    let (spec, frame) = Spec::from_bytes(&bytes).unwrap();
    let foreign = [
        (spec.to_bytes("jobs::support::tasks::gone", frame.signature).unwrap(), 111),
        (spec.to_bytes(frame.task, frame.signature ^ 1).unwrap(), 112),
    ];
    for (bytes, code) in foreign {
        // The runner uses the job's own directory, so that the client sees its files.
        fs::remove_file(job.job_dir().join("result")).unwrap();
        assert_eq!(run_on(job.job_dir(), &bytes), Some(code));
        let kind = kind_of(&site.cluster.attach::<add>(job.handle()).unwrap());
        assert!(matches!(kind, JobErrorKind::VersionMismatch { .. }), "{kind:?}");
    }
}

fn submitting_without_init_is_refused(site: &Site) {
    let answer = roles::run(site, "submit-without-init", "", |_| {});
    assert!(answer.starts_with("Err(slurm::init() was not called"), "{answer}");
    assert!(answer.contains("hint: put #[slurm::main] on main"), "{answer}");
}

fn a_missing_sbatch_is_named(site: &Site) {
    let answer = roles::run(site, "add", "", |command| {
        command.env("PATH", "/nonexistent");
    });
    assert!(answer.starts_with("Err(cannot run `sbatch "), "{answer}");
    assert!(answer.contains("sbatch was not found") && answer.contains("hint: "), "{answer}");
    assert!(site.submissions().is_empty());
}

/// Needs a file system of 128 KiB, which only root can make.
fn a_full_disk_leaves_nothing_half_written(site: &Site) {
    let small = site.path("small");
    fs::create_dir(&small).unwrap();
    let mount = |arguments: &[&str]| {
        Command::new("mount")
            .args(arguments)
            .arg(&small)
            .status()
            .is_ok_and(|status| status.success())
    };
    assert!(
        mount(&["-t", "tmpfs", "-o", "size=128k,mode=0755", "tmpfs"]),
        "this test makes a small file system and must run as root"
    );
    let cluster = site.builder().job_base_dir(&small).build().unwrap();
    let error = add::job(1, 2).submit(&cluster).unwrap_err();
    let hint = error.hint();
    let left: Vec<_> = walk(&small).into_iter().filter(|path| path.is_file()).collect();
    assert!(Command::new("umount").arg(&small).status().unwrap().success());
    let (Error::Host(error) | Error::Submit(SubmitError::Host(error))) = error else {
        panic!("{error:?}")
    };
    let HostError::File { source, .. } = error else { panic!("{error:?}") };
    assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
    assert!(hint.unwrap().contains("free some space"));
    assert!(left.is_empty(), "{left:?}");
}

fn walk(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
