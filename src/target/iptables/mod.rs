//! The target `iptables`.

use crate::policy::{Fleet, TargetName};

use super::{Compiled, Selection, Target, TemplateError, Templates};

/// Name (as below `templates/`) and text of this target's templates.
pub(super) const TEMPLATES: &[(&str, &str)] = &[];

/// The target.
#[derive(Debug, Clone, Copy, Default)]
pub struct Iptables;

impl Target for Iptables {
    fn name(&self) -> TargetName {
        TargetName::Iptables
    }

    fn compile(&self, _: &Fleet, _: &Selection, _: &Templates) -> Result<Compiled, TemplateError> {
        Ok(Compiled::default())
    }
}
