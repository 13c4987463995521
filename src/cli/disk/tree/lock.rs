//! One build at a time: a lock on the folder that the tree stands in.
//!
//! The tree itself cannot carry the lock, since it is exchanged; a lock file would stay behind. The
//! kernel releases the lock when its holder ends, killed or not.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::cli::Failure;

/// How long a build waits for another one before it gives up.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(20);

/// Locks `parent` until the returned file is dropped.
pub(super) fn take(parent: &Path, patience: Duration) -> Result<File, Failure> {
    let folder = File::open(parent).map_err(|error| Failure::io("cannot open", parent, &error))?;
    let start = Instant::now();
    loop {
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(folder),
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) if start.elapsed() < patience => std::thread::sleep(PAUSE),
            Err(Errno::WOULDBLOCK) => {
                let message = format!("another build has been writing below `{}` for too long", parent.display());
                return Err(Failure::new(message).help("wait for it to end, or end it, and build again"));
            }
            Err(errno) => {
                let failure = Failure::io("cannot lock", parent, &errno.into());
                return Err(failure.help("write the output to a local file system, and copy it from there"));
            }
        }
    }
}
