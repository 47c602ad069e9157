//! Pixels as a PNG file.

/// The bytes of a PNG with `pixels`, row-major RGB, of a picture of `size` (width, height).
///
/// # Errors
/// When a side of the picture is zero, or `pixels` has not three bytes for each of its pixels.
pub(crate) fn encode(size: (u32, u32), pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size.0, size.1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(bytes)
}
