//! What the program says on the standard output.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};

/// As `println!`, but a reader that has seen enough, such as `head`, is no mistake: the rest is not said then.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => { $crate::say::line(format_args!($($text)*)) };
}

/// A line.
///
/// # Panics
/// As `println!` when it cannot be written and there is somebody to read it: half a list is worse than none.
pub fn line(text: fmt::Arguments<'_>) {
    written(writeln!(io::stdout().lock(), "{text}"));
}

/// Text that has its own line ends.
///
/// # Panics
/// As [`line`].
pub fn all(text: &[u8]) {
    let mut out = io::stdout().lock();
    written(out.write_all(text).and_then(|()| out.flush()));
}

fn written(result: io::Result<()>) {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => panic!("cannot write to the standard output: {error}"),
        Ok(()) | Err(_) => {}
    }
}
