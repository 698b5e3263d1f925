//! Where jobs run: beside what clients wait for, and behind it.
//!
//! An export computes for minutes on every processor. On threads of its own, which step back for everybody else, it
//! takes what is left over, and neither answers nor ingest writers wait for a turn.

use tokio::runtime::{Builder, Runtime};

/// How far a thread of a job steps back, of 19 steps; a tenth of the share of others where all want to run.
const STEPS: i32 = 10;

/// Starts the runtime of jobs.
pub(super) fn start() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().thread_name("afterword-jobs").on_thread_start(step_back).build()
}

/// Lowers the priority of the calling thread and of those that it starts. On Linux alone: elsewhere the whole process would
/// step back.
fn step_back() {
    #[cfg(target_os = "linux")]
    if rustix::process::nice(STEPS).is_err() {
        tracing::debug!("a thread of a job cannot step back");
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn every_thread_of_a_job_steps_back_and_no_other() {
        let before = getpriority_process(None).unwrap();
        let runtime = start().unwrap();
        let expected = (before + STEPS).min(19);

        let (task, unit, thread) = runtime.block_on(async {
            let task = runtime.spawn(async { getpriority_process(None).unwrap() }).await.unwrap();
            let unit = runtime.spawn_blocking(|| getpriority_process(None).unwrap()).await.unwrap();
            let thread = runtime.spawn_blocking(|| std::thread::spawn(|| getpriority_process(None).unwrap()));
            (task, unit, thread.await.unwrap().join().unwrap())
        });

        assert_eq!([task, unit, thread], [expected; 3]);
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}
