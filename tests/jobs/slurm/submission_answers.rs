//! Submissions with unusual answers of sbatch and of the other commands.

use std::fs;
use std::path::{Path, PathBuf};

use slurm::error::{Refusal, SubmitError};
use slurm::{Cluster, Error, ProgramCheck};

use crate::common::{Site, login_node, result_of};
use crate::roles;
use crate::slurm::command_answers::{with_wrappers, wrapper};
use crate::tasks::*;

trials![
    ssh a_failed_sbatch_with_a_number_is_unclear_while_the_remote_queue_is_silent,
    slurm a_failed_sbatch_with_a_number_is_unclear_while_the_queue_is_silent,
    slurm an_error_of_a_wrapper_counts_after_the_queue_has_answered,
    slurm a_short_job_is_found_by_its_files,
    slurm an_array_is_submitted_although_the_configuration_cannot_be_read,
    slurm an_array_has_at_most_max_array_tasks_elements,
    slurm common_refusals_have_a_hint,
    local extra_flags_are_warned_about_on_the_embedded_backend,
    both variables_and_directory_of_the_submitter_reach_the_job,
    ssh variables_and_directory_of_the_submitter_stay_behind_over_ssh,
    ssh check_off_accepts_a_program_for_other_nodes,
    slurm a_program_for_another_processor_is_refused,
    slurm options_take_precedence_over_variables_of_sbatch,
    ssh variables_of_sbatch_do_not_reach_a_remote_cluster,
];

/// Returns lines of a script that fails for this many seconds, from its first call on.
fn silent_for(seconds: u32) -> String {
    format!(
        "[ -e \"$log.since\" ] || date +%s > \"$log.since\"\n\
         if [ $(($(date +%s) - $(cat \"$log.since\"))) -lt {seconds} ]; then\n\
         echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1; fi\n\
         exec \"$real\" \"$@\""
    )
}

fn a_failed_sbatch_with_a_number_is_unclear_while_the_queue_is_silent(site: &Site) {
    // The job starts later, so that only the queue knows it.
    let script = "\"$real\" --begin=now+20 \"$@\"; echo 'audit: log full' >&2; exit 1";
    let dir = wrapper(site, "sbatch", script);
    wrapper(site, "squeue", &silent_for(15));
    wrapper(site, "sacct", &silent_for(15));
    assert_eq!(with_wrappers(site, "add", &dir), "Ok(42)");
    assert_eq!(site.submissions().len(), 1);
}

fn a_failed_sbatch_with_a_number_is_unclear_while_the_remote_queue_is_silent(site: &Site) {
    let script = "\"$real\" --begin=now+15 \"$@\"; echo 'audit: log full' >&2; exit 1";
    let dir = wrapper(site, "sbatch", script);
    wrapper(site, "squeue", &silent_for(10));
    wrapper(site, "sacct", &silent_for(10));
    let login = login_node().slurm_bin_dir(dir.to_str().unwrap());
    let cluster = Cluster::builder().ssh(login).job_base_dir(site.base.path()).build().unwrap();
    let job = add::job(20, 22).submit(&cluster).unwrap();
    assert_eq!(result_of(&job), 42);
    assert_eq!(site.submissions().len(), 1);
}

fn an_error_of_a_wrapper_counts_after_the_queue_has_answered(site: &Site) {
    let dir = wrapper(site, "sbatch", "echo 'no jobs on Sundays' >&2; exit 1");
    let answer = with_wrappers(site, "add", &dir);
    assert!(answer.contains("refused") && answer.contains("no jobs on Sundays"), "{answer}");
    assert!(site.submissions().is_empty(), "no directory of a refused job is left");
    // The job exists, and its number was printed elsewhere.
    let script = "\"$real\" \"$@\" >/dev/null; echo 'audit: log full' >&2; exit 1";
    let dir = wrapper(site, "sbatch", script);
    assert_eq!(with_wrappers(site, "add", &dir), "Ok(42)");
}

fn a_short_job_is_found_by_its_files(site: &Site) {
    let script = "\"$real\" \"$@\" >/dev/null\n\
                  echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2\n\
                  exit 1";
    let dir = wrapper(site, "sbatch", script);
    // The queue has forgotten the job, and the accounting fails.
    wrapper(site, "squeue", "exit 0");
    wrapper(
        site,
        "sacct",
        "echo 'sacct: fatal: Invalid field requested: \"SubmitLine\"' >&2; exit 1",
    );
    assert_eq!(with_wrappers(site, "add", &dir), "Ok(42)");
    assert_eq!(noted_ids(site).len(), 1);
    // The logs of an array have the array's id.
    assert_eq!(with_wrappers(site, "array-of-three", &dir), "done");
    assert_eq!(noted_ids(site).len(), 2);
}

/// Returns the notes with the ids of submissions.
fn noted_ids(site: &Site) -> Vec<String> {
    let note = |dir: &Path| fs::read_to_string(dir.join("submitted.json")).ok();
    site.submissions().iter().filter_map(|dir| note(dir)).collect()
}

fn an_array_is_submitted_although_the_configuration_cannot_be_read(site: &Site) {
    let once = "if [ ! -e \"$log.config\" ]; then touch \"$log.config\"\n\
                echo 'slurm_load_ctl_conf error: Socket timed out on send/recv operation' >&2; exit 1; fi\n\
                exec \"$real\" \"$@\"";
    let dir = wrapper(site, "scontrol", once);
    assert_eq!(with_wrappers(site, "array-of-three", &dir), "done");
    assert!(fs::exists(site.path("calls.config")).unwrap(), "the configuration was asked for");
    let never = "case $* in *config*) echo x >> \"$log\"; echo 'not today' >&2; exit 1;; esac\nexec \"$real\" \"$@\"";
    let dir = wrapper(site, "scontrol", never);
    assert_eq!(with_wrappers(site, "array-of-three", &dir), "done");
    assert_eq!(fs::read_to_string(site.path("calls")).unwrap().lines().count(), 2);
}

fn an_array_has_at_most_max_array_tasks_elements(site: &Site) {
    // A cluster with this limit has this configuration and refuses larger arrays.
    let config =
        "\"$real\" \"$@\" | sed 's/^\\(SchedulerParameters *= .*\\)$/\\1,max_array_tasks=2/'";
    let dir = wrapper(site, "scontrol", config);
    let limit = "case $* in *--array=0-[0-1]*) exec \"$real\" \"$@\";; *--array=*)\n\
                 echo 'sbatch: error: Batch job submission failed: Invalid job array specification' >&2; exit 1;; esac\n\
                 exec \"$real\" \"$@\"";
    wrapper(site, "sbatch", limit);
    assert_eq!(with_wrappers(site, "array-of-three", &dir), "done");
}

fn common_refusals_have_a_hint(site: &Site) {
    let refused = |error: Error| {
        let hint = error.hint().unwrap_or_default();
        match error {
            Error::Submit(SubmitError::Refused { refusal, .. }) => (refusal, hint),
            other => panic!("{other:?}"),
        }
    };
    let job = || add::job(1, 2);
    let (refusal, hint) =
        refused(job().extra_flag("--array=0-20000").submit(&site.cluster).unwrap_err());
    assert_eq!(refusal, Refusal::Array);
    assert!(hint.contains("max_array_tasks") && hint.contains("chunk"), "{hint}");
    let (refusal, hint) = refused(job().qos("nosuch").submit(&site.cluster).unwrap_err());
    assert_eq!(refusal, Refusal::Qos);
    assert!(hint.contains("sacctmgr"), "{hint}");
    let (refusal, hint) = refused(job().constraint("nosuch").submit(&site.cluster).unwrap_err());
    assert_eq!(refusal, Refusal::Nodes);
    assert!(hint.contains("sinfo"), "{hint}");
    let unknown = job().set("dependency", "afterok:67000000").submit(&site.cluster);
    // Releases before 23.02 accept and drop it.
    if let Err(error) = unknown {
        let (refusal, hint) = refused(error);
        assert_eq!(refusal, Refusal::Dependency);
        assert!(hint.contains("sacct"), "{hint}");
    }
}

/// Returns the answer of a program with this environment variable.
fn with_variable(site: &Site, name: &str, value: &str) -> String {
    roles::run(site, "add", "", |command| {
        command.env(name, value);
    })
}

fn options_take_precedence_over_variables_of_sbatch(site: &Site) {
    let answer = with_variable(site, "SBATCH_PARTITION", "nosuch");
    assert!(answer.contains("refused") && answer.contains("specified: nosuch"), "{answer}");
    // The options of the task take precedence.
    assert_eq!(with_variable(site, "SBATCH_TIMELIMIT", "1-00:00:00"), "Ok(42)");
    let [dir] = &site.submissions()[..] else { panic!("one was submitted") };
    let script = fs::read_to_string(dir.join("script.sh")).unwrap();
    assert!(script.contains("--time=00:05:00"), "{script}");
    assert_eq!(with_variable(site, "SBATCH_JOB_NAME", "of-the-environment"), "Ok(42)");
    let told = |dir: &PathBuf| fs::read_to_string(dir.join("job.json")).unwrap();
    let told: Vec<String> = site.submissions().iter().map(told).collect();
    let named = told.iter().find(|text| text.contains("of-the-environment")).unwrap();
    let explained: slurm::Explanation = serde_json::from_str(named).unwrap();
    let name = explained.options.iter().find(|option| option.key == "job_name").unwrap();
    assert_eq!(name.source, "variable");
}

fn variables_of_sbatch_do_not_reach_a_remote_cluster(site: &Site) {
    assert_eq!(with_variable(site, "SBATCH_PARTITION", "nosuch"), "Ok(42)");
}

/// The login node has another processor than the nodes.
fn check_off_accepts_a_program_for_other_nodes(site: &Site) {
    let script = "case \"$*\" in *m*) echo sparc128; exit;; esac\nexec \"$real\" \"$@\"";
    let dir = wrapper(site, "uname", script);
    for program in ["sbatch", "squeue", "sacct", "scancel", "scontrol", "sinfo"] {
        wrapper(site, program, "exec \"$real\" \"$@\"");
    }
    let login = || login_node().slurm_bin_dir(dir.to_str().unwrap());
    let open = |check| {
        let builder = Cluster::builder().ssh(login()).job_base_dir(site.base.path());
        builder.check_program(check).build().unwrap()
    };
    let refused = || {
        let error = add::job(20, 22).submit(&open(ProgramCheck::Login)).unwrap_err();
        assert!(error.to_string().contains("sparc128"), "{error}");
        assert!(error.hint().unwrap().contains("check = \"off\""), "{error}");
    };
    refused();
    let job = add::job(20, 22).submit(&open(ProgramCheck::Off)).unwrap();
    assert_eq!(result_of(&job), 42);
    // The program is staged already, but it still does not fit.
    refused();
}

fn a_program_for_another_processor_is_refused(site: &Site) {
    let program = site.path("program");
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1];
    bytes.resize(18, 0);
    bytes.extend([22, 0]);
    fs::write(&program, bytes).unwrap();
    let cluster = || site.builder().job_base_dir(site.base.path()).runner_binary(&program);
    let error = add::job(1, 2).submit(&cluster().build().unwrap()).unwrap_err();
    assert!(error.to_string().contains("s390x"), "{error}");
    assert!(site.submissions().is_empty());
    let off = cluster().check_program(ProgramCheck::Off).build().unwrap();
    let job = add::job(1, 2).submit(&off).unwrap();
    job.cancel().unwrap();
}

fn extra_flags_are_warned_about_on_the_embedded_backend(site: &Site) {
    let job = add::job(20, 22).extra_flag("--my-plugin=x").submit(&site.cluster).unwrap();
    let warnings = &job.explain().unwrap().warnings;
    assert!(warnings.iter().any(|warning| warning.contains("--my-plugin=x")), "{warnings:?}");
    assert_eq!(result_of(&job), 42);
}

#[slurm::task(time = "5:00")]
fn where_am_i() -> PathBuf {
    std::env::current_dir().unwrap()
}

/// A variable that cargo gives to tests.
const OF_CARGO: &str = "CARGO_MANIFEST_DIR";

fn variables_and_directory_of_the_submitter_reach_the_job(site: &Site) {
    let seen = variable::job(OF_CARGO).submit(&site.cluster).unwrap();
    let dir = where_am_i::job().submit(&site.cluster).unwrap();
    let elsewhere =
        where_am_i::job().set("chdir", site.base.path().to_str().unwrap()).submit(&site.cluster);
    assert_eq!(result_of(&seen), Some(std::env::var(OF_CARGO).unwrap()));
    assert_eq!(result_of(&dir), std::env::current_dir().unwrap());
    assert_eq!(result_of(&elsewhere.unwrap()), site.base.path());
}

fn variables_and_directory_of_the_submitter_stay_behind_over_ssh(site: &Site) {
    assert!(std::env::var(OF_CARGO).is_ok(), "the variable exists on this side");
    let seen = variable::job(OF_CARGO).submit(&site.cluster).unwrap();
    let builder = site.builder().job_base_dir(site.base.path()).env(OF_CARGO, "named");
    let named = variable::job(OF_CARGO).submit(&builder.build().unwrap()).unwrap();
    let dir = where_am_i::job().submit(&site.cluster).unwrap();
    assert_eq!(result_of(&seen), None);
    assert_eq!(result_of(&named).as_deref(), Some("named"));
    assert_eq!(result_of(&dir), std::env::home_dir().unwrap());
}
