//! Claims against specs whose answer is plain, and the method against the evaluator.

mod exact;
mod meaning;
mod method;
