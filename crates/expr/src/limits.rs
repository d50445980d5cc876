//! Every limit of the language, by name, with its reason.

/// Bytes of an expression, as written and in its canonical form. A screenful; long lists of names belong into labels.
pub const LENGTH_MAX: usize = 4_096;
/// How deep brackets, calls and signs nest. Nobody reads deeper; a parser's stack must not follow what is written.
pub const DEPTH_MAX: u32 = 32;
/// Literals, attributes and operations of an expression, the items of lists among them: what one evaluation may touch.
pub const NODES_MAX: usize = 400;
/// Steps that all text operations of one evaluation may take together, in compared bytes. Beyond it the answer is unknown. The
/// texts of a record have 96 bytes, so that only hostile patterns get there.
pub const TEXT_STEPS_MAX: u32 = 20_000;
/// Names compared with a mistyped one: every one costs about a microsecond.
pub const SUGGESTIONS_TRIED_MAX: usize = 2_000;
/// How often a dimension may be multiplied with itself: bytes * bytes * bytes means nothing to anybody.
pub const POWER_MAX: i8 = 4;
