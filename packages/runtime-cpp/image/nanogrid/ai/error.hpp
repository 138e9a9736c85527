// What <nanogrid/ai.hpp> throws. Owns no state.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace nanogrid::ai {

/// A call that did not give an answer. `code`: configuration, unreachable, timeout, service, invalid-answer or
/// interrupted; `status` is the service's HTTP status, for `service`.
struct error : std::runtime_error {
  error(std::string code, const std::string& what, int status = 0)
      : std::runtime_error(what), code(std::move(code)), status(status) {}
  std::string code;
  int status;
};

}  // namespace nanogrid::ai
