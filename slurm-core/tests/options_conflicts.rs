//! The rules between options.

use slurm_core::options::{
    Conflict, ConflictKind, OptionInput, OptionSet, OptionValue, Release, Source, lookup,
};

/// A set from `key=value` words; a key alone is a flag.
fn set(words: &str) -> OptionSet {
    let mut set = OptionSet::new();
    for word in words.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let spec = lookup(key).unwrap_or_else(|error| panic!("{error}"));
        let value = spec.parse(value).unwrap_or_else(|error| panic!("{key}: {error}"));
        set.set(spec, value, Source::Attribute);
    }
    set
}

fn conflicts(words: &str) -> Vec<Conflict> {
    set(words).conflicts()
}

/// The only conflict of the words, as `first second: message; hint`.
fn conflict(words: &str) -> String {
    match conflicts(words).as_slice() {
        [one] => format!("{} {}: {one}", one.first, one.second),
        other => panic!("{words}: {other:?}"),
    }
}

#[track_caller]
fn fine(words: &str) {
    assert_eq!(conflicts(words), [], "{words}");
}

#[test]
fn memory_is_given_in_one_way() {
    assert_eq!(
        conflict("mem=4G mem_per_cpu=1G"),
        "mem mem_per_cpu: `mem` and `mem_per_cpu` exclude each other; keep one of `mem`, \
         `mem_per_cpu` and `mem_per_gpu`"
    );
    assert_eq!(conflicts("mem=4G mem_per_cpu=1G mem_per_gpu=1G gpus=1").len(), 3);
    fine("mem_per_gpu=1G gpus=1");
    fine("mem_per_gpu=1G gres=gpu:1");
}

#[test]
fn a_removed_option_conflicts_with_nothing() {
    let mut options = set("mem=4G mem_per_cpu=1G");
    let spec = lookup("mem").unwrap_or_else(|error| panic!("{error}"));
    options.set(spec, OptionValue::Unset, Source::CallSite);
    assert_eq!(options.conflicts(), []);
}

#[test]
fn processors_are_counted_in_one_way() {
    assert!(
        conflict("cpus_per_gpu=2 cpus_per_task=2 gpus=1").starts_with("cpus_per_gpu cpus_per_task")
    );
    assert!(
        conflict("tres_per_task=cpu=4 cpus_per_task=2").starts_with("tres_per_task cpus_per_task")
    );
    fine("cpus_per_gpu=2 gpus=1");
    fine("tres_per_task=gres/gpu=1 cpus_per_task=2 ntasks=1");
}

#[test]
fn gpus_in_all_fit_gpus_per_node_and_the_nodes() {
    assert_eq!(
        conflict("gpus=4 gpus_per_node=3"),
        "gpus gpus_per_node: 4 GPUs in all are not a multiple of 3 on each node; make it a \
         multiple, or drop one"
    );
    assert_eq!(
        conflict("gpus=4 gpus_per_node=2 nodes=1"),
        "gpus_per_node nodes: 4 GPUs with 2 on each node take 2 nodes, not 1; leave one of the \
         three out"
    );
    assert!(conflict("gpus=1 nodes=2").contains("1 GPUs cannot be spread over 2 nodes"));
    fine("gpus=4 gpus_per_node=2");
    fine("gpus=4 gpus_per_node=2 nodes=1-4");
    fine("gpus=4 gres=gpu:2");
    fine("gpus=a100:4 gpus_per_node=v100:3");
}

#[test]
fn gpus_per_socket_need_the_sockets_and_divide_the_node() {
    assert!(conflict("gpus_per_socket=1").starts_with("sockets_per_node gpus_per_socket"));
    assert!(
        conflict("gpus_per_node=4 gpus_per_socket=3 sockets_per_node=1")
            .contains("4 GPUs per node are not a multiple of 3 per socket")
    );
    fine("gpus_per_socket=1 sockets_per_node=2");
    fine("gpus_per_node=4 gpus_per_socket=2 sockets_per_node=2");
}

#[test]
fn gpus_per_task_fit_the_tasks() {
    assert!(conflict("gpus_per_task=2 gpus=5").contains("not a multiple of 2 for each task"));
    assert!(conflict("gpus_per_task=2 gpus=4 ntasks=3").contains("make 2 tasks, not 3"));
    assert!(conflict("gpus_per_task=1").starts_with("ntasks gpus_per_task"));
    fine("gpus_per_task=1 gpus=2");
    fine("gpus_per_task=1 nodes=1 ntasks_per_node=2");
    fine("gpus_per_task=2 ntasks=4");
}

#[test]
fn tasks_per_gpu_exclude_other_ways_and_divide_the_tasks() {
    for other in ["gpus_per_task=1", "gpus_per_socket=1 sockets_per_node=1", "ntasks_per_node=1"] {
        let words = format!("ntasks_per_gpu=1 gpus=1 {other}");
        assert!(
            conflicts(&words).iter().any(|conflict| conflict.kind == ConflictKind::Exclusive),
            "{words}"
        );
    }
    assert!(conflict("ntasks_per_gpu=2 ntasks=3").contains("3 tasks are not a multiple of 2"));
    assert!(conflict("ntasks_per_gpu=1 ntasks_per_tres=2 gpus=1").contains("`ntasks_per_tres` 2"));
    assert_eq!(conflicts("ntasks_per_gpu=2")[0].kind, ConflictKind::Needs);
    fine("ntasks_per_gpu=2 ntasks=4");
}

#[test]
fn whole_gpus_and_shares_exclude_each_other() {
    assert!(conflict("gres=mps:10 gpus=1").contains("shares of GPUs (mps)"));
    assert!(conflict("gres=mps:10 gpu_freq=high").starts_with("gres gpu_freq"));
    assert!(conflict("gres=gpu:3 gpus_per_node=2").starts_with("gres gpus_per_node"));
    fine("gres=none gpus=1");
}

#[test]
fn tasks_fit_on_the_nodes() {
    assert_eq!(
        conflict("nodes=2 ntasks_per_node=4 ntasks=10"),
        "nodes ntasks: 10 tasks do not fit on 2 nodes with 4 tasks on each; leave one of the three out"
    );
    fine("nodes=2 ntasks_per_node=4 ntasks=8");
    fine("nodes=2-3 ntasks_per_node=4 ntasks=10");
    fine("nodes=4 ntasks=2");
}

#[test]
fn lists_of_nodes_fit_their_number_and_each_other() {
    assert_eq!(
        conflict("nodelist=n[1-3] nodes=1-2"),
        "nodelist nodes: `nodelist` names 3 nodes and `nodes` allows 2; name fewer, or raise `nodes`"
    );
    assert!(conflict("nodelist=n[1-3] exclude=n2").contains("node `n2`"));
    fine("nodelist=n[1-3] nodes=4");
    fine("nodelist=n1,n1 nodes=1");
    fine("nodelist=/etc/nodes nodes=1");
}

#[test]
fn planes_reach_all_nodes_and_arbitrary_needs_a_list() {
    assert!(conflict("distribution=plane=4 nodes=2 ntasks=4").starts_with("distribution nodes"));
    assert!(conflict("distribution=arbitrary").starts_with("nodelist distribution"));
    assert!(
        conflict("distribution=arbitrary nodelist=n1,n2 nodes=2").starts_with("distribution nodes")
    );
    fine("distribution=plane=4 nodes=2 ntasks=8");
    fine("distribution=arbitrary nodelist=n1,n2");
}

#[test]
fn times_are_in_order() {
    assert_eq!(
        conflict("begin=2030-01-02 deadline=2030-01-01"),
        "begin deadline: the deadline 2030-01-01 comes before the begin 2030-01-02; move one of them"
    );
    assert!(conflict("begin=now+2hours deadline=now+1hour").starts_with("begin deadline"));
    assert!(conflict("time=10 time_min=20").starts_with("time time_min"));
    assert!(conflict("time=10 time_min=UNLIMITED").starts_with("time time_min"));
    fine("begin=tomorrow deadline=2030-01-01");
    fine("time=20 time_min=10");
    fine("time=0 time_min=10");
}

#[test]
fn pairs_that_sbatch_refuses_or_drops_are_found() {
    for words in [
        "core_spec=1 thread_spec=1",
        "bb=x bbf=/x",
        "requeue no_requeue",
        "exclusive oversubscribe",
        "hint=multithread threads_per_core=1",
        "ntasks_per_core=2 threads_per_core=1",
    ] {
        assert_eq!(conflicts(words).len(), 1, "{words}");
    }
    fine("exclusive=oversubscribe oversubscribe");
}

#[test]
fn a_needed_option_may_come_later() {
    let needs: Vec<_> =
        conflicts("mem_per_gpu=1G").into_iter().map(|one| (one.kind, one.first)).collect();
    assert_eq!(needs, [(ConflictKind::Needs, "gpus")]);
    assert!(conflict("batch=haswell").starts_with("constraint batch"));
}

#[test]
fn the_higher_source_wins_and_the_table_gives_the_order() {
    let mut slurmfile = OptionSet::new();
    let mut attribute = OptionSet::new();
    let mut call = OptionSet::new();
    let put = |set: &mut OptionSet, key: &str, input: OptionInput, source| {
        let spec = lookup(key).unwrap_or_else(|error| panic!("{error}"));
        let value = spec.parse_input(input).unwrap_or_else(|error| panic!("{error}"));
        set.set(spec, value, source);
    };
    put(&mut slurmfile, "partition", "long".into(), Source::Slurmfile);
    put(&mut slurmfile, "exclusive", true.into(), Source::Slurmfile);
    put(&mut slurmfile, "account", "proj".into(), Source::Slurmfile);
    put(&mut attribute, "partition", "gpu".into(), Source::Attribute);
    put(&mut call, "exclusive", false.into(), Source::CallSite);
    slurmfile.merge(&attribute);
    slurmfile.merge(&call);
    // A lower source merged later changes nothing.
    let mut defaults = OptionSet::new();
    put(&mut defaults, "partition", "debug".into(), Source::Default);
    slurmfile.merge(&defaults);
    assert_eq!(slurmfile.to_args(), ["--account=proj", "--partition=gpu"]);
    assert_eq!(slurmfile.source("partition"), Some(Source::Attribute));
    assert_eq!(slurmfile.get("exclusive"), Some(&OptionValue::Unset));
    let keys: Vec<&str> = slurmfile.iter().map(|(spec, _, _)| spec.key).collect();
    assert_eq!(keys, ["account", "exclusive", "partition"]);
    assert!(slurmfile.remove("account").is_some());
    assert_eq!(slurmfile.get("account"), None);
}

#[test]
fn an_option_replaces_those_of_lower_sources_that_it_excludes() {
    let from = |words: &str, source| {
        let mut set = OptionSet::new();
        for (spec, value, _) in self::set(words).iter() {
            set.set(spec, value.clone(), source);
        }
        set
    };
    let mut merged = from("mem=4G requeue cpus_per_gpu=2 time=10", Source::Slurmfile);
    merged.merge(&from("mem_per_cpu=1G no_requeue", Source::Attribute));
    merged.merge(&from("cpus_per_task=2", Source::CallSite));
    let keys: Vec<&str> = merged.iter().map(|(spec, _, _)| spec.key).collect();
    assert_eq!(keys, ["cpus_per_task", "mem_per_cpu", "no_requeue", "time"]);
    // Within one source the pair stays, and is a conflict.
    merged.merge(&from("mem=2G", Source::Attribute));
    assert_eq!(merged.conflicts().len(), 1);
}

#[test]
fn options_and_values_have_their_releases() {
    let newer = |words: &str, release| -> Vec<&str> {
        set(words).newer_than(release).into_iter().map(|spec| spec.key).collect()
    };
    let slurm_22_05 = Release::new(22, 5);
    assert_eq!(newer("segment=4 prefer=a time=10", slurm_22_05), ["segment"]);
    assert_eq!(newer("prefer=a", Release::new(21, 8)), ["prefer"]);
    assert_eq!(newer("nodes=1,2 exclusive=topo requeue", slurm_22_05), ["exclusive", "nodes"]);
    assert_eq!(newer("nodelist=n[1-2]x licenses=a|b", slurm_22_05), ["licenses", "nodelist"]);
    assert_eq!(newer("nodes=1-2 exclusive signal=PIPE gres=gres/gpu=1", slurm_22_05), [""; 0]);
    let gone = |words: &str, release| -> Vec<&str> {
        set(words).older_than(release).into_iter().map(|spec| spec.key).collect()
    };
    assert_eq!(gone("power=level get_user_env=10L", Release::new(24, 5)), ["power"]);
    assert_eq!(gone("get_user_env=10L", Release::new(25, 5)), ["get_user_env"]);
    assert_eq!(gone("get_user_env mem_bind=sort", Release::new(25, 11)), ["mem_bind"]);
}

#[test]
fn raw_flags_are_passed_on_unless_they_cannot_be() {
    let mut options = OptionSet::new();
    assert!(options.extra("--weird=a b".to_owned()).is_ok());
    assert_eq!(
        options.extra("--two\nlines".to_owned()).map_err(|error| error.to_string()),
        Err("`--two\\nlines`: a raw flag can hold neither a NUL byte nor a line break; expected \
             one argument of sbatch's command line, for example `--flag=value`"
            .to_owned())
    );
    assert!(options.extra("a\0b".to_owned()).is_err());
    assert!(options.extra(String::new()).is_err());
    assert_eq!(options.extras(), ["--weird=a b"]);
    assert_eq!(options.to_args(), ["--weird=a b"]);
}
