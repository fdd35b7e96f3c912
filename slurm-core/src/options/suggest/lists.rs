//! Proposals for lists and expressions.

use super::numbers::swapped;
use super::without_part;
use crate::options::fault::Fault;

pub(super) fn array(value: &str) -> Vec<String> {
    let limit = value.split('%').nth(1).map(|rest| rest.split(',').next().unwrap_or_default());
    let indices: Vec<&str> =
        value.split(',').map(|token| token.split('%').next().unwrap_or_default()).collect();
    let indices = indices.join(",");
    let limit = limit.map(|limit| format!("%{limit}")).unwrap_or_default();
    let mut proposals = vec![
        value.replace(';', ","),
        value.replace("..", "-"),
        format!("{indices}{limit}"),
        format!("{}{limit}", indices.replacen(':', "-", 1)),
        indices.clone(),
        value.trim_end_matches('-').to_owned(),
    ];
    proposals.extend(swapped(&indices).map(|indices| format!("{indices}{limit}")));
    if let Some((range, _)) = value.rsplit_once(':') {
        proposals.push(range.to_owned());
    }
    proposals
}

pub(super) fn constraint(value: &str, fault: &Fault) -> Vec<String> {
    let single = value.replace("&&", "&").replace("||", "|").replace("**", "*");
    let edges: &[char] = &['&', '|', ','];
    let mut proposals = vec![
        single.clone(),
        single.trim_matches(edges).to_owned(),
        format!("{single}]"),
        format!("{single})"),
        single.replace("((", "(").replace("))", ")"),
        single.replace(['[', ']'], ""),
    ];
    if matches!(value.get(fault.range()), Some(")" | "]")) {
        proposals.push(without_part(value, fault));
    }
    // A count that is none.
    if let Some((name, _)) = value.rsplit_once('*') {
        proposals.push(name.to_owned());
    }
    proposals
}

pub(super) fn signal(value: &str, fault: &Fault) -> Vec<String> {
    let mut proposals = vec![value.replace(',', "@")];
    let shorter = without_part(value, fault);
    if !shorter.ends_with('@') {
        proposals.push(shorter);
    }
    proposals
}

pub(super) fn dependency(value: &str) -> Vec<String> {
    let compact: String = value.chars().filter(|letter| !letter.is_whitespace()).collect();
    let mut proposals = vec![
        compact.trim_end_matches([',', '?', ':', '+']).to_owned(),
        compact.replace('?', ","),
        compact.replace(":after", ",after"),
        compact.replace(['&', ';'], ","),
        compact.replace('|', "?"),
        format!("afterany:{compact}"),
    ];
    if let Some((_, rest)) = compact.split_once('=') {
        proposals.push(rest.to_owned());
    }
    if let Some((head, _)) = compact.split_once('(') {
        proposals.push(head.to_owned());
    }
    if let Some((head, _)) = compact.rsplit_once('+') {
        proposals.push(head.to_owned());
    }
    if compact.starts_with("singleton") {
        proposals.push("singleton".to_owned());
    }
    proposals
}

pub(super) fn gpus(value: &str) -> Vec<String> {
    let plain = value.trim_start_matches("gres/").trim_start_matches("gres:");
    let bare = plain.trim_start_matches("gpu:").trim_start_matches("gpu=");
    let mut proposals = vec![
        bare.to_owned(),
        value.replace(';', ","),
        value.trim_matches(',').to_owned(),
        value.trim_end_matches(':').to_owned(),
    ];
    if let Some((count, kind)) = bare.split_once(':') {
        proposals.push(format!("{kind}:{count}"));
    }
    proposals
}

pub(super) fn gres(value: &str) -> Vec<String> {
    let lower = value.to_ascii_lowercase();
    let mut proposals = vec![
        value.trim_matches(',').to_owned(),
        value.replace(';', ","),
        value.replace(",,", ","),
        value.replace("::", ":"),
        value.trim_end_matches(':').to_owned(),
        lower.clone(),
        lower.replacen("gpus", "gpu", 1),
    ];
    if let Some((head, _)) = value.split_once('(') {
        proposals.push(head.to_owned());
    }
    proposals
}

pub(super) fn tres_per_task(value: &str) -> Vec<String> {
    let items: Vec<String> = value
        .trim_matches(',')
        .split(',')
        .map(|item| match item.strip_prefix("cpus") {
            Some(rest) => format!("cpu{rest}"),
            None if item.starts_with("gpu") || item.starts_with("shard") => format!("gres/{item}"),
            None => item.to_owned(),
        })
        .collect();
    vec![value.trim_matches(',').to_owned(), items.join(",")]
}

pub(super) fn hosts(value: &str, fault: &Fault) -> Vec<String> {
    let mut proposals = vec![value.replace(';', ","), format!("{value}]")];
    let part = value.get(fault.range()).unwrap_or_default();
    if let (Some(turned), Some(before), Some(after)) =
        (swapped(part), value.get(..fault.range().start), value.get(fault.range().end..))
    {
        proposals.push(format!("{before}{turned}{after}"));
    }
    proposals.push(without_part(value, fault));
    proposals
}

pub(super) fn licenses(value: &str) -> Vec<String> {
    vec![
        value.trim_end_matches([':', '=']).to_owned(),
        value.replace('|', ","),
        value.chars().filter(|letter| !letter.is_whitespace()).collect(),
    ]
}

pub(super) fn layout(value: &str) -> Vec<String> {
    let three: Vec<&str> = value.split(':').take(3).collect();
    let stars: Vec<&str> =
        three.iter().map(|field| if field.starts_with('*') { "*" } else { field }).collect();
    let mut proposals = vec![three.join(":"), stars.join(":")];
    proposals.extend(swapped(value));
    proposals
}
