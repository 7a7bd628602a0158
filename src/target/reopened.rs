//! A target that is sent another opening request than its own: the one of a saved finding.

use super::{AppSteps, Connection, Deviation, Opening, Role, Serving, Target, WholeServer};
use crate::bounds::Bounds;
use std::sync::Arc;

/// `target`, which is sent `opening`.
pub(crate) fn with_opening(target: Arc<dyn Target>, opening: &Opening) -> Arc<dyn Target> {
    if target.opening() == opening {
        return target;
    }
    Arc::new(Reopened { target, opening: opening.clone() })
}

struct Reopened {
    target: Arc<dyn Target>,
    opening: Opening,
}

impl Target for Reopened {
    fn name(&self) -> &str {
        self.target.name()
    }

    fn version(&self) -> &str {
        self.target.version()
    }

    fn about(&self) -> &str {
        self.target.about()
    }

    fn bounds(&self) -> Bounds {
        self.target.bounds()
    }

    fn obeys(&self) -> AppSteps {
        self.target.obeys()
    }

    fn opening(&self) -> &Opening {
        &self.opening
    }

    fn role(&self) -> Role {
        self.target.role()
    }

    fn deviations(&self) -> &[Deviation] {
        self.target.deviations()
    }

    fn stale_after(&self) -> u64 {
        self.target.stale_after()
    }

    fn is_planted(&self) -> bool {
        self.target.is_planted()
    }

    fn whole(&self) -> Option<&dyn WholeServer> {
        self.target.whole()
    }

    fn serve(&self, connection: Connection) -> Serving {
        self.target.serve(connection)
    }
}
