//! Which commands a monitor takes.

use qga_core::QgaCommand;

/// The protocol of a machine's monitor, for which a [`QgaCommand`] may be:
///
/// ```
/// use qga_core::QgaCommand;
///
/// #[derive(QgaCommand)]
/// #[qga(name = "query-kvm", protocol = qga_qmp::Qmp, response = Kvm, retry = Safe)]
/// struct QueryKvm;
///
/// #[derive(serde::Deserialize)]
/// struct Kvm {
///     enabled: bool,
/// }
/// ```
///
/// A client of the guest agent does not take it:
///
/// ```compile_fail,E0277
/// # #[derive(qga_core::QgaCommand)]
/// # #[qga(name = "query-kvm", protocol = qga_qmp::Qmp)]
/// # struct QueryKvm;
/// # async fn example(client: qga_core::Client) {
/// let _ = client.execute(QueryKvm).await;
/// # }
/// ```
///
/// Nor does a monitor take a command of the agent:
///
/// ```compile_fail,E0277
/// # #[derive(qga_core::QgaCommand)]
/// # #[qga(name = "guest-ping")]
/// # struct Ping;
/// # async fn example(monitor: qga_qmp::Monitor) {
/// let _ = monitor.execute(Ping).await;
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Qmp {}

/// A command that QEMU also takes past those that it is busy with.
pub trait OutOfBand: QgaCommand<Qmp> {}

impl<C: OutOfBand> OutOfBand for &C {}
