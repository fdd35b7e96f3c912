//! Directories to which other users can write, or have written; see docs/security.md.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;

use slurm::error::HostError;
use slurm::{BackendKind, Cluster, Error};

use crate::common::{Site, result_of};
use crate::tasks::add;

trials![
    all a_base_that_all_users_can_write_to_is_refused,
    local a_base_of_another_user_is_refused,
    local links_of_another_user_are_not_followed,
    local a_supervisor_of_another_user_is_not_used,
];

fn refusal_of(cluster: &Cluster) -> HostError {
    match add::job(1, 2).submit(cluster).unwrap_err() {
        Error::Host(error) | Error::Submit(slurm::SubmitError::Host(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn a_base_that_all_users_can_write_to_is_refused(site: &Site) {
    for open in [0o777, 0o1777] {
        fs::set_permissions(site.base.path(), Permissions::from_mode(open)).unwrap();
        let error = refusal_of(&site.cluster);
        assert!(error.to_string().ends_with("everybody may write to it"), "{error}");
        assert!(error.hint().unwrap().contains("mkdir -p -m 700"), "{error}");
    }
    assert_eq!(fs::read_dir(site.base.path()).unwrap().count(), 0, "nothing was written");
    fs::set_permissions(site.base.path(), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(result_of(&add::job(1, 2).submit(&site.cluster).unwrap()), 3);
}

/// Runs a command as another user, which needs root.
fn as_nobody(words: &[&str]) {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).args(words);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}: this test must run as root");
}

/// Returns a base directory of this user in which `nobody` can create files, and a directory that must stay
/// empty.
fn shared_base() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (base, elsewhere) = (dir.path().join("base"), dir.path().join("elsewhere"));
    for path in [&base, &elsewhere] {
        fs::create_dir(path).unwrap();
    }
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
    let group = fs::metadata("/").unwrap().gid() + 65534;
    std::os::unix::fs::chown(&base, None, Some(group)).expect("this test must run as root");
    fs::set_permissions(&base, Permissions::from_mode(0o2775)).unwrap();
    (dir, base, elsewhere)
}

fn a_base_of_another_user_is_refused(_site: &Site) {
    let (_dir, base, _) = shared_base();
    let theirs = base.join("theirs");
    as_nobody(&["mkdir", "-m", "777", theirs.to_str().unwrap()]);
    fs::set_permissions(&theirs, Permissions::from_mode(0o755)).unwrap();
    let cluster =
        Cluster::builder().backend(BackendKind::Local).job_base_dir(&theirs).build().unwrap();
    let error = refusal_of(&cluster);
    assert!(error.to_string().ends_with("theirs: it belongs to another user"), "{error}");
    assert!(error.hint().is_some());
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 0, "nothing was written");
}

fn links_of_another_user_are_not_followed(_site: &Site) {
    // The folders of the task, of the programs, and of the supervisor.
    for name in ["add", ".bin", ".local"] {
        let (_dir, base, elsewhere) = shared_base();
        let link = base.join(name);
        as_nobody(&["ln", "-s", elsewhere.to_str().unwrap(), link.to_str().unwrap()]);
        let builder = Cluster::builder().backend(BackendKind::Local).job_base_dir(&base);
        let error = add::job(1, 2).submit(&builder.build().unwrap()).unwrap_err().to_string();
        assert!(error.contains(&format!("{name}: it is a symbolic link")), "{error}");
        assert_eq!(
            fs::read_dir(&elsewhere).unwrap().count(),
            0,
            "{name}: nothing was written there"
        );
        fs::remove_file(&link).unwrap();
        as_nobody(&["mkdir", "-m", "755", link.to_str().unwrap()]);
        let builder = Cluster::builder().backend(BackendKind::Local).job_base_dir(&base);
        let error = add::job(1, 2).submit(&builder.build().unwrap()).unwrap_err().to_string();
        assert!(error.contains(&format!("{name}: it belongs to another user")), "{error}");
        assert_eq!(fs::read_dir(&link).unwrap().count(), 0, "{name}: nothing was written there");
    }
}

fn a_supervisor_of_another_user_is_not_used(site: &Site) {
    // A process that could name a socket there would get the environment of the submitter.
    assert_eq!(result_of(&add::job(1, 2).submit(&site.cluster).unwrap()), 3);
    let host = fs::read_dir(site.path(".local")).unwrap().next().unwrap().unwrap().path();
    let address = host.join("supervisor.json");
    let socket = site.path("socket");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut told: serde_json::Value = serde_json::from_slice(&fs::read(&address).unwrap()).unwrap();
    told["socket"] = socket.to_str().unwrap().into();
    fs::write(&address, told.to_string()).unwrap();
    std::os::unix::fs::chown(&address, Some(65534), None).expect("this test must run as root");
    let other = Cluster::builder().backend(BackendKind::Local).job_base_dir(site.base.path());
    let error = add::job(1, 2).submit(&other.build().unwrap()).unwrap_err().to_string();
    assert!(error.contains("belongs to another user"), "{error}");
    assert!(listener.accept().is_err(), "no client has connected");
}
