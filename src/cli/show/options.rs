//! Options as a page shows them: name, value, who set it.

use crate::diagnostic::Places;
use crate::policy::words::OptionWords;

use super::view::OptionView;

/// A list of options with their places.
pub(super) fn placed(places: &Places<'_>, options: Vec<OptionWords<'_>>) -> Vec<OptionView> {
    let view = |option: OptionWords<'_>| OptionView {
        name: option.name.to_owned(),
        value: option.value,
        zone: option.origin.map(|origin| origin.zone.to_string()),
        place: option.origin.map(|origin| places.of(origin.span)),
    };
    options.into_iter().map(view).collect()
}
