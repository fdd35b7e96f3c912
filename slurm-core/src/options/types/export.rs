//! Environment variables: `env_merge_filter` of `src/common/env.c`.

use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, LINE};
use crate::options::release::Release;
use crate::options::text::Text;

/// Which environment variables a job inherits: `env_merge_filter`, `find_quote_token` in `src/common/env.c`.
///
/// sbatch refuses nothing here; unclosed quotes and values without a name are refused, because they get lost on
/// the way.
pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`ALL`, `NONE`, `NIL`, or `NAME` and `NAME=value` joined by commas",
    example: "ALL,EDITOR=vim",
    details: "Quotes keep the commas of a value together; nothing else is interpreted. `NIL` needs 23.02.",
    canonical,
    longest: LINE,
    separator: Some(","),
    since: |value| (value == "NIL").then_some(Release::new(23, 2)),
    ..Grammar::ANY
};

const ALONE: &[&str] = &["ALL", "NONE", "NIL"];

fn canonical(text: Text<'_>) -> Result<String, Fault> {
    let (mut items, mut rest) = (Vec::new(), Some(text));
    while let Some(list) = rest {
        let end = end_of_item(list)?;
        let item = end.map_or(list, |end| list.take(end));
        rest = end.map(|end| list.skip(end + 1));
        if item.byte(0) == b'=' {
            return Err(item.is_fault("a value without the name of a variable"));
        }
        if !item.is_empty() {
            let word = item.position_in(ALONE).map(|index| ALONE[index].to_owned());
            items.push(word.unwrap_or_else(|| item.to_text()));
        }
    }
    if items.is_empty() {
        return Err(text.fault("no variable is named; write NONE for none"));
    }
    Ok(items.join(","))
}

/// The position of the first comma outside quotes.
fn end_of_item(text: Text<'_>) -> Result<Option<usize>, Fault> {
    let (mut single, mut double) = (None, None);
    for (index, byte) in text.bytes().iter().enumerate() {
        match byte {
            b'\'' => single = if single.is_some() { None } else { Some(index) },
            b'"' => double = if double.is_some() { None } else { Some(index) },
            b',' if single.is_none() && double.is_none() => return Ok(Some(index)),
            _ => {}
        }
    }
    match single.or(double) {
        Some(start) => Err(text.at(start).fault("this quote is not closed")),
        None => Ok(None),
    }
}
