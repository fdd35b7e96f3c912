//! The actions of one host, and the time at which another host sees them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use slurm_core::durable;

use super::client::Clock;
use super::policy::Locks;
use super::{Policy, SharedFs};
use crate::ledger;

/// Two hosts that share a directory.
struct Hosts {
    fs: Option<SharedFs>,
    dir: PathBuf,
    a: PathBuf,
    b: PathBuf,
}

impl Hosts {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let dir = std::env::temp_dir().join(format!("shared-fs-{}-{number}", std::process::id()));
        for part in ["server/dir", "control", "a", "b"] {
            fs::create_dir_all(dir.join(part)).unwrap();
        }
        let mut fs =
            SharedFs::new(&dir.join("server"), dir.join("control"), Clock::standing()).unwrap();
        for host in ["a", "b"] {
            fs.mount(&dir.join(host), 4).expect("only root can mount");
        }
        Self { fs: Some(fs), a: dir.join("a/dir"), b: dir.join("b/dir"), dir }
    }

    /// Lets both hosts distrust their cached attributes of files.
    fn files_expire(&self) {
        self.fs.as_ref().unwrap().put_clock_forward(Duration::from_millis(3001));
    }

    fn names_expire(&self) {
        self.fs.as_ref().unwrap().put_clock_forward(Duration::from_millis(30_001));
    }

    fn set(&self, policy: &Policy) {
        let file = self.dir.join("control/dir.json");
        fs::write(file.with_extension("new"), serde_json::to_vec(policy).unwrap()).unwrap();
        fs::rename(file.with_extension("new"), file).unwrap();
    }

    /// Makes the server unreachable for a moment. It carries out the next request twice.
    fn outage(&self) {
        let away_until = ledger::now() + 100;
        self.set(&Policy { away_until, forgetful: true, ..Policy::default() });
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        drop(self.fs.take());
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn text(file: &File) -> io::Result<String> {
    let mut bytes = vec![0; 100];
    let len = file.read_at(&mut bytes, 0)?;
    bytes.truncate(len);
    Ok(String::from_utf8(bytes).unwrap())
}

fn append(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

#[track_caller]
fn assert_fails<T: std::fmt::Debug>(result: io::Result<T>, errno: Errno) {
    assert_eq!(Errno::from_io_error(&result.unwrap_err()), Some(errno));
}

/// `RELEASE` may come later than `close` returns.
fn eventually(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(Instant::now() < deadline, "timed out");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[ignore = "needs root"]
fn a_missing_name_stays_missing_until_the_directory_expires() {
    let hosts = Hosts::new();
    let seen = || fs::read_to_string(hosts.b.join("file"));
    assert_fails(seen(), Errno::NOENT);
    fs::write(hosts.a.join("file"), "one").unwrap();
    assert_fails(seen(), Errno::NOENT);
    hosts.files_expire();
    assert_fails(seen(), Errno::NOENT);
    hosts.names_expire();
    assert_eq!(seen().unwrap(), "one");
}

#[test]
#[ignore = "needs root"]
fn opening_the_directory_shows_new_names_at_once() {
    let hosts = Hosts::new();
    assert!(!hosts.b.join("file").exists());
    fs::write(hosts.a.join("file"), "one").unwrap();
    assert!(!hosts.b.join("file").exists());
    let list: Vec<_> =
        fs::read_dir(&hosts.b).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(list, ["file"]);
    assert!(hosts.b.join("file").exists());
}

#[test]
#[ignore = "needs root"]
fn a_removed_name_stays_visible_but_cannot_be_opened() {
    let hosts = Hosts::new();
    fs::write(hosts.a.join("file"), "one").unwrap();
    assert!(hosts.b.join("file").exists());
    fs::remove_file(hosts.a.join("file")).unwrap();
    assert!(hosts.b.join("file").exists());
    assert_fails(File::open(hosts.b.join("file")), Errno::NOENT);
}

#[test]
#[ignore = "needs root"]
fn attributes_are_remembered_until_the_file_is_opened() {
    let hosts = Hosts::new();
    fs::write(hosts.a.join("file"), "one").unwrap();
    let len = || fs::metadata(hosts.b.join("file")).unwrap().len();
    assert_eq!(len(), 3);
    fs::write(hosts.a.join("file"), "longer").unwrap();
    assert_eq!(len(), 3);
    File::open(hosts.b.join("file")).unwrap();
    assert_eq!(len(), 6);
    fs::write(hosts.a.join("file"), "longer still").unwrap();
    assert_eq!(len(), 6);
    hosts.files_expire();
    assert_eq!(len(), 12);
}

#[test]
#[ignore = "needs root"]
fn written_bytes_are_seen_after_a_close_and_a_later_open() {
    let hosts = Hosts::new();
    let mut writer = append(&hosts.a.join("log"));
    writer.write_all(b"one ").unwrap();
    let reader = File::open(hosts.b.join("log")).unwrap();
    assert_eq!(text(&reader).unwrap(), "");
    writer.sync_all().unwrap();
    assert_eq!(text(&reader).unwrap(), "");
    assert_eq!(fs::read_to_string(hosts.b.join("log")).unwrap(), "one ");
    writer.write_all(b"two ").unwrap();
    drop(writer);
    assert_eq!(text(&reader).unwrap(), "one ");
    hosts.files_expire();
    assert_eq!(text(&reader).unwrap(), "one two ");
}

#[test]
#[ignore = "needs root"]
fn bytes_that_wait_for_long_are_sent() {
    let hosts = Hosts::new();
    let mut writer = append(&hosts.a.join("log"));
    writer.write_all(b"one").unwrap();
    assert_eq!(fs::read_to_string(hosts.b.join("log")).unwrap(), "");
    hosts.names_expire();
    hosts.fs.as_ref().unwrap().tidy();
    assert_eq!(fs::read_to_string(hosts.b.join("log")).unwrap(), "one");
    writer.write_all(b"two").unwrap();
    assert_eq!(text(&File::open(hosts.a.join("log")).unwrap()).unwrap(), "onetwo");
}

#[test]
#[ignore = "needs root"]
fn a_file_that_another_host_removes_is_stale() {
    let hosts = Hosts::new();
    fs::write(hosts.a.join("file"), "one").unwrap();
    let reader = File::open(hosts.b.join("file")).unwrap();
    assert_eq!(text(&reader).unwrap(), "one");
    fs::remove_file(hosts.a.join("file")).unwrap();
    assert_eq!(text(&reader).unwrap(), "one");
    hosts.files_expire();
    assert_fails(text(&reader), Errno::STALE);
    assert_fails(fs::metadata(hosts.b.join("file")), Errno::NOENT);
}

#[test]
#[ignore = "needs root"]
fn writing_to_a_stale_file_fails_when_it_is_synced() {
    let hosts = Hosts::new();
    let mut writer = append(&hosts.b.join("file"));
    fs::remove_file(hosts.a.join("file")).unwrap();
    let written = writer.write_all(b"one").and_then(|()| writer.sync_all());
    assert_fails(written, Errno::STALE);
}

#[test]
#[ignore = "needs root"]
fn opening_a_replaced_file_opens_the_new_one() {
    let hosts = Hosts::new();
    fs::write(hosts.a.join("file"), "one").unwrap();
    let reader = File::open(hosts.b.join("file")).unwrap();
    assert_eq!(text(&reader).unwrap(), "one");
    fs::write(hosts.a.join("new"), "two").unwrap();
    fs::rename(hosts.a.join("new"), hosts.a.join("file")).unwrap();
    assert_eq!(fs::read_to_string(hosts.b.join("file")).unwrap(), "two");
    hosts.files_expire();
    assert_fails(text(&reader), Errno::STALE);
}

#[test]
#[ignore = "needs root"]
fn a_file_that_is_open_is_hidden_instead_of_removed() {
    let hosts = Hosts::new();
    fs::create_dir(hosts.a.join("sub")).unwrap();
    let path = hosts.a.join("sub/file");
    fs::write(&path, "one").unwrap();
    let reader = File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(!path.exists());
    hosts.files_expire();
    assert_eq!(text(&reader).unwrap(), "one");
    assert_fails(fs::remove_dir(hosts.a.join("sub")), Errno::NOTEMPTY);
    let name = fs::read_dir(hosts.b.join("sub")).unwrap().next().unwrap().unwrap().file_name();
    assert!(name.to_string_lossy().starts_with(".nfs"), "{name:?}");
    drop(reader);
    eventually(|| fs::remove_dir(hosts.a.join("sub")).is_ok());
}

#[test]
#[ignore = "needs root"]
fn appending_on_two_hosts_loses_lines() {
    let hosts = Hosts::new();
    let (mut one, mut other) = (append(&hosts.a.join("log")), append(&hosts.b.join("log")));
    one.write_all(b"one\n").unwrap();
    other.write_all(b"other\n").unwrap();
    drop(one);
    drop(other);
    assert_eq!(fs::read_to_string(hosts.a.join("log")).unwrap(), "other\n");
}

#[test]
#[ignore = "needs root"]
fn only_one_host_creates_a_new_file() {
    let hosts = Hosts::new();
    assert!(!hosts.b.join("claim").exists());
    File::create_new(hosts.a.join("claim")).unwrap();
    assert!(!hosts.b.join("claim").exists());
    assert_fails(File::create_new(hosts.b.join("claim")), Errno::EXIST);
    assert!(!hosts.b.join("sub").exists());
    fs::create_dir(hosts.a.join("sub")).unwrap();
    assert_fails(fs::create_dir(hosts.b.join("sub")), Errno::EXIST);
}

#[test]
#[ignore = "needs root"]
fn no_file_can_be_locked() {
    let hosts = Hosts::new();
    let file = append(&hosts.a.join("lock"));
    for (locks, errno) in [
        (Locks::NotGranted, Errno::NOLCK),
        (Locks::Unknown, Errno::NOSYS),
        (Locks::Refused, Errno::OPNOTSUPP),
    ] {
        hosts.set(&Policy { locks, ..Policy::default() });
        assert_fails(file.lock(), errno);
        assert_fails(file.try_lock().map_err(io::Error::from), errno);
    }
}

#[test]
#[ignore = "needs root"]
fn requests_wait_for_a_server_that_is_away() {
    let hosts = Hosts::new();
    let away_until = ledger::now() + 300;
    hosts.set(&Policy { away_until, ..Policy::default() });
    fs::write(hosts.a.join("file"), "one").unwrap();
    assert!(ledger::now() >= away_until);
}

#[test]
#[ignore = "needs root"]
fn a_server_that_forgets_a_request_carries_it_out_twice() {
    let hosts = Hosts::new();
    let path = |name: &str| hosts.a.join(name);
    for name in ["one", "two", "three"] {
        fs::write(path(name), name).unwrap();
    }
    hosts.outage();
    assert_fails(fs::create_dir(path("sub")), Errno::EXIST);
    hosts.outage();
    assert_fails(fs::rename(path("one"), path("moved")), Errno::NOENT);
    assert_eq!(fs::read_to_string(path("moved")).unwrap(), "one");
    hosts.outage();
    assert_fails(fs::hard_link(path("two"), path("linked")), Errno::EXIST);
    hosts.outage();
    assert_fails(fs::remove_file(path("three")), Errno::NOENT);
    hosts.outage();
    File::create_new(path("new")).unwrap();
}

#[test]
#[ignore = "needs root"]
fn files_of_the_library_exist_even_if_an_answer_of_the_server_is_lost() {
    let hosts = Hosts::new();
    let path = |name: &str| hosts.a.join(name);
    let during_outages = |write: fn(&Path, &[u8]) -> io::Result<()>, name: &str| {
        hosts.outage();
        write(&path(name), name.as_bytes()).unwrap();
        assert_eq!(fs::read_to_string(hosts.b.join(name)).unwrap(), name);
    };
    during_outages(durable::write, "result");
    during_outages(durable::replace, "submitted.json");
    during_outages(durable::write_first, "first");
    during_outages(durable::claim, "claim");
    hosts.outage();
    durable::create_dirs(&path("a/b")).unwrap();
    assert_eq!(fs::read_dir(&hosts.b).unwrap().count(), 5, "no temporary file is left");
}

#[test]
#[ignore = "needs root"]
fn the_first_of_several_hosts_writes_the_file() {
    for write in [durable::write_first, durable::claim] {
        let hosts = Hosts::new();
        let (a, b) = (hosts.a.join("result"), hosts.b.join("result"));
        assert!(!a.exists() && !b.exists());
        write(&b, b"first").unwrap();
        assert!(!a.exists());
        write(&a, b"second").unwrap();
        assert_eq!(fs::read(&a).unwrap(), b"first");
    }
}

#[test]
#[ignore = "needs root"]
fn programs_run_from_the_shared_file_system() {
    let hosts = Hosts::new();
    fs::copy("/bin/echo", hosts.a.join("echo")).unwrap();
    let output = std::process::Command::new(hosts.b.join("echo")).arg("hello").output().unwrap();
    assert_eq!(output.stdout, b"hello\n");
}
