//! Where a chain of operators runs.

use burn::tensor::Device;

use super::kernels::keep_memory;

/// Runs work on a thread of the pool, if its device is the CPU.
///
/// Called from another thread, each operator would hand its loop to the pool and sleep until it is
/// done: with hundreds of operators in a step of a small net, a tenth of its time. On a GPU, whose
/// queues belong to threads, the work stays where it is.
pub fn among_workers<R: Send>(device: &Device, work: impl FnOnce() -> R + Send) -> R {
    if *device != Device::flex() {
        return work();
    }
    // For those who come without a machine of the stages.
    keep_memory();
    rayon::scope(|_| work())
}
