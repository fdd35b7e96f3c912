//! Arguments of commands arrive unchanged, whatever characters they hold and whichever shells are on the way.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use slurm::Cluster;

use crate::common::Site;
use crate::ssh::remote_host::{at_port, open};
use crate::sshd::Sshd;

trials![
    all every_character_but_nul_reaches_a_command,
    all any_text_reaches_a_command,
    all a_base_directory_that_is_not_utf8_is_refused,
    ssh words_pass_through_any_login_shell,
];

/// The number of words in one command; a system accepts a few megabytes.
const TOGETHER: usize = 2500;

fn assert_each_arrives(cluster: &Cluster, texts: &[String]) {
    for texts in texts.chunks(TOGETHER) {
        let end = format!("<{:032x}>", fastrand::u128(..));
        let format = format!("%s{end}");
        let words = ["printf", format.as_str()].into_iter();
        let output = cluster.command(words.chain(texts.iter().map(String::as_str))).unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}", output.stderr);
        let mut back: Vec<&str> = output.stdout.split(&end).collect();
        assert_eq!(back.pop(), Some(""), "the last word has its end mark too");
        assert_eq!(back.len(), texts.len());
        for (text, back) in texts.iter().zip(back) {
            assert_eq!(text, back);
        }
    }
}

/// Returns every character of one and of two bytes, and some longer ones, which together contain every byte of
/// UTF-8.
fn characters() -> Vec<String> {
    let codes =
        (1..=0x7ff).chain((0x800..0xffff).step_by(997)).chain((0x10000..0x10ffff).step_by(40_009));
    let letters: Vec<char> = codes.filter_map(char::from_u32).collect();
    let bytes: std::collections::BTreeSet<u8> =
        letters.iter().flat_map(|c| c.to_string().into_bytes()).collect();
    let never = [0].into_iter().chain(0xc0..=0xc1).chain(0xf5..=0xff);
    assert_eq!(bytes.len() + never.count(), 256);
    let alone = letters.iter().map(ToString::to_string);
    let between = letters.iter().map(|c| format!("a{c}'{c}b"));
    let last = letters.iter().map(|c| format!("\\{c}"));
    alone.chain(between).chain(last).collect()
}

fn every_character_but_nul_reaches_a_command(site: &Site) {
    assert_each_arrives(&site.cluster, &characters());
}

fn texts(count: usize, seed: u64) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let hostile: Vec<char> =
        " \t\n\r'\"\\$`;|&<>(){}[]*?!~#=%^-+,.:/@ab0ü\u{1}\u{1b}\u{7f}\u{85}\u{a0}\u{202e}\u{feff}\u{1F980}"
            .chars()
            .collect();
    let special = [
        "",
        "-n",
        "--",
        "~",
        "~root",
        "a=b",
        "!!",
        "{a,b}",
        "$'x'",
        "\\",
        "'",
        "''",
        "%s",
        "if",
        "\n",
        "\n\n",
        "a\n",
        "EOF",
        "\\c",
        "\\0",
        "$(exit 9)",
        "x\n.\n",
    ];
    let mut text = || -> String {
        let length = random.usize(..40);
        std::iter::repeat_with(|| hostile[random.usize(..hostile.len())]).take(length).collect()
    };
    let any = std::iter::repeat_with(&mut text).take(count).collect::<Vec<_>>();
    special.map(str::to_owned).into_iter().chain(any).collect()
}

fn any_text_reaches_a_command(site: &Site) {
    let seed = fastrand::u64(..);
    assert_each_arrives(&site.cluster, &texts(4000, seed));
    // Longer than any pipe or buffer on the way.
    let long = texts(4000, seed ^ 1).concat();
    let long: String = long.chars().take(60_000).collect();
    assert_each_arrives(&site.cluster, &[long, "after it".to_owned()]);
}

fn words_pass_through_any_login_shell(site: &Site) {
    let characters = characters();
    for shell in ["dash", "tcsh", "fish", "bash --posix", "bash -l"] {
        let dir = tempfile::tempdir_in(site.base.path()).unwrap();
        let force = format!("ForceCommand exec {shell} -c \"$SSH_ORIGINAL_COMMAND\"");
        let server = Sshd::start(dir.path(), &[&force]);
        let cluster = open(at_port(server.address.port(), site), site);
        assert_each_arrives(&cluster, &characters);
        assert_each_arrives(&cluster, &texts(500, 3));
    }
}

fn a_base_directory_that_is_not_utf8_is_refused(site: &Site) {
    let base = site.base.path().join(OsStr::from_bytes(b"not \xff text"));
    let refused = site.builder().job_base_dir(&base).build().unwrap_err();
    assert!(refused.to_string().contains("cannot be used"), "{refused}");
    assert_eq!(
        site.base.path().read_dir().unwrap().count(),
        0,
        "no directory was created under another name"
    );
}
