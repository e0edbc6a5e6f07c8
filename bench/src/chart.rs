//! How charts are drawn: on white, so that they can be read in GitHub's light and dark themes, and with whatever sans
//! serif font the reader has.

use std::cmp::Reverse;
use std::error::Error;
use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

pub type Drawn = Result<(), Box<dyn Error + Send + Sync>>;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const FONT: &str = "sans-serif";
const PANEL: (u32, u32) = (440, 300);
const LEGEND: u32 = 190;
const TITLE: u32 = 44;
/// The grid.
const LIGHT: RGBColor = RGBColor(0xf2, 0xf2, 0xf2);
const BOLD: RGBColor = RGBColor(0xd8, 0xd8, 0xd8);

/// Everybody's colour, the same in all charts of all runs.
const COLOURS: [(&str, RGBColor); 13] = [
    ("ours", RGBColor(0xd6, 0x27, 0x28)),
    ("ours, buffered", RGBColor(0xff, 0x7f, 0x0e)),
    ("transport alone", RGBColor(0x60, 0x60, 0x60)),
    ("one plain pass", RGBColor(0xb0, 0xb0, 0xb0)),
    ("published 0.1.2", RGBColor(0x8c, 0x56, 0x4b)),
    ("ws_stream_tungstenite", RGBColor(0xe3, 0x77, 0xc2)),
    ("async-tungstenite", RGBColor(0x17, 0xbe, 0xcf)),
    ("tokio-tungstenite", RGBColor(0xbc, 0xbd, 0x22)),
    ("tokio-websockets", RGBColor(0x1f, 0x77, 0xb4)),
    ("fastwebsockets", RGBColor(0x2c, 0xa0, 0x2c)),
    ("yawc", RGBColor(0x94, 0x67, 0xbd)),
    // For whoever comes.
    ("", RGBColor(0x39, 0x3b, 0x79)),
    ("", RGBColor(0x63, 0x79, 0x39)),
];

/// In the order of the legends.
fn position(who: &str) -> usize {
    COLOURS.iter().position(|(name, _)| *name == who).unwrap_or(COLOURS.len() - 1 - who.len() % 2)
}

pub struct Series {
    pub who: String,
    pub points: Vec<(f64, f64)>,
}

pub struct Panel {
    pub title: String,
    pub series: Vec<Series>,
}

/// Curves in panels with the same axes, which are both logarithmic.
pub struct Lines<'a> {
    pub title: &'a str,
    pub x_title: &'a str,
    pub y_title: &'a str,
    pub x_label: fn(f64) -> String,
    pub panels: Vec<Panel>,
}

impl Lines<'_> {
    pub fn draw(&self, path: &Path) -> Drawn {
        let columns = self.panels.len().clamp(1, 2);
        let rows = self.panels.len().div_ceil(columns).max(1);
        let size = (PANEL.0 * columns as u32 + LEGEND, PANEL.1 * rows as u32 + TITLE);
        let root = page(path, size, self.title)?;
        let (panels, legend) = root.split_horizontally(size.0 - LEGEND);
        for (panel, area) in self.panels.iter().zip(panels.split_evenly((rows, columns))) {
            self.draw_panel(panel, &area)?;
        }
        let who = self.panels.iter().flat_map(|panel| &panel.series).map(|series| &*series.who);
        draw_legend(&legend, who)?;
        Ok(root.present()?)
    }

    fn draw_panel(&self, panel: &Panel, area: &Area<'_>) -> Drawn {
        let points = || self.panels.iter().flat_map(|panel| &panel.series).flat_map(|series| &series.points);
        let (left, right) = range(points().map(|(x, _)| *x));
        let (low, high) = range(points().map(|(_, y)| *y));
        let mut ticks: Vec<_> = points().map(|(x, _)| *x).collect();
        ticks.sort_by(f64::total_cmp);
        ticks.dedup();

        let mut chart = ChartBuilder::on(area)
            .caption(&panel.title, (FONT, 15))
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(58)
            .build_cartesian_2d(
                (left / 1.2..right * 1.2).log_scale().with_key_points(ticks),
                decades(low, high).log_scale(),
            )?;
        chart
            .configure_mesh()
            .light_line_style(LIGHT)
            .bold_line_style(BOLD)
            .label_style((FONT, 12))
            .x_desc(self.x_title)
            .y_desc(self.y_title)
            .x_label_formatter(&|x| (self.x_label)(*x))
            .y_label_formatter(&|y| short(*y))
            .draw()?;
        // Ours comes last, on top of the others.
        let mut series: Vec<_> = panel.series.iter().collect();
        series.sort_by_key(|series| Reverse(position(&series.who)));
        for series in series {
            let (colour, width) = stroke(&series.who);
            chart.draw_series(LineSeries::new(series.points.iter().copied(), colour.stroke_width(width)))?;
            let dots = series.points.iter().map(|point| Circle::new(*point, width + 1, colour.filled()));
            chart.draw_series(dots)?;
        }
        Ok(())
    }
}

/// Groups of bars, each from zero and in a panel of its own.
pub struct Bars<'a> {
    pub title: &'a str,
    pub y_title: &'a str,
    /// What each is, and the height of each bar in it.
    pub groups: Vec<(String, Vec<(String, f64)>)>,
}

impl Bars<'_> {
    pub fn draw(&self, path: &Path) -> Drawn {
        let size = (PANEL.0 * 2 + LEGEND, PANEL.1 + TITLE);
        let root = page(path, size, self.title)?;
        let (panels, legend) = root.split_horizontally(size.0 - LEGEND);
        for ((title, bars), area) in self.groups.iter().zip(panels.split_evenly((1, self.groups.len()))) {
            self.draw_panel(title, bars, &area)?;
        }
        let who = self.groups.iter().flat_map(|(_, bars)| bars).map(|(who, _)| &**who);
        draw_legend(&legend, who)?;
        Ok(root.present()?)
    }

    fn draw_panel(&self, title: &str, bars: &[(String, f64)], area: &Area<'_>) -> Drawn {
        let high = bars.iter().map(|(_, y)| *y).fold(f64::MIN_POSITIVE, f64::max);
        let mut chart = ChartBuilder::on(area)
            .caption(title, (FONT, 15))
            .margin(8)
            .x_label_area_size(8)
            .y_label_area_size(50)
            .build_cartesian_2d(0.0..bars.len() as f64, 0.0..high * 1.05)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(0)
            .light_line_style(LIGHT)
            .bold_line_style(BOLD)
            .label_style((FONT, 12))
            .y_desc(self.y_title)
            .y_label_formatter(&|y| short(*y))
            .draw()?;
        let rectangles = bars.iter().enumerate().map(|(at, (who, y))| {
            Rectangle::new([(at as f64 + 0.1, 0.0), (at as f64 + 0.9, *y)], stroke(who).0.filled())
        });
        chart.draw_series(rectangles)?;
        Ok(())
    }
}

fn page<'a>(path: &'a Path, size: (u32, u32), title: &str) -> Result<Area<'a>, Box<dyn Error + Send + Sync>> {
    let root = SVGBackend::new(path, size).into_drawing_area();
    root.fill(&WHITE)?;
    Ok(root.titled(title, (FONT, 19))?)
}

fn draw_legend<'a>(area: &Area<'_>, who: impl Iterator<Item = &'a str>) -> Drawn {
    let mut who: Vec<_> = who.collect();
    who.sort_by_key(|who| position(who));
    who.dedup();
    for (at, who) in who.into_iter().enumerate() {
        let y = 16 + 20 * at as i32;
        let (colour, width) = stroke(who);
        area.draw(&PathElement::new([(4, y), (28, y)], colour.stroke_width(width + 1)))?;
        area.draw(&Text::new(who.to_owned(), (36, y - 6), (FONT, 13)))?;
    }
    Ok(())
}

/// Ours stands out.
fn stroke(who: &str) -> (RGBColor, u32) {
    let width = match who {
        "ours" => 3,
        "ours, buffered" => 2,
        _ => 1,
    };
    (COLOURS[position(who)].1, width)
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), value| (low.min(value), high.max(value)))
}

/// An axis without a power of ten has no labels.
fn decades(low: f64, high: f64) -> Range<f64> {
    10f64.powf((low / 1.1).log10().floor())..10f64.powf((high * 1.1).log10().ceil())
}

/// A number on an axis.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{} M", v / 1e6),
        v if v >= 1e4 => format!("{} k", v / 1e3),
        v => format!("{}", (v * 1e3).round() / 1e3),
    }
}
