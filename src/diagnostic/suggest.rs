//! "Did you mean": the nearest known name to a mistyped one.

/// The candidate nearest to `word`, if any is near enough to be a typing error.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = match word.chars().count() {
        0..=2 => 1,
        3..=6 => 2,
        _ => 3,
    };
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// A help text: the nearest name, or else the list of what there is.
#[must_use]
pub fn did_you_mean<'a>(word: &str, what: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<&str> = candidates.into_iter().collect();
    match closest(word, all.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if all.is_empty() => format!("no {what} are defined"),
        None if all.len() <= 20 => {
            let names: Vec<String> = all.iter().map(|name| format!("`{name}`")).collect();
            format!("known {what}: {}", names.join(", "))
        }
        None => format!("there are {} {what}, and none is spelled like it", all.len()),
    }
}
