//! The claims of the security model about jobs; see docs/security.md.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use slurm::error::HostError;
use slurm::{BackendKind, Cluster, Error, JobContext, JobState, Secret, Slurmfile, Workflow};

use crate::common::{PATIENCE, Site, error_of, result_of, until};
use crate::roles;
use crate::tasks::add;

trials![
    all scripts_and_directories_have_their_permissions,
    all specs_and_results_have_at_most_the_permissions_of_their_directory,
    all no_value_of_a_job_appears_outside_its_files,
    all only_the_owner_can_read_a_spec_with_a_secret,
    all hostile_names_change_neither_state_nor_terminal,
    all a_hostile_base_directory_is_only_a_path,
    all output_of_a_task_is_escaped_in_errors,
    all a_nul_is_an_error_everywhere,
    all only_the_method_shell_runs_text_as_shell,
    all a_variable_reaches_the_job_unchanged,
    both variables_need_not_be_utf8,
];

pub(crate) fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

pub(crate) fn tight(site: &Site) -> Cluster {
    site.builder()
        .job_base_dir(site.base.path())
        .script_permissions(0o700)
        .job_dir_permissions(0o700)
        .build()
        .unwrap()
}

fn scripts_and_directories_have_their_permissions(site: &Site) {
    let job = add::job(1, 2).submit(&site.cluster).unwrap();
    assert_eq!(mode(job.job_dir().join("script.sh")), 0o750);
    let by_umask = site.path("made");
    fs::create_dir(&by_umask).unwrap();
    assert_eq!(mode(job.job_dir()), mode(&by_umask));
    let private = add::job(1, 2).submit(&tight(site)).unwrap();
    assert_eq!(mode(private.job_dir().join("script.sh")), 0o700);
    assert_eq!(mode(private.job_dir()), 0o700);
    assert_eq!((result_of(&job), result_of(&private)), (3, 3));
    let open = Cluster::builder().job_base_dir(site.base.path()).job_dir_permissions(0o777).build();
    assert!(open.unwrap_err().to_string().contains("0777 would let all users write"));
}

fn specs_and_results_have_at_most_the_permissions_of_their_directory(site: &Site) {
    let job = add::job(1, 2).submit(&tight(site)).unwrap();
    assert_eq!(result_of(&job), 3);
    assert_private(site, job.job_dir(), &["spec", "job.json", "result", "submitted.json"]);
    let array = leave_files::map([0, -1]).submit(&tight(site)).unwrap();
    assert_eq!(array.wait().unwrap().failed, 1);
    array.retry_failed().unwrap();
    let files = ["items", "script.sh", "results/0", "checkpoint/1/state", "retry-1.json"];
    assert_private(site, array.job_dir(), &files);
    let several = leave_files::job(0).ntasks(2).submit(&tight(site)).unwrap();
    result_of(&several);
    assert_private(site, several.job_dir(), &["result", "events.jsonl"]);
    let flow = small_workflow::job().submit(&tight(site)).unwrap();
    assert_eq!(result_of(&flow), 3);
    let journal = ["journal.jsonl", "workflow.json", "shared", "tasks/add", "tasks/leave_files"];
    assert_private(site, flow.job_dir(), &journal);
}

/// Leaves files in the directories for tasks.
#[slurm::task(time = "5:00", mem = "512M")]
fn leave_files(ctx: &JobContext, number: i64) -> std::io::Result<()> {
    for dir in [ctx.output_dir()?, ctx.checkpoint_dir()?] {
        let path = dir.join("state");
        fs::write(&path, "x")?;
        // The modes of its own files are up to the task.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    if number < 0 { Err(std::io::ErrorKind::InvalidInput.into()) } else { Ok(()) }
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn small_workflow(flow: &Workflow) -> slurm::Result<i64> {
    fs::create_dir_all(flow.shared_dir().unwrap().join("below")).unwrap();
    leave_files::map([0, 1]).submit(flow)?.results()?;
    add::job(1, 2).submit(flow)?.result()
}

/// Asserts that only the owner may read or list anything below `dir`, and that these names exist.
fn assert_private(site: &Site, dir: &Path, names: &[&str]) {
    for name in names {
        assert!(dir.join(name).exists(), "{name} does not exist");
    }
    let open: Vec<PathBuf> = entries_below(dir)
        .into_iter()
        .filter(|path| mode(path) & 0o077 != 0 && !path.ends_with("shared/below"))
        // Slurm creates the logs according to the umask.
        .filter(|path| site.kind == BackendKind::Local || !is_log(path))
        .collect();
    assert_eq!(open, [""; 0].map(PathBuf::from), "other users can read these");
}

fn is_log(path: &Path) -> bool {
    let of_element =
        path.parent().is_some_and(|dir| dir.ends_with("stdout") || dir.ends_with("stderr"));
    let of_job = path.extension().is_some_and(|end| end == "out" || end == "err");
    path.is_file() && (of_element || of_job)
}

/// Returns a directory and everything below it.
fn entries_below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let below =
        entries.flat_map(|path| if path.is_dir() { entries_below(&path) } else { vec![path] });
    std::iter::once(dir.to_owned()).chain(below).collect()
}

/// Waits for a file, and returns a text that is not among its arguments.
#[slurm::task(time = "5:00")]
pub(crate) fn keep(value: &str, go: PathBuf) -> String {
    let deadline = Instant::now() + 2 * PATIENCE;
    while !go.exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    value.chars().rev().collect()
}

/// Returns the command lines and environments of all processes, as far as this user can read them.
pub(crate) fn process_table() -> Vec<u8> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        for file in ["cmdline", "environ"] {
            all.extend(fs::read(entry.path().join(file)).unwrap_or_default());
        }
    }
    all
}

fn no_value_of_a_job_appears_outside_its_files(site: &Site) {
    const VALUE: &str = "argument-2f6f1c7e";
    let result: String = VALUE.chars().rev().collect();
    let go = site.path("go");
    let call = || keep::job(VALUE, &go);
    let mut shown = format!("{:?} {:#?}", call(), call()).into_bytes();
    let job = call().submit(&site.cluster).unwrap();
    until("the task runs", || !job.events().is_empty());
    shown.extend(process_table());
    if site.kind == BackendKind::Slurm {
        let details =
            site.cluster.command(["scontrol", "show", "job", &job.id().to_string()]).unwrap();
        assert!(details.stdout.contains("JobState=RUNNING"), "{details:?}");
        shown.extend(details.stdout.bytes());
    }
    fs::write(&go, "").unwrap();
    assert_eq!(result_of(&job), result);
    let explanation = job.explain().unwrap();
    shown.extend(format!("{job:?} {:?} {explanation} {explanation:?}", job.handle()).into_bytes());
    shown.extend(crate::logger::logged().bytes());
    let mut files = 0;
    for (path, content) in contents_below(site.base.path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_program = path.starts_with(site.path(".bin"));
        if !["spec", "result"].contains(&name) && !is_program {
            shown.extend(content);
            files += 1;
        }
    }
    assert!(files >= 5, "{files} files were read");
    let shows = |word: &str| shown.windows(word.len()).any(|part| part == word.as_bytes());
    assert!(shows(job.submission_id().as_str()), "the data includes this job");
    assert!(!shows(VALUE) && !shows(&result));
    // The check can find the value, because the spec holds it.
    let spec = fs::read(job.job_dir().join("spec")).unwrap();
    assert!(spec.windows(VALUE.len()).any(|part| part == VALUE.as_bytes()));
}

pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// All files below a directory, with their contents. Temporary files may go while this looks: a result can be read
/// before the last of what writes it has ended.
pub(crate) fn contents_below(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let contents = files_below(dir).into_iter().filter_map(|path| match fs::read(&path) {
        Ok(content) => Some((path, content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => panic!("{}: {error}", path.display()),
    });
    contents.collect()
}

#[slurm::task(time = "5:00")]
pub(crate) fn length_of(token: &Secret<String>) -> usize {
    token.expose().len()
}

fn only_the_owner_can_read_a_spec_with_a_secret(site: &Site) {
    let job = length_of::job(Secret::new("hunter2-51c9".to_owned())).submit(&site.cluster).unwrap();
    assert_eq!(mode(job.job_dir().join("spec")), 0o600);
    let warnings = &job.explain().unwrap().warnings;
    assert!(
        warnings[0].starts_with("the argument `token` holds a secret: it stays in "),
        "{warnings:?}"
    );
    assert_eq!(result_of(&job), 12);
    let logged = crate::logger::logged();
    assert!(logged.contains("the argument `token` holds a secret"), "{logged}");
    assert!(!logged.contains("hunter2-51c9"));
    let tokens = ["one", "three"].map(|token| Secret::new(token.to_owned()));
    let array = length_of::map(tokens).submit(&site.cluster).unwrap();
    assert_eq!(mode(array.handle().dir.join("items")), 0o600);
    assert_eq!(array.results().unwrap(), [3, 5]);
    let plain = add::job(1, 2).explain(&site.cluster).unwrap();
    assert_eq!(plain.warnings, [""; 0]);
}

fn hostile_names_change_neither_state_nor_terminal(site: &Site) {
    let marker = site.path("marker");
    let name = format!("|COMPLETED|$(touch {0}) JobState=COMPLETED", marker.display());
    let go = site.path("go");
    let call =
        keep::job("x", &go).job_name(name.as_str()).comment(format!("0|{name}\u{1b}]0;x\u{7}"));
    let job = call.submit(&site.cluster).unwrap();
    until("it runs", || job.state().unwrap() == JobState::Running);
    let same = site.cluster.attach::<keep>(job.id()).unwrap();
    assert_eq!(
        same.submission_id(),
        job.submission_id(),
        "the job is found among lines that hold its name"
    );
    let shown = job.explain().unwrap().to_string();
    assert!(shown.contains("\\u{1b}]0;x\\u{7}") && !shown.contains('\u{1b}'), "{shown}");
    fs::write(&go, "").unwrap();
    assert_eq!(result_of(&job), "x");
    assert!(!marker.exists());
    for refused in ["a\n#SBATCH --partition=x", "\u{1b}[2J", ""] {
        let refused = add::job(1, 2).job_name(refused).submit(&site.cluster);
        assert!(matches!(refused, Err(Error::Options { .. })), "{refused:?}");
    }
    for refused in ["a b", "$(id)", "a|b", "\u{1b}[2J", "a\nb"] {
        let set = [
            add::job(1, 2).account(refused),
            add::job(1, 2).partition(refused),
            add::job(1, 2).qos(refused),
        ];
        for call in set {
            assert!(
                matches!(call.submit(&site.cluster), Err(Error::Options { .. })),
                "{refused:?}"
            );
        }
    }
    assert_eq!(site.submissions().len(), 1);
}

fn a_hostile_base_directory_is_only_a_path(site: &Site) {
    let marker = site.path("marker");
    let base = site.path("it's $(touch marker) `touch marker`; touch marker #\" & ü");
    let cluster = site.builder().job_base_dir(&base).build().unwrap();
    let job = add::job(1, 2).chdir(site.base.path().to_str().unwrap()).submit(&cluster).unwrap();
    assert_eq!(result_of(&job), 3);
    assert!(!marker.exists() && job.job_dir().starts_with(&base));
    for wrong in ["a\nb", "a\0b", "a\u{1b}[2Jb"] {
        let refused = Cluster::builder().job_base_dir(site.path(wrong)).build().unwrap_err();
        assert!(refused.to_string().contains("cannot be used"), "{refused}");
    }
}

fn output_of_a_task_is_escaped_in_errors(site: &Site) {
    let job = crate::tasks::panic_with::job("\u{1b}[2J\nJobState=COMPLETED".to_owned());
    let job = job.submit(&site.cluster).unwrap();
    let error = error_of(&job);
    let text = error.to_string();
    assert!(
        text.contains("\\u{1b}[2J\nJobState=COMPLETED") && !text.contains('\u{1b}'),
        "{text:?}"
    );
    assert_eq!(job.state().unwrap(), JobState::Failed);
    let job = scream::job().submit(&site.cluster).unwrap();
    let error = error_of(&job);
    assert!(error.job.stderr_tail.contains("\u{1b}]0;"), "the field has the text unchanged");
    let text = error.to_string();
    assert!(text.contains("\\u{1b}]0;owned\\u{7}") && !text.contains('\u{1b}'), "{text:?}");
}

#[slurm::task(time = "5:00")]
fn scream() {
    eprintln!("\u{1b}]0;owned\u{7} JobState=COMPLETED");
    std::process::exit(1)
}

fn a_nul_is_an_error_everywhere(site: &Site) {
    let refused = |call: slurm::JobBuilder<add>| match call.submit(&site.cluster) {
        Err(Error::Options { problems }) => {
            assert!(problems[0].message.contains("NUL"), "{problems:?}")
        }
        other => panic!("{other:?}"),
    };
    refused(add::job(1, 2).comment("a\0b"));
    refused(add::job(1, 2).job_name("a\0b"));
    refused(add::job(1, 2).output("/tmp/a\0b"));
    refused(add::job(1, 2).extra_flag("--comment=a\0b"));
    for words in [["echo", "a\0b"], ["ec\0ho", "a"]] {
        let error = site.cluster.command(words).unwrap_err();
        assert!(matches!(error, Error::Host(HostError::Start { .. })), "{error:?}");
    }
    for wrong in [
        "env = { A = \"a\\u0000b\" }",
        "setup = [\"a\\u0000b\"]",
        "cluster.job_base_dir = \"a\\u0000b\"",
    ] {
        let error = Slurmfile::parse(&format!("[default]\n{wrong}\n"), "Slurmfile").unwrap_err();
        assert!(error.to_string().contains("NUL"), "{error}");
    }
    let error = site
        .builder()
        .job_base_dir(site.base.path())
        .runner_binary("/tmp/a\0b")
        .build()
        .and_then(|cluster| add::job(1, 2).submit(&cluster))
        .unwrap_err();
    assert!(matches!(error, Error::Host(_)), "{error:?}");
    assert!(site.submissions().is_empty());
}

fn only_the_method_shell_runs_text_as_shell(site: &Site) {
    let hostile = "$(id) `id` ; | & > < * ~ ' \" \\ \n #";
    let echoed = site.cluster.command(["printf", "%s", hostile]).unwrap();
    assert_eq!((echoed.stdout.as_str(), echoed.status.code()), (hostile, Some(0)));
    let shell = site.cluster.shell("printf %s $((1 + 1)); echo oops >&2; exit 3").unwrap();
    assert_eq!((shell.stdout.as_str(), shell.stderr.as_str()), ("2", "oops\n"));
    assert_eq!(shell.status.code(), Some(3));
    let missing = site.cluster.command(["no-such-program"]).unwrap_err();
    assert!(matches!(missing, Error::Host(HostError::CommandMissing { .. })), "{missing:?}");
    assert!(site.cluster.command([""; 0]).is_err());
}

const NOT_TEXT: &[u8] = b"a\xff\xfe b";

#[slurm::task(time = "5:00")]
fn bytes_of(name: &str) -> Option<Vec<u8>> {
    std::env::var_os(name).map(OsStringExt::into_vec)
}

fn variables_need_not_be_utf8(site: &Site) {
    let answer = roles::run(site, "bytes-of", "SLURM_SDK_TEST_BYTES", |command| {
        command.env("SLURM_SDK_TEST_BYTES", OsStr::from_bytes(NOT_TEXT));
    });
    assert_eq!(answer, format!("{:?}", Some(NOT_TEXT)));
}

pub(crate) fn play(role: &str, argument: &str, cluster: &Cluster) {
    match role {
        "bytes-of" => {
            println!("{:?}", result_of(&bytes_of::job(argument).submit(cluster).unwrap()));
        }
        other => panic!("there is no role {other}"),
    }
}

fn a_variable_reaches_the_job_unchanged(site: &Site) {
    let marker = site.path("marker");
    let every: String = (1..=255).filter_map(char::from_u32).collect();
    let text = format!("$(touch {0})`touch {0}`'\"\\\n;touch {0}\n{every}", marker.display());
    let quoted: String = text.chars().map(|c| format!("\\U{:08X}", u32::from(c))).collect();
    let file = format!("[default.env]\nHOSTILE = \"{quoted}\"\n");
    let environment = Slurmfile::parse(&file, "Slurmfile").unwrap().environment("default").unwrap();
    let builder = site.builder().environment(environment);
    let cluster = builder.job_base_dir(site.base.path()).build().unwrap();
    let job = crate::tasks::variable::job("HOSTILE").submit(&cluster).unwrap();
    assert_eq!(result_of(&job).as_deref(), Some(text.as_str()));
    assert!(!marker.exists());
}
