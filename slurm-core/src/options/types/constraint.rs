//! Features of nodes: `build_feature_list` of `src/slurmctld/job_scheduler.c`.

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::suggest::without_part;
use crate::options::text::{Text, is_space};

/// Which features nodes must have. Names are not checked: they are the cluster's. A trailing operator, which the
/// controller drops without a word, is refused. Only the controller checks this value.
///
/// Slurm's source: `build_feature_list` (from 23.02 on `_feature_string2list`) and
/// `_valid_feature_list` in `src/slurmctld/job_scheduler.c`.
pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "features joined by `&` or `|`, in `(…)` or one `[…]`",
    example: "haswell&ssd",
    details: "`&` is and, `|` is or, a comma is `&`. Parentheses group, one level deep. One \
              pair of brackets is allowed: `[a|b]` wants the same feature on all nodes, \
              `[a*2&b*4]` that many nodes with each. A count outside brackets beside other \
              features is refused from 23.02 on.",
    canonical: |text| {
        Parser { text, index: 0, bracket: None, paren: None, brackets: 0 }.expression()?;
        Ok(text.to_text().replace(',', "&"))
    },
    separator: Some("&"),
    nearby,
    ..Grammar::ANY
};

/// Features of the node of the batch script: names joined by `&`, `|` or `,` without brackets or counts.
///
/// Slurm's source: `_valid_batch_features` in `src/slurmctld/job_scheduler.c`.
pub(crate) const BATCH: Grammar = Grammar {
    expected: "features joined by `&` or `|`",
    example: "haswell",
    details: "Names without blanks or brackets.",
    canonical: |text| plain_features(text).map(|()| text.to_text()),
    ..GRAMMAR
};

/// Features of clusters, negated as a whole by a leading `!`.
pub(crate) const CLUSTER: Grammar = Grammar {
    expected: "features joined by `&` or `|`, perhaps after `!`",
    canonical: |text| {
        let features = text.without(b'!');
        if features.is_empty() {
            return Err(text.fault("the features after `!` are missing"));
        }
        plain_features(features).map(|()| text.to_text())
    },
    nearby: |_, _| Vec::new(),
    ..BATCH
};

fn plain_features(text: Text<'_>) -> Result<(), Fault> {
    let mut rest = text;
    for name in text.parts_by(|list| list.find_any(b"&|,")) {
        if name.is_empty() {
            return Err(rest.take(1).fault("the name of a feature is missing"));
        }
        if let Some(index) = name.position(|byte| is_space(byte) || b"[]()*".contains(&byte)) {
            let part = name.at(index);
            return Err(if is_space(part.byte(0)) {
                part.fault("no blank may stand between features")
            } else {
                part.is_fault("not possible here: only names joined by `&` or `|` are")
            });
        }
        rest = rest.skip(name.len() + 1);
    }
    Ok(())
}

/// The bytes that are not part of a name.
const SPECIAL: &[u8] = b"*&|,[]()";

/// The operators and counts seen in a bracket.
#[derive(Clone, Copy)]
struct Bracket {
    start: usize,
    operator: u8,
    counted: bool,
    uncounted: bool,
}

struct Parser<'a> {
    text: Text<'a>,
    index: usize,
    bracket: Option<Bracket>,
    paren: Option<usize>,
    brackets: usize,
}

impl<'a> Parser<'a> {
    /// Alternates operands and operators up to the end.
    fn expression(&mut self) -> Result<(), Fault> {
        loop {
            self.operand()?;
            if self.index == self.text.len() {
                return self.end();
            }
            // Every operand is followed by an operator.
            self.index += 1;
        }
    }

    fn here(&self) -> Text<'a> {
        self.text.at(self.index)
    }

    fn peek(&self) -> u8 {
        self.text.byte(self.index)
    }

    /// Opening brackets, a name, a count, closing brackets.
    fn operand(&mut self) -> Result<(), Fault> {
        while matches!(self.peek(), b'[' | b'(') {
            self.open()?;
        }
        self.name()?;
        let mut counted = self.count()?;
        loop {
            match self.peek() {
                b')' => {
                    if self.paren.is_none() {
                        return Err(self.here().fault("this `)` closes nothing"));
                    }
                    self.paren = None;
                    self.index += 1;
                    counted = self.count()? || counted;
                }
                b']' => {
                    self.note(0, counted);
                    return self.close();
                }
                0 | b'&' | b'|' | b',' => {
                    let operator = if self.peek() == b'|' { b'|' } else { b'&' };
                    if self.paren.is_none() {
                        self.note(operator, counted);
                    }
                    return Ok(());
                }
                _ => {
                    return Err(self.here().is_fault("unexpected: `&` or `|` must come first"));
                }
            }
        }
    }

    fn open(&mut self) -> Result<(), Fault> {
        if self.peek() == b'(' {
            if self.paren.is_some() {
                return Err(self.here().fault("parentheses cannot be nested"));
            }
            self.paren = Some(self.index);
        } else {
            if self.bracket.is_some() || self.paren.is_some() {
                return Err(self.here().fault("a bracket cannot stand in another one"));
            }
            if self.brackets > 0 {
                return Err(self.here().fault("only one pair of brackets is allowed"));
            }
            self.brackets += 1;
            self.bracket =
                Some(Bracket { start: self.index, operator: 0, counted: false, uncounted: false });
        }
        self.index += 1;
        Ok(())
    }

    fn name(&mut self) -> Result<(), Fault> {
        let start = self.index;
        while self.index < self.text.len() && !SPECIAL.contains(&self.peek()) {
            if is_space(self.peek()) {
                return Err(self.here().fault("no blank may stand in a constraint"));
            }
            self.index += 1;
        }
        if self.index > start {
            return Ok(());
        }
        Err(match self.peek() {
            0 if start == 0 => self.text.fault("the name of a feature is missing"),
            0 => self.text.skip(start - 1).fault(
                "the feature after this is missing (the controller would drop the operator)",
            ),
            _ => self.here().is_fault("misplaced: the name of a feature is missing before it"),
        })
    }

    /// Whether a count follows; one inside parentheses is refused.
    fn count(&mut self) -> Result<bool, Fault> {
        if self.peek() != b'*' {
            return Ok(false);
        }
        let star = self.here();
        if self.paren.is_some() {
            return Err(star.fault("a count cannot stand inside parentheses"));
        }
        let rest = self.text.skip(self.index + 1);
        let length = rest.leading_digits();
        if length == 0 {
            return Err(star.fault("a whole number of nodes must follow `*`"));
        }
        let number = rest.take(length);
        match digits(number)? {
            0 => return Err(number.fault("a count of nodes is at least 1")),
            value if value > i32::MAX as u64 => {
                return Err(number.is_fault("more nodes than Slurm can count"));
            }
            _ => {}
        }
        self.index += 1 + length;
        Ok(true)
    }

    /// Notes the operators and counts of a bracket.
    fn note(&mut self, operator: u8, counted: bool) {
        if let Some(mut bracket) = self.bracket {
            bracket.counted = bracket.counted || counted;
            bracket.uncounted = bracket.uncounted || !counted;
            if operator != 0 {
                let mixed = bracket.operator != 0 && bracket.operator != operator;
                bracket.operator = if mixed { b'?' } else { operator };
            }
            self.bracket = Some(bracket);
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(bracket) = self.bracket else {
            return Err(self.here().fault("this `]` closes nothing"));
        };
        if self.paren.is_some() {
            return Err(self.here().fault("a `)` is missing before this"));
        }
        let inside = self.text.skip(bracket.start).take(self.index + 1 - bracket.start);
        match bracket.operator {
            b'?' => return Err(inside.fault("`&` and `|` cannot be mixed in brackets")),
            b'&' if bracket.uncounted => {
                return Err(inside
                    .fault("with `&` in brackets every feature needs a count, as in [a*2&b*4]"));
            }
            b'|' if bracket.counted => {
                return Err(inside.fault("with `|` in brackets no feature takes a count"));
            }
            _ => {}
        }
        self.bracket = None;
        self.index += 1;
        match self.peek() {
            0 | b'&' | b'|' | b',' => Ok(()),
            _ => Err(self.here().is_fault("unexpected: `&` or `|` must come first")),
        }
    }

    fn end(&self) -> Result<(), Fault> {
        if let Some(bracket) = self.bracket {
            return Err(self.text.at(bracket.start).fault("this `[` is not closed"));
        }
        if let Some(start) = self.paren {
            return Err(self.text.at(start).fault("this `(` is not closed"));
        }
        Ok(())
    }
}

fn nearby(value: &str, fault: &Fault) -> Vec<String> {
    let single = value.replace("&&", "&").replace("||", "|").replace("**", "*");
    let mut proposals = vec![
        single.clone(),
        single.trim_matches(['&', '|', ',']).to_owned(),
        format!("{single}]"),
        format!("{single})"),
        single.replace("((", "(").replace("))", ")"),
        single.replace(['[', ']'], ""),
    ];
    if matches!(value.get(fault.range()), Some(")" | "]")) {
        proposals.push(without_part(value, fault));
    }
    // Without a count that is wrong.
    proposals.extend(value.rsplit_once('*').map(|(name, _)| name.to_owned()));
    proposals
}
