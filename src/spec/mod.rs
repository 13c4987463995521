//! The language: YAML files to a typed [`Spec`].

pub mod model;

pub use model::Spec;
