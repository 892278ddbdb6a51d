//! How many traces are kept, as the usual variables of OpenTelemetry say it (SDK, section "Sampler").

use opentelemetry_sdk::trace::Sampler;

use crate::SetupError;

/// What [`Sampling::sampler`] knows, as it is told to people.
pub(crate) const KNOWN: &str = "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off and \
                     parentbased_traceidratio";

/// Which traces are kept: all, if nothing is said.
#[derive(Debug, Clone, Default)]
pub struct Sampling {
    /// `OTEL_TRACES_SAMPLER`.
    pub kind: Option<String>,
    /// `OTEL_TRACES_SAMPLER_ARG`: of a kind that keeps a share, which.
    pub share: Option<String>,
}

impl Sampling {
    /// A wrong word is refused: the libraries would keep all, which nobody asked for.
    pub(crate) fn sampler(&self) -> Result<Sampler, SetupError> {
        let kind = self.kind.as_deref().unwrap_or("parentbased_always_on");
        let below_parent = kind.strip_prefix("parentbased_");
        let own = match below_parent.unwrap_or(kind) {
            "always_on" => Sampler::AlwaysOn,
            "always_off" => Sampler::AlwaysOff,
            "traceidratio" => Sampler::TraceIdRatioBased(self.ratio()?),
            _ => return Err(SetupError::Sampler(kind.to_owned())),
        };
        Ok(if below_parent.is_some() { Sampler::ParentBased(Box::new(own)) } else { own })
    }

    fn ratio(&self) -> Result<f64, SetupError> {
        let share = self.share.as_deref().unwrap_or("1");
        let ratio = share.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.ok_or_else(|| SetupError::Share(share.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: &str, share: &str) -> Result<String, String> {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let sampling = Sampling { kind: text(kind), share: text(share) };
        sampling.sampler().map(|sampler| format!("{sampler:?}")).map_err(|error| error.to_string())
    }

    #[test]
    fn each_word_is_the_sampler_of_that_name_and_none_keeps_all() {
        for (kind, share, sampler) in [
            ("", "", "ParentBased(AlwaysOn)"),
            ("always_on", "", "AlwaysOn"),
            ("always_off", "nothing", "AlwaysOff"),
            ("traceidratio", "0.25", "TraceIdRatioBased(0.25)"),
            ("traceidratio", "", "TraceIdRatioBased(1.0)"),
            ("parentbased_always_on", "", "ParentBased(AlwaysOn)"),
            ("parentbased_always_off", "", "ParentBased(AlwaysOff)"),
            ("parentbased_traceidratio", "0", "ParentBased(TraceIdRatioBased(0.0))"),
        ] {
            assert_eq!(told(kind, share).unwrap(), sampler, "{kind} {share}");
        }
    }

    #[test]
    fn a_wrong_word_or_share_is_refused_by_name() {
        for kind in
            ["xray", "jaeger_remote", "parentbased_", "Always_On", "parentbased_parentbased_always_on"]
        {
            let error = told(kind, "1").unwrap_err();
            assert!(error.contains(kind) && error.contains("parentbased_traceidratio"), "{error}");
        }
        for share in ["10%", "1.1", "-0.1", "NaN", "a tenth"] {
            let error = told("traceidratio", share).unwrap_err();
            assert!(error.contains(share) && error.contains("OTEL_TRACES_SAMPLER_ARG"), "{error}");
        }
    }
}
