//! A convolutional layer: a dense layer that is applied to every patch of an image.
//!
//! Images are rows of height·width·channels, channels last, as MinAtar and this project's
//! environments have them. *Design.* Patches are copied out once a pass, so that every product of
//! the layer is a matrix product over b·positions rows. The Jacobian row of a sample is a sum of
//! outer products over positions and has no two factors; it is formed for this layer alone, b·k
//! rows of its few parameters, for the Gram matrix only. (A Gram matrix from patches, with
//! positions² products of width `n_inputs` + `n_outputs` for each pair of rows, costs less only
//! below a handful of positions; with one position it is the dense layer's, which is then used.)

use std::fmt;

use crate::{
    linalg::{gram::Factors, real::Real},
    network::{
        activation::{Activation, activate},
        dense::Dense,
        layer_pass::{At, LayerPass, Trace, Workspace},
    },
};

/// The shape of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Numbers in each cell.
    pub channels: usize,
}

impl Image {
    /// Largest side, and number of channels or filters, so small that the product of four of them
    /// does not overflow.
    pub const MAX_SIZE: usize = 1 << 14;

    /// Entries, height·width·channels.
    pub fn len(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether the image has no entry.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// The kernel of a convolution, which moves over an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// Channels of the result.
    pub filters: usize,
    /// Rows and columns of a patch.
    pub size: usize,
    /// Cells from one patch to the next.
    pub stride: usize,
    /// Cells of zeros around the image.
    pub padding: usize,
}

impl Kernel {
    /// Whether the kernel can be moved over an image: no size is zero or above 16,384, so that
    /// their products can be counted, and no patch is padding alone.
    pub fn fits(&self, image: Image) -> bool {
        let Self { filters, size, stride, padding } = *self;
        let sizes = [filters, size, stride, image.height, image.width, image.channels];
        sizes.iter().all(|n| (1..=Image::MAX_SIZE).contains(n))
            && padding < size
            && size <= image.height.min(image.width) + 2 * padding
    }

    /// The image that comes out when the kernel moves over one that it fits.
    pub fn over(&self, image: Image) -> Image {
        let positions = |side: usize| (side + 2 * self.padding - self.size) / self.stride + 1;
        Image { height: positions(image.height), width: positions(image.width), channels: self.filters }
    }

    /// Reads a kernel as `Display` writes it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (filters, rest) = text.split_once('k')?;
        let (size, rest) = rest.split_once('s')?;
        let (stride, padding) = rest.split_once('p').unwrap_or((rest, "0"));
        let number = |text: &str| text.parse().ok();
        Some(Self {
            filters: number(filters)?,
            size: number(size)?,
            stride: number(stride)?,
            padding: number(padding)?,
        })
    }
}

impl fmt::Display for Kernel {
    /// `16k3s1`: 16 filters of size 3, stride 1; `16k3s1p1` with padding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { filters, size, stride, padding } = self;
        write!(f, "{filters}k{size}s{stride}")?;
        if *padding > 0 { write!(f, "p{padding}") } else { Ok(()) }
    }
}

/// A convolution with its activation, as PyTorch's `Conv2d` (a correlation, with bias).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Convolution {
    /// Shape of the input.
    pub image: Image,
    /// Kernel that moves over the input.
    pub kernel: Kernel,
    /// Dense layer from a patch, (row, column, channel), to the filters.
    pub filters: Dense,
}

impl Convolution {
    /// A kernel over an image; its parameters start at `offset`.
    ///
    /// # Panics
    /// When it does not fit ([`Kernel::fits`]).
    pub(crate) fn new(image: Image, kernel: Kernel, activation: Activation, offset: usize) -> Self {
        assert!(kernel.fits(image), "{kernel:?} over {image:?}");
        let n_inputs = kernel.size * kernel.size * image.channels;
        let filters = Dense { n_inputs, n_outputs: kernel.filters, activation, has_bias: true, offset };
        Self { image, kernel, filters }
    }

    /// Shape of the output.
    pub fn output(&self) -> Image {
        self.kernel.over(self.image)
    }

    /// Patches of an image.
    pub fn n_positions(&self) -> usize {
        let output = self.output();
        output.height * output.width
    }

    /// Calls `copy` with (where in the patches of an image, where in the image, how many entries)
    /// for every run of cells that lies inside it.
    fn runs(&self, mut copy: impl FnMut(usize, usize, usize)) {
        let Self { image, kernel, .. } = *self;
        let output = self.output();
        let mut patch = 0;
        for y in 0..output.height {
            for x in 0..output.width {
                let left = x * kernel.stride;
                let first = kernel.padding.saturating_sub(left);
                let last = kernel.size.min((image.width + kernel.padding).saturating_sub(left));
                for row in 0..kernel.size {
                    let at = (y * kernel.stride + row).checked_sub(kernel.padding).filter(|&at| at < image.height);
                    if let Some(at) = at.filter(|_| first < last) {
                        let cell = at * image.width + left + first - kernel.padding;
                        let place = patch + first * image.channels;
                        copy(place, cell * image.channels, (last - first) * image.channels);
                    }
                    patch += kernel.size * image.channels;
                }
            }
        }
    }

    /// Images (b, n_inputs) to patches (b·positions, size²·channels).
    fn unfold<T: Real>(&self, images: &[T], patches: &mut Vec<T>) {
        let size = self.n_positions() * self.filters.n_inputs;
        patches.clear();
        patches.resize(images.len() / self.image.len() * size, T::zero());
        for (patches, image) in patches.chunks_exact_mut(size).zip(images.chunks_exact(self.image.len())) {
            self.runs(|patch, cell, n| patches[patch..][..n].copy_from_slice(&image[cell..][..n]));
        }
    }

    /// The transpose of [`Convolution::unfold`]: patches are summed where they overlap.
    fn fold<T: Real>(&self, patches: &[T], images: &mut Vec<T>) {
        let size = self.n_positions() * self.filters.n_inputs;
        images.clear();
        images.resize(patches.len() / size * self.image.len(), T::zero());
        for (patches, image) in patches.chunks_exact(size).zip(images.chunks_exact_mut(self.image.len())) {
            self.runs(|patch, cell, n| {
                image[cell..][..n].iter_mut().zip(&patches[patch..][..n]).for_each(|(sum, &x)| *sum += x);
            });
        }
    }
}

impl<T: Real> LayerPass<T> for Convolution {
    fn forward(&self, params: &[T], inputs: &[T], outputs: &mut [T], trace: &mut Trace<T>, work: &mut Workspace<T>) {
        self.unfold(inputs, &mut trace.patches);
        self.filters.apply(params, &trace.patches, outputs, &mut work.panel);
        activate(self.filters.activation, outputs, &mut trace.slopes);
    }

    fn carry(&self, at: At<'_, T>, into: &mut Vec<T>, work: &mut Workspace<T>) {
        self.filters.carry_rows(at.params, &at.trace.rows, &mut work.patches, &mut work.panel);
        self.fold(&work.patches, into);
    }

    fn push(&self, at: At<'_, T>, tangent: &[T], incoming: Option<&[T]>, outgoing: &mut [T], work: &mut Workspace<T>) {
        self.filters.apply(tangent, &at.trace.patches, outgoing, &mut work.panel);
        if let Some(incoming) = incoming {
            self.unfold(incoming, &mut work.patches);
            self.filters.add(at.params, &work.patches, outgoing, &mut work.panel);
        }
    }

    fn pull_back(&self, _: &[T], trace: &Trace<T>, weights: &[f64], result: &mut [T], work: &mut Workspace<T>) {
        self.filters.pull_back_rows(&trace.patches, &trace.rows, weights, result, work);
    }

    fn factors<'a>(
        &self,
        _inputs: &'a [T],
        trace: &'a mut Trace<T>,
        batch: usize,
        work: &mut Workspace<T>,
    ) -> Option<Factors<'a, T>> {
        Some(self.filters.factors_of(&trace.patches, &trace.rows, batch, &mut trace.jacobian, &mut work.panel))
    }
}
