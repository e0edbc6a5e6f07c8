//! Time that passes when it is told to.

use tokio::runtime::{Builder, Runtime};

thread_local! {
    static CLOCK: Runtime =
        Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime without I/O");
}

/// Runs something inside of the runtime whose clock stands still.
pub fn stopped<T>(run: impl FnOnce(&Runtime) -> T) -> T {
    CLOCK.with(|clock| {
        let _inside = clock.enter();
        run(clock)
    })
}
