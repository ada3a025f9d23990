//! The addresses that a header lists, from the last to the first, without copying any of it.

use std::net::IpAddr;

use http::HeaderValue;

use super::address;

/// How much of a header is looked at, in bytes. Whoever sends more than this gets no more of it read.
const MOST: usize = 8 * 1024;

/// How a list is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Syntax {
    /// Addresses: `X-Forwarded-For`.
    Addresses,
    /// Pairs of which one, `for`, names an address: `Forwarded` (RFC 7239).
    Pairs,
}

/// The elements of all lines of one header, from the right: `None` for one that names no address.
///
/// Only what stands to the right of an element has a say in where it ends, quotes included: what a client sends stands to the
/// left of what its proxies add, and cannot hide that.
pub(super) struct Hops<'a, I> {
    lines: I,
    /// What is left of a line.
    rest: Option<&'a [u8]>,
    /// How many bytes may still be looked at.
    budget: usize,
    syntax: Syntax,
}

impl<'a, I: DoubleEndedIterator<Item = &'a HeaderValue>> Hops<'a, I> {
    pub(super) fn new(lines: I, syntax: Syntax) -> Self {
        Self { lines, rest: None, budget: MOST, syntax }
    }
}

impl<'a, I: DoubleEndedIterator<Item = &'a HeaderValue>> Iterator for Hops<'a, I> {
    type Item = Option<IpAddr>;

    fn next(&mut self) -> Option<Option<IpAddr>> {
        let rest = match self.rest.take() {
            Some(rest) => rest,
            None => self.lines.next_back()?.as_bytes(),
        };
        let seen = &rest[rest.len().saturating_sub(self.budget)..];
        let element = match self.syntax.last_comma(seen) {
            Some(comma) => {
                self.rest = Some(&rest[..rest.len() - (seen.len() - comma)]);
                &seen[comma + 1..]
            }
            None if seen.len() == rest.len() => rest,
            // Where it begins is not looked for.
            None => {
                self.budget = 0;
                return Some(None);
            }
        };
        self.budget = self.budget.saturating_sub(element.len() + 1);
        Some(self.syntax.address(element))
    }
}

impl Syntax {
    fn last_comma(self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Addresses => text.iter().rposition(|&byte| byte == b','),
            Self::Pairs => last_unquoted_comma(text),
        }
    }

    fn address(self, element: &[u8]) -> Option<IpAddr> {
        let element = std::str::from_utf8(element).ok()?;
        match self {
            Self::Addresses => address::parse(element),
            Self::Pairs => address::parse(sender(element)?),
        }
    }
}

/// The last comma that is in no quoted string, as seen from the right.
fn last_unquoted_comma(text: &[u8]) -> Option<usize> {
    let mut quoted = false;
    for (at, &byte) in text.iter().enumerate().rev() {
        match byte {
            b',' if !quoted => return Some(at),
            b'"' if quoted => {
                // Behind an odd number of backslashes it is a letter of the string.
                let backslashes = text[..at].iter().rev().take_while(|&&byte| byte == b'\\').count();
                quoted = backslashes % 2 == 1;
            }
            b'"' => quoted = true,
            _ => {}
        }
    }
    None
}

/// The value of an element's `for`. An element that is not made of pairs, or has it twice, has none.
fn sender(element: &str) -> Option<&str> {
    let mut found = None;
    let mut rest = Some(element);
    while let Some(text) = rest {
        let (pair, after) = match first_unquoted_semicolon(text) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        rest = after;
        let pair = pair.trim_matches([' ', '\t']);
        if pair.is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=')?;
        if name.eq_ignore_ascii_case("for") && found.replace(value).is_some() {
            return None;
        }
    }
    found
}

fn first_unquoted_semicolon(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.bytes().position(|byte| {
        let here = byte == b';' && !quoted;
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ => {}
        }
        here
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hops(syntax: Syntax, lines: &[&str]) -> Vec<Option<String>> {
        let lines: Vec<HeaderValue> = lines.iter().map(|line| line.parse().expect("a header")).collect();
        Hops::new(lines.iter(), syntax).map(|hop| hop.map(|address| address.to_string())).collect()
    }

    fn some(addresses: &[&str]) -> Vec<Option<String>> {
        addresses.iter().map(|text| (!text.is_empty()).then(|| (*text).to_owned())).collect()
    }

    #[test]
    fn all_lines_are_one_list_read_from_its_end() {
        let lines = ["1.1.1.1, 2.2.2.2", "3.3.3.3,[::4]:4"];
        assert_eq!(hops(Syntax::Addresses, &lines), some(&["::4", "3.3.3.3", "2.2.2.2", "1.1.1.1"]));
        assert_eq!(hops(Syntax::Addresses, &[]), []);
        assert_eq!(hops(Syntax::Addresses, &["", "1.1.1.1,,", "x"]), some(&["", "", "", "1.1.1.1", ""]));
    }

    #[test]
    fn a_pair_called_for_names_the_address() {
        for (line, expected) in [
            ("for=1.1.1.1", "1.1.1.1"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("for=1.1.1.1; proto=https;by=10.0.0.1;", "1.1.1.1"),
            ("host=\"a;for=6.6.6.6;b\";FOR=1.1.1.1", "1.1.1.1"),
            ("host=\"a\\\";for=6.6.6.6;b\";for=1.1.1.1", "1.1.1.1"),
            ("by=1.1.1.1", ""),
            ("for=1.1.1.1;for=2.2.2.2", ""),
            ("1.1.1.1", ""),
            ("for", ""),
            ("for =1.1.1.1", ""),
            ("for=unknown", ""),
            ("for=_hidden", ""),
            ("for=\"_hidden\"", ""),
            ("for=", ""),
            ("xfor=1.1.1.1", ""),
        ] {
            assert_eq!(hops(Syntax::Pairs, &[line]), some(&[expected]), "{line}");
        }
    }

    #[test]
    fn a_comma_within_quotes_is_no_end_of_an_element() {
        let line = "for=1.1.1.1;host=\"a,\\\",b\", for=2.2.2.2;host=\"c,\\\\\"";
        assert_eq!(hops(Syntax::Pairs, &[line]), some(&["2.2.2.2", "1.1.1.1"]));
    }

    #[test]
    fn an_open_quote_to_the_left_hides_nothing_to_the_right() {
        for left in ["for=\"", "\"", "for=6.6.6.6;x=\"\\", "\\\"", "\"\"\"", "for=\"6.6.6.6"] {
            let line = format!("{left}, for=1.1.1.1;host=\"h\", for=10.0.0.1");
            assert_eq!(hops(Syntax::Pairs, &[&line])[..2], some(&["10.0.0.1", "1.1.1.1"]), "{line}");
        }
    }

    #[test]
    fn no_more_is_read_of_a_header_than_the_limit() {
        for syntax in [Syntax::Addresses, Syntax::Pairs] {
            let huge = "x".repeat(1 << 20);
            let endless = hops(syntax, &[&huge]);
            assert_eq!(endless, some(&[""]));
        }
        let many = format!("6.6.6.6{}", ",10.0.0.1".repeat(100_000));
        let read = hops(Syntax::Addresses, &[&many]);
        assert!(read.len() > MOST / 10, "{}", read.len());
        // The last one that is whole, one that is cut, and then nothing of what is left is read.
        assert!(read.iter().skip(MOST / 9 + 1).all(Option::is_none));
        assert!(read.iter().take(MOST / 9).all(|hop| hop.as_deref() == Some("10.0.0.1")));
    }
}
