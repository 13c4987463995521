//! What the running kernel may lack in the bridge family of nftables, taken out of a script.
//!
//! Some kernels are built without `ct state`, `ct helper`, `meta ibrname`/`meta obrname` and `reject` in that family.
//! Nothing else is touched: the number of rules, chains, sets and elements stays what it was.

/// The script without these statements in its `table bridge` blocks, and how many were taken out.
pub fn strip(script: &str) -> (String, usize) {
    let mut text = String::with_capacity(script.len());
    let mut bridge = false;
    let mut taken = 0;
    let mut helper = false;
    for line in script.lines() {
        if line.starts_with("table ") && line.trim_end().ends_with('{') {
            bridge = line.starts_with("table bridge ");
        }
        if bridge && line.starts_with("\tct helper ") {
            helper = true;
            taken += 1;
        }
        if helper {
            // The object ends where its block does.
            helper = line != "\t}";
        } else if bridge && !line.trim_start().starts_with('#') {
            text.push_str(&strip_line(line, &mut taken));
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    (text, taken)
}

fn strip_line(line: &str, taken: &mut usize) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    let mut kept: Vec<&str> = Vec::with_capacity(words.len());
    words.reverse();
    while let Some(word) = words.pop() {
        let next = words.last().copied().unwrap_or_default();
        match (word.trim_start(), next) {
            ("ct", "state") => {
                *taken += 1;
                keep_indent(word, &mut kept);
                words.pop();
                skip_value(&mut words);
            }
            ("ct", "helper") => {
                *taken += 1;
                keep_indent(word, &mut kept);
                // `helper set "name"`
                words.truncate(words.len().saturating_sub(3));
            }
            ("meta", "ibrname" | "obrname") => {
                *taken += 1;
                keep_indent(word, &mut kept);
                words.pop();
                skip_value(&mut words);
            }
            ("reject", _) => {
                *taken += 1;
                keep_indent(word, &mut kept);
                kept.push("drop");
                if next == "with" {
                    // `tcp reset`, or `icmpx TYPE`, `icmp type TYPE`.
                    words.pop();
                    words.pop();
                    if words.last().copied() == Some("type") {
                        words.pop();
                    }
                    words.pop();
                }
            }
            _ => kept.push(word),
        }
    }
    kept.join(" ")
}

/// Tabs before the statement stay.
fn keep_indent<'a>(word: &'a str, kept: &mut Vec<&'a str>) {
    let indent = &word[..word.len() - word.trim_start().len()];
    if !indent.is_empty() {
        kept.push(indent);
    }
}

/// The right side of a match: a word, or a set in braces, perhaps after `!=`.
fn skip_value(words: &mut Vec<&str>) {
    if matches!(words.last().copied(), Some("!=" | "vmap")) {
        words.pop();
    }
    let first = words.pop().unwrap_or_default();
    if first.starts_with('{') {
        let mut part = first;
        while !part.ends_with('}') {
            let Some(next) = words.pop() else { break };
            part = next;
        }
    } else if first.ends_with(',') {
        while words.pop().is_some_and(|part| part.ends_with(',')) {}
    }
}
