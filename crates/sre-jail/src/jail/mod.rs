//! The host's side of jails.
//!
//! | file | holds |
//! |---|---|
//! | `options` | which program, root folder and layers |
//! | `check` | what no jail can carry out |
//! | `error` | why there is no report |
//! | `starter` | starting the launcher, and starting it again |
//! | `run` | one run |
//! | `running` | waiting for a jail, ending it, what came of it |
//! | `held` | a jail made ahead |
//! | `streams` | what the guest prints, up to its limits |
//! | `report` | how it ended and what held it |

mod check;
mod error;
mod held;
mod options;
mod report;
mod run;
mod running;
mod starter;
mod streams;

use std::sync::Mutex;

use crate::cgroup::{Controller, Place, Places};
use crate::spec::ProcessSpec;
use crate::sys;

pub use error::JailError;
pub use options::{JailOptions, LauncherProgram, Layer};
pub use report::{Ending, Output, Report};

pub use held::Held;

use starter::{Starter, lock};

/// Makes jails. Cheap to use from many threads at once; each call of [`Jail::run`] is a jail of its
/// own.
#[derive(Debug)]
pub struct Jail {
    places: Places,
    landlock_version: u32,
    unrepeatable: Option<String>,
    starter: Mutex<Starter>,
}

impl Jail {
    /// Checks what this host can enforce and starts the launcher.
    ///
    /// # Errors
    /// [`JailError::Lacking`] when the host lacks a layer that the options do not allow to be
    /// missing; [`JailError::Launcher`] when no jail can be made here at all.
    pub fn new(options: JailOptions) -> Result<Self, JailError> {
        let places = Places::find();
        let landlock_version = sys::landlock::version();
        let mut lacking = Layer::ALL
            .into_iter()
            .filter_map(|layer| Some((layer, lacking(layer, &places, landlock_version)?)));
        if let Some((layer, why)) = lacking.find(|(layer, _)| !options.may_lack.contains(layer)) {
            return Err(JailError::Lacking { layer, why });
        }
        let may_lack_repeatability = options.may_lack.contains(&Layer::Repeatability);
        let mut starter = Starter::new(options);
        starter.ensure()?;
        let unrepeatable = starter.unrepeatable().map(str::to_owned);
        match unrepeatable {
            Some(why) if !may_lack_repeatability => Err(JailError::Lacking {
                layer: Layer::Repeatability,
                why,
            }),
            unrepeatable => Ok(Self {
                places,
                landlock_version,
                unrepeatable,
                starter: Mutex::new(starter),
            }),
        }
    }

    /// Runs one order in a jail of its own, which is gone when this returns: no process or group of
    /// it is left, and its mounts, which no process can reach any more, are taken down a moment later.
    /// Blocks until then. `should_stop` is asked every few milliseconds.
    ///
    /// # Errors
    /// Whatever kept it from finding out how the guest would have ended; see [`JailError`].
    pub fn run(
        &self,
        spec: &ProcessSpec,
        should_stop: &dyn Fn() -> bool,
    ) -> Result<Report, JailError> {
        run::run(self, spec, should_stop)
    }

    /// Makes a jail ahead: its guest starts with `order`, whose package and standard input must be
    /// empty, and waits.
    ///
    /// The guest finds a socket at descriptor 3. When [`Held::run`] gives it an order, the package
    /// and standard input are there, and it reads the order's arguments, each with a zero byte
    /// after it, and then each variable of its environment with a zero byte before it, to the end.
    /// Then it writes one byte there: what ends a guest that has not said so is no end of the order
    /// ([`JailError::Gone`]).
    ///
    /// # Errors
    /// As [`Jail::run`].
    pub fn hold(&self, spec: &ProcessSpec) -> Result<Held, JailError> {
        Held::make(self, spec)
    }

    /// The layers that this host lacks, and why. All of them were named in the options.
    #[must_use]
    pub fn lacking(&self) -> Vec<(Layer, String)> {
        let lacking = |layer| match layer {
            Layer::Repeatability => Some((layer, self.unrepeatable.clone()?)),
            other => Some((other, lacking(other, &self.places, self.landlock_version)?)),
        };
        Layer::ALL.into_iter().filter_map(lacking).collect()
    }

    /// The launcher's process number on the host, for tests and people that look for it.
    #[must_use]
    pub fn launcher_pid(&self) -> Option<i32> {
        lock(&self.starter).pid()
    }
}

/// Why a layer is missing on this host, if it is and that can be known without the launcher.
pub(crate) fn lacking(layer: Layer, places: &Places, landlock_version: u32) -> Option<String> {
    let controller = match layer {
        Layer::Landlock if landlock_version == 0 => {
            return Some(String::from("this kernel has no Landlock"));
        }
        Layer::Landlock | Layer::Repeatability => return None,
        Layer::MemoryLimit => Controller::Memory,
        Layer::CpuLimit => Controller::Cpu,
        Layer::ProcessLimit => Controller::Pids,
    };
    match places.of(controller) {
        Place::Nowhere(why) => Some(why.clone()),
        _ => None,
    }
}
