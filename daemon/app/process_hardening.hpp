#pragma once

namespace grantd::daemon {

/// Makes this process one that leaves nothing behind: no core file, not readable by other processes of the
/// same user (PR_SET_DUMPABLE), files it creates closed to others, no death by SIGPIPE, as many descriptors
/// as the system allows. To be called first in main.
void harden_process();

}  // namespace grantd::daemon
