//! How something grows.

/// A straight line through some points, by least squares.
#[derive(Clone, Copy)]
pub struct Line {
    pub slope: f64,
    pub at_zero: f64,
    /// The part of the variance that it explains: 1 for points on a line.
    pub fit: f64,
}

impl Line {
    pub fn through(points: &[(f64, f64)]) -> Self {
        let n = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let sum = |of: fn(f64, f64) -> f64| points.iter().map(|p| of(p.0 - x, p.1 - y)).sum::<f64>();
        let (xx, xy, yy) = (sum(|x, _| x * x), sum(|x, y| x * y), sum(|_, y| y * y));
        let slope = if xx > 0.0 { xy / xx } else { 0.0 };
        let fit = if xx > 0.0 && yy > 0.0 { xy * xy / (xx * yy) } else { 1.0 };
        Line { slope, at_zero: y - slope * x, fit }
    }

    pub fn at(&self, x: f64) -> f64 {
        self.at_zero + self.slope * x
    }
}
