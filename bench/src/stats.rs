//! Medians, which a noisy machine moves least.

/// The middle of some samples, and how far they lie apart.
#[derive(Clone, Copy)]
pub struct Summary {
    pub median: f64,
    /// Half the distance between the quartiles.
    pub spread: f64,
}

impl Summary {
    pub fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |part: f64| sorted[((sorted.len() - 1) as f64 * part).round() as usize];
        Summary { median: at(0.5), spread: (at(0.75) - at(0.25)) / 2.0 }
    }

    pub fn percent(&self) -> f64 {
        100.0 * self.spread / self.median
    }
}

/// The median of the ratios of samples that were taken together: what moved both cancels out.
pub fn ratio(of: &[f64], to: &[f64]) -> f64 {
    Summary::of(&of.iter().zip(to).map(|(of, to)| of / to).collect::<Vec<_>>()).median
}
