#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <type_traits>

#include "grantd/error.hpp"
#include "grantd/grantd.h"

struct grantd_error {
  grantd_status status;
  grantd::Error error;
};

namespace grantd::detail {

/// Turns the exception at hand into what a C caller gets, and puts the whole of it into `error`, unless that
/// is null.
grantd_status report_failure(grantd_error** error) noexcept;

/// Runs what a C caller wants, which reports failures by throwing.
template <class Run>
grantd_status run_for_c(grantd_error** error, const Run& run) noexcept {
  if (error != nullptr) *error = nullptr;
  try {
    run();
    return GRANTD_OK;
  } catch (...) {
    return report_failure(error);
  }
}

/// Throws Error "invalid_request" where a caller gives none.
void require(const void* argument, const char* what);

}  // namespace grantd::detail
