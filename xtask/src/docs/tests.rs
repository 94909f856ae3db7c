//! Tests of the guides as a whole.

mod hand_written;
