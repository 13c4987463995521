//! The target `pve`.

use crate::policy::{Fleet, TargetName};

use super::{Compiled, Selection, Target, TemplateError, Templates};

/// Name (as below `templates/`) and text of this target's templates.
pub(super) const TEMPLATES: &[(&str, &str)] = &[];

/// The target.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pve;

impl Target for Pve {
    fn name(&self) -> TargetName {
        TargetName::Pve
    }

    fn compile(&self, _: &Fleet, _: &Selection, _: &Templates) -> Result<Compiled, TemplateError> {
        Ok(Compiled::default())
    }
}
