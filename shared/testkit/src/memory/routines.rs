//! The switches of schedules.

use std::collections::BTreeMap;

use sop_core::id::{SopName, Tenant};
use sop_runtime::port::{PortError, Routine, Routines};

use crate::memory::Memory;

#[derive(Debug, Default)]
pub(super) struct State {
    routines: BTreeMap<(Tenant, SopName), Routine>,
}

impl Routines for Memory {
    async fn routines(&self, tenant: &Tenant) -> Result<Vec<Routine>, PortError> {
        let state = self.state();
        let own = state.routines.routines.iter().filter(|((whose, _), _)| whose == tenant);
        Ok(own.map(|(_, routine)| routine.clone()).collect())
    }

    async fn set_routine(&self, tenant: &Tenant, routine: &Routine) -> Result<(), PortError> {
        let place = (tenant.clone(), routine.sop.clone());
        self.state().routines.routines.insert(place, routine.clone());
        Ok(())
    }
}
