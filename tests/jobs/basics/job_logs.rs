//! Logs that cannot be written or read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use slurm::error::{HostError, JobErrorKind};
use slurm::{Error, JobContext, JobState};

use crate::common::{Site, error_of, kind_of, until};
use crate::tasks::*;

trials![
    all an_error_is_reported_although_the_log_is_full,
    both a_failing_item_whose_log_is_full_fails_alone,
    both a_refused_requeue_is_reported_without_a_log,
    all only_regular_files_are_read_as_logs,
    all the_end_of_a_long_log_is_returned,
    local a_full_disk_is_reported,
    local a_job_that_fills_its_disk_counts_as_started,
    local items_after_a_full_disk_count_as_started,
    local a_log_that_is_a_pipe_does_not_block_the_job,
];

fn failed_with(kind: &JobErrorKind, words: &str) {
    let JobErrorKind::Failed(failure) = kind else { panic!("{kind:?}") };
    assert!(failure.to_string().contains(words), "{failure}");
}

fn an_error_is_reported_although_the_log_is_full(site: &Site) {
    let job = parse::job("x").set("error", "/dev/full").submit(&site.cluster).unwrap();
    failed_with(&kind_of(&job), "the number is invalid: invalid digit");
    let job = panic_with::job("lost").set("error", "/dev/full").submit(&site.cluster).unwrap();
    failed_with(&kind_of(&job), "lost");
}

fn a_failing_item_whose_log_is_full_fails_alone(site: &Site) {
    let items = [1, 4, -9, 16, 25, 36, 49, 64];
    let array = root::map(items).chunk(8).set("error", "/dev/full").submit(&site.cluster).unwrap();
    for (item, result) in items.into_iter().zip(array.try_results().unwrap()) {
        match result {
            Ok(value) => assert_eq!(value, (item as f64).sqrt()),
            Err(Error::Job(error)) if item < 0 => failed_with(&error.kind, "-9 has no root"),
            other => panic!("{item}: {other:?}"),
        }
    }
}

/// Reaches its time limit without checking for it.
#[slurm::task(time = "1:00", signal = "B:USR1@55", on_timeout = "requeue", max_requeues = 0)]
fn sleep_long(gate: PathBuf) {
    while !gate.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn a_refused_requeue_is_reported_without_a_log(site: &Site) {
    let job = sleep_long::job(site.path("never"))
        .set("error", "/dev/full")
        .set("signal", "B:USR1@58")
        .submit(&site.cluster)
        .unwrap();
    let kind = kind_of(&job);
    let JobErrorKind::NotRequeued { reason } = &kind else { panic!("{kind:?}") };
    assert!(reason.contains("`max_requeues` is 0"), "{reason}");
}

/// Ends the process without a message.
#[slurm::task(time = "5:00")]
fn leave(code: i32) {
    std::process::exit(code);
}

fn only_regular_files_are_read_as_logs(site: &Site) {
    for path in ["/dev/full", "/dev/zero"] {
        let job = leave::job(9).set("error", path).submit(&site.cluster).unwrap();
        let error = error_of(&job);
        assert_eq!((&error.kind, error.job.stderr_tail.as_str()), (&JobErrorKind::Crashed, ""));
        let Err(Error::Host(error @ HostError::File { .. })) = job.stderr() else {
            panic!("{:?}", job.stderr())
        };
        let HostError::File { source, .. } = &error else { unreachable!() };
        assert!(source.to_string().contains("not a regular file"), "{error:?}");
    }
    let job = leave::job(9).set("error", "/dev/null").submit(&site.cluster).unwrap();
    assert_eq!(kind_of(&job), JobErrorKind::Crashed);
    assert_eq!(job.stderr().unwrap(), "");
}

/// Makes its log long without writing that much.
#[slurm::task(time = "5:00")]
fn write_long_log(log: PathBuf) {
    let file = fs::OpenOptions::new().append(true).open(log).unwrap();
    file.set_len(100 << 20).unwrap();
    eprintln!("the end");
    std::process::exit(9);
}

fn the_end_of_a_long_log_is_returned(site: &Site) {
    let log = site.path("log");
    fs::write(&log, "").unwrap();
    let job = write_long_log::job(&log).set("error", log.to_str().unwrap());
    let job = job.set("open_mode", "append").submit(&site.cluster).unwrap();
    let error = error_of(&job);
    assert!(error.job.stderr_tail.ends_with("the end"), "{error}");
    let text = job.stderr().unwrap();
    assert_eq!(text.len(), 64 << 20);
    assert!(text.ends_with("the end\n"));
}

/// A file system of 256 KiB. Only root can make it.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it in place of the directories of a task's jobs.
    fn below(site: &Site, task: &str) -> Self {
        Self::at(site.path(&slurm_core::layout::task_folder(task)))
    }

    fn at(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let options = ["-t", "tmpfs", "-o", "size=256k,mode=0755", "tmpfs"];
        let mounted = Command::new("mount").args(options).arg(&folder).status();
        assert!(
            mounted.is_ok_and(|status| status.success()),
            "this test makes a small file system and must run as root"
        );
        Self(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A process of the job may still use it for a moment.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Fills the job's disk except for `room` bytes.
fn fill(dir: &Path, room: usize) {
    if room > 0 {
        fs::write(dir.join("room"), vec![1; room]).unwrap();
    }
    let full = fs::write(dir.join("filler"), vec![1; 1 << 20]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    if room > 0 {
        fs::remove_file(dir.join("room")).unwrap();
    }
}

#[slurm::task(time = "5:00")]
fn return_on_full_disk(ctx: &JobContext, room: usize, bytes: usize) -> Vec<u8> {
    fill(ctx.job_dir(), room);
    vec![7; bytes]
}

fn a_full_disk_is_reported(site: &Site) {
    let _disk = SmallDisk::below(site, "jobs::basics::job_logs::return_on_full_disk");
    let job = return_on_full_disk::job(32_usize << 10, 64_usize << 10);
    let job = job.submit(&site.cluster).unwrap();
    failed_with(&kind_of(&job), "No space left on device");
}

#[slurm::task(time = "5:00")]
fn end_on_full_disk(ctx: &JobContext, how: String) -> Result<(), String> {
    fill(ctx.job_dir(), 0);
    match how.as_str() {
        "error" => return Err("this is lost".to_owned()),
        "exit" => std::process::exit(9),
        "panic" => panic!("this is lost"),
        _ => {}
    }
    Ok(())
}

fn a_job_that_fills_its_disk_counts_as_started(site: &Site) {
    for how in ["error", "panic", "value"] {
        let _disk = SmallDisk::below(site, "jobs::basics::job_logs::end_on_full_disk");
        let job = end_on_full_disk::job(how).submit(&site.cluster).unwrap();
        let error = error_of(&job);
        assert_eq!(error.job.exit_code, Some(116), "{how}: {error}");
        if how == "panic" {
            // The note that is written first fits into the remaining space.
            failed_with(&error.kind, "this is lost");
            continue;
        }
        assert_eq!(error.kind, JobErrorKind::Crashed, "{how}");
        assert!(error.to_string().contains("disk is full"), "{error}");
    }
    // The disk is full before the runner starts, so the diary has not even one line.
    let disk = SmallDisk::below(site, "jobs::basics::job_logs::end_on_full_disk");
    let gate = site.path("gate");
    let before = wait_for::job(&gate).submit(&site.cluster).unwrap();
    let job = end_on_full_disk::job("exit").after(&before).submit(&site.cluster).unwrap();
    fs::write(disk.0.join("filler"), vec![1; 1 << 20]).unwrap_err();
    fs::write(gate, "").unwrap();
    let error = error_of(&job);
    assert_eq!((&error.kind, error.job.exit_code), (&JobErrorKind::Crashed, Some(9)), "{error}");
    assert_eq!(fs::read(job.job_dir().join("events.jsonl")).unwrap(), b"");
}

#[slurm::task(time = "5:00")]
fn item_on_full_disk(ctx: &JobContext, n: usize) -> Vec<u8> {
    if n == 1 {
        fill(&ctx.job_dir().join("results"), 8 << 10);
        return vec![7; 64 << 10];
    }
    vec![n as u8]
}

fn items_after_a_full_disk_count_as_started(site: &Site) {
    let gate = site.path("gate");
    let before = wait_for::job(&gate).submit(&site.cluster).unwrap();
    let array = item_on_full_disk::map(0..4_usize).chunk(4).after(&before);
    let array = array.submit(&site.cluster).unwrap();
    let _disk = SmallDisk::at(array.job_dir().join("results"));
    fs::write(gate, "").unwrap();
    let results = array.try_results().unwrap();
    assert_eq!(results[0].as_ref().unwrap(), &[0]);
    let Err(Error::Job(error)) = &results[1] else { panic!("{:?}", results[1]) };
    failed_with(&error.kind, "No space left on device");
    for result in &results[2..] {
        let Err(Error::Job(error)) = result else { panic!("{result:?}") };
        assert_eq!(error.kind, JobErrorKind::Crashed, "{error}");
        assert!(error.to_string().contains("disk is full"), "{error}");
    }
}

fn a_log_that_is_a_pipe_does_not_block_the_job(site: &Site) {
    let pipe = site.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let submit = || {
        let job = parse::job("x").set("error", pipe.to_str().unwrap());
        job.submit(&site.cluster).unwrap()
    };
    // The pipe has no reader, so the job cannot start; it does not delay other jobs.
    assert_eq!(kind_of(&submit()), JobErrorKind::NotStarted);
    // The reader never reads, and the pipe is full.
    let _reader = fill_pipe(&pipe);
    let job = submit();
    failed_with(&kind_of(&job), "the number is invalid");
    until("the process is gone", || job.state().unwrap() == JobState::Failed);
}

/// Opens a pipe for reading, and fills it.
fn fill_pipe(pipe: &Path) -> fs::File {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    // Opened for reading and writing, so that opening does not wait for another process.
    let reader = fs::OpenOptions::new().read(true).write(true).open(pipe).unwrap();
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let mut writer =
        fs::OpenOptions::new().write(true).custom_flags(nonblocking).open(pipe).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    reader
}
