//! All options of the table, from where they are set to the submission.

use std::fs;

use slurm::options::{Argument, OPTIONS, OptionSet, OptionSpec, Source};
use slurm::{BackendKind, Cluster, Error, Explanation, Slurmfile};

use crate::common::{Site, result_of};
use crate::roles;
use crate::slurm::command_answers::wrapper;
use crate::tasks::add;

trials![
    all options_are_explained_with_their_sources,
    all all_wrong_options_are_reported_and_nothing_is_submitted,
    all hostile_text_in_options_changes_nothing,
    local every_option_of_a_slurmfile_reaches_the_script,
    local every_option_of_a_call_reaches_the_script,
    slurm every_option_reaches_sbatch,
];

#[slurm::task]
fn bare() {}

/// The options that can be set for a job.
fn settable() -> impl Iterator<Item = &'static OptionSpec> {
    OPTIONS.iter().filter(|spec| spec.key != "array")
}

/// Returns an option that must accompany this one.
fn companion(spec: &OptionSpec) -> Option<(&'static str, &'static str)> {
    match spec.key {
        "batch" => Some(("constraint", "haswell")),
        "gpus_per_socket" => Some(("sockets_per_node", "2")),
        "gpus_per_task" | "ntasks_per_gpu" | "ntasks_per_tres" => Some(("ntasks", "2")),
        "cpus_per_gpu" | "mem_per_gpu" | "gpu_bind" | "gpu_freq" => Some(("gpus", "1")),
        _ => None,
    }
}

fn is_flag(spec: &OptionSpec) -> bool {
    spec.argument == Argument::None
}

/// Returns the options that sbatch should get for the example of an option.
fn expected(spec: &'static OptionSpec) -> OptionSet {
    let mut set = OptionSet::new();
    let value =
        if is_flag(spec) { spec.parse_input(true.into()) } else { spec.parse(spec.example) };
    set.set(spec, value.unwrap_or_else(|error| panic!("{}: {error}", spec.key)), Source::CallSite);
    set
}

fn assert_reaches(spec: &'static OptionSpec, explanation: &Explanation, source: &str) {
    let option = explanation.options.iter().find(|option| option.key == spec.key);
    let option = option.unwrap_or_else(|| panic!("{} is not explained", spec.key));
    assert_eq!(option.source, source, "{}", spec.key);
    let start = format!("#SBATCH --{}", spec.name);
    let is_it = |line: &&str| {
        line.strip_prefix(&start).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    let lines: Vec<&str> = explanation.script.lines().filter(is_it).collect();
    assert_eq!(lines, expected(spec).to_directives(), "{}", spec.key);
    if !is_flag(spec) && spec.example.chars().all(|c| c.is_ascii_alphanumeric()) {
        let value = option.value.as_deref().unwrap_or_default();
        assert!(lines[0].ends_with(&format!("={value}")), "{lines:?}");
    }
}

/// Returns a line of a Slurmfile that sets the option to its example.
fn line(spec: &OptionSpec) -> String {
    if is_flag(spec) {
        format!("{} = true", spec.key)
    } else {
        assert!(!spec.example.is_empty(), "{} has an example", spec.key);
        format!("{} = '''{}'''", spec.key, spec.example)
    }
}

fn every_option_of_a_slurmfile_reaches_the_script(site: &Site) {
    // Some options exclude each other, so each has a file of its own.
    let mut count = 0;
    for spec in settable() {
        let beside = companion(spec).map(|(key, value)| format!("{key} = '{value}'\n"));
        let text = format!("[default.submit]\n{}{}\n", beside.unwrap_or_default(), line(spec));
        let environment = Slurmfile::parse(&text, "Slurmfile").unwrap().environment("default");
        // The program is small, because its hash is part of each script.
        let builder = site.builder().job_base_dir(site.base.path()).runner_binary("/bin/true");
        let cluster = builder.environment(environment.unwrap()).build().unwrap();
        let explained = bare::job().explain(&cluster);
        let explanation = explained.unwrap_or_else(|error| panic!("{}: {error}", spec.key));
        assert_reaches(spec, &explanation, "Slurmfile");
        count += 1;
    }
    assert!(count >= 100, "{count} options");
}

/// Returns a call that sets the option `name` to its example.
fn with_example(spec: &OptionSpec, name: &str) -> slurm::JobBuilder<bare> {
    let call =
        companion(spec).into_iter().fold(bare::job(), |call, (key, value)| call.set(key, value));
    if is_flag(spec) { call.set(name, true) } else { call.set(name, spec.example) }
}

fn every_option_of_a_call_reaches_the_script(site: &Site) {
    for spec in settable() {
        for name in [spec.key, spec.name] {
            let explained = with_example(spec, name).explain(&site.cluster);
            let explanation = explained.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_reaches(spec, &explanation, "call");
        }
    }
    let refused = bare::job().set("array", "0-3").explain(&site.cluster).unwrap_err();
    assert!(refused.to_string().contains("`map` makes an array"), "{refused}");
}

/// Submits a job with each option, and prints which of them were refused before sbatch was called.
pub(crate) fn submit_each(cluster: &Cluster) {
    for spec in settable() {
        match with_example(spec, spec.key).submit(cluster) {
            // This Slurm does not have the option.
            Err(Error::Options { .. }) => println!("{}", spec.key),
            Err(Error::Submit(_)) => {}
            other => panic!("{}: {other:?}", spec.key),
        }
    }
    println!("all");
}

fn every_option_reaches_sbatch(site: &Site) {
    // The script records its arguments and refuses the job.
    let script = "case $1 in --version) exec \"$real\" --version;; esac\n\
                  for word; do printf '%s\\n' \"$word\" >> \"$log\"; done\n\
                  echo 'sbatch: error: invalid partition specified: none' >&2; exit 1";
    let dir = wrapper(site, "sbatch", script);
    let answer = roles::run(site, "every-option", "", |command| {
        let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
        command.env("PATH", path);
    });
    let lacking: Vec<&str> = answer.lines().collect();
    assert_eq!(lacking.last(), Some(&"all"), "{answer}");
    assert!(lacking.len() < 20, "{lacking:?}");
    let words = fs::read_to_string(site.path("calls")).unwrap();
    let words: std::collections::HashSet<&str> = words.lines().collect();
    for spec in settable().filter(|spec| !lacking.contains(&spec.key)) {
        for word in expected(spec).to_args() {
            assert!(words.contains(word.as_str()), "sbatch did not get {word}");
        }
    }
}

fn options_are_explained_with_their_sources(site: &Site) {
    let explained = add::job(1, 2).time("7").explain(&site.cluster).unwrap();
    let option = |key: &str| {
        let found = explained.options.iter().find(|option| option.key == key);
        found.map(|option| (option.value.clone().unwrap_or_default(), option.source.as_str()))
    };
    assert_eq!(option("time"), Some(("00:07:00".to_owned(), "call")));
    assert_eq!(option("mem"), Some(("256M".to_owned(), "attribute")));
    assert_eq!(option("job_name"), Some(("add".to_owned(), "default")));
    assert!(explained.to_string().contains("mem"), "{explained}");
    assert!(explained.script.contains("#SBATCH --time=00:07:00\n"), "{}", explained.script);
    let job = add::job(1, 2).submit(&site.cluster).unwrap();
    let described = site.cluster.attach::<add>(job.handle()).unwrap();
    assert_eq!(described.explain().unwrap(), job.explain().unwrap());
    result_of(&job);
}

fn all_wrong_options_are_reported_and_nothing_is_submitted(site: &Site) {
    let call = add::job(1, 2).time("4 h").set("tiem", "1").mem("1G").mem_per_cpu("1G");
    let Error::Options { problems } = call.submit(&site.cluster).unwrap_err() else {
        panic!("not refused")
    };
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems[0].to_string().starts_with("`time`: `4 h`: "), "{problems:?}");
    let of = |key: &str| problems.iter().find(|problem| problem.option.as_deref() == Some(key));
    let time = of("time").unwrap();
    assert_eq!((time.value.as_deref(), time.source), (Some("4 h"), Some(Source::CallSite)));
    assert_eq!(of("tiem").unwrap().hint.as_deref(), Some("did you mean `time`?"));
    assert_eq!(of("mem_per_cpu").unwrap().source, Some(Source::CallSite));
    assert!(site.submissions().is_empty());
}

fn hostile_text_in_options_changes_nothing(site: &Site) {
    let marker = site.path("marker");
    let hostile =
        format!("$(touch {0})`touch {0}`'\";touch {0}#JobState=COMPLETED", marker.display());
    let job = add::job(1, 2)
        .comment(hostile.as_str())
        .job_name("a b; rm -rf $HOME")
        .submit(&site.cluster)
        .unwrap();
    assert_eq!(result_of(&job), 3);
    assert!(!marker.exists());
    let newline = add::job(1, 2).comment("a\n#SBATCH --partition=x").submit(&site.cluster);
    assert!(matches!(newline, Err(Error::Options { .. })), "{newline:?}");
    if site.kind == BackendKind::Slurm {
        assert_eq!(site.submissions().len(), 1);
    }
}
