//! How tasks are spread: `verify_dist_type` of `src/common/proc_args.c`.

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::text::Text;

const UNKNOWN: &str = "not a distribution; expected block, cyclic, fcyclic (not first), \
                       plane=SIZE, arbitrary or *";

/// How tasks are spread over nodes, sockets and cores: `verify_dist_type`, `_parse_dist_base`, `_parse_plane_dist`
/// in `src/common/proc_args.c`.
pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`nodes[:sockets[:cores]]`, `plane=SIZE` or `arbitrary`",
    example: "block:cyclic",
    details: "Levels are `block`, `cyclic`, `fcyclic` (not for nodes) or `*` for Slurm's \
              default; `,pack` or `,nopack` may follow. `plane` counts tasks.",
    canonical,
    words: &["block", "cyclic", "fcyclic", "plane", "arbitrary"],
    instead: |part| match part {
        _ if part.starts_with("cyc") => Some("cyclic"),
        _ if part.starts_with("plane") => Some("plane"),
        _ => None,
    },
    nearby: |value, _| vec![value.replace(':', "="), value.replace(' ', ":")],
    ..Grammar::ANY
};

fn canonical(text: Text<'_>) -> Result<String, Fault> {
    if text.starts_with_any_case("plane") {
        return Ok(format!("plane={}", plane(text)?));
    }
    let mut words = text.parts(b',');
    let base = words.next().filter(|base| !base.is_empty());
    let base = base.ok_or_else(|| text.fault("the distribution before the comma is missing"))?;
    let mut pack = base.position_in(PACKS);
    let layout = if pack.is_some() { None } else { Some(layout(base)?) };
    for word in words.filter(|word| !word.is_empty()) {
        let packs = word.position_in(PACKS);
        if packs.is_none() {
            return Err(word.is_fault("neither pack nor nopack"));
        }
        if pack.is_some() && pack != packs {
            return Err(word.fault("pack and nopack exclude each other"));
        }
        pack = packs;
    }
    let pack = pack.map(|index| PACKS[index].to_owned());
    Ok(layout.into_iter().chain(pack).collect::<Vec<_>>().join(","))
}

/// Whether nodes are filled one after the other or evenly.
const PACKS: &[&str] = &["pack", "nopack"];

fn layout(base: Text<'_>) -> Result<String, Fault> {
    let is_arbitrary = |word: Text<'_>| word.position_in(&["arbitrary", "hostfile"]).is_some();
    if is_arbitrary(base) {
        return Ok("arbitrary".to_owned());
    }
    let mut levels = Vec::new();
    // strtok skips empty levels.
    for word in base.parts(b':').filter(|word| !word.is_empty()) {
        if levels.len() == 3 {
            return Err(word.is_fault("one level too many: nodes, sockets, cores"));
        }
        if is_arbitrary(word) {
            return Err(word.is_fault("for the whole job; it takes no levels beside it"));
        }
        match word.word_of(&["*", "block", "cyclic", "fcyclic"], UNKNOWN)? {
            "fcyclic" if levels.is_empty() => {
                return Err(word.is_fault("only for sockets and cores; nodes take block or cyclic"));
            }
            spread => levels.push(spread),
        }
    }
    if levels.is_empty() {
        return Err(base.fault("the distribution is missing"));
    }
    Ok(levels.join(":"))
}

fn plane(text: Text<'_>) -> Result<u64, Fault> {
    let Some((name, size)) = text.split_once(b'=') else {
        return Err(text.fault("plane needs a size, as in plane=4"));
    };
    if !name.is_any_case("plane") {
        return Err(name.is_fault("not `plane` (sbatch compares the first five letters alone)"));
    }
    let body = size.unsigned();
    if !body.is_digits() {
        return Err(if size.is_empty() {
            text.fault("the size after `plane=` is missing")
        } else {
            size.is_fault("not the size of a plane: a whole number alone must follow `plane=`")
        });
    }
    match digits(body)? {
        0 => Err(size.fault("a plane of zero tasks leads nowhere")),
        value if value > i32::MAX as u64 => {
            Err(size.is_fault("too large a plane (2147483647 is the most)"))
        }
        value => Ok(value),
    }
}
