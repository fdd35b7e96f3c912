//! The typed values: what they read, what they write, and what they say.

use slurm_core::options::{
    AccountName, ArraySpec, DateTime, Dependency, HostList, HostListError, InvalidValue, JobName,
    Memory, NodeCount, PartitionName, QosName, Signal, Walltime, lookup,
};
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

#[track_caller]
fn writes<T: FromStr<Err = InvalidValue> + Display>(pairs: &[(&str, &str)]) {
    for (given, written) in pairs {
        let value: T = given.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(value.to_string(), *written, "{given}");
    }
}

/// Values of an option, and what is passed on to sbatch.
#[track_caller]
fn passes_on(option: &str, pairs: &[(&str, &str)]) {
    let spec = lookup(option).unwrap_or_else(|error| panic!("{error}"));
    for (given, written) in pairs {
        let value = spec.parse(given).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(value.as_str(), Some(*written), "{option}={given}");
    }
}

#[track_caller]
fn read<T: FromStr<Err = InvalidValue>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn values_are_written_in_canonical_form() {
    writes::<Walltime>(&[
        ("60", "01:00:00"),
        ("1:30", "00:01:30"),
        ("99:99:99", "4-04:40:39"),
        ("1-0", "1-00:00:00"),
        ("0-100:00", "4-04:00:00"),
        ("infinite", "UNLIMITED"),
        ("-1", "UNLIMITED"),
        ("0", "00:00:00"),
    ]);
    writes::<Memory>(&[
        ("4096", "4G"),
        ("4gB", "4G"),
        ("1k", "1M"),
        ("1025K", "2M"),
        ("1500M", "1500M"),
        ("1048576", "1T"),
        (" +0", "0"),
    ]);
    writes::<NodeCount>(&[
        ("1 - 4", "1-4"),
        ("-4", "1-4"),
        ("1k", "1024"),
        ("1km", "1073741824"),
        ("2,", "2"),
        ("1,3-5,8-16:4", "1,3-5,8-16:4"),
        ("5-5", "5"),
    ]);
    writes::<ArraySpec>(&[
        ("[0,2,4]", "0,2,4"),
        ("[1-5]%2", "1-5%2"),
        (" 1,,+3", "1,3"),
        ("0-15:4%3", "0-15:4%3"),
        ("3-3", "3"),
    ]);
    writes::<Dependency>(&[
        ("AFTEROK:1", "afterok:1"),
        ("1,2", "afterany:1,afterany:2"),
        ("afterok: 1", "afterok:1"),
        ("after:1+5:2", "after:1+5:2"),
        ("afterok:1_2?afterany:3_*", "afterok:1_2?afterany:3_*"),
        ("afterok:12_[1-3,5]:13", "afterok:12_[1-3,5]:13"),
        ("Singleton,afterok:1", "singleton,afterok:1"),
    ]);
    writes::<Signal>(&[
        ("usr1", "USR1@60"),
        ("BR:sigterm@30", "RB:TERM@30"),
        ("B10", "B:USR1@60"),
        ("PIPE@", "13@0"),
        ("34@5", "34@5"),
    ]);
    writes::<DateTime>(&[
        ("NOW", "now+0seconds"),
        ("now+120", "now+2minutes"),
        ("now-1hour", "now-1hour"),
        ("now + 2 weeks", "now+14days"),
        ("16:00", "16:00:00"),
        ("4:00pm", "16:00:00"),
        ("12:00am", "00:00:00"),
        ("noon-tomorrow", "tomorrowT12:00:00"),
        ("tomorrow noon", "tomorrowT12:00:00"),
        ("elevenses", "11:00:00"),
        ("012030", "2030-01-20"),
        ("1/2", "01/02"),
        ("2030-01-01 12:00", "2030-01-01T12:00:00"),
        ("uts1893456000", "uts1893456000"),
        ("now+1day 16:00", "now+1dayT16:00:00"),
    ]);
    passes_on(
        "distribution",
        &[
            ("BLOCK::cyclic,Pack", "block:cyclic,pack"),
            ("*:block:*", "*:block:*"),
            ("block:", "block"),
            ("hostfile", "arbitrary"),
            ("nopack", "nopack"),
            ("plane=4", "plane=4"),
        ],
    );
    passes_on(
        "gres",
        &[
            ("gres:gpu:tesla-v100:4", "gpu:tesla-v100:4"),
            ("gres/gpu=2", "gpu:2"),
            ("gpu:a100", "gpu:a100:1"),
            ("gpu", "gpu:1"),
            ("lscratch:10G", "lscratch:10G"),
            ("gpu:3090:1,lscratch:2048", "gpu:3090:1,lscratch:2K"),
            ("NONE", "none"),
            ("gpu:1g.5gb:1", "gpu:1g.5gb:1"),
            ("gpu:1g.5gb", "gpu:1g.5gb:1"),
        ],
    );
    passes_on("gpus", &[("2", "2"), ("a100", "a100:1"), ("a100=2,v100:1", "a100:2,v100:1")]);
    passes_on("tres_per_task", &[("cpu:2", "cpu=2"), ("gres/gpu:a100:1", "gres/gpu:a100=1")]);
    passes_on("constraint", &[("knl,quad", "knl&quad"), ("[a*1&b*2]", "[a*1&b*2]")]);
    passes_on("licenses", &[("a;b=2", "a:1,b:2"), ("a|b:3", "a:1|b:3")]);
    passes_on("mail_type", &[("fail,END,end,", "END,FAIL"), ("all", "ALL")]);
    passes_on(
        "gpu_bind",
        &[("verbose,CLOSEST", "verbose,closest"), ("mask:F,0X3", "mask_gpu:f,0x3")],
    );
    passes_on("gpu_freq", &[("memory=low,,verbose,900", "900,memory=low,verbose")]);
    passes_on(
        "cpu_freq",
        &[
            ("Low", "low"),
            ("2400000-2400000:perform", "2400000-2400000:Performance"),
            ("onde", "OnDemand"),
            ("med-him1", "medium-highm1"),
        ],
    );
    passes_on(
        "mem_bind",
        &[
            ("v,no", "verbose,none"),
            ("MAP_MEM=0,1*2,q", "map_mem:0,1*2,quiet"),
            ("mask_mem:0x1,F,local", "mask_mem:0x1,f,local"),
        ],
    );
    passes_on("extra_node_info", &[("2:*", "2:*"), ("1k", "1024"), (":2-4", "*:2-4")]);
    passes_on("switches", &[("2@10", "2@00:10:00"), ("4", "4")]);
    passes_on("open_mode", &[("a", "append"), ("T", "truncate")]);
    passes_on("nice", &[("+5", "5"), ("-100", "-100")]);
    passes_on("priority", &[("top", "TOP"), ("4294967293", "4294967293")]);
    passes_on("export", &[("all,A='b,c',PATH", "ALL,A='b,c',PATH"), ("None", "NONE")]);
    writes::<HostList>(&[("n1 n2\tn[01-04],", "n1,n2,n[01-04]"), ("./hosts", "./hosts")]);
}

#[test]
fn parts_of_values_are_at_hand() {
    assert_eq!(read::<Walltime>("90").as_limit(), Some(Duration::from_secs(5_400)));
    assert_eq!(read::<Walltime>("0").as_limit(), None);
    assert_eq!(read::<Walltime>("UNLIMITED").seconds(), None);
    assert_eq!(Walltime::from(Duration::MAX), Walltime::MAX);
    assert_eq!(read::<Memory>("2G").kib(), 2 << 20);
    assert_eq!(read::<ArraySpec>("0-7:3,2").indices(), [0, 2, 3, 6]);
    assert_eq!(read::<ArraySpec>("0-7:3").max_index(), 6);
    assert_eq!(read::<Signal>("USR1@30").number(), 10);
    assert_eq!(read::<NodeCount>("2-8").max(), 8);
}

#[test]
fn host_lists_expand_with_zeros_and_several_brackets() {
    let hosts = |text: &str| read::<HostList>(text).hosts();
    let names =
        |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(hosts("n[08-10],x"), names(&["n08", "n09", "n10", "x"]));
    assert_eq!(hosts("r[0-1]n[1,3]"), names(&["r0n1", "r0n3", "r1n1", "r1n3"]));
    assert_eq!(hosts("n[1-2]-ib"), names(&["n1-ib", "n2-ib"]));
    assert_eq!(hosts("n[098-101]"), names(&["n098", "n099", "n100", "n101"]));
    assert_eq!(hosts("[1-2]"), names(&["1", "2"]));
    assert_eq!(hosts("/etc/nodes"), Err(HostListError::InFile("/etc/nodes".to_owned())));
    assert!(matches!(hosts("{b[1-2]}"), Err(HostListError::OfBlock(_))));
    assert_eq!(hosts("n[0-65535]").map(|hosts| hosts.len()), Ok(65_536));
    assert_eq!(hosts("n[0-65535],x"), Err(HostListError::TooMany));
    assert_eq!(hosts("a[0-65535]b[0-65535]c[0-65535]d[0-65535]"), Err(HostListError::TooMany));
}

#[test]
fn messages_name_the_part_and_offer_a_value_near_it() {
    let message = |option: &str, value: &str| {
        let spec = lookup(option).unwrap_or_else(|error| panic!("{error}"));
        spec.parse(value).map_or_else(|error| error.to_string(), |value| panic!("{value:?}"))
    };
    for (option, value, expected) in [
        ("mem", "4 G", "`4 G`: no space between number and unit; write `4G`"),
        (
            "mem",
            "1.5T",
            "`1.5T`: a size is a whole number; use the next smaller unit; write `1536G`",
        ),
        (
            "mem",
            "4GiB",
            "`4GiB`: `GiB` is not a unit; expected K, M, G or T (KiB, MiB, GiB, TiB); write `4G`",
        ),
        ("time", "2 days", "`2 days`: no blank may stand in a time; write `2-00:00:00`"),
        (
            "time",
            "1h30m",
            "`1h30m`: `h30m` is not part of a time, which has no letters for its units; write \
             `01:30:00`",
        ),
        (
            "time",
            "1:2:3:4",
            "`1:2:3:4`: `:4` is one group too many: the most is hours:minutes:seconds, with days \
             as days-; write `1-2:3:4`",
        ),
        ("time", "1-", "`1-`: the hours after `-` are missing; write `1-00`"),
        (
            "time",
            "-5",
            "`-5`: the number of days before `-` is missing (sbatch takes this for a negative \
             time); write `5`",
        ),
        (
            "array",
            "1:10",
            "`1:10`: a step needs a range before it; a range is written with `-`; write `1-10`",
        ),
        (
            "array",
            "%4",
            "`%4`: the indices before `%` are missing (the controller would read 0); expected \
             indices and ranges joined by commas, with `:step` and a last `%limit`, for example \
             `0-15:4%3`",
        ),
        (
            "array",
            "1-3%2,5%1",
            "`1-3%2,5%1`: the limit after `%` holds for the whole array: write it once, last; \
             write `1-3,5%2`",
        ),
        (
            "nodes",
            "4-1",
            "`4-1`: the range is upside down: the smaller number comes first; write `1-4`",
        ),
        ("nodes", "0", "`0`: a job needs at least one node; write `1`"),
        (
            "account",
            "my account",
            "`my account`: no blank may stand in a name; expected a name, for example `proj1`",
        ),
        ("partition", "gpu long", "`gpu long`: no blank may stand in a name; write `gpu,long`"),
        (
            "gpus",
            "gpu:2",
            "`gpu:2`: `gpu:` is implied here (Slurm would take it for a type); write `2`",
        ),
        (
            "gres",
            "gpu:1;gpu:2",
            "`gpu:1;gpu:2`: items are joined by `,`, not by `;`; write `gpu:1,gpu:2`",
        ),
        (
            "begin",
            "4pm",
            "`4pm`: `4` is not a date: expected YYYY-MM-DD or MM/DD; a time of day needs minutes, \
             as in 4:00pm; write `4:00pm`",
        ),
        (
            "begin",
            "2030-01-01T12:00:00Z",
            "`2030-01-01T12:00:00Z`: `Z` is not part of a time: a time zone cannot be given; write \
             `2030-01-01T12:00:00`",
        ),
        (
            "begin",
            "Tomorrow",
            "`Tomorrow`: a word with a capital T is misread by sbatch; use lower case; write \
             `tomorrow`",
        ),
        (
            "dependency",
            "afterok:1:afterok:2",
            "`afterok:1:afterok:2`: `afterok` is not the id of a job; write `afterok:1,afterok:2`",
        ),
        (
            "constraint",
            "a||b",
            "`a||b`: `|` is misplaced: the name of a feature is missing before it; write `a|b`",
        ),
        ("constraint", "[a|b", "`[a|b`: this `[` is not closed; write `[a|b]`"),
        (
            "constraint",
            "[a&b]",
            "`[a&b]`: with `&` in brackets every feature needs a count, as in [a*2&b*4]; write `a&b`",
        ),
        (
            "nodelist",
            "n[3-1]",
            "`n[3-1]`: the range is upside down: the smaller number comes first; write `n[1-3]`",
        ),
        ("open_mode", "overwrite", "`overwrite`: neither append nor truncate; write `truncate`"),
        (
            "signal",
            "USR1,60",
            "`USR1,60`: not a signal; its time in seconds follows after `@`; write `USR1@60`",
        ),
        ("hold", "yes", "`yes`: this option is a flag, given alone and without a value"),
        (
            "partition",
            "",
            "an empty value means nothing here: leave the option out; expected names joined by \
             commas, for example `gpu,long`",
        ),
        (
            "comment",
            "two\nlines",
            "`two\\nlines`: a line break cannot stand in an option of a job script; write `two \
             lines`",
        ),
    ] {
        assert_eq!(message(option, value), expected);
    }
}

#[test]
fn values_that_sbatch_misreads_are_refused() {
    for (option, value) in [
        ("time", "1-"),
        ("time", "-0"),
        ("time", "-5"),
        ("time", "35791394"),
        ("array", "0-"),
        ("array", "-"),
        ("array", "%4"),
        ("signal", "0"),
        ("signal", "65"),
        ("signal", "65537"),
        ("signal", "-1"),
        ("open_mode", "tomato"),
        ("priority", "abc"),
        ("nice", "1e9"),
        ("mail_type", "END,FOO"),
        ("mail_type", "BEGIN, END"),
        ("nodes", "4294967297"),
        ("ntasks", "4294967297"),
        ("cpus_per_task", "65537"),
        ("switches", "1@foo"),
        ("wait_all_nodes", "65536"),
        ("dependency", "afterok:1,after:2?after:3"),
        ("dependency", "afterok:1+5"),
        ("constraint", "a&"),
        ("constraint", "a*2b"),
        ("constraint", "(a)b"),
        ("licenses", "foo:"),
        ("gres", "gpu:1,"),
        ("gres", "gpu:1.5"),
        ("gres", ""),
        ("mem", "9223372036854775807T"),
        ("cpu_freq", "2000MHz"),
        ("begin", "now+1 6"),
        ("begin", "01/20 01/21"),
        ("gpu_bind", "single:010"),
        ("nodelist", "n[1-]"),
        ("distribution", "plane=4=5"),
    ] {
        let spec = lookup(option).unwrap_or_else(|error| panic!("{error}"));
        assert!(spec.parse(value).is_err(), "{option} {value}");
    }
}

#[test]
fn a_text_that_cannot_be_a_name_is_refused() {
    let hostile = [
        "",
        " ",
        "a b",
        "a\tb",
        "a\nb",
        "a\0b",
        "$(id)",
        "`id`",
        "a;b",
        "a|b",
        "a&b",
        "a'b",
        "a\"b",
        "a\\b",
        "a<b",
        "a(b",
        "a{b",
        "\u{1b}[2J",
        "a\rb",
        "#a",
        "a,b",
    ];
    for text in hostile {
        assert!(text.parse::<AccountName>().is_err(), "{text:?}");
        assert!(text.parse::<PartitionName>().is_err(), "{text:?}");
        assert!(text.parse::<QosName>().is_err(), "{text:?}");
    }
    for text in ["", "a\nb", "a\0b", "\u{1b}[2J", "a\tb", "a\rb"] {
        assert!(text.parse::<JobName>().is_err(), "{text:?}");
    }
    assert!("x".repeat(1025).parse::<JobName>().is_err());
}

#[test]
fn names_of_real_clusters_are_names() {
    for text in
        ["debug", "six@v100", "naiss2026-4-66", "pi_x.y", "GPU:long", "größe", "a/b", "a%b", "[x]"]
    {
        assert_eq!(text.parse::<AccountName>().map(|name| name.to_string()), Ok(text.to_owned()));
    }
}
