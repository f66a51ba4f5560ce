//! Which calls have a span: [OpenTelemetry's samplers](https://opentelemetry.io/docs/specs/otel/trace/sdk/#built-in-samplers).

/// Decides by the ids of traces, so that all who sample by the same ratio decide alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sampler {
    /// Whether the decision of the client is followed, if there is one.
    pub(crate) parent_based: bool,
    /// The part of the other traces that is sampled.
    pub(crate) ratio: f64,
}

impl Sampler {
    /// The default of the specification: `parentbased_always_on`.
    pub(crate) const DEFAULT: Self = Self {
        parent_based: true,
        ratio: 1.0,
    };

    /// `received` is the decision of the client.
    pub(super) fn samples(self, received: Option<bool>, trace: u128) -> bool {
        match received {
            Some(sampled) if self.parent_based => sampled,
            _ => self.has(trace),
        }
    }

    /// As most libraries: the lower half of the id without its last bit, as a fraction.
    #[allow(clippy::cast_possible_truncation, reason = "the lower half is meant")]
    #[allow(clippy::cast_precision_loss, reason = "by less than one trace in 2^50")]
    fn has(self, trace: u128) -> bool {
        let fraction = ((trace as u64) >> 1) as f64 / (1u64 << 63) as f64;
        // The last ids round up to 1.
        fraction < self.ratio || self.ratio >= 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_that_of_the_ids() {
        for (ratio, expected) in [(0.0, 0), (0.25, 250), (1.0, 1000)] {
            let sampler = Sampler {
                parent_based: true,
                ratio,
            };
            let ids = (0..1000u128).map(|n| (n << 64) / 1000);
            let sampled = ids.filter(|id| sampler.samples(None, *id)).count();
            assert_eq!(sampled, expected, "{ratio}");
            assert_eq!(sampler.samples(None, u128::MAX), ratio == 1.0);
        }
    }

    #[test]
    fn the_clients_decision_counts_unless_the_sampler_has_its_own() {
        for ratio in [0.0, 1.0] {
            for received in [true, false] {
                let sampler = Sampler {
                    parent_based: true,
                    ratio,
                };
                assert_eq!(sampler.samples(Some(received), 1), received);
                let sampler = Sampler {
                    parent_based: false,
                    ratio,
                };
                assert_eq!(sampler.samples(Some(received), 1), ratio == 1.0);
            }
        }
    }
}
