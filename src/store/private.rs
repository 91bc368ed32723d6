//! What is stored tells who trades what, and is for the user alone whom the program runs as.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io;
use std::path::Path;

/// Makes the folder, and those above it that are missing, for nobody else.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes the file, unless it is there. SQLite gives its logs the permissions of their database.
pub(super) fn make_file(file: &Path) -> io::Result<()> {
    for_one().write(true).create(true).truncate(false).open(file).map(drop)
}

/// The options with which a file is made for nobody else.
pub(super) fn for_one() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there are no modes"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A copied file has the permissions of what it was copied from.
pub(super) fn close(file: &Path) -> io::Result<()> {
    restrict(file, 0o600)
}

/// Of what an earlier version made for everybody: takes away what others than the owner and his group may. A group may have
/// been given it on purpose.
pub(super) fn shut_out(path: &Path) -> io::Result<()> {
    match restrict(path, 0o770) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(unix)]
fn restrict(path: &Path, most: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & !most == 0 { Ok(()) } else { std::fs::set_permissions(path, Permissions::from_mode(mode & most)) }
}

#[cfg(not(unix))]
fn restrict(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}
