//! The Inception of FID: the network that TensorFlow published on 2015-12-05, in the PyTorch form
//! that pytorch-fid and torch-fidelity load.
//!
//! Szegedy et al. 2016, arXiv:1512.00567 (Table 1), with the 1008 classes of the released graph.
//! Parameters bear the names of `pt_inception-2015-12-05-6726825d.pth` (pytorch-fid) and
//! `weights-inception-2015-12-05-6726825d.pth` (torch-fidelity), which are equal. In reading order:
//! `unit` is a convolution with its norm, `blocks` are the five kinds of mixed layers, `net` is the
//! network and its taps.
//!
//! DIFFERS: torchvision's InceptionV3 has other weights (`fc` of 1000 classes), averages the zero
//! border of its pools in, and averages where the last block here takes the largest. Numbers from
//! it are not FIDs. Everything here follows the released graph.

mod blocks;
mod net;
mod unit;

pub use net::{Depth, Inception, InceptionTaps};
