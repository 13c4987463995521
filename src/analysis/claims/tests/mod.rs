//! Claims against specs whose answer is plain, and the method against the evaluator.

mod meaning;
mod method;
