//! What becomes of memory that is set free.
//!
//! A training step frees what the next one asks for again, some hundred buffers of a few MiB. glibc
//! gives large ones back to the system, which hands them out anew page by page, zeroed: 18,000 page
//! faults in a step of ResNet-20, a seventh of its time. So the process keeps what it had; its
//! largest size stays the same.
//!
//! Threads share one heap: where each has its own, what one sets free another cannot take, and
//! training takes up to twice the memory.

/// Asks the allocator, once, to keep what is set free, in one heap for all threads that have none
/// yet.
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        use std::ffi::c_int;
        unsafe extern "C" {
            fn mallopt(parameter: c_int, value: c_int) -> c_int;
        }
        // From `malloc.h`.
        const TRIM_THRESHOLD: c_int = -1;
        const MMAP_THRESHOLD: c_int = -3;
        const ARENA_MAX: c_int = -8;
        /// The most that glibc takes; larger buffers still go back to the system.
        const LARGEST: c_int = 32 << 20;
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            // SAFETY: the function may be called at any time and takes numbers only.
            unsafe {
                mallopt(MMAP_THRESHOLD, LARGEST);
                mallopt(TRIM_THRESHOLD, c_int::MAX);
                mallopt(ARENA_MAX, 1);
            }
        });
    }
}
