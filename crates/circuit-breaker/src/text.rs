use std::fmt::{self, Write};

/// The beginning of an error's text, kept without an allocation.
#[derive(Clone, Copy)]
pub(crate) struct Text {
    len: usize,
    bytes: [u8; Text::MOST],
}

impl Text {
    const MOST: usize = 192;

    pub(crate) fn of(value: &dyn fmt::Display) -> Self {
        let mut text = Self { len: 0, bytes: [0; Self::MOST] };
        // It ends with an error when the text is full; what fits is kept.
        let _ = write!(text, "{value}");
        text
    }

    pub(crate) fn as_str(&self) -> &str {
        // Only whole characters are written, so the fallback is never taken.
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl Write for Text {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let mut fits = more.len().min(Self::MOST - self.len);
        while !more.is_char_boundary(fits) {
            fits -= 1;
        }
        self.bytes[self.len..self.len + fits].copy_from_slice(&more.as_bytes()[..fits]);
        self.len += fits;
        if fits < more.len() { Err(fmt::Error) } else { Ok(()) }
    }
}
