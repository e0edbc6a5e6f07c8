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

    /// Of what is counted, not measured.
    pub fn exact(count: f64) -> Self {
        Summary { median: count, spread: 0.0 }
    }

    /// How far the median may be from where it would be after many more samples, as 95 of 100 are not: twice its
    /// standard error, were they distributed normally.
    pub fn noise(&self, samples: usize) -> f64 {
        3.7 * self.spread / (samples as f64).sqrt()
    }

    pub fn percent(&self) -> f64 {
        100.0 * self.spread / self.median
    }

    /// In another unit, `factor` of which make one of this.
    pub fn times(self, factor: f64) -> Self {
        Summary { median: self.median * factor, spread: self.spread * factor }
    }
}

/// The ratios of samples that were taken together: what moved both cancels out.
pub fn ratios(of: &[f64], to: &[f64]) -> Summary {
    Summary::of(&of.iter().zip(to).map(|(of, to)| of / to).collect::<Vec<_>>())
}

/// The median of [`ratios`].
pub fn ratio(of: &[f64], to: &[f64]) -> f64 {
    ratios(of, to).median
}
