//! The table of options as a whole.

use std::collections::BTreeSet;
use std::time::Duration;

use slurm_core::options::{
    Argument, ConstInput, OPTIONS, OptionInput, OptionValue, Release, ValueKind, find, lookup,
};

#[test]
fn the_table_is_sorted_by_name_and_no_name_occurs_twice() {
    let names: Vec<&str> = OPTIONS.iter().map(|option| option.name).collect();
    assert!(names.is_sorted());
    let all: Vec<&str> = names
        .iter()
        .copied()
        .chain(OPTIONS.iter().flat_map(|option| option.aliases.iter().copied()))
        .collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    let shorts: Vec<char> = OPTIONS.iter().filter_map(|option| option.short).collect();
    assert_eq!(shorts.iter().collect::<BTreeSet<_>>().len(), shorts.len());
}

#[test]
fn keys_are_names_with_underscores() {
    for option in OPTIONS {
        assert_eq!(option.key, option.name.replace('-', "_"));
    }
}

#[test]
fn every_example_is_taken_and_every_kind_is_used() {
    for option in OPTIONS {
        let flag = matches!(option.argument, Argument::None);
        assert_eq!(option.example.is_empty(), flag, "{}", option.name);
        assert!(option.check(option.example).is_ok(), "{}", option.name);
        assert!(option.summary.ends_with('.'), "{}", option.name);
    }
    for kind in ValueKind::ALL {
        assert!(OPTIONS.iter().any(|option| option.kind == *kind), "{kind:?}");
        assert!(kind.example().is_empty() || kind.check(kind.example()).is_ok(), "{kind:?}");
        assert!(!kind.expected().is_empty(), "{kind:?}");
    }
}

#[test]
fn the_callback_macro_gets_the_rows_of_the_table() {
    macro_rules! names {
        ($(($key:ident, $name:literal, $kind:ident, $summary:literal, $example:literal))*) => {
            [$((stringify!($key), $name, ValueKind::$kind, $summary, $example)),*]
        };
    }
    let rows = slurm_core::for_each_option!(names);
    let table: Vec<_> = OPTIONS
        .iter()
        .map(|option| (option.key, option.name, option.kind, option.summary, option.example))
        .collect();
    assert_eq!(rows.to_vec(), table);
}

#[test]
fn an_option_is_found_by_key_name_and_alias() {
    for (given, name) in [
        ("cpus_per_task", "cpus-per-task"),
        ("cpus-per-task", "cpus-per-task"),
        ("tasks_per_node", "ntasks-per-node"),
        ("cluster", "clusters"),
    ] {
        assert_eq!(lookup(given).map(|option| option.name), Ok(name));
        assert_eq!(find(given).map(|option| option.name), Some(name));
    }
}

#[test]
fn an_unknown_option_says_what_was_meant_or_why_it_cannot_be_set() {
    let message = |name| match lookup(name) {
        Ok(option) => option.name.to_owned(),
        Err(unknown) => unknown.to_string(),
    };
    assert_eq!(message("tiem"), "unknown option `tiem`; did you mean `time`?");
    assert_eq!(message("partiton"), "unknown option `partiton`; did you mean `partition`?");
    assert_eq!(message("--mem"), "unknown option `--mem`; did you mean `mem`?");
    assert_eq!(message("walltime"), "unknown option `walltime`; did you mean `time`?");
    assert_eq!(message("workdir"), "unknown option `workdir`; did you mean `chdir`?");
    assert_eq!(
        message("wait"),
        "option `wait` cannot be set: it makes sbatch wait; wait for the job's result"
    );
    assert_eq!(
        message("pty"),
        "option `pty` cannot be set: it is an option of srun or salloc, not of sbatch"
    );
    assert_eq!(
        message("wibble"),
        "unknown option `wibble`; options are named as in `sbatch --help`, with `_` for `-`"
    );
}

fn parsed(name: &str, input: impl Into<OptionInput>) -> Result<OptionValue, String> {
    let spec = lookup(name).map_err(|error| error.to_string())?;
    spec.parse_input(input.into()).map_err(|error| error.to_string())
}

fn value(text: &str) -> Result<OptionValue, String> {
    Ok(OptionValue::Value(text.to_owned()))
}

#[test]
fn integers_stand_for_their_digits() {
    assert_eq!(parsed("cpus_per_task", 8), value("8"));
    assert_eq!(parsed("time", 90_u8), value("01:30:00"));
    assert_eq!(parsed("mem", 4096_u64), value("4G"));
    assert_eq!(parsed("gpus", 2_usize), value("2"));
    assert_eq!(parsed("nice", -5_i64), value("-5"));
    assert!(parsed("ntasks", -1).is_err());
}

#[test]
fn booleans_set_and_take_back_flags_and_mean_yes_and_no() {
    assert_eq!(parsed("exclusive", true), Ok(OptionValue::Flag));
    assert_eq!(parsed("exclusive", false), Ok(OptionValue::Unset));
    assert_eq!(parsed("hold", true), Ok(OptionValue::Flag));
    assert_eq!(parsed("kill_on_invalid_dep", true), value("yes"));
    assert_eq!(parsed("wait_all_nodes", false), value("0"));
    assert_eq!(
        parsed("mem", true),
        Err(
            "`true`: this option takes a value, not a boolean; expected a whole number with K, M, \
             G or T (MiB without a unit), for example `4G`"
                .to_owned()
        )
    );
}

#[test]
fn durations_are_time_limits_and_points_in_time() {
    assert_eq!(parsed("time", Duration::from_secs(5_400)), value("01:30:00"));
    assert_eq!(parsed("time_min", Duration::from_millis(1_500)), value("00:00:02"));
    assert_eq!(parsed("begin", Duration::from_secs(7_200)), value("now+2hours"));
    assert!(parsed("mem", Duration::from_secs(1)).is_err());
    assert!(parsed("time", Duration::MAX).is_err());
}

#[test]
fn lists_are_joined_the_way_the_option_joins() {
    assert_eq!(parsed("mail_type", ["FAIL", "END"]), value("END,FAIL"));
    assert_eq!(parsed("constraint", vec!["a".to_owned(), "b".to_owned()]), value("a&b"));
    assert_eq!(parsed("dependency", ["afterok:1", "after:2"]), value("afterok:1,after:2"));
    assert_eq!(parsed("array", [1, 5, 7]), value("1,5,7"));
    assert_eq!(parsed("time", ["10"]), value("00:10:00"));
    assert!(parsed("time", ["10", "20"]).is_err());
}

#[test]
fn constants_of_every_type_are_checked_while_compiling() {
    const TIME: &str = "04:00:00";
    const CPUS: i32 = 8;
    const HUGE: u128 = u128::MAX;
    const LEAST: i128 = i128::MIN;
    const MAIL: [&str; 2] = ["END", "FAIL"];
    const HOUR: Duration = Duration::from_secs(3_600);
    const _: () = ConstInput(TIME).assert("time");
    const _: () = ConstInput(CPUS).assert("cpus_per_task");
    const _: () = ConstInput(MAIL).assert("mail_type");
    const _: () = ConstInput(HOUR).assert("begin");
    const _: () = ConstInput(true).assert("exclusive");
    let check = |name, check: &dyn Fn(&slurm_core::options::OptionSpec) -> bool| {
        lookup(name).is_ok_and(check)
    };
    assert!(check("ntasks", &|spec| ConstInput(HUGE).check(spec).is_err()));
    assert!(check("nice", &|spec| ConstInput(LEAST).check(spec).is_err()));
    assert!(check("nice", &|spec| ConstInput(-5_i8).check(spec).is_ok()));
    assert!(check("mem", &|spec| ConstInput(true).check(spec).is_err()));
    assert!(check("time", &|spec| ConstInput(MAIL).check(spec).is_err()));
    assert!(check("mem", &|spec| ConstInput(HOUR).check(spec).is_err()));
}

#[test]
fn releases_are_read_from_what_slurm_prints() {
    let release = |text: &str| text.parse::<Release>();
    assert_eq!(release("slurm 22.05.8"), Ok(Release::new(22, 5)));
    assert_eq!(release("slurm-wlm 24.11.5"), Ok(Release::new(24, 11)));
    assert_eq!(release("25.05"), Ok(Release::new(25, 5)));
    assert_eq!(Release::new(22, 5).to_string(), "22.05");
    assert!(Release::new(22, 5) < Release::new(23, 2));
    for wrong in ["", "slurm", "22", "22.13", "22.x", "-1.2", "999.1"] {
        assert!(release(wrong).is_err(), "{wrong}");
    }
}
