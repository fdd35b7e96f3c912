//! How many nodes, tasks and GPUs a job has, against what Slurm 22.05 made of the same options: the number
//! of processes that `srun` started without any option of its own.

use slurm_core::options::{OptionSet, Source, lookup};

/// A set from `key=value` words, or raw flags.
fn set(words: &str) -> OptionSet {
    let mut set = OptionSet::new();
    for word in words.split_whitespace() {
        if word.starts_with('-') || word.chars().all(|c| c.is_ascii_digit()) {
            set.extra(word.to_owned()).unwrap();
            continue;
        }
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let spec = lookup(key).unwrap_or_else(|error| panic!("{error}"));
        let value = spec.parse(value).unwrap_or_else(|error| panic!("{key}: {error}"));
        set.set(spec, value, Source::Attribute);
    }
    set
}

#[test]
fn tasks_are_counted_as_sbatch_counts_them() {
    for (words, tasks) in [
        ("", 1),
        ("ntasks=2", 2),
        ("nodes=2", 2),
        ("nodes=3-3", 3),
        ("nodes=2 ntasks=1", 1),
        ("nodes=2-3 ntasks=2", 2),
        ("nodes=2 ntasks_per_node=2", 4),
        ("nodes=2 ntasks=2 ntasks_per_node=2", 2),
        ("nodes=1-1 ntasks_per_node=2", 2),
        ("ntasks_per_node=2", 2),
        ("ntasks_per_node=1", 1),
        ("ntasks=1 ntasks_per_node=2", 1),
        ("nodes=2 ntasks_per_node=1", 2),
        ("ntasks_per_core=2", 1),
        ("ntasks_per_socket=1", 1),
        ("gpus=2", 1),
        ("gpus=2 ntasks_per_gpu=1", 2),
        ("gpus=2 ntasks_per_gpu=2", 4),
        ("gpus=1 ntasks_per_gpu=1", 1),
        ("gpus=a100:2 ntasks_per_gpu=1", 2),
        ("gpus=2 ntasks_per_tres=1", 2),
        ("gpus=2 ntasks_per_gpu=1 nodes=2", 2),
        ("gpus_per_node=2 ntasks_per_gpu=1", 2),
        ("gpus_per_node=2 ntasks_per_gpu=1 nodes=2", 4),
        ("gpus_per_node=2 gpus=4 ntasks_per_gpu=1", 4),
        ("gpus_per_node=1 nodes=1-2 ntasks_per_gpu=2", 2),
        ("gres=gpu:2 ntasks_per_gpu=1", 2),
        ("gres=gpu:1 nodes=2 ntasks_per_gpu=2", 4),
        ("ntasks_per_gpu=2 nodes=2", 4),
        ("ntasks_per_gpu=2 ntasks=4", 4),
        ("gpus=2 gpus_per_task=1", 2),
        ("gpus=4 gpus_per_task=2", 2),
        ("gpus=2 gpus_per_task=2", 1),
        ("gpus_per_task=1 ntasks=2", 2),
        ("gpus_per_task=1 nodes=2", 2),
        ("gpus_per_task=1 nodes=2 ntasks_per_node=2", 4),
        ("gpus_per_socket=1 sockets_per_node=2 gpus=2 gpus_per_task=1", 2),
        ("exclusive", 1),
        ("mincpus=2", 1),
        ("cpus_per_gpu=2 gpus=2", 1),
        ("overcommit ntasks=6", 6),
        ("extra_node_info=2", 2),
        ("extra_node_info=2:1:1 ntasks=1", 1),
        ("extra_node_info=2 nodes=2", 4),
        ("extra_node_info=2 ntasks_per_node=1", 1),
        ("sockets_per_node=2", 1),
        ("sockets_per_node=2 nodes=1", 2),
        ("sockets_per_node=2 nodes=2", 4),
        ("threads_per_core=1 nodes=2", 2),
        ("hint=nomultithread nodes=2", 2),
        ("nodelist=n1,n2 ntasks_per_node=2", 4),
        ("nodelist=n[1-3] nodes=1-3 ntasks_per_node=1", 3),
        ("nodelist=n1,n2 ntasks=1", 1),
        ("distribution=arbitrary nodelist=n1,n2", 2),
        // Raw flags.
        ("--ntasks=2", 2),
        ("-n2", 2),
        ("-n 2", 2),
        ("--ntasks 2", 2),
        ("--nta=2", 1),
        ("--tasks-per-n=2", 2),
        ("-N2", 2),
        ("gpus=2 --ntasks-per-gpu=1", 2),
        ("ntasks=2 -n1", 1),
        ("--my-plugin=3", 1),
    ] {
        let size = set(words).size();
        assert_eq!(size.tasks, tasks, "{words}: {size:?}");
        assert_eq!(size.takes_several_processes(), tasks > 1, "{words}: {size:?}");
    }
}

#[test]
fn a_range_of_nodes_may_become_several_processes() {
    for (words, tasks, nodes) in [
        ("nodes=1-2", 1, (1, 2)),
        ("nodes=4,8", 4, (4, 8)),
        ("nodes=1-2 extra_node_info=2", 1, (1, 2)),
        ("nodes=1-3 ntasks_per_node=2", 2, (1, 3)),
    ] {
        let size = set(words).size();
        assert!(size.takes_several_processes(), "{words}: {size:?}");
        assert_eq!((size.tasks, size.min_nodes, size.max_nodes), (tasks, nodes.0, nodes.1));
    }
    // srun would start two, the script starts one.
    let size = set("nodelist=n1,n2").size();
    assert!(!size.takes_several_processes());
    assert_eq!((size.tasks, size.min_nodes), (1, 2));
    assert!(!set("nodes=1-3 ntasks=1").size().takes_several_processes());
}

#[test]
fn gpus_are_counted_of_all_nodes() {
    for (words, gpus) in [
        ("", 0),
        ("gpus=1024", 1024),
        ("gpus=1K", 1024),
        ("gpus=a100:1,v100:2", 3),
        ("gpus=a100", 1),
        ("gpus_per_node=2", 2),
        ("gpus_per_node=2 nodes=4,8", 8),
        ("gpus_per_node=2 gpus=4", 4),
        ("gres=gpu:a100:2,fpga:3 nodes=2", 4),
        ("gres=gpu", 1),
        ("gres=license:3", 0),
        ("gpus_per_task=2 ntasks=3", 6),
        ("tres_per_task=gres/gpu=2 ntasks=2", 4),
        ("gpus_per_socket=1 sockets_per_node=2", 2),
        ("--gpus=3", 3),
        ("-G3", 3),
    ] {
        assert_eq!(set(words).size().gpus, gpus, "{words}");
    }
}
