//! The language: YAML files to a typed [`Spec`].

pub mod model;
pub mod options;

pub use model::Spec;
