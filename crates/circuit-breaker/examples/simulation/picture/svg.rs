use std::fmt::{self, Write};

/// An SVG document that is being written.
pub(super) struct Svg {
    text: String,
}

/// A place, in pixels from the top left.
pub(super) type Point = (f64, f64);

impl Svg {
    pub(super) fn new(width: f64, height: f64, title: &str, style: &str) -> Self {
        let mut svg = Self { text: String::new() };
        let title = Escaped(title);
        svg.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
             <title>{title}</title>\n<style>{style}</style>\n"
        ));
        svg
    }

    fn put(&mut self, what: fmt::Arguments<'_>) {
        self.text.write_fmt(what).expect("a string takes everything");
    }

    pub(super) fn rectangle(&mut self, class: &str, (x, y): Point, width: f64, height: f64) {
        let (x, y, width, height) = (Short(x), Short(y), Short(width), Short(height));
        self.put(format_args!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>\n"));
    }

    pub(super) fn text(&mut self, class: &str, (x, y): Point, text: &str) {
        let (x, y, text) = (Short(x), Short(y), Escaped(text));
        self.put(format_args!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>\n"));
    }

    /// Text that rises to the right.
    pub(super) fn slanted(&mut self, class: &str, (x, y): Point, text: &str) {
        let (x, y, text) = (Short(x), Short(y), Escaped(text));
        self.put(format_args!("<text class=\"{class}\" transform=\"translate({x} {y})rotate(-42)\">{text}</text>\n"));
    }

    /// A path through the points; several pieces if there are gaps.
    pub(super) fn line(&mut self, class: &str, pieces: &[Vec<Point>]) {
        self.put(format_args!("<path class=\"{class}\" d=\""));
        for piece in pieces {
            self.piece(&simplified(piece));
            if let [_] = piece[..] {
                self.put(format_args!("h.1"));
            }
        }
        self.put(format_args!("\"/>\n"));
    }

    /// What lies between the points and the height `base`.
    pub(super) fn area(&mut self, class: &str, points: &[Point], base: f64) {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
        self.put(format_args!("<path class=\"{class}\" d=\""));
        self.piece(&simplified(points));
        let (first, base, last) = (Short(first.0), Short(base), Short(last.0));
        self.put(format_args!("L{last} {base}H{first}z\"/>\n"));
    }

    /// Moves relative to the rounded point before, so that rounding does not add up.
    fn piece(&mut self, points: &[Point]) {
        let mut before: Option<Point> = None;
        for point in points {
            let (x, y) = (tenth(point.0), tenth(point.1));
            match before {
                None => self.put(format_args!("M{} {}", Short(x), Short(y))),
                Some((at, height)) => {
                    let (dx, dy) = (Short(x - at), Short(y - height));
                    let space = if y < height { "" } else { " " };
                    self.put(format_args!("l{dx}{space}{dy}"));
                }
            }
            before = Some((x, y));
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// A number to a tenth, as short as it can be written.
struct Short(f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = tenth(self.0);
        let text = format!("{}", if value == 0.0 { 0.0 } else { value });
        match text.strip_prefix("0.").map(|rest| ("", rest)).or(text.strip_prefix("-0.").map(|rest| ("-", rest))) {
            Some((sign, rest)) => write!(f, "{sign}.{rest}"),
            None => f.write_str(&text),
        }
    }
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            _ => f.write_char(char),
        })
    }
}

/// Leaves out the points that lie closer than half a pixel to the line without them (Douglas and Peucker 1973).
fn simplified(points: &[Point]) -> Vec<Point> {
    const CLOSE: f64 = 0.5;
    let [first, .., last] = *points else { return points.to_vec() };
    let off = |point: &Point| {
        let part = (point.0 - first.0) / (last.0 - first.0).max(f64::MIN_POSITIVE);
        (point.1 - first.1 - part * (last.1 - first.1)).abs()
    };
    let farthest = (1..points.len() - 1).max_by(|a, b| off(&points[*a]).total_cmp(&off(&points[*b])));
    match farthest.filter(|place| off(&points[*place]) > CLOSE) {
        None => vec![first, last],
        Some(place) => {
            let mut kept = simplified(&points[..=place]);
            kept.extend(simplified(&points[place..]).into_iter().skip(1));
            kept
        }
    }
}
