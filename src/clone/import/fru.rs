//! FRU images, as `ipmitool fru read` writes them: the bytes of one inventory device, and nothing else.

use super::fault::Fault;

/// Most bytes of a device, as `mc_add_fru_data` has it.
pub const LARGEST: usize = 8192;

/// What is worth knowing of an image that is taken as it is; none if its common header is right (Platform Management FRU
/// Information Storage Definition 1.0, section 8).
///
/// # Errors
/// No device has these bytes.
pub fn check(image: &[u8]) -> Result<Option<Fault>, Fault> {
    match image {
        [] => Err(Fault::whole("it is empty: expected the bytes of a FRU inventory device")),
        _ if image.len() > LARGEST => Err(Fault::at(
            LARGEST,
            format!("a FRU inventory device has at most {LARGEST} bytes, this has {}", image.len()),
        )),
        [version, ..] if version & 0x0f != 1 => {
            Ok(Some(Fault::at(0, "no common header of version 1; the bytes are taken as they are")))
        }
        _ if image.len() < 8 || image.iter().take(8).fold(0u8, |sum, byte| sum.wrapping_add(*byte)) != 0 => {
            Ok(Some(Fault::at(0, "the common header's checksum is wrong; the bytes are taken as they are")))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_taken_as_it_is_if_a_device_can_have_it() {
        assert_eq!(check(&[1, 0, 0, 0, 0, 0, 0, 0xff]), Ok(None));
        for (image, text) in [
            (
                &[1, 0, 0, 0, 0, 0, 0, 0xfe][..],
                " at byte 0 (0x0): the common header's checksum is wrong; the bytes are taken as they are",
            ),
            (&[1, 0xff], " at byte 0 (0x0): the common header's checksum is wrong; the bytes are taken as they are"),
            (b"FRU text", " at byte 0 (0x0): no common header of version 1; the bytes are taken as they are"),
        ] {
            assert_eq!(check(image).unwrap().unwrap().to_string(), text);
        }
        assert_eq!(check(&[]).unwrap_err().to_string(), " it is empty: expected the bytes of a FRU inventory device");
        let text = check(&[0; LARGEST + 1]).unwrap_err().to_string();
        assert_eq!(text, " at byte 8192 (0x2000): a FRU inventory device has at most 8192 bytes, this has 8193");
    }
}
